import * as commands from '../devices/commands.ts'
import * as audit from '../messages/audit.ts'
import { record } from '../messages/events.ts'
import type { Actor } from '../platform/actor.ts'
import { ring } from '../postgres/channels.ts'
import type { Tx } from '../postgres/connect.ts'
import { assertMayActFor, assertWithinLimit } from './borrow.ts'
import { SETTLE_SECONDS } from './decide/changes.ts'
import { EVENT, mayMove } from './decide/order-states.ts'
import { lookWithin } from './looks.ts'
import * as orders from './orders.ts'
import { assertNotLent, unplace } from './powerbank-changes.ts'
import { type PowerbankReason, Refused } from './refused.ts'
import { administered, assertInScope } from './scope.ts'
import * as places from './station-lock.ts'
import type { OrderStatus } from './words.ts'

const EVIDENCE = 'set by an administrator'

/** What an order refers to. */
interface References {
  stationId: number
  userId: number
  powerbankId: number | null
}

export interface NewOrder extends References {
  status: Exclude<OrderStatus, 'pending' | 'cancelled'>
}

/** What of an order may be changed by hand; what is undefined stays. */
export interface OrderChange {
  stationId?: number | undefined
  userId?: number | undefined
  powerbankId?: number | undefined
  status?: Exclude<OrderStatus, 'pending'> | undefined
}

const unknown = (field: string, reason: PowerbankReason) => new Refused('invalid', reason, { field, reason })

/**
 * Holds all that an order refers to, in the order of `lock` in station-lock.ts, and sees that it is there and the actor's.
 * @returns the station that the bank is thought to sit in, and its slot
 * @throws Refused invalid (a reference leads nowhere), not_yours
 */
async function hold(tx: Tx, actor: Actor, refers: References): Promise<{ stationId: number; slot: number } | null> {
  const { stationId, userId, powerbankId } = refers
  const scope = await administered(tx, actor)
  const [station] = await tx<{ orgUnitId: number | null }[]>`
    select org_unit_id from stations where id = ${stationId} and deleted_at is null`
  if (!station) throw unknown('station_id', 'station_unknown')
  assertInScope(scope, station.orgUnitId)
  const [place] = await tx<{ stationId: number; slot: number }[]>`
    select station_id, slot_number as slot from station_powerbanks where powerbank_id = ${powerbankId}`
  if (place) await places.lock(tx, place.stationId)
  if (powerbankId !== null) {
    const [bank] = await tx<{ orgUnitId: number | null; status: string }[]>`
      select org_unit_id, status from powerbanks where id = ${powerbankId} and deleted_at is null for no key update`
    if (!bank) throw unknown('powerbank_id', 'power_bank_unknown')
    assertInScope(scope, bank.orgUnitId)
  }
  const [user] = await tx`select id from users where id = ${userId} and deleted_at is null for no key update`
  if (!user) throw unknown('user_id', 'user_unknown')
  await assertMayActFor(tx, actor, userId)
  return place ?? null
}

/** A bank that is lent by hand must be free and in use. @throws Refused power_bank_on_loan, power_bank_not_active */
async function assertFree(tx: Tx, powerbankId: number): Promise<void> {
  const [bank] = await tx<{ status: string }[]>`select status from powerbanks where id = ${powerbankId}`
  if (bank?.status === 'written_off') throw new Refused('power_bank_not_active', bank.status)
  await assertNotLent(tx, powerbankId)
}

/** The administrator says the bank is out; its cabinet is looked into, and has the last word. */
async function takeOut(tx: Tx, powerbankId: number, place: { stationId: number } | null): Promise<void> {
  if (!place) return
  await unplace(tx, powerbankId)
  await lookWithin(tx, place.stationId, SETTLE_SECONDS)
}

const note = (tx: Tx, actor: Actor, act: 'create' | 'update' | 'delete', entityId: number, values: object) =>
  audit.record(tx, actor, 'powerbank', { action: `order.${act}`, entityType: 'order', entityId, ...values })

/**
 * Writes down an order by hand: a loan obeys the user's limit, and a bank is lent once, as at a cabinet.
 * @returns its id
 * @throws Refused invalid (a reference leads nowhere), not_yours, power_bank_on_loan, power_bank_not_active (written
 *   off), not_found (the user is not active), limit_reached
 */
export async function create(tx: Tx, actor: Actor, given: NewOrder): Promise<number> {
  const { stationId, userId, powerbankId, status } = given
  const place = await hold(tx, actor, given)
  const isLoan = status === 'borrow'
  if (isLoan && powerbankId !== null) {
    await assertFree(tx, powerbankId)
    await takeOut(tx, powerbankId, place)
  }
  if (isLoan) await assertWithinLimit(tx, userId)
  const slot = place?.stationId === stationId ? place.slot : null
  const [row] = await tx<{ id: number }[]>`
    insert into orders (station_id, user_id, powerbank_id, slot_number, status, evidence, is_admin_order, borrowed_at,
      completed_at)
    values (${stationId}, ${userId}, ${powerbankId}, ${slot}, ${status}, ${EVIDENCE}, true,
      case when ${status}::text <> 'force_eject' then now() end, case when not ${isLoan} then now() end)
    returning id`
  const { id } = row!
  await note(tx, actor, 'create', id, { newValues: given })
  await record(tx, EVENT[status], { stationId, userId, orderId: id, data: { evidence: EVIDENCE, powerbankId } })
  return id
}

const underWay = (orderId: number) => new Refused('conflict', '', { reason: 'order_under_way', orderId })

