import * as audit from '../messages/audit.ts'
import { record } from '../messages/events.ts'
import type { Actor } from '../platform/actor.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import { columnsOf } from '../postgres/rows.ts'
import { deviceIdOf } from './bank-ids.ts'
import { mustExist } from './org-units.ts'
import { Refused } from './refused.ts'
import type { powerbanks } from './schema.ts'
import { administered, assertInScope, type Scope, within } from './scope.ts'
import type { PowerbankStatus, WriteOffReason } from './words.ts'

type Row = typeof powerbanks.$inferSelect
const COLUMNS = [
  'id',
  'orgUnitId',
  'serialNumber',
  'soh',
  'status',
  'writeOffReason',
  'errorTypeId',
  'createdAt',
  'updatedAt',
] as const satisfies (keyof Row)[]

export interface Powerbank extends Pick<Row, (typeof COLUMNS)[number]> {
  orgUnitName: string | null
  errorType: string | null
  /** Where it sits, if a cabinet lists it. */
  stationId: number | null
  stationBoxId: string | null
  slotNumber: number | null
}

export interface NewPowerbank {
  serialNumber: string
  orgUnitId?: number | null | undefined
  soh?: number | undefined
  status?: PowerbankStatus | undefined
  writeOffReason?: WriteOffReason | undefined
}

/** What the list may be narrowed to; `page` is 1-based. */
export interface PowerbankFilter {
  scope: Scope
  status?: PowerbankStatus | undefined
  orgUnitId?: number | undefined
  page: number
  limit: number
}

const view = (q: Queryable) => q`
  select ${columnsOf(q, 'p', COLUMNS)}, u.name as org_unit_name, e.title as error_type, sp.station_id,
    s.box_id as station_box_id, sp.slot_number
  from powerbanks p
  left join org_units u on u.id = p.org_unit_id
  left join powerbank_error_types e on e.id = p.error_type_id
  left join station_powerbanks sp on sp.powerbank_id = p.id
  left join stations s on s.id = sp.station_id
  where p.deleted_at is null`

/** One page of the power banks in scope, oldest first, and how many there are in all. */
export async function list(q: Queryable, filter: PowerbankFilter): Promise<{ rows: Powerbank[]; total: number }> {
  const { scope, status = null, orgUnitId = null, page, limit } = filter
  const where = q`
    ${within(q, scope, q`p.org_unit_id`)}
    and (${status}::text is null or p.status = ${status})
    and (${orgUnitId}::bigint is null or p.org_unit_id = ${orgUnitId})`
  const [counted] = await q<{ total: number }[]>`
    select count(*) as total from powerbanks p where p.deleted_at is null and ${where}`
  const rows = await q<Powerbank[]>`${view(q)} and ${where} order by p.id limit ${limit} offset ${(page - 1) * limit}`
  return { rows, total: counted!.total }
}

/** A power bank, or undefined. */
export async function get(q: Queryable, id: number): Promise<Powerbank | undefined> {
  const [bank] = await q<Powerbank[]>`${view(q)} and p.id = ${id}`
  return bank
}

const note = (tx: Tx, actor: Actor, act: 'create' | 'activate', entityId: number, newValues: object) =>
  audit.record(tx, actor, 'powerbank', { action: `powerbank.${act}`, entityType: 'powerbank', entityId, newValues })

/**
 * Registers a power bank. Its serial number, where it names hardware, is what cabinets will know it by.
 * @throws Refused not_yours, duplicate (serial number, or the hardware it names), invalid (no such unit)
 */
export async function create(tx: Tx, actor: Actor, bank: NewPowerbank): Promise<Powerbank> {
  const { serialNumber, orgUnitId = null, soh = 100, status = 'unknown', writeOffReason = 'none' } = bank
  if (orgUnitId !== null) await mustExist(tx, orgUnitId)
  assertInScope(await administered(tx, actor), orgUnitId)
  const [row] = await tx<{ id: number }[]>`
    insert into powerbanks (serial_number, device_id, org_unit_id, soh, status, write_off_reason)
    values (${serialNumber}, ${deviceIdOf(serialNumber)}, ${orgUnitId}, ${soh}, ${status}, ${writeOffReason})
    on conflict do nothing returning id`
  if (!row) throw new Refused('duplicate', `serial number ${serialNumber} is taken`, { field: 'serial_number' })
  await note(tx, actor, 'create', row.id, { serialNumber, orgUnitId, soh, status, writeOffReason })
  await record(tx, 'powerbank.created', { data: { powerbankId: row.id, serialNumber } })
  return (await get(tx, row.id))!
}

/**
 * Takes a discovered power bank into service, and into a unit if one is named (docs/contracts.md 4.2). Of two at
 * once one wins.
 * @throws Refused power_bank_not_found, not_yours, conflict (not `unknown`), invalid (no such unit)
 */
export async function activate(
  tx: Tx,
  actor: Actor,
  { id, orgUnitId }: { id: number; orgUnitId: number | null },
): Promise<{ bank: Powerbank; at: Date }> {
  const [old] = await tx<{ orgUnitId: number | null; status: PowerbankStatus }[]>`
    select org_unit_id, status from powerbanks where id = ${id} and deleted_at is null for no key update`
  if (!old) throw new Refused('power_bank_not_found')
  if (orgUnitId !== null) await mustExist(tx, orgUnitId, 'target_org_unit_id')
  const scope = await administered(tx, actor)
  assertInScope(scope, old.orgUnitId)
  if (orgUnitId !== null) assertInScope(scope, orgUnitId)
  if (old.status !== 'unknown') {
    const about = { reason: 'power_bank_not_unknown' as const, status: old.status }
    throw new Refused('conflict', `the power bank is ${old.status}`, about)
  }
  const [activated] = await tx<{ at: Date }[]>`
    update powerbanks set status = 'active', write_off_reason = 'none', error_type_id = null, updated_at = now(),
      org_unit_id = coalesce(${orgUnitId}::bigint, org_unit_id)
    where id = ${id} returning updated_at as at`
  const bank = (await get(tx, id))!
  await note(tx, actor, 'activate', id, { orgUnitId: bank.orgUnitId, status: bank.status })
  await record(tx, 'powerbank.activated', {
    stationId: bank.stationId,
    data: { powerbankId: id, orgUnitId: bank.orgUnitId },
  })
  return { bank, at: activated!.at }
}
