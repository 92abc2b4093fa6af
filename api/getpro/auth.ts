import { createRoute, z } from '@hono/zod-openapi'
import { Refused } from '../../db/getpro/refused.ts'
import * as identity from '../../db/identity/identity.ts'
import * as password from '../../db/identity/password.ts'
import { roles } from '../../db/identity/words.ts'
import { hasRole } from '../../db/platform/actor.ts'
import type { ApiConfig } from '../config.ts'
import { perMinute, slowDown } from '../limit.ts'
import { open, renew, type TokenPair } from '../session-tokens.ts'
import { people } from './rights.ts'
import { json, jsonBody, no, ok, router, success } from './surface.ts'

const tags = ['2GETPRO: авторизация']
const hoursPerDay = 24
const nameCharactersMax = 254
const secretCharactersMax = 128
const tokenCharactersMax = 2_000

const Tokens = z
  .object({
    access_token: z.string(),
    refresh_token: z.string(),
    token_type: z.literal('bearer'),
    expires_in: z.int().openapi({ description: 'Секунд', example: 1_800 }),
  })
  .openapi('GetproTokens')

const tokens = ({ accessToken, refreshToken, expiresInSeconds }: TokenPair) => ({
  access_token: accessToken,
  refresh_token: refreshToken,
  token_type: 'bearer' as const,
  expires_in: expiresInSeconds,
})

const lasting = (config: ApiConfig) => ({ surface: 'getpro' as const, config, hours: config.refreshDays * hoursPerDay })

const loginRoute = createRoute({
  method: 'post',
  path: '/auth/login',
  tags,
  summary: 'Вход: адрес почты или имя, и пароль',
  description: 'Наше дополнение. Пускает того, у кого есть роль getpro:admin или getpro:user; остальным 403.',
  security: [],
  request: {
    body: jsonBody(
      z
        .object({
          login: z.string().trim().min(1).max(nameCharactersMax).openapi({ example: 'user@example.com' }),
          password: z.string().max(secretCharactersMax).openapi({ format: 'password', example: 'secure_password' }),
        })
        .openapi('GetproLogin'),
    ),
  },
  responses: { 200: { description: 'Токены', ...json(ok(Tokens).openapi('GetproLoggedIn')) }, ...no(401, 403, 422) },
})

const refreshRoute = createRoute({
  method: 'post',
  path: '/auth/refresh',
  tags,
  summary: 'Обновление токенов',
  description:
    'Наше дополнение. Меняются оба токена; старый, предъявленный сразу после обмена (вторая вкладка), получает те же новые, позже — завершает сеанс.',
  security: [],
  request: {
    body: jsonBody(
      z
        .object({ refresh_token: z.string().min(1).max(tokenCharactersMax).openapi({ example: 'eyJ…' }) })
        .openapi('GetproRefresh'),
    ),
  },
  responses: { 200: { description: 'Токены', ...json(ok(Tokens)) }, ...no(401, 422) },
})

const Me = z
  .object({ login_id: z.int(), roles: z.array(z.enum(roles.getpro)).openapi({ example: ['user'] }) })
  .openapi('GetproMe')

const meRoute = createRoute({
  method: 'get',
  path: '/auth/me',
  tags,
  summary: 'За кого говорит токен',
  middleware: [people],
  responses: { 200: { description: 'Учётная запись и её роли', ...json(ok(Me)) }, ...no(401, 403) },
})

/** What needs no token. The limits of attempts live in this process's memory, one set per app. */
export function auth(config: ApiConfig) {
  const attempts = perMinute(config.loginsPerMinute)
  const failures = perMinute(config.phoneFailuresMax, config.phoneFailureMinutes)
  const app = router()

  app.openapi(loginRoute, async (c) => {
    slowDown(c, attempts.take(c.env.address))
    const { login, password: plain } = c.req.valid('json')
    const key = login.toLowerCase()
    // Counted before the slow hash, or a hundred at once would all be tried; a right password clears the count.
    slowDown(c, failures.take(key))
    const by = login.includes('@') ? { email: login } : { username: login }
    const found = await identity.credentials(c.var.db.sql, by)
    const right = await password.verify(plain, found?.passwordHash ?? null)
    // One text for all reasons: it must not tell whether the name is known.
    const refused = () => new Refused('unauthenticated', 'login refused', { text: 'Неверное имя или пароль' })
    if (!right || !found) throw refused()
    failures.clear(key)
    if (found.status !== 'active') throw refused()
    if (!(await identity.hasPlace(c.var.db.sql, found.id, 'getpro'))) throw new Refused('forbidden', 'no role here')
    const about = { ...lasting(config), ip: c.env.address, userAgent: c.req.header('user-agent') }
    const sign = await c.var.db.transaction((tx) => open(tx, found.id, about))
    return c.json(success('Вход выполнен', tokens(await sign())), 200)
  })

  app.openapi(refreshRoute, async (c) => {
    slowDown(c, attempts.take(c.env.address))
    const renewed = await renew(c.req.valid('json').refresh_token, lasting(config), c.var.db.transaction)
    // Somebody has a token that was traded already: the operator should know.
    if (renewed && 'reused' in renewed) c.var.log('session.reused', { sessionId: renewed.reused })
    if (!renewed || 'reused' in renewed) throw new Refused('unauthenticated', 'no refresh token of ours')
    return c.json(success('Токены обновлены', tokens(renewed.tokens)), 200)
  })

  return app
}

/** Who the token speaks for. */
export const me = router()

me.openapi(meRoute, async (c) => {
  const { actor } = c.var
  const held = roles.getpro.filter((role) => hasRole(actor, role))
  return c.json(success('Учётная запись', { login_id: actor.userId, roles: held }), 200)
})
