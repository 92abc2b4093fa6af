import { createRoute, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import * as attempts from '../../db/identity/attempts.ts'
import * as identity from '../../db/identity/identity.ts'
import * as password from '../../db/identity/password.ts'
import { join } from '../../db/paygo/people.ts'
import { Refused } from '../../db/paygo/refused.ts'
import { tokenOf } from '../auth.ts'
import type { Env } from '../context.ts'
import { open, renew } from '../session-tokens.ts'
import { verifyRefresh } from '../token.ts'
import { Email } from '../user-fields.ts'
import { assertOpen, refuse, unlessLocked } from './attempts.ts'
import { misshapen, missing } from './refusals.ts'
import { json, jsonBody, Message, no, optionalBody, optionally, router } from './surface.ts'
import { known, LoggedIn, lasting, loggedIn, originOf, Tokens, tokens } from './tokens.ts'

export const tags = ['PayGo: аутентификация']
const secretCharactersMax = 128
const tokenCharactersMax = 2_000

/** A password that is compared with a stored one. */
export const Secret = z.string().min(1).max(secretCharactersMax).openapi({ format: 'password' })
const Token = z.string().min(1).max(tokenCharactersMax)
const describedToken = { type: 'string', example: 'eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9...' }

/** What needs no token. */
export const auth = router()

auth.openapi(
  createRoute({
    method: 'post',
    path: '/auth/login',
    tags,
    summary: 'Вход в систему',
    description:
      'Пять неверных паролей подряд блокируют вход на 15 минут (423); открытые сеансы продолжают работать. С `remember_me` refresh-токен живёт дольше.',
    security: [],
    request: {
      body: jsonBody(
        z.object({ email: Email, password: Secret, remember_me: z.boolean().optional() }).openapi('PaygoLogin', {
          example: { email: 'user@example.com', password: 'password123', remember_me: false },
        }),
      ),
    },
    responses: { 200: { description: 'Токены и пользователь', ...json(LoggedIn) }, ...no(401, 403, 422, 423) },
  }),
  async (c) => {
    const { email, password: plain, remember_me: isRemembered } = c.req.valid('json')
    const { db, config } = c.var
    const found = await identity.credentials(db.sql, { email })
    if (found) await assertOpen(c, found.id)
    const right = await password.verify(plain, found?.passwordHash ?? null)
    // One text for all reasons: it must not tell whether the address is known.
    const refusal = new Refused('invalid_credentials', '', { text: 'Неверный email или пароль' })
    if (!right || !found) return await refuse(c, found?.id ?? null, refusal)
    if (found.status !== 'active') throw new Refused('forbidden', 'not active', { reason: 'user_inactive' })
    const sign = await db.transaction(async (tx) => {
      const until = await attempts.pass(tx, found.id)
      if (until) return until
      await join(tx, found.id)
      return await open(tx, found.id, { ...lasting(config, isRemembered), ...originOf(c) })
    })
    if (sign instanceof Date) return locked(c, sign)
    return c.json(loggedIn(await sign(), await known(c, found.id)), 200)
  },
)

/** Of passwords that are guessed at once the right one may come too late. */
export function locked(c: Context<Env>, until: Date): never {
  unlessLocked(c, until)
  throw new Refused('account_locked')
}

auth.openapi(
  createRoute({
    method: 'post',
    path: '/auth/refresh',
    tags,
    summary: 'Обновление токена доступа',
    description:
      'Refresh-токен — в теле, в `?refresh_token=` или в `Authorization: Bearer`. Меняются оба токена. Старый, предъявленный ещё раз сразу после обмена (вторая вкладка), получает те же новые; позже — завершает весь сеанс.',
    security: [],
    request: {
      query: z.object({ refresh_token: z.string().max(tokenCharactersMax).optional() }),
      body: optionally({ refresh_token: describedToken }, { refresh_token: describedToken.example }),
    },
    responses: { 200: { description: 'Новые токены', ...json(Tokens) }, ...no(401, 422) },
  }),
  async (c) => {
    const given = c.req.valid('query').refresh_token || tokenOf(c)
    const body = await optionalBody(c, z.object({ refresh_token: Token.optional() }))
    const old = body.refresh_token ?? given
    if (!old) throw misshapen(missing('refresh_token'))
    const renewed = await renew(old, lasting(c.var.config), c.var.db.transaction)
    // Somebody has a token that was traded already: the operator should know.
    if (renewed && 'reused' in renewed) c.var.log('session.reused', { sessionId: renewed.reused })
    if (!renewed || 'reused' in renewed) throw new Refused('unauthenticated', 'no refresh token of ours')
    return c.json(tokens(renewed.tokens), 200)
  },
)

/** What ends a session of somebody who is logged in. */
export const leaving = router()

leaving.openapi(
  createRoute({
    method: 'post',
    path: '/auth/logout',
    tags,
    summary: 'Выход из системы',
    description: 'Завершает сеанс токена, а с `refresh_token` в теле — и сеанс этого токена, если он того же человека.',
    request: { body: optionally({ refresh_token: describedToken }, { refresh_token: describedToken.example }) },
    responses: { 200: { description: 'Сеанс завершён', ...json(Message) }, ...no(401, 422) },
  }),
  async (c) => {
    const { refresh_token: token } = await optionalBody(c, z.object({ refresh_token: z.string().nullish() }))
    const { actor, sessionId, config, db } = c.var
    const other = token ? await verifyRefresh(token, config.jwtSecret) : null
    await db.transaction(async (tx) => {
      await identity.revoke(tx, actor.userId, sessionId)
      if (other?.userId === actor.userId) await identity.revoke(tx, actor.userId, other.sessionId)
    })
    return c.json({ message: 'Вы вышли из системы' }, 200)
  },
)
