import { createRoute, z } from '@hono/zod-openapi'
import * as verbs from '../../db/messages/notifications.ts'
import { shownText } from '../tasks/emails.ts'
import { isGetpro } from '../tasks/getpro-texts.ts'
import {
  addition,
  notifications as ids,
  json,
  jsonBody,
  no,
  Pagination,
  paginationOf,
  paging,
  router,
  rowsOf,
  Time,
  time,
} from './surface.ts'

const tags = ['PayGo: пользователи']

const Notification = z
  .object({
    id: ids.shown,
    kind: z.string().openapi({ example: 'transaction.completed' }),
    title: z.string(),
    body: z.string(),
    created_at: Time,
    read_at: Time.nullable(),
  })
  .openapi('PaygoNotification')

function toJson({ id, kind, data, createdAt, readAt }: verbs.Shown) {
  // Written by this surface alone: another's kind is not among them.
  const text = isGetpro(kind) ? { title: kind, body: '' } : shownText(kind, data)
  const at = { created_at: time(createdAt), read_at: readAt && time(readAt) }
  return { id: ids.spell(id), kind, title: text.title, body: text.body, ...at }
}

/** What people were told where they are logged in (docs/contracts.md 1.2). */
export const notifications = router()

notifications.openapi(
  createRoute({
    ...addition,
    method: 'get',
    path: '/users/notifications',
    tags,
    summary: 'Уведомления, сначала новые',
    request: { query: z.object(paging) },
    responses: {
      200: {
        description: 'Страница',
        ...json(z.object({ notifications: z.array(Notification), unread: z.int(), pagination: Pagination })),
      },
      ...no(401, 422),
    },
  }),
  async (c) => {
    const at = c.req.valid('query')
    const { sql } = c.var.db
    const { userId } = c.var.actor
    const [{ rows, total }, unread] = await Promise.all([
      verbs.page(sql, userId, 'paygo', rowsOf(at)),
      verbs.countUnread(sql, userId, 'paygo'),
    ])
    return c.json({ notifications: rows.map(toJson), unread, pagination: paginationOf(total, at) }, 200)
  },
)

notifications.openapi(
  createRoute({
    ...addition,
    method: 'post',
    path: '/users/notifications/read',
    tags,
    summary: 'Всё до этого уведомления прочитано',
    request: {
      body: jsonBody(
        z.object({ up_to: ids.given }).openapi('PaygoNotificationsRead', { example: { up_to: 'notification17' } }),
      ),
    },
    responses: {
      200: { description: 'Сколько осталось непрочитанных', ...json(z.object({ unread: z.int() })) },
      ...no(401, 422),
    },
  }),
  async (c) => {
    const { up_to: upTo } = c.req.valid('json')
    const { userId } = c.var.actor
    const unread = await c.var.db.transaction(async (tx) => {
      await verbs.read(tx, userId, 'paygo', upTo)
      return await verbs.countUnread(tx, userId, 'paygo')
    })
    return c.json({ unread }, 200)
  },
)
