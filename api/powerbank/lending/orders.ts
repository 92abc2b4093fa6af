import { createRoute, z } from '@hono/zod-openapi'
import * as verbs from '../../../db/powerbank/order-list.ts'
import { Refused } from '../../../db/powerbank/refused.ts'
import * as scope from '../../../db/powerbank/scope.ts'
import { orderStatuses } from '../../../db/powerbank/words.ts'
import { published } from '../../resource.ts'
import { STAFF } from '../people/rights.ts'
import { idParam, json, no, ok, page, paged, paging, router, shown, Time, time, yes } from '../surface.ts'

const tags = ['Управление заказами']

export const OrderStatus = z
  .enum(orderStatuses)
  .openapi({ description: 'pending: станция ещё не подтвердила; cancelled: выдачи не было, в списках скрыт' })

/** A loan as this surface shows it (docs/contracts.md 4.5). */
export const Order = z
  .object({
    id: z.int(),
    order_id: z.int(),
    station_id: z.int(),
    station_box_id: z.string(),
    user_id: z.int(),
    user_phone: z.string().nullable(),
    user_fio: z.string(),
    powerbank_id: z.int().nullable(),
    powerbank_serial: z.string().nullable(),
    slot_number: z.int().nullable(),
    status: OrderStatus,
    return_station_id: z.int().nullable(),
    return_slot: z.int().nullable(),
    is_admin_order: z.boolean(),
    timestamp: Time,
    borrowed_at: Time.nullable(),
    completed_at: Time.nullable(),
  })
  .openapi('Order')

/** The value of `Order`. */
export const toJson = (order: verbs.ListedOrder) =>
  published(Order, { ...shown(order), order_id: order.id, timestamp: time(order.createdAt) })

/** Loans: users read their own, staff those of their units' stations. */
export const orders = router()

orders.openapi(
  createRoute({
    method: 'get',
    path: '/orders',
    tags,
    summary: 'Получение списка заказов',
    description: 'Пользователь видит свои, администратор — заказы станций своих групп.',
    request: {
      query: z.object({
        ...paging,
        user_id: idParam.optional(),
        station_id: idParam.optional(),
        status: OrderStatus.optional(),
      }),
    },
    responses: {
      200: { description: 'Страница, сначала новые', ...json(page(Order).openapi('Orders')) },
      ...no(400, 401),
    },
  }),
  async (c) => {
    const { actor, db } = c.var
    const { user_id: userId, station_id: stationId, status, ...at } = c.req.valid('query')
    const readable = { scope: await scope.of(db.sql, actor, ...STAFF), readerId: actor.userId }
    const { rows, total } = await verbs.list(db.sql, { ...readable, userId, stationId, status, ...at })
    return c.json(paged(rows.map(toJson), total, at), 200)
  },
)

orders.openapi(
  createRoute({
    method: 'get',
    path: '/orders/{order_id}',
    tags,
    summary: 'Получение заказа по ID',
    request: { params: z.object({ order_id: idParam }) },
    responses: {
      200: { description: 'Заказ', ...json(ok({ data: Order }).openapi('OrderAnswer')) },
      ...no(400, 401, 403, 404),
    },
  }),
  async (c) => {
    const { actor, db } = c.var
    const order = await verbs.get(db.sql, c.req.valid('param').order_id)
    if (!order) throw new Refused('not_found', '', { text: 'Заказ не найден' })
    if (order.userId !== actor.userId) scope.assertInScope(await scope.of(db.sql, actor, ...STAFF), order.orgUnitId)
    return c.json(yes({ data: toJson(order) }), 200)
  },
)
