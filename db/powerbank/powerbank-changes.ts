import * as audit from '../messages/audit.ts'
import { record } from '../messages/events.ts'
import type { Actor } from '../platform/actor.ts'
import type { Tx } from '../postgres/connect.ts'
import { unlessTaken } from '../postgres/rows.ts'
import { deviceIdOf } from './bank-ids.ts'
import { mustExist } from './org-units.ts'
import { find, type NewPowerbank, type Powerbank } from './powerbanks.ts'
import { Refused } from './refused.ts'
import { administered, assertInScope } from './scope.ts'
import { type PowerbankStatus, writeOffReasons } from './words.ts'

/** What of a power bank may be changed; what is undefined stays. */
export type PowerbankChange = { [K in keyof NewPowerbank]?: NewPowerbank[K] | undefined }

const HELD = [
  'serialNumber',
  'orgUnitId',
  'soh',
  'status',
  'writeOffReason',
  'errorTypeId',
] as const satisfies (keyof Powerbank)[]
type Held = Pick<Powerbank, (typeof HELD)[number]>

/** The row to change, locked against borrowers and cabinets. @throws Refused power_bank_not_found, not_yours */
async function hold(tx: Tx, actor: Actor, id: number): Promise<Held> {
  const [held] = await tx<Held[]>`
    select ${tx(HELD)} from powerbanks where id = ${id} and deleted_at is null for no key update`
  if (!held) throw new Refused('power_bank_not_found')
  assertInScope(await administered(tx, actor), held.orgUnitId)
  return held
}

/** A bank that somebody has, or waits for, is not taken out of service. @throws Refused power_bank_on_loan */
export async function assertNotLent(tx: Tx, id: number): Promise<void> {
  const [open] = await tx<{ id: number }[]>`
    select id from orders where powerbank_id = ${id} and status in ('pending', 'borrow') and deleted_at is null`
  if (open) throw new Refused('power_bank_on_loan', '', { orderId: open.id })
}

/**
 * A bank of one unit may sit in a station of the same, of its group, or of one of its subgroups (docs/contracts.md 4.3); one
 * of no unit anywhere.
 * @throws Refused conflict
 */
export async function assertFits(tx: Tx, orgUnitId: number | null, stationId: number): Promise<void> {
  const [misfit] = await tx<{ stationOrgUnitId: number }[]>`
    select s.org_unit_id as station_org_unit_id
    from stations s join org_units theirs on theirs.id = s.org_unit_id join org_units ours on ours.id = ${orgUnitId}
    where s.id = ${stationId} and theirs.id <> ours.id and theirs.parent_id is distinct from ours.id
      and ours.parent_id is distinct from theirs.id`
  if (misfit)
    throw new Refused('conflict', '', { field: 'org_unit_id', reason: 'unit_incompatible', stationId, ...misfit })
}

/** @throws Refused invalid (no such unit), not_yours, conflict (it sits in a foreign unit's station) */
async function assertMayMove(tx: Tx, actor: Actor, id: number, orgUnitId: number | null): Promise<void> {
  if (orgUnitId !== null) await mustExist(tx, orgUnitId)
  assertInScope(await administered(tx, actor), orgUnitId)
  const place = await find(tx, id)
  if (place?.stationId) await assertFits(tx, orgUnitId, place.stationId)
}

/** Nobody finds the bank in a slot until a cabinet lists it again. */
export const unplace = (tx: Tx, id: number) => tx`delete from station_powerbanks where powerbank_id = ${id}`

/** The row as it shall be: a bank in service has no fault and no reason to be out of it. @throws Refused invalid */
function changed(before: Held, given: PowerbankChange): Held {
  const kept = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  const after: Held = { ...before, ...kept }
  const reason = given.writeOffReason ?? null
  if (after.status === 'active') {
    if (reason !== null && reason !== 'none')
      throw new Refused('invalid', '', { field: 'write_off_reason', reason: 'reason_of_active' })
    return { ...after, writeOffReason: 'none', errorTypeId: null }
  }
  if (after.status === 'written_off' && after.writeOffReason === 'none') after.writeOffReason = 'other'
  return after
}

const write = (tx: Tx, id: number, { serialNumber, ...values }: Held) =>
  unlessTaken(
    tx`
      update powerbanks set ${tx({ ...values, serialNumber, updatedAt: new Date() })},
        device_id = coalesce(${deviceIdOf(serialNumber)}, device_id) where id = ${id}`,
    { powerbanks_serial: 'serial_number', powerbanks_device: 'serial_number' },
  )

interface Told {
  /** The verb of the audit and, past, of the event. */
  act: readonly [string, string]
  description?: string | null
}

