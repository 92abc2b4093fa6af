import { orgUnits } from '../identity/schema.ts'
import * as audit from '../messages/audit.ts'
import { record } from '../messages/events.ts'
import type { Actor } from '../platform/actor.ts'
import type { Tx } from '../postgres/connect.ts'
import { eq, sql } from '../postgres/drizzle.ts'
import { type New, type ReadBy, tableOf } from '../table.ts'
import { deviceIdOf } from './bank-ids.ts'
import { mustExist } from './org-units.ts'
import { Refused } from './refused.ts'
import { powerbankErrorTypes, powerbanks, stationPowerbanks, stations } from './schema.ts'
import { administered, assertInScope, of } from './scope.ts'
import type { PowerbankStatus } from './words.ts'

const table = tableOf(powerbanks, {
  deletes: 'soft',
  scope: { by: 'orgUnitId', seen: of, changed: administered },
  joins: [
    [orgUnits, eq(orgUnits.id, powerbanks.orgUnitId)],
    [powerbankErrorTypes, eq(powerbankErrorTypes.id, powerbanks.errorTypeId)],
    [stationPowerbanks, eq(stationPowerbanks.powerbankId, powerbanks.id)],
    [stations, eq(stations.id, stationPowerbanks.stationId)],
  ],
  beside: {
    orgUnitName: sql<string | null>`${orgUnits.name}`,
    errorType: sql<string | null>`${powerbankErrorTypes.title}`,
    /** Where it sits, if a cabinet lists it. */
    stationId: sql<number | null>`${stationPowerbanks.stationId}`,
    stationBoxId: sql<string | null>`${stations.boxId}`,
    slotNumber: sql<number | null>`${stationPowerbanks.slotNumber}`,
  },
  unknown: () => new Refused('power_bank_not_found'),
})
export const { find, get, list } = table
export type Powerbank = ReadBy<typeof table>

export type NewPowerbank = Pick<
  New<typeof powerbanks>,
  'serialNumber' | 'orgUnitId' | 'soh' | 'status' | 'writeOffReason'
>

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
  return (await find(tx, row.id))!
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
  const bank = (await find(tx, id))!
  await note(tx, actor, 'activate', id, { orgUnitId: bank.orgUnitId, status: bank.status })
  await record(tx, 'powerbank.activated', {
    stationId: bank.stationId,
    data: { powerbankId: id, orgUnitId: bank.orgUnitId },
  })
  return { bank, at: activated!.at }
}
