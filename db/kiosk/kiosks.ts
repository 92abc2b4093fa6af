import { devices } from '../devices/schema.ts'
import { terminals } from '../paygo/schema.ts'
import type { Actor } from '../platform/actor.ts'
import type { Tx } from '../postgres/connect.ts'
import { eq, sql } from '../postgres/drizzle.ts'
import { stations } from '../powerbank/schema.ts'
import { administered, looksAfter } from '../powerbank/scope.ts'
import { type New, type ReadBy, tableOf } from '../table.ts'
import { currentTariff } from './current-tariff.ts'
import { Refused } from './refused.ts'
import { kiosks } from './schema.ts'

const table = tableOf(kiosks, {
  deletes: 'hard',
  audit: { surface: 'powerbank', as: 'kiosk', values: ['terminalId', 'stationId'] },
  scope: { by: 'orgUnitId', seen: looksAfter, changed: administered },
  joins: [
    [stations, eq(stations.id, kiosks.stationId)],
    [terminals, eq(terminals.id, kiosks.terminalId)],
    [devices, eq(devices.id, kiosks.terminalId)],
  ],
  beside: {
    stationBoxId: sql<string>`${stations.boxId}`,
    terminalCode: sql<string>`${terminals.terminalCode}`,
    /** The station's unit, for scope. */
    orgUnitId: sql<number | null>`${stations.orgUnitId}`,
  },
  unknown: () => new Refused('not_found', '', { reason: 'kiosk_unknown' }),
})
/** `remove`: the terminal is a kiosk no more; rentals under way go on. @throws Refused not_found, not_yours */
export const { get, list, remove } = table
/** A terminal beside its cabinet. */
export type Kiosk = ReadBy<typeof table>

/**
 * A terminal stands beside this cabinet from now on, and its deposits rent there.
 * @throws Refused invalid (terminal_unknown, station_unknown), conflict (tariff_needed), duplicate (terminal_id)
 */
export async function create(tx: Tx, actor: Actor, given: New<typeof kiosks>): Promise<Kiosk> {
  const [terminal] = await tx`select 1 from terminals where id = ${given.terminalId} and deleted_at is null`
  if (!terminal) throw new Refused('invalid', '', { field: 'terminal_id', reason: 'terminal_unknown' })
  const [station] = await tx<{ orgUnitId: number | null }[]>`
    select org_unit_id from stations where id = ${given.stationId} and deleted_at is null for share`
  if (!station) throw new Refused('invalid', '', { field: 'station_id', reason: 'station_unknown' })
  if (!(await currentTariff(tx, station.orgUnitId))) throw new Refused('conflict', '', { reason: 'tariff_needed' })
  // Not the table's own: who may is asked at the door, and its scope is the station's.
  return await table.create(tx, actor, given)
}
