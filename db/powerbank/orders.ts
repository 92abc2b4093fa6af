import type { Answers } from '../devices/answer-listener.ts'
import * as commands from '../devices/commands.ts'
import { record } from '../messages/events.ts'
import { ring } from '../postgres/channels.ts'
import type { Db, Queryable, Tx } from '../postgres/connect.ts'
import type { ChangeOf, Move } from './decide/changes.ts'
import { EVENT, mayLeave } from './decide/order-states.ts'
import { Refused } from './refused.ts'
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
 * The order's row once it is no longer pending or its command's outcome is unknown, or as it stands when the time is up.
 * @throws Refused not_found: it is deleted
 */
export const settled = ({ db, answers }: { db: Db; answers: Answers }, id: number, waitMs: number): Promise<Order> =>
  answers.wait(`order ${id}`, waitMs, async () => {
    const row = await get(db.sql, id)
    if (!row) throw new Refused('not_found', `order ${id}`, { reason: 'order_unknown' })
    const command = row.status === 'pending' && row.commandId ? await commands.get(db.sql, row.commandId) : null
    return { row, settled: row.status !== 'pending' || command?.status === 'unknown' }
  })

/**
 * Moves one order, if it still stands where its way begins: one conditional update, so of two at once one
 * wins and the other hears false. Writes the event and wakes whoever waits.
 */
export async function move(tx: Tx, id: number, change: Move): Promise<boolean> {
  const {
    to,
    evidence,
    powerbankId = null,
    slotNumber,
    returnStationId = null,
    returnSlot = null,
    isNotTaken = false,
  } = change
  const [moved] = await tx<{ stationId: number; userId: number; powerbankId: number | null }[]>`
    update orders set status = ${to}, evidence = ${evidence},
      powerbank_id = coalesce(${powerbankId}::bigint, powerbank_id),
      asked_powerbank_id = case when coalesce(${powerbankId}::bigint, powerbank_id) = powerbank_id then asked_powerbank_id
        when ${powerbankId}::bigint = asked_powerbank_id then null else coalesce(asked_powerbank_id, powerbank_id) end,
      slot_number = case when ${slotNumber !== undefined} then ${slotNumber ?? null}::int else slot_number end,
      borrowed_at = case when ${to}::text in ('borrow', 'return') then coalesce(borrowed_at, now()) else borrowed_at end,
      completed_at = case when ${to}::text = 'borrow' then null else now() end,
      return_station_id = ${returnStationId}::bigint, return_slot = ${returnSlot}::int,
      not_taken_at = case when ${isNotTaken} then now() end
    where id = ${id} and status = any(${mayLeave(to)}) and deleted_at is null
    returning station_id, user_id, powerbank_id`
  if (!moved) return false
  const data = { evidence, powerbankId: moved.powerbankId, returnStationId, returnSlot }
  await record(tx, EVENT[to], { stationId: moved.stationId, userId: moved.userId, orderId: id, data })
  await ring(tx, `order ${id}`)
  return true
}

/**
 * Writes down that an administrator had a slot opened (docs/contracts.md 4.2): an order that is closed already.
 * @returns its id
 */
export async function writeForced(
  tx: Tx,
  { stationId, userId, powerbankId, slot, commandId }: ChangeOf<'forced'>,
): Promise<number> {
  const [order] = await tx<{ id: number }[]>`
    insert into orders (station_id, user_id, powerbank_id, slot_number, status, command_id, evidence, is_admin_order, completed_at)
    values (${stationId}, ${userId}, ${powerbankId}, ${slot}, 'force_eject', ${commandId}, 'force eject answer', true, now())
    returning id`
  await record(tx, EVENT.force_eject, { stationId, userId, orderId: order!.id, data: { powerbankId, slot } })
  return order!.id
}