/** Writes a bank's new values, who did it, and that it happened; nothing at all when nothing differs. */
async function settle(tx: Tx, actor: Actor, id: number, before: Held, after: Held, told: Told): Promise<Powerbank> {
  const names = (Object.keys(after) as (keyof Held)[]).filter((name) => after[name] !== before[name])
  if (names.length === 0) return (await find(tx, id))!
  await write(tx, id, after)
  const place = await find(tx, id)
  if (after.status === 'written_off') await unplace(tx, id)
  const pick = (from: Held) => Object.fromEntries(names.map((name) => [name, from[name]]))
  const [action, event] = told.act
  await audit.record(tx, actor, 'powerbank', {
    action: `powerbank.${action}`,
    entityType: 'powerbank',
    entityId: id,
    oldValues: pick(before),
    newValues: pick(after),
    description: told.description ?? null,
  })
  const stationId = place?.stationId ?? null
  await record(tx, `powerbank.${event}`, { stationId, data: { powerbankId: id, ...pick(after) } })
  return (await find(tx, id))!
}

/**
 * Changes what is given. `active` resets a fault, whoever found it: a user, or the cabinet (docs/contracts.md 4.3).
 * @throws Refused power_bank_not_found, not_yours, duplicate, power_bank_on_loan (may not be written off), conflict (it
 *   sits in a foreign unit's station), invalid (no such unit; a reason to be out of service for a bank in it)
 */
export async function change(tx: Tx, actor: Actor, id: number, given: PowerbankChange): Promise<Powerbank> {
  const before = await hold(tx, actor, id)
  const after = changed(before, given)
  if (after.orgUnitId !== before.orgUnitId) await assertMayMove(tx, actor, id, after.orgUnitId)
  if (after.status === 'written_off' && before.status !== 'written_off') await assertNotLent(tx, id)
  return settle(tx, actor, id, before, after, { act: ['change', 'changed'] })
}

/** @throws Refused conflict: the bank is not `unknown` */
function assertUnknown(status: PowerbankStatus): void {
  if (status === 'unknown') return
  throw new Refused('conflict', `the power bank is ${status}`, { reason: 'power_bank_not_unknown', status })
}

/**
 * Takes a discovered bank into a unit and into service (docs/contracts.md 4.3). Of two at once one wins.
 * @throws Refused power_bank_not_found, not_yours, invalid (no such unit), conflict (not `unknown`; it sits in a
 *   foreign unit's station)
 */
export async function approve(
  tx: Tx,
  actor: Actor,
  id: number,
  { orgUnitId, soh }: { orgUnitId: number; soh?: number | undefined },
): Promise<Powerbank> {
  const before = await hold(tx, actor, id)
  assertUnknown(before.status)
  await assertMayMove(tx, actor, id, orgUnitId)
  const after = changed(before, { orgUnitId, soh, status: 'active' })
  return settle(tx, actor, id, before, after, { act: ['approve', 'activated'] })
}

/**
 * Takes a bank out of service and out of its station; the administrator's words are kept in the audit. Of two at once
 * one wins.
 * @throws Refused power_bank_not_found, not_yours, power_bank_on_loan, conflict (written off already)
 */
export async function deactivate(tx: Tx, actor: Actor, id: number, reason: string | null): Promise<Powerbank> {
  const before = await hold(tx, actor, id)
  if (before.status === 'written_off')
    throw new Refused('conflict', '', { reason: 'power_bank_written_off', status: before.status })
  await assertNotLent(tx, id)
  const writeOffReason = writeOffReasons.find((known) => known === reason && known !== 'none') ?? 'other'
  const after: Held = { ...before, status: 'written_off', writeOffReason }
  return settle(tx, actor, id, before, after, { act: ['deactivate', 'deactivated'], description: reason })
}

/**
 * Soft: its orders stay. A cabinet that lists it again has found an unknown bank.
 * @throws Refused power_bank_not_found, not_yours, power_bank_on_loan
 */
export async function remove(tx: Tx, actor: Actor, id: number): Promise<void> {
  const { serialNumber, orgUnitId, status } = await hold(tx, actor, id)
  await assertNotLent(tx, id)
  await unplace(tx, id)
  await tx`update powerbanks set status = 'unknown', deleted_at = now(), updated_at = now() where id = ${id}`
  await audit.record(tx, actor, 'powerbank', {
    action: 'powerbank.delete',
    entityType: 'powerbank',
    entityId: id,
    oldValues: { serialNumber, orgUnitId, status },
  })
  await record(tx, 'powerbank.deleted', { data: { powerbankId: id, serialNumber } })
}
