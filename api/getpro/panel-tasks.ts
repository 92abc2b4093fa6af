import { createRoute, z } from '@hono/zod-openapi'
import * as verbs from '../../db/getpro/panel-tasks.ts'
import { panelTaskStates } from '../../db/getpro/words.ts'
import { published } from '../resource.ts'
import { admins } from './rights.ts'
import { idParam, json, no, ok, page, paged, paging, router, rowsOf, shown, success, Time } from './surface.ts'

const tags = ['2GETPRO: панель']

const Task = z
  .object({
    id: z.int(),
    user_id: z.int(),
    reason: z.string().openapi({ description: 'Что изменилось последним', example: 'subscription.payment' }),
    state: z.enum(panelTaskStates),
    attempts: z.int(),
    due_at: Time,
    last_error: z.string().nullable(),
    changed_at: Time,
    done_at: Time.nullable(),
  })
  .openapi('GetproPanelTask')
const toJson = (one: verbs.PanelTask) => published(Task, { ...shown(one), user_id: one.accountId })

const listRoute = createRoute({
  method: 'get',
  path: '/panel-tasks',
  tags,
  summary: 'Что нужно сказать панели, сначала изменённое последним',
  description: '`failed` — сдались: ждёт повтора администратором или следующего изменения подписки.',
  middleware: [admins],
  request: { query: z.object({ ...paging, state: z.enum(panelTaskStates).optional() }) },
  responses: { 200: { description: 'Страница', ...json(page(Task)) }, ...no(401, 403, 422) },
})

const replayRoute = createRoute({
  method: 'post',
  path: '/panel-tasks/{id}/replay',
  tags,
  summary: 'Сказать панели ещё раз',
  middleware: [admins],
  request: { params: z.object({ id: idParam }) },
  responses: { 200: { description: 'Поставлена в очередь', ...json(ok(Task)) }, ...no(401, 403, 404, 422) },
})

/** What the panel is to be told, for who mends it (docs/contracts.md 2). */
export const panelTasks = router()

panelTasks.openapi(listRoute, async (c) => {
  const { state, ...at } = c.req.valid('query')
  const { rows, total } = await verbs.list(c.var.db.sql, { state, ...rowsOf(at) })
  return c.json(paged(rows.map(toJson), total, at), 200)
})

panelTasks.openapi(replayRoute, async (c) => {
  const { id } = c.req.valid('param')
  const task = await c.var.db.transaction((tx) => verbs.replay(tx, c.var.actor, id))
  return c.json(success('Поставлена в очередь', toJson(task)), 200)
})
