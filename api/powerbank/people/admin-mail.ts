import { createRoute, z } from '@hono/zod-openapi'
import * as outbox from '../../../db/messages/outbox.ts'
import { json, no, ok, router, Time, time, yes } from '../surface.ts'
import { admins } from './rights.ts'

const tags = ['Административные функции']

const Mail = z
  .object({
    email_enabled: z.boolean().openapi({ description: 'письма уходят: сервер задан и служба не отключилась' }),
    configured: z.boolean(),
    failures_in_row: z.int(),
    last_error: z.string().nullable(),
    switched_off_at: Time.nullable(),
    queued: z.int(),
    failed: z.int(),
    captured: z.int().openapi({ description: 'записаны без отправки: почтовый сервер не задан' }),
  })
  .openapi('MailState')

const toJson = (state: outbox.MailState, configured: boolean): z.infer<typeof Mail> => ({
  email_enabled: configured && state.isEnabled,
  configured,
  failures_in_row: state.failuresInRow,
  last_error: state.lastError,
  switched_off_at: time(state.switchedOffAt),
  queued: state.queued,
  failed: state.failed,
  captured: state.captured,
})

/** The mail service, for admins: does it work, and again, please (docs/contracts.md 4.2). */
export const adminMail = router()

adminMail.openapi(
  createRoute({
    method: 'get',
    path: '/admin/email-status',
    tags,
    summary: 'Состояние email сервиса',
    middleware: admins,
    responses: {
      200: {
        description: 'Состояние',
        ...json(ok({ email_enabled: z.boolean(), data: Mail }).openapi('MailStateAnswer')),
      },
      ...no(401, 403),
    },
  }),
  async (c) => {
    const { db, config } = c.var
    const data = toJson(await outbox.state(db.sql), config.smtp !== null)
    return c.json(yes({ email_enabled: data.email_enabled, data }), 200)
  },
)

adminMail.openapi(
  createRoute({
    method: 'post',
    path: '/admin/reset-email',
    tags,
    summary: 'Сброс email сервиса',
    description:
      'Включает службу снова: все процессы соединяются с почтовым сервером заново, неотправленные письма уходят без ожидания.',
    middleware: admins,
    responses: {
      200: {
        description: 'Служба включена',
        ...json(ok({ email_enabled: z.boolean(), requeued: z.int() }).openapi('MailReset')),
      },
      ...no(401, 403),
    },
  }),
  async (c) => {
    const { db, actor, config } = c.var
    const hasServer = config.smtp !== null
    const requeued = await db.transaction((tx) => outbox.reset(tx, actor, hasServer))
    const message = hasServer
      ? 'Email сервис сброшен и включён'
      : 'Почтовый сервер не задан (SMTP_URL): письма сохраняются без отправки'
    return c.json(yes({ message, email_enabled: hasServer, requeued }), 200)
  },
)
