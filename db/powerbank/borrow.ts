import * as commands from '../devices/commands.ts'
import { isReachable } from '../devices/connections.ts'
import { record } from '../messages/events.ts'
import { type Actor, hasRole } from '../platform/actor.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import * as limits from './limits.ts'
import { Refused } from './refused.ts'
import * as choice from './selection.ts'
import { hasSlot } from './slot-counts.ts'

export interface BorrowRequest {
  stationId: number
  /** Who will hold the bank; the actor, or somebody in the actor's care. */
  userId: number
  choice: { slot: number } | { powerbankId: number } | 'optimal'
  idempotency?: commands.Idempotency | undefined
}

export interface Borrowed {
  orderId: number
  commandId: number
  /** The same `Idempotency-Key` had opened this order before. */
  repeated: boolean
}

interface Facts {
  status: string
  hasSlot: boolean
  online: boolean
  hasAccess: boolean
}

/**
 * A user may borrow where the own unit is the station's or its parent group; a service_admin anywhere (docs/contracts.md
 * 4.8). Locks the station (see `lock` in station-lock.ts): who asks there at the same time chooses from what is left.
 */
async function factsOf(tx: Tx, { stationId, userId, choice }: BorrowRequest): Promise<Facts | undefined> {
  const wished = choice !== 'optimal' && 'slot' in choice ? hasSlot(tx, choice.slot) : tx`true`
  const [facts] = await tx<Facts[]>`
    select s.status, ${wished} as has_slot, ${isReachable(tx)} as online, exists (
      select 1 from user_roles r left join org_units unit on unit.id = s.org_unit_id
      where r.user_id = ${userId} and r.surface = 'powerbank'
        and (r.role = 'service_admin' or r.org_unit_id in (s.org_unit_id, unit.parent_id))
    ) as has_access
    from devices d join stations s on s.id = d.id left join device_sessions ds on ds.device_id = d.id
    where d.id = ${stationId} and s.deleted_at is null for no key update of s, d`
  return facts
}

/**
 * Whoever acts for somebody else must be staff with that person in their units.
 * @throws Refused not_yours
 */
export async function assertMayActFor(q: Queryable, actor: Actor, userId: number): Promise<void> {
  if (actor.userId === userId || hasRole(actor, 'service_admin')) return
  const [care] = await q`
    select 1 from user_roles mine join org_units unit on unit.id = mine.org_unit_id or unit.parent_id = mine.org_unit_id
      join user_roles theirs on theirs.org_unit_id = unit.id and theirs.surface = 'powerbank' and theirs.user_id = ${userId}
    where mine.user_id = ${actor.userId} and mine.surface = 'powerbank' and mine.role in ('group_admin', 'subgroup_admin')
    limit 1`
  if (!care) throw new Refused('not_yours')
}

/** @throws Refused not_found (no such active user), limit_reached */
export async function assertWithinLimit(tx: Tx, userId: number): Promise<void> {
  // The row lock makes the count of open orders true until the commit, however many ask at once.
  await tx`select id from users where id = ${userId} for no key update`
  const limit = await limits.of(tx, userId)
  if (!limit) throw new Refused('not_found', `user ${userId}`, { field: 'user_id' })
  if (limit.effectiveLimit !== null && limit.activeCount >= limit.effectiveLimit)
    throw new Refused('limit_reached', '', { limit })
}

interface Picked {
  bank: choice.Candidate
  /** Null: the borrower chose. */
  selection: choice.Reason | null
}

async function pick(tx: Tx, { stationId, choice: wish }: BorrowRequest, facts: Facts): Promise<Picked> {
  if (wish === 'optimal') {
    const bank = await choice.holdBest(tx, stationId)
    if (!bank) throw new Refused('no_power_bank')
    const free = (await choice.inStation(tx, stationId)).filter(choice.isFree)
    return { bank, selection: choice.explain(free, bank) }
  }
  if (!facts.hasSlot) throw new Refused('slot_out_of_range')
  const held = await choice.hold(tx, stationId, wish)
  if (!held) throw new Refused('slot' in wish ? 'slot_empty' : 'power_bank_not_in_station')
  return { bank: held, selection: null }
}

/** Why somebody may not borrow there; who is nobody hears that. */
async function noAccess(q: Queryable, userId: number) {
  const [user] = await q`select 1 from users where id = ${userId} and deleted_at is null`
  return user
    ? new Refused('no_access')
    : new Refused('not_found', `user ${userId}`, { field: 'user_id', reason: 'user_unknown' })
}

/**
 * Opens an order and writes the eject command, in one transaction; the cabinet hears of it after the commit.
 * Checks in the documented order: station, active, online, access, slot, limit, bank active, bank free.
 * @throws Refused not_yours, station_not_found, station_inactive, device_offline, not_found (no such user), no_access, slot_out_of_range,
 *   slot_empty, power_bank_not_in_station, no_power_bank, limit_reached, power_bank_not_active, power_bank_on_loan
 */
export async function borrow(tx: Tx, actor: Actor, request: BorrowRequest): Promise<Borrowed> {
  const { stationId, userId, idempotency } = request
  if (idempotency) {
    const commandId = await commands.replayed(tx, actor.userId, idempotency)
    if (commandId !== null) return { orderId: await orderOf(tx, commandId), commandId, repeated: true }
  }
  await assertMayActFor(tx, actor, userId)
  const facts = await factsOf(tx, request)
  if (!facts) throw new Refused('station_not_found')
  if (facts.status !== 'active') throw new Refused('station_inactive')
  if (!facts.online) throw new Refused('device_offline')
  if (!facts.hasAccess) throw await noAccess(tx, userId)
  const { bank, selection } = await pick(tx, request, facts)
  await assertWithinLimit(tx, userId)
  if (bank.powerbankStatus !== 'active' || bank.isUnread)
    throw new Refused('power_bank_not_active', bank.powerbankStatus)
  const { id: commandId } = await commands.enqueue(tx, {
    deviceId: stationId,
    kind: 'eject',
    isMovement: true,
    slot: bank.slotNumber,
    // Over MQTT a cabinet is asked for the bank, not for the slot (docs/protocol.md 5.4); other wires leave it out.
    ...(bank.deviceId !== null && { args: { bankId: bank.deviceId } }),
    requestedBy: actor.userId,
    origin: 'api',
    idempotency,
  })
  const [order] = await tx<{ id: number }[]>`
    insert into orders (station_id, user_id, powerbank_id, slot_number, status, command_id, selection)
    values (${stationId}, ${userId}, ${bank.powerbankId}, ${bank.slotNumber}, 'pending', ${commandId},
      ${selection && tx.json(selection)})
    on conflict do nothing returning id`
  if (!order) throw new Refused('power_bank_on_loan')
  const data = { powerbankId: bank.powerbankId, slot: bank.slotNumber, requestedBy: actor.userId }
  await record(tx, 'order.requested', { stationId, userId, orderId: order.id, data })
  return { orderId: order.id, commandId, repeated: false }
}

async function orderOf(q: Queryable, commandId: number): Promise<number> {
  const [order] = await q<{ id: number }[]>`select id from orders where command_id = ${commandId}`
  if (!order) throw new Refused('idempotency_mismatch')
  return order.id
}
