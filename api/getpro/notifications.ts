import { createRoute, z } from '@hono/zod-openapi'
import * as broadcasts from '../../db/getpro/broadcasts.ts'
import * as notices from '../../db/getpro/notices.ts'
import { published } from '../resource.ts'
import { getproText } from '../tasks/getpro-texts.ts'
import { keyOf } from './keys.ts'
import { admins, people, reached } from './rights.ts'
import {
  IdempotencyKey,
  idBody,
  idParam,
  json,
  jsonBody,
  no,
  ok,
  paging,
  router,
  rowsOf,
  shown,
  success,
  Time,
} from './surface.ts'

const tags = ['2GETPRO: уведомления']
const usersMax = 1_000
const titleCharactersMax = 200
const bodyCharactersMax = 3_000

const ways = {
  telegram: z.boolean().openapi({ description: 'Присылать в Telegram' }),
  email: z.boolean().openapi({ description: 'Присылать письмом' }),
  payments: z.boolean().openapi({ description: 'Платежи и возвраты' }),
  subscriptions: z.boolean().openapi({ description: 'Подписка: начало, продление, конец' }),
  bonuses: z.boolean().openapi({ description: 'Промокоды и приглашения' }),
  news: z.boolean().openapi({ description: 'Рассылки' }),
}
const Settings = z
  .object({ ...ways, telegram_blocked: z.boolean().openapi({ description: 'Бот остановлен или не начат' }) })
  .openapi('GetproNotificationSettings')

const settingsOf = (given: notices.NoticeSettings): z.output<typeof Settings> => ({
  telegram: given.telegramNotices,
  email: given.emailNotices,
  payments: given.paymentNotices,
  subscriptions: given.subscriptionNotices,
  bonuses: given.bonusNotices,
  news: given.newsNotices,
  telegram_blocked: given.telegramBlockedAt !== null,
})

const Notification = z
  .object({
    id: z.int(),
    kind: z.string().openapi({ example: 'subscription_extended' }),
    title: z.string(),
    body: z.string(),
    created_at: Time,
    read_at: Time.nullable(),
  })
  .openapi('GetproNotification')

function notification(one: notices.Notice, timeZone: string) {
  const { kind, data, languageCode } = one
  // Each kind has its own data; the compiler cannot follow that through a row.
  const text = getproText({ kind, data: data as never, languageCode }, timeZone)
  return published(Notification, { ...shown(one), kind: kind.replace(/^getpro\./, ''), ...text })
}

const params = z.object({ id: idParam })

const listRoute = createRoute({
  method: 'get',
  path: '/users/{id}/notifications',
  tags,
  summary: 'Настройки уведомлений и сами уведомления, сначала новые',
  middleware: [people],
  request: { params, query: z.object(paging) },
  responses: {
    200: {
      description: 'Настройки и страница',
      ...json(
        ok(
          z.object({
            settings: Settings,
            unread: z.int(),
            items: z.array(Notification),
            total: z.int(),
            page: z.int(),
            page_size: z.int(),
          }),
        ),
      ),
    },
    ...no(401, 403, 404, 422),
  },
})

const changeRoute = createRoute({
  method: 'put',
  path: '/users/{id}/notifications',
  tags,
  summary: 'Настройки уведомлений; отметка о прочтении',
  description:
    'Чего нет в теле, то остаётся как было. `read_to` — всё до этого уведомления прочитано. `telegram: true` снова пробует того, кто остановил бота.',
  middleware: [people],
  request: {
    params,
    body: jsonBody(
      z
        .object({ ...ways, read_to: idBody })
        .partial()
        .openapi('GetproNotificationChange', { example: { email: true, read_to: 17 } }),
    ),
  },
  responses: {
    200: { description: 'Сохранено', ...json(ok(z.object({ settings: Settings, unread: z.int() }))) },
    ...no(401, 403, 404, 422),
  },
})

const title = z
  .string()
  .trim()
  .min(1)
  .max(titleCharactersMax)
  .refine((text) => !/\p{Cc}/u.test(text), 'в одну строку')
const body = z.string().trim().min(1).max(bodyCharactersMax)

