import { createRoute, z } from '@hono/zod-openapi'
import * as identity from '../../db/identity/identity.ts'
import * as password from '../../db/identity/password.ts'
import { Refused } from '../../db/platform/refused.ts'
import type { ApiConfig } from '../config.ts'
import { perMinute, slowDown } from '../limit.ts'
import { open, reissue } from '../session-tokens.ts'
import { json, jsonBody, no, router } from './surface.ts'

const tags = ['Телеком: авторизация']
const hoursPerDay = 24
const nameCharactersMax = 254
const secretCharactersMax = 128
const tokenCharactersMax = 2_000

const lasting = (config: ApiConfig) => ({
  surface: 'telecom' as const,
  config,
  hours: config.refreshDays * hoursPerDay,
})

const loginRoute = createRoute({
  method: 'post',
  path: '/auth/login',
  tags,
  summary: 'Вход: имя и пароль',
  description: 'Учётная запись без роли telecom получит токены, но на остальное — 403.',
  security: [],
  request: {
    body: jsonBody(
      z
        .object({
          username: z.string().trim().min(1).max(nameCharactersMax).openapi({ example: 'your_username' }),
          password: z
            .string()
            .min(1)
            .max(secretCharactersMax)
            .openapi({ format: 'password', example: 'your_password' }),
        })
        .openapi('TelecomLogin'),
    ),
  },
  responses: {
    200: {
      description: 'Токены',
      ...json(z.object({ access: z.string(), refresh: z.string() }).openapi('TelecomTokens')),
    },
    ...no(400, 401),
  },
})

const refreshRoute = createRoute({
  method: 'post',
  path: '/auth/refresh',
  tags,
  summary: 'Новый access-токен',
  description: 'Refresh-токен остаётся действительным, пока не истечёт или не завершится его сеанс.',
  security: [],
  request: {
    body: jsonBody(
      z
        .object({ refresh: z.string().min(1).max(tokenCharactersMax).openapi({ example: 'your_refresh_token' }) })
        .openapi('TelecomRefresh'),
    ),
  },
  responses: { 200: { description: 'Токен', ...json(z.object({ access: z.string() })) }, ...no(400, 401) },
})

/** What needs no token. The limits of attempts live in this process's memory, one set per app. */
export function auth(config: ApiConfig) {
  const attempts = perMinute(config.loginsPerMinute)
  const failures = perMinute(config.phoneFailuresMax, config.phoneFailureMinutes)
  const app = router()

  app.openapi(loginRoute, async (c) => {
    slowDown(c, attempts.take(c.env.address))
    const { username, password: plain } = c.req.valid('json')
    const key = username.toLowerCase()
    // Counted before the slow hash, or a hundred at once would all be tried; a right password clears the count.
    slowDown(c, failures.take(key))
    const by = username.includes('@') ? { email: username } : { username }
    const found = await identity.credentials(c.var.db.sql, by)
    const right = await password.verify(plain, found?.passwordHash ?? null)
    // One text for all reasons: it must not tell whether the name is known.
    if (!right || !found || found.status !== 'active')
      throw new Refused('unauthenticated', 'login refused', {
        text: 'Не найдено активной учетной записи с указанными данными',
      })
    failures.clear(key)
    const about = { ...lasting(config), ip: c.env.address, userAgent: c.req.header('user-agent') }
    const sign = await c.var.db.transaction((tx) => open(tx, found.id, about))
    const { accessToken: access, refreshToken: refresh } = await sign()
    return c.json({ access, refresh }, 200)
  })

  app.openapi(refreshRoute, async (c) => {
    slowDown(c, attempts.take(c.env.address))
    const access = await reissue(c.var.db.sql, c.req.valid('json').refresh, lasting(config))
    if (access === null)
      throw new Refused('unauthenticated', 'no refresh token of ours', {
        text: 'Токен недействителен или просрочен',
        code: 'token_not_valid',
      })
    return c.json({ access }, 200)
  })

  return app
}
