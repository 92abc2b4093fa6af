import * as audit from '../messages/audit.ts'
import { record } from '../messages/events.ts'
import type { Actor } from '../platform/actor.ts'
import type { Tx } from '../postgres/connect.ts'
import { eq, sql } from '../postgres/drizzle.ts'
import { type ReadBy, tableOf } from '../table.ts'
import { assertFits, assertNotLent } from './powerbank-changes.ts'
import { Refused } from './refused.ts'
import { powerbanks, stationPowerbanks, stations } from './schema.ts'
import { administered, assertInScope } from './scope.ts'
import type { PowerbankStatus } from './words.ts'

const table = tableOf(stationPowerbanks, {
  deletes: 'hard',
  scope: { by: 'orgUnitId', seen: administered, changed: administered },
  joins: [
    [stations, eq(stations.id, stationPowerbanks.stationId)],
    [powerbanks, eq(powerbanks.id, stationPowerbanks.powerbankId)],
  ],
  beside: {
    stationBoxId: sql<string>`${stations.boxId}`,
    /** The station's unit, for scope. */
    orgUnitId: sql<number | null>`${stations.orgUnitId}`,
    serialNumber: sql<string>`${powerbanks.serialNumber}`,
    powerbankStatus: sql<PowerbankStatus>`${powerbanks.status}`,
  },
  unknown: () => new Refused('not_found', '', { reason: 'link_unknown' }),
})
export const { list } = table
/** A power bank in a slot, as an operator lists them. Units: percent, millivolts, milliamperes, degrees Celsius. */
export type Placed = ReadBy<typeof table>

const note = (tx: Tx, actor: Actor, act: 'create' | 'delete', id: number, values: object) =>
  audit.record(tx, actor, 'powerbank', {
    action: `slot.${act}`,
    entityType: 'station_powerbank',
    entityId: id,
    ...values,
  })

type Place = Pick<Placed, 'stationId' | 'powerbankId' | 'slotNumber'>

/** Holds station and bank, in the order of `lock` in station-lock.ts. @throws Refused as `put` */
async function assertMayPut(tx: Tx, actor: Actor, { stationId, powerbankId, slotNumber }: Place): Promise<void> {
  const scope = await administered(tx, actor)
  const [station] = await tx<{ orgUnitId: number | null; slotsDeclared: number }[]>`
    select org_unit_id, slots_declared from stations where id = ${stationId} and deleted_at is null for no key update`
  if (!station) throw new Refused('station_not_found')
  assertInScope(scope, station.orgUnitId)
  if (slotNumber < 1 || slotNumber > station.slotsDeclared) throw new Refused('slot_out_of_range')
  const [bank] = await tx<{ orgUnitId: number | null }[]>`
    select org_unit_id from powerbanks where id = ${powerbankId} and deleted_at is null for no key update`
  if (!bank) throw new Refused('power_bank_not_found')
  assertInScope(scope, bank.orgUnitId)
  await assertFits(tx, bank.orgUnitId, stationId)
  await assertNotLent(tx, powerbankId)
}

/**
 * Writes by hand that a bank sits in a slot, until its cabinet says what does. Of two at once one wins.
 * @throws Refused station_not_found, power_bank_not_found, not_yours, slot_out_of_range, conflict (a foreign unit's
 *   station), power_bank_on_loan, duplicate (the slot is taken, or the bank sits elsewhere)
 */
export async function put(tx: Tx, actor: Actor, place: Place): Promise<Placed> {
  await assertMayPut(tx, actor, place)
  const { stationId, powerbankId, slotNumber } = place
  const [row] = await tx<{ id: number }[]>`
    insert into station_powerbanks (station_id, powerbank_id, slot_number)
    values (${stationId}, ${powerbankId}, ${slotNumber}) on conflict do nothing returning id`
  if (!row) {
    const [sits] = await tx`select id from station_powerbanks where powerbank_id = ${powerbankId}`
    throw new Refused('duplicate', '', { field: sits ? 'powerbank_id' : 'slot_number' })
  }
  await note(tx, actor, 'create', row.id, { newValues: place })
  await record(tx, 'powerbank.placed', { stationId, data: { powerbankId, slot: slotNumber } })
  return (await table.find(tx, row.id))!
}

/**
 * Takes a bank out of a slot by hand; a cabinet that holds it puts it back with its next list.
 * @throws Refused not_found, not_yours
 */
export async function remove(tx: Tx, actor: Actor, id: number): Promise<void> {
  const placed = await table.get(tx, actor, id)
  const { stationId, powerbankId, slotNumber } = placed
  await tx`select id from powerbanks where id = ${powerbankId} for no key update`
  if ((await tx`delete from station_powerbanks where id = ${id}`).count === 0)
    throw new Refused('not_found', '', { reason: 'link_unknown' })
  await note(tx, actor, 'delete', id, { oldValues: { stationId, powerbankId, slotNumber } })
  await record(tx, 'powerbank.unplaced', { stationId, data: { powerbankId, slot: slotNumber } })
}
