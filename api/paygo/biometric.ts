import { createRoute, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import * as attempts from '../../db/identity/attempts.ts'
import { isFreshlyOpened } from '../../db/identity/identity.ts'
import * as biometrics from '../../db/paygo/biometrics.ts'
import { templateHash } from '../../db/paygo/fingerprints.ts'
import { join, member } from '../../db/paygo/people.ts'
import { Refused } from '../../db/paygo/refused.ts'
import { biometricTypes } from '../../db/paygo/words.ts'
import { bearerOf } from '../auth.ts'
import type { Env } from '../context.ts'
import { open } from '../session-tokens.ts'
import { assertOpen, prove, refuse } from './attempts.ts'
import { locked, Secret, tags } from './auth.ts'
import { addition, json, jsonBody, Message, no, router, users } from './surface.ts'
import { known, LoggedIn, lasting, loggedIn, originOf } from './tokens.ts'

const templateCharactersMax = 100_000
/** A password that was shown so long ago may let in a new template. */
const freshMinutes = 15

const Type = z.enum(biometricTypes)

/** Logging in by biometry; it needs no token. */
export const biometric = router()

biometric.openapi(
  createRoute({
    method: 'post',
    path: '/auth/biometric',
    tags,
    summary: 'Биометрическая аутентификация',
    description:
      'Входит по подключённому шаблону. Сравнивается равенство: шаблон должен прийти тем же текстом. С токеном того же человека в `Authorization` — подключает шаблон вместо прежнего того же типа, если вход по паролю был не раньше 15 минут назад или в теле есть `current_password`. Неверные попытки считаются вместе с паролями (423).',
    security: [],
    request: {
      body: jsonBody(
        z
          .object({
            user_id: users.given,
            biometric_type: Type,
            template_data: z.string().min(1).max(templateCharactersMax),
            current_password: Secret.optional(),
          })
          .openapi('PaygoBiometric', {
            example: {
              user_id: 'user123',
              biometric_type: 'fingerprint',
              template_data: 'encrypted_biometric_data',
            },
          }),
      ),
    },
    responses: { 200: { description: 'Токены и пользователь', ...json(LoggedIn) }, ...no(401, 403, 422, 423) },
  }),
  async (c) => {
    const { user_id: userId, biometric_type: type, template_data: data, current_password: plain } = c.req.valid('json')
    const { db, config } = c.var
    await assertOpen(c, userId)
    const template = { type, hash: templateHash({ userId, type, data }, config.cardKey) }
    const isEnrolled = await biometrics.matches(db.sql, userId, template)
    if (!isEnrolled) await assertMayEnrol(c, userId, plain)
    const sign = await db.transaction(async (tx) => {
      const until = await attempts.pass(tx, userId)
      if (until) return until
      if (!isEnrolled) await biometrics.enrol(tx, userId, template)
      await join(tx, userId)
      return await open(tx, userId, { ...lasting(config), ...originOf(c), isWithoutPassword: true })
    })
    if (sign instanceof Date) return locked(c, sign)
    return c.json(loggedIn(await sign(), await known(c, userId)), 200)
  },
)

/** A template that is not enrolled: nobody's way in, unless its owner is enrolling it. A token of somebody else is no token. */
async function assertMayEnrol(c: Context<Env>, userId: number, plain: string | undefined): Promise<void> {
  const { db } = c.var
  const bearer = await bearerOf(c, 'paygo')
  if (bearer?.actor.userId !== userId) {
    const isKnown = (await member(db.sql, userId)) !== undefined
    // The same for who is unknown, has not enrolled, or has another finger.
    await refuse(c, isKnown ? userId : null, new Refused('invalid_credentials'))
  }
  if (bearer && (await isFreshlyOpened(db.sql, bearer.sessionId, freshMinutes))) return
  const needed = () =>
    new Refused('forbidden', '', { reason: plain === undefined ? 'password_needed' : 'password_wrong' })
  if (plain === undefined) await refuse(c, userId, needed())
  else await prove(c, userId, plain, needed)
}

/** What only its owner does to a template. */
export const templates = router()

templates.openapi(
  createRoute({
    method: 'delete',
    path: '/users/biometric/{type}',
    tags,
    summary: 'Отключение входа по биометрии',
    description: 'Дополнение Voltbay: в документе такой операции нет.',
    ...addition,
    request: { params: z.object({ type: Type.openapi({ example: 'fingerprint' }) }) },
    responses: { 200: { description: 'Отключён', ...json(Message) }, ...no(401, 404, 422) },
  }),
  async (c) => {
    const { type } = c.req.valid('param')
    await c.var.db.transaction((tx) => biometrics.remove(tx, c.var.actor, type))
    return c.json({ message: 'Вход по биометрии отключён' }, 200)
  },
)
