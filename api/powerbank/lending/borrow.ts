import { createRoute, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import * as commands from '../../../db/devices/commands.ts'
import type { Actor } from '../../../db/platform/actor.ts'
import type { Tx } from '../../../db/postgres/connect.ts'
import { type Borrowed, borrow as verb } from '../../../db/powerbank/borrow.ts'
import { borrowBank } from '../../../db/powerbank/borrow-bank.ts'
import * as orders from '../../../db/powerbank/order-list.ts'
import { settled } from '../../../db/powerbank/orders.ts'
import { Refused } from '../../../db/powerbank/refused.ts'
import type { Env } from '../../context.ts'
import { IdempotencyKey, idempotencyOf } from '../../idempotency.ts'
import { idBody, idParam, json, jsonBody, no, ok, router, yes } from '../surface.ts'
import { Selection, spellSelection } from './selection.ts'

const tags = ['Выдача повербанков']
const secondMs = 1_000

const Loan = z.object({
  order_id: z.int(),
  station_id: z.int(),
  slot_number: z.int().nullable(),
  powerbank_id: z.int().nullable(),
  serial_number: z.string().nullable(),
  user_id: z.int(),
})
const answer = <S extends z.ZodRawShape>(name: string, keys: S) => ({
  200: {
    description: 'Станция подтвердила: повербанк выдан',
    ...json(ok({ ...keys, data: z.object(keys) }).openapi(name)),
  },
  ...no(400, 401, 403, 404, 408),
})
const answers = answer('Borrowed', Loan.shape)
const description =
  'Ждёт ответа станции. 408: станция ещё не ответила, заказ `order_id` остаётся `pending`, его судьбу решит инвентарь станции (`GET /api/orders/{order_id}`).'

/**
 * Waits for the cabinet and says what is known of the order then.
 * @throws Refused device_silent (not known yet), eject_failed, device_offline (it never heard of it), not_found (an
 *   administrator deleted the order meanwhile)
 */
async function outcome(c: Context<Env>, orderId: number): Promise<orders.ListedOrder> {
  const { db, config } = c.var
  const { commandId, status } = await settled(c.var, orderId, config.borrowWaitSeconds * secondMs)
  if (status === 'pending') throw new Refused('device_silent', '', { orderId, status })
  if (status === 'cancelled') {
    const command = commandId === null ? undefined : await commands.get(db.sql, commandId)
    throw new Refused(command?.status === 'expired' ? 'device_offline' : 'eject_failed', '', { orderId, status })
  }
  const order = await orders.get(db.sql, orderId)
  if (!order) throw new Refused('not_found', '', { reason: 'order_unknown' })
  return order
}

/** Opens the order in one transaction, then waits outside of it. Throws what the verb and `outcome` refuse. */
export async function lend(
  c: Context<Env>,
  open: (tx: Tx, actor: Actor) => Promise<Borrowed>,
): Promise<orders.ListedOrder> {
  const { orderId } = await c.var.db.transaction((tx) => open(tx, c.var.actor))
  return outcome(c, orderId)
}

const toJson = (order: orders.ListedOrder): z.infer<typeof Loan> => ({
  order_id: order.id,
  station_id: order.stationId,
  slot_number: order.slotNumber,
  powerbank_id: order.powerbankId,
  serial_number: order.powerbankSerial,
  user_id: order.userId,
})
const handed = <T extends object>(loan: T) => yes({ message: 'Повербанк выдан', ...loan, data: loan })

/** Requests for a power bank (docs/contracts.md 4.8). Every one may carry an `Idempotency-Key`. */
export const borrow = router()

borrow.openapi(
  createRoute({
    method: 'post',
    path: '/borrow/stations/{station_id}/request',
    tags,
    summary: 'Запрос выдачи повербанка',
    description,
    request: {
      params: z.object({ station_id: idParam }),
      headers: IdempotencyKey,
      body: jsonBody(
        z
          .object({ user_id: idBody, slot_number: z.int() })
          .openapi('BorrowRequest', { example: { user_id: 33, slot_number: 1 } }),
      ),
    },
    responses: answers,
  }),
  async (c) => {
    const { station_id: stationId } = c.req.valid('param')
    const body = c.req.valid('json')
    const choice = { slot: body.slot_number }
    const request = { stationId, userId: body.user_id, choice, idempotency: idempotencyOf(c, body) }
    const order = await lend(c, (tx, actor) => verb(tx, actor, request))
    return c.json(handed(toJson(order)), 200)
  },
)

const Borrower = z.object({ user_id: idBody }).openapi('Borrower', { example: { user_id: 33 } })

borrow.openapi(
  createRoute({
    method: 'post',
    path: '/borrow/stations/{station_id}/request-optimal',
    tags,
    summary: 'Запрос выдачи оптимального повербанка',
    description,
    request: {
      params: z.object({ station_id: idParam }),
      headers: IdempotencyKey,
      body: jsonBody(Borrower),
    },
    responses: answer('OptimalBorrowed', { ...Loan.shape, ...z.object(Selection).partial().shape }),
  }),
  async (c) => {
    const { station_id: stationId } = c.req.valid('param')
    const body = c.req.valid('json')
    const idempotency = idempotencyOf(c, body)
    const request = { stationId, userId: body.user_id, choice: 'optimal' as const, idempotency }
    const order = await lend(c, (tx, actor) => verb(tx, actor, request))
    return c.json(handed({ ...toJson(order), ...(order.selection ? spellSelection(order.selection) : {}) }), 200)
  },
)

borrow.openapi(
  createRoute({
    method: 'post',
    path: '/borrow/powerbanks/{powerbank_id}/request',
    tags,
    summary: 'Запрос выдачи конкретного повербанка',
    description,
    request: {
      params: z.object({ powerbank_id: idParam }),
      headers: IdempotencyKey,
      body: jsonBody(Borrower),
    },
    responses: answers,
  }),
  async (c) => {
    const { powerbank_id: powerbankId } = c.req.valid('param')
    const body = c.req.valid('json')
    const request = { powerbankId, userId: body.user_id, idempotency: idempotencyOf(c, body) }
    return c.json(handed(toJson(await lend(c, (tx, actor) => borrowBank(tx, actor, request)))), 200)
  },
)