const sendRoute = createRoute({
  method: 'post',
  path: '/notifications',
  tags,
  summary: 'Сообщение одному, нескольким или всем',
  description:
    'Простой текст: разметка не читается. Английский — тем, чей язык не русский. Ровно одно из `user_ids` и `audience`; рассылка идёт тем, кто от неё не отказался.',
  middleware: [admins],
  request: {
    headers: IdempotencyKey,
    body: jsonBody(
      z
        .object({
          user_ids: z.array(idBody).min(1).max(usersMax).optional(),
          audience: z.enum(['all', 'active']).optional(),
          title,
          body,
          title_en: title.optional(),
          body_en: body.optional(),
        })
        .refine(({ user_ids: ids, audience }) => (ids === undefined) !== (audience === undefined), {
          path: ['user_ids'],
          error: 'ожидается ровно одно из user_ids и audience',
        })
        .refine((given) => (given.title_en === undefined) === (given.body_en === undefined), {
          path: ['title_en'],
          error: 'заголовок и текст — вместе',
        })
        .openapi('GetproBroadcast', { example: { user_ids: [1], title: 'Работы', body: 'Ночью сервис недоступен.' } }),
    ),
  },
  responses: {
    201: {
      description: 'Записано и отправляется',
      ...json(ok(z.object({ broadcast_id: z.int(), total: z.int() }).openapi('GetproBroadcastSent'))),
    },
    ...no(401, 403, 404, 409, 422),
  },
})

const Counts = z.object({ queued: z.int(), sent: z.int(), failed: z.int() })
const progressRoute = createRoute({
  method: 'get',
  path: '/notifications/{id}',
  tags,
  summary: 'Как идёт рассылка',
  middleware: [admins],
  request: { params },
  responses: {
    200: {
      description: 'Сколько отправлено',
      ...json(
        ok(
          z
            .object({ broadcast_id: z.int(), total: z.int(), created_at: Time, telegram: Counts, email: Counts })
            .openapi('GetproBroadcastProgress'),
        ),
      ),
    },
    ...no(401, 403, 404, 422),
  },
})

/** What people are told, and how they want to hear it (docs/contracts.md 2). */
export const notifications = router()

notifications.openapi(listRoute, async (c) => {
  const at = c.req.valid('query')
  const { sql } = c.var.db
  const { id } = await reached(c, c.req.valid('param').id)
  const [given, unread, { rows, total }] = await Promise.all([
    notices.settings(sql, id),
    notices.countUnread(sql, id),
    notices.list(sql, id, rowsOf(at)),
  ])
  const items = rows.map((one) => notification(one, c.var.config.timeZone))
  const { page, page_size } = at
  return c.json(success('Страница', { settings: settingsOf(given), unread, items, total, page, page_size }), 200)
})

notifications.openapi(changeRoute, async (c) => {
  const { read_to: readTo, ...given } = c.req.valid('json')
  const { db, actor } = c.var
  const { id } = await reached(c, c.req.valid('param').id)
  const change = {
    telegramNotices: given.telegram,
    emailNotices: given.email,
    paymentNotices: given.payments,
    subscriptionNotices: given.subscriptions,
    bonusNotices: given.bonuses,
    newsNotices: given.news,
  }
  const data = await db.transaction(async (tx) => {
    await notices.change(tx, actor, id, change)
    if (readTo !== undefined) await notices.read(tx, id, readTo)
    return { settings: settingsOf(await notices.settings(tx, id)), unread: await notices.countUnread(tx, id) }
  })
  return c.json(success('Сохранено', data), 200)
})

notifications.openapi(sendRoute, async (c) => {
  const given = c.req.valid('json')
  const { title_en: titleEn, body_en: bodyEn } = given
  const en = titleEn !== undefined && bodyEn !== undefined ? { title: titleEn, body: bodyEn } : undefined
  const news = { ru: { title: given.title, body: given.body }, en }
  const to = given.audience ?? { accountIds: given.user_ids! }
  const { id, total } = await c.var.db.transaction((tx) =>
    broadcasts.send(tx, c.var.actor, { news, to, ...keyOf(c, given) }),
  )
  return c.json(success('Записано', { broadcast_id: id, total }), 201)
})

notifications.openapi(progressRoute, async (c) => {
  const { id, createdAt, ...counts } = await broadcasts.progress(c.var.db.sql, c.req.valid('param').id)
  return c.json(success('Рассылка', { broadcast_id: id, ...counts, created_at: shown({ createdAt }).created_at }), 200)
})
