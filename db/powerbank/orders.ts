import { record } from '../messages/events.ts'
import { ring } from '../postgres/channels.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import type { Move } from './decide/changes.ts'
import { EVENT, mayLeave } from './decide/order-states.ts'
import type { orders } from './schema.ts'

type Row = typeof orders.$inferSelect
const COLUMNS = [
  'id',
  'stationId',
  'userId',
  'powerbankId',
  'slotNumber',
  'status',
  'commandId',
  'returnStationId',
  'returnSlot',
  'evidence',
  'isAdminOrder',
  'returnRequestedAt',
  'createdAt',
  'borrowedAt',
  'completedAt',
] as const satisfies (keyof Row)[]

export type Order = Pick<Row, (typeof COLUMNS)[number]>

/** An order as it stands, or undefined. */
export async function get(q: Queryable, id: number): Promise<Order | undefined> {
  const [order] = await q<Order[]>`
    select ${q(COLUMNS)} from orders where id = ${id} and deleted_at is null`
  return order
}

/**
 * Moves one order, if it still stands where its way begins: one conditional update, so of two at once one
 * wins and the other hears false. Writes the event and wakes whoever waits.
 */
export async function move(tx: Tx, id: number, change: Move): Promise<boolean> {
  const { to, evidence, powerbankId = null, returnStationId = null, returnSlot = null } = change
  const [moved] = await tx<{ stationId: number; userId: number; powerbankId: number | null }[]>`
    update orders set status = ${to}, evidence = ${evidence},
      powerbank_id = coalesce(${powerbankId}::bigint, powerbank_id),
      borrowed_at = case when ${to}::text in ('borrow', 'return') then coalesce(borrowed_at, now()) else borrowed_at end,
      completed_at = case when ${to}::text = 'borrow' then null else now() end,
      return_station_id = ${returnStationId}::bigint, return_slot = ${returnSlot}::int
    where id = ${id} and status = any(${mayLeave(to)}) and deleted_at is null
    returning station_id, user_id, powerbank_id`
  if (!moved) return false
  const data = { evidence, powerbankId: moved.powerbankId, returnStationId, returnSlot }
  await record(tx, EVENT[to], { stationId: moved.stationId, userId: moved.userId, orderId: id, data })
  await ring(tx, `order ${id}`)
  return true
}

/**
 * The cabinet says that it let a bank out for this command's order. Takes late answers too: an order already
 * cancelled comes back to life, because the bank is gone. When another bank left than was asked for, the
 * order follows the metal, unless somebody else already has that bank.
 */
export async function ejected(
  tx: Tx,
  commandId: number,
  actualBankId: number | null,
  evidence: string,
): Promise<number | null> {
  const [order] = await tx<Order[]>`
    select id, station_id, user_id, powerbank_id, status from orders where command_id = ${commandId} for update`
  if (!order) return null
  const bankId = actualBankId ?? order.powerbankId
  const [taken] = await tx<{ id: number }[]>`
    select id from orders where powerbank_id = ${bankId} and id <> ${order.id}
      and status in ('pending', 'borrow') and deleted_at is null`
  if (taken) {
    const data = { powerbankId: bankId, heldByOrder: taken.id }
    await record(tx, 'order.bank_conflict', {
      stationId: order.stationId,
      userId: order.userId,
      orderId: order.id,
      data,
    })
    if (order.status === 'pending' && bankId !== order.powerbankId)
      await move(tx, order.id, { to: 'borrow', evidence: `${evidence}; another bank left the slot` })
    return order.id
  }
  const swapped = bankId !== order.powerbankId ? '; another bank left the slot' : ''
  await move(tx, order.id, { to: 'borrow', evidence: evidence + swapped, powerbankId: bankId })
  return order.id
}

/** Commands that never left the house take their orders with them: nothing moved. */
export async function neverSent(tx: Tx, commandIds: number[]): Promise<void> {
  const orders = await tx<{ id: number }[]>`
    select id from orders where command_id = any(${commandIds}::bigint[]) and status = 'pending'
    order by id for update`
  for (const { id } of orders) await move(tx, id, { to: 'cancelled', evidence: 'the command was never sent' })
}
