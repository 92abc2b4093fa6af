import { createRoute, z } from '@hono/zod-openapi'
import * as identity from '../../../db/identity/identity.ts'
import * as password from '../../../db/identity/password.ts'
import * as admission from '../../../db/powerbank/admission.ts'
import { Refused } from '../../../db/powerbank/refused.ts'
import type { ApiConfig } from '../../config.ts'
import { perMinute, slowDown } from '../../limit.ts'
import { sign } from '../../token.ts'
import { Email, FullName, Password, Phone } from '../../user-fields.ts'
import { json, jsonBody, no, ok, router, yes } from '../surface.ts'
import { User, user } from './people.ts'

const tags = ['Авторизация и пользователи']

const registerRoute = createRoute({
  method: 'post',
  path: '/auth/register',
  tags,
  summary: 'Регистрация нового пользователя',
  description:
    'Учётная запись ждёт одобрения администратором; до него войти нельзя. Без `password` пароль создаётся и приходит письмом; в ответе его нет.',
  security: [],
  request: {
    body: jsonBody(
      z.object({ fio: FullName, phone_e164: Phone, email: Email, password: Password.optional() }).openapi('Register'),
    ),
  },
  responses: {
    201: {
      description: 'Заявка принята',
      ...json(
        ok({
          user_id: z.int(),
          status: z.literal('pending'),
          data: z.object({ user_id: z.int(), status: z.literal('pending') }),
        }).openapi('Registered'),
      ),
    },
    ...no(400, 429),
  },
})

const loginRoute = createRoute({
  method: 'post',
  path: '/auth/login',
  tags,
  summary: 'Авторизация пользователя',
  security: [],
  request: {
    body: jsonBody(
      z
        .object({ phone_e164: z.string().min(1).max(32).openapi({ example: '+79001234567' }), password: z.string() })
        .openapi('Login', { example: { phone_e164: '+79001234567', password: 'password123' } }),
    ),
  },
  responses: {
    200: {
      description: 'Токен и пользователь',
      ...json(
        ok({ token: z.string(), user: User, data: z.object({ token: z.string(), user: User }) }).openapi('LoggedIn'),
      ),
    },
    ...no(400, 401, 429),
  },
})

/** What needs no token. The limits of attempts live in this process's memory, one set per app. */
export function auth(config: ApiConfig) {
  const registrations = perMinute(config.registrationsPerMinute)
  const logins = perMinute(config.loginsPerMinute)
  const failures = perMinute(config.phoneFailuresMax, config.phoneFailureMinutes)
  const app = router()

  app.openapi(registerRoute, async (c) => {
    slowDown(c, registrations.take(c.env.address))
    const { fio, phone_e164, email, password: plain } = c.req.valid('json')
    const passwordHash = plain === undefined ? null : await password.hash(plain)
    const userId = await c.var.db.transaction((tx) =>
      identity.register(tx, { fullName: fio, phone: phone_e164, email, passwordHash }),
    )
    const data = { user_id: userId, status: 'pending' as const }
    return c.json(yes({ message: 'Регистрация принята и ожидает одобрения администратором', ...data, data }), 201)
  })

  app.openapi(loginRoute, async (c) => {
    const { phone_e164: phone, password: plain } = c.req.valid('json')
    // Counted before the slow hash, or a hundred at once would all be tried; a right password clears the count.
    slowDown(c, Math.max(logins.take(c.env.address), failures.take(phone)))
    const { db } = c.var
    const found = await identity.credentials(db.sql, { phone })
    const right = await password.verify(plain, found?.passwordHash ?? null)
    // One text for all reasons: it must not tell whether the phone is known (docs/contracts.md 4.1).
    if (!right || found?.status !== 'active')
      throw new Refused('unauthenticated', 'login refused', { text: 'Неверный телефон или пароль' })
    failures.clear(phone)
    const about = { hours: config.tokenHours, ip: c.env.address, userAgent: c.req.header('user-agent') ?? null }
    const { sessionId, expiresAt } = await db.transaction((tx) =>
      identity.login(tx, found.id, { surface: 'powerbank', ...about }),
    )
    const token = await sign({ userId: found.id, sessionId }, { surface: 'powerbank', expiresAt }, config.jwtSecret)
    const who = user({ ...found, lastLoginAt: new Date() }, await admission.place(db.sql, found.id))
    return c.json(yes({ message: 'Авторизация успешна', token, user: who, data: { token, user: who } }), 200)
  })

  return app
}
