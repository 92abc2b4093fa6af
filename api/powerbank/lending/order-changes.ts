import { createRoute, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import * as verbs from '../../../db/powerbank/order-changes.ts'
import * as list from '../../../db/powerbank/order-list.ts'
import { Refused } from '../../../db/powerbank/refused.ts'
import { orderStatuses } from '../../../db/powerbank/words.ts'
import type { Env } from '../../context.ts'
import { admins } from '../people/rights.ts'
import { idBody, idParam, json, jsonBody, no, ok, router, yes } from '../surface.ts'
import { Order, toJson } from './orders.ts'

const tags = ['Управление заказами']
const path = '/orders/{order_id}'
const params = z.object({ order_id: idParam })
const one = json(ok({ data: Order }).openapi('OrderChanged'))

/** The order as it stands now. */
async function now(c: Context<Env>, id: number): Promise<z.infer<typeof Order>> {
  const order = await list.get(c.var.db.sql, id)
  if (!order) throw new Refused('not_found', '', { reason: 'order_unknown' })
  return toJson(order)
}

/** Orders written by hand, on the rules that hold at a cabinet too (docs/contracts.md 4.5). */
export const orderChanges = router()

orderChanges.openapi(
  createRoute({
    method: 'post',
    path: '/orders',
    tags,
    summary: 'Создание заказа',
    description:
      'Команда станции не посылается. Для status borrow действуют лимит пользователя и правило «один активный заказ на повербанк»; если станция всё ещё видит повербанк у себя, её инвентарь закроет заказ.',
    middleware: admins,
    request: {
      body: jsonBody(
        z
          .object({
            station_id: idBody,
            user_id: idBody,
            powerbank_id: idBody.nullish(),
            status: z.enum(orderStatuses).exclude(['pending', 'cancelled']),
          })
          .openapi('NewOrder', { example: { station_id: 13, user_id: 33, powerbank_id: 53, status: 'borrow' } }),
      ),
    },
    responses: { 201: { description: 'Создан', ...one }, ...no(400, 401, 403, 404) },
  }),
  async (c) => {
    const { station_id: stationId, user_id: userId, powerbank_id: powerbankId = null, status } = c.req.valid('json')
    const given = { stationId, userId, powerbankId, status }
    const id = await c.var.db.transaction((tx) => verbs.create(tx, c.var.actor, given))
    return c.json(yes({ message: 'Заказ создан', data: await now(c, id) }), 201)
  },
)

orderChanges.openapi(
  createRoute({
    method: 'put',
    path,
    tags,
    summary: 'Обновление заказа',
    description:
      'Не переданное остаётся как было. Статус меняется только так, как мог бы у станции: pending → borrow, cancelled, return; borrow → return, force_eject; cancelled → borrow. У pending меняется только статус.',
    middleware: admins,
    request: {
      params,
      body: jsonBody(
        z
          .object({
            station_id: idBody,
            user_id: idBody,
            powerbank_id: idBody,
            status: z.enum(orderStatuses).exclude(['pending']),
          })
          .partial()
          .openapi('OrderChange', { example: { status: 'return' } }),
      ),
    },
    responses: { 200: { description: 'Изменён', ...one }, ...no(400, 401, 403, 404) },
  }),
  async (c) => {
    const { order_id: id } = c.req.valid('param')
    const { station_id: stationId, user_id: userId, powerbank_id: powerbankId, status } = c.req.valid('json')
    const given = { stationId, userId, powerbankId, status }
    await c.var.db.transaction((tx) => verbs.change(tx, c.var.actor, id, given))
    return c.json(yes({ message: 'Заказ обновлён', data: await now(c, id) }), 200)
  },
)

orderChanges.openapi(
  createRoute({
    method: 'delete',
    path,
    tags,
    summary: 'Удаление заказа',
    description: 'Мягкое: из списков исчезает, в журнале остаётся. 400, пока станция выполняет его команду.',
    middleware: admins,
    request: { params },
    responses: { 200: { description: 'Удалён', ...json(ok({}).openapi('OrderDeleted')) }, ...no(400, 401, 403, 404) },
  }),
  async (c) => {
    const { order_id: id } = c.req.valid('param')
    await c.var.db.transaction((tx) => verbs.remove(tx, c.var.actor, id))
    return c.json(yes({ message: 'Заказ удалён' }), 200)
  },
)