/**
 * An order that waits for a cabinet is taken out of its hands: an eject that has not left stays at home.
 * @throws Refused conflict: the cabinet is at it just now
 */
async function takeOver(tx: Tx, { id, status, commandId }: orders.Order): Promise<void> {
  if (status !== 'pending' || commandId === null || (await commands.withdraw(tx, commandId, EVIDENCE))) return
  if ((await commands.get(tx, commandId))?.status === 'sent') throw underWay(id)
}

/** An order of the actor's stations. @throws Refused not_found, not_yours */
async function find(tx: Tx, actor: Actor, id: number): Promise<orders.Order> {
  const order = await orders.get(tx, id)
  if (!order) throw new Refused('not_found', '', { reason: 'order_unknown' })
  const [station] = await tx<{ orgUnitId: number | null }[]>`
    select org_unit_id from stations where id = ${order.stationId}`
  assertInScope(await administered(tx, actor), station!.orgUnitId)
  return order
}

const isOpen = (status: OrderStatus) => status === 'pending' || status === 'borrow'
const isSame = (a: References, b: References) =>
  a.stationId === b.stationId && a.userId === b.userId && a.powerbankId === b.powerbankId

/** The order again, now locked. @throws Refused not_found, conflict (it refers to something else since it was seen) */
async function lock(tx: Tx, seen: orders.Order): Promise<orders.Order> {
  await tx`select id from orders where id = ${seen.id} for update`
  const order = await orders.get(tx, seen.id)
  if (!order) throw new Refused('not_found', '', { reason: 'order_unknown' })
  if (!isSame(order, seen)) throw underWay(seen.id)
  return order
}

/** What becomes an open order, or an open order of another, obeys what a new loan obeys; and its bank is out. */
async function assertMayLend(tx: Tx, before: orders.Order, after: References): Promise<void> {
  const { powerbankId, userId } = after
  const wasOpen = isOpen(before.status)
  if (powerbankId !== null && !(wasOpen && powerbankId === before.powerbankId)) await assertFree(tx, powerbankId)
  if (!(wasOpen && userId === before.userId)) await assertWithinLimit(tx, userId)
}

async function write(tx: Tx, before: orders.Order, after: References, to: OrderStatus): Promise<void> {
  const { id } = before
  const { stationId, userId, powerbankId } = after
  // Not needlessly: a row updated twice in a transaction has its references checked anew, which locks what they name.
  if (!isSame(before, after))
    await tx`
      update orders set station_id = ${stationId}, user_id = ${userId}, powerbank_id = ${powerbankId} where id = ${id}`
  if (to === before.status) await record(tx, 'order.changed', { stationId, userId, orderId: id, data: { powerbankId } })
  else if (!(await orders.move(tx, id, { to, evidence: EVIDENCE }))) throw underWay(id)
}

/**
 * Changes an order by hand, on the ways that a cabinet may take it too (`mayMove` in order-states.ts); one that still waits
 * for its cabinet only moves. Said twice counts once.
 * @throws Refused not_found, not_yours, invalid (a reference leads nowhere), conflict (no such way; its cabinet is at it;
 *   somebody was faster), power_bank_on_loan, power_bank_not_active, limit_reached
 */
export async function change(tx: Tx, actor: Actor, id: number, given: OrderChange): Promise<void> {
  const seen = await find(tx, actor, id)
  const {
    stationId = seen.stationId,
    userId = seen.userId,
    powerbankId = seen.powerbankId,
    status = seen.status,
  } = given
  const after: References = { stationId, userId, powerbankId }
  const onlyMoves = isSame(seen, after)
  if (onlyMoves && status === seen.status) return
  if (!onlyMoves && seen.status === 'pending') throw underWay(id)
  await takeOver(tx, seen)
  const place = onlyMoves && !isOpen(status) ? null : await hold(tx, actor, after)
  const before = await lock(tx, seen)
  if (onlyMoves && status === before.status) return
  // That an unlocked bank was not taken is the cabinet's to tell.
  const isTelling = before.status === 'borrow' && status === 'cancelled'
  if (status !== before.status && (isTelling || !mayMove(before.status, status)))
    throw new Refused('conflict', '', { reason: 'order_move', from: before.status, to: status })
  if (isOpen(status)) await assertMayLend(tx, before, after)
  if (isOpen(status) && powerbankId !== null) await takeOut(tx, powerbankId, place)
  await write(tx, before, after, status)
  const of = ({ stationId, userId, powerbankId }: References) => ({ stationId, userId, powerbankId })
  const values = { oldValues: { ...of(before), status: before.status }, newValues: { ...after, status } }
  await note(tx, actor, 'update', id, values)
}

/**
 * Soft. A loan that is deleted counts for nothing any more: its bank may be lent again once a cabinet has it.
 * @throws Refused not_found, not_yours, conflict (its cabinet is at it)
 */
export async function remove(tx: Tx, actor: Actor, id: number): Promise<void> {
  const order = await find(tx, actor, id)
  await takeOver(tx, order)
  const deleted = await tx`update orders set deleted_at = now() where id = ${id} and deleted_at is null`
  if (deleted.count === 0) throw new Refused('not_found', '', { reason: 'order_unknown' })
  await ring(tx, `order ${id}`)
  const { stationId, userId, powerbankId, status } = order
  await note(tx, actor, 'delete', id, { oldValues: { stationId, userId, powerbankId, status } })
  await record(tx, 'order.deleted', { stationId, userId, orderId: id, data: { powerbankId, status } })
}
