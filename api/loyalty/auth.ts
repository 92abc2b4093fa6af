import { createRoute, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import * as identity from '../../db/identity/identity.ts'
import * as password from '../../db/identity/password.ts'
import * as loyalty from '../../db/loyalty/loyalty.ts'
import * as referrals from '../../db/loyalty/referrals-events.ts'
import { Refused } from '../../db/loyalty/refused.ts'
import type { ApiConfig } from '../config.ts'
import type { Env } from '../context.ts'
import { perMinute, slowDown } from '../limit.ts'
import { open, renew } from '../session-tokens.ts'
import { Email, FullName, Password, Phone } from '../user-fields.ts'
import { misshapen, missing } from './refusals.ts'
import { json, jsonBody, no, router, textOrNull } from './surface.ts'
import { lasting, Tokens, tokens, User, user } from './tokens.ts'

const tags = ['Лояльность: авторизация']
const nameCharactersMax = 254
const secretCharactersMax = 128
const codeCharactersMax = 100
const tokenCharactersMax = 2_000

const LoggedIn = z.object({ ...Tokens.shape, user: User }).openapi('LoyaltyLoggedIn')

const registerRoute = createRoute({
  method: 'post',
  path: '/auth/register',
  tags,
  summary: 'Регистрация нового пользователя',
  description: 'Открывает счёт лояльности. Неизвестный реферальный код регистрации не мешает.',
  security: [],
  request: {
    body: jsonBody(
      z
        .object({
          email: Email,
          full_name: FullName,
          phone: Phone,
          password: Password,
          referral_code: textOrNull(codeCharactersMax).openapi({ example: 'REF-ABC12345' }),
        })
        .openapi('LoyaltyRegister'),
    ),
  },
  responses: { 201: { description: 'Токены и пользователь', ...json(LoggedIn) }, ...no(400, 422) },
})

const secret = z.string().max(secretCharactersMax).openapi({ format: 'password', example: 'secure_password' })
const name = z.string().trim().min(1).max(nameCharactersMax).openapi({ example: 'user@example.com' })
const Form = z.object({ username: name, password: secret }).openapi('LoyaltyLoginForm')

const loginRoute = createRoute({
  method: 'post',
  path: '/auth/login',
  tags,
  summary: 'Вход в систему',
  description: 'Форма `username` (email) и `password`; то же в JSON: `email` и `password`.',
  security: [],
  request: {
    body: {
      content: {
        'application/x-www-form-urlencoded': { schema: Form },
        'multipart/form-data': { schema: Form },
        'application/json': { schema: z.object({ email: name, password: secret }).openapi('LoyaltyLogin') },
      },
    },
  },
  responses: { 200: { description: 'Токены и пользователь', ...json(LoggedIn) }, ...no(400, 401, 422) },
})

const token = z.string().min(1).max(tokenCharactersMax)

const refreshRoute = createRoute({
  method: 'post',
  path: '/auth/refresh',
  tags,
  summary: 'Обновление токенов',
  description:
    'Меняются оба токена. Старый refresh-токен, предъявленный ещё раз сразу после обмена (вторая вкладка), получает те же новые; позже — завершает весь сеанс. Токен принимается и в теле: `{"refresh_token": …}`.',
  security: [],
  request: {
    query: z.object({ refresh_token: token.optional() }),
    // Described, not judged: with the token in the query the body may be of any type, or none.
    body: {
      content: {
        'application/json': {
          schema: {
            type: 'object',
            properties: { refresh_token: { type: 'string' } },
            example: { refresh_token: 'eyJ…' },
          },
        },
      },
    },
  },
  responses: { 200: { description: 'Новые токены', ...json(LoggedIn) }, ...no(401, 422) },
})

const meRoute = createRoute({
  method: 'get',
  path: '/auth/me',
  tags,
  summary: 'Данные текущего пользователя',
  responses: { 200: { description: 'Пользователь', ...json(User) }, ...no(401) },
})

/** Name and password, from the form or from JSON; 422 when the request has neither. */
function given(form: z.infer<typeof Form> | object, body: { email: string; password: string } | object) {
  if ('username' in form) return { email: form.username, plain: form.password }
  if ('email' in body) return { email: body.email, plain: body.password }
  throw misshapen(missing('body', 'username'), missing('body', 'password'))
}

/** The token in a JSON body; null for any other body. */
function tokenIn(body: string): string | null {
  try {
    return token.parse((JSON.parse(body) as { refresh_token?: unknown } | null)?.refresh_token)
  } catch {
    // Whatever is wrong with the body, there is no token in it; the client is told which one is missing.
    return null
  }
}

/** Where a session comes from. */
const about = (c: Context<Env>) => ({
  ...lasting(c.var.config),
  ip: c.env.address,
  userAgent: c.req.header('user-agent'),
})

async function shown(c: Context<Env>, userId: number) {
  const member = await loyalty.member(c.var.db.sql, userId)
  if (!member) throw new Refused('unauthenticated', `user ${userId} is deleted`)
  return user(member)
}

/** What needs no token. The limits of attempts live in this process's memory, one set per app. */
export function auth(config: ApiConfig) {
  const attempts = perMinute(config.loyalty.loginsPerMinute)
  const failures = perMinute(config.phoneFailuresMax, config.phoneFailureMinutes)
  const app = router()

  app.openapi(registerRoute, async (c) => {
    slowDown(c, attempts.take(c.env.address))
    const { email, full_name: fullName, phone, password: plain, referral_code: code } = c.req.valid('json')
    const passwordHash = await password.hash(plain)
    const { userId, sign } = await c.var.db.transaction(async (tx) => {
      const userId = await loyalty.addPatient(tx, null, { email, fullName, phone, passwordHash })
      if (code) await referrals.registered(tx, code, userId, config.loyalty.rules)
      return { userId, sign: await open(tx, userId, about(c)) }
    })
    return c.json({ ...tokens(await sign()), user: await shown(c, userId) }, 201)
  })

  app.openapi(loginRoute, async (c) => {
    slowDown(c, attempts.take(c.env.address))
    const { email, plain } = given(c.req.valid('form'), c.req.valid('json'))
    const key = email.toLowerCase()
    // Counted before the slow hash, or a hundred at once would all be tried; a right password clears the count.
    slowDown(c, failures.take(key))
    const { db } = c.var
    const found = await identity.credentials(db.sql, { email })
    const right = await password.verify(plain, found?.passwordHash ?? null)
    // One text for all reasons: it must not tell whether the address is known.
    if (!right || !found) throw new Refused('unauthenticated', 'login refused', { text: 'Неверный email или пароль' })
    failures.clear(key)
    if (found.status !== 'active') throw new Refused('conflict', 'not active', { reason: 'user_inactive' })
    const sign = await db.transaction(async (tx) => {
      await loyalty.openAccount(tx, found.id)
      return await open(tx, found.id, about(c))
    })
    return c.json({ ...tokens(await sign()), user: await shown(c, found.id) }, 200)
  })

  app.openapi(refreshRoute, async (c) => {
    slowDown(c, attempts.take(c.env.address))
    const old = c.req.valid('query').refresh_token ?? tokenIn(await c.req.text())
    if (old === null) throw misshapen(missing('query', 'refresh_token'))
    const renewed = await renew(old, lasting(config), c.var.db.transaction)
    // Somebody has a token that was traded already: the operator should know.
    if (renewed && 'reused' in renewed) c.var.log('session.reused', { sessionId: renewed.reused })
    if (!renewed || 'reused' in renewed) throw new Refused('unauthenticated', 'no refresh token of ours')
    return c.json({ ...tokens(renewed.tokens), user: await shown(c, renewed.userId) }, 200)
  })

  return app
}

/** Who the token speaks for. */
export const me = router()

me.openapi(meRoute, async (c) => c.json(await shown(c, c.var.actor.userId), 200))
