import { createRoute, z } from '@hono/zod-openapi'
import * as verbs from '../../db/getpro/referrals.ts'
import { published } from '../resource.ts'
import { people, reached } from './rights.ts'
import { idParam, json, no, page, paged, paging, router, rowsOf, shown, Time } from './surface.ts'

const Invited = z
  .object({
    user_id: z.int(),
    created_at: Time,
    has_paid: z.boolean(),
    bonus_days: z.int().openapi({ description: 'Сколько дней получил пригласивший' }),
  })
  .openapi('GetproInvited')

const listRoute = createRoute({
  method: 'get',
  path: '/users/{id}/referrals',
  tags: ['2GETPRO: приглашения'],
  summary: 'Кого пригласил пользователь, сначала новые',
  middleware: [people],
  request: { params: z.object({ id: idParam }), query: z.object(paging) },
  responses: { 200: { description: 'Страница', ...json(page(Invited)) }, ...no(401, 403, 404, 422) },
})

/** Who invited whom (docs/contracts.md 2). */
export const referrals = router()

referrals.openapi(listRoute, async (c) => {
  const at = c.req.valid('query')
  const { id } = await reached(c, c.req.valid('param').id)
  const { rows, total } = await verbs.list(c.var.db.sql, id, rowsOf(at))
  const items = rows.map((row) => published(Invited, { ...shown(row), user_id: row.id }))
  return c.json(paged(items, total, at), 200)
})
