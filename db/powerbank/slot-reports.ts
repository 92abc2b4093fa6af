import type { Actor } from '../platform/actor.ts'
import type { Tx } from '../postgres/connect.ts'
import { eq, sql } from '../postgres/drizzle.ts'
import { type New, type ReadBy, tableOf } from '../table.ts'
import { Refused } from './refused.ts'
import { slotAbnormalReports, stations } from './schema.ts'
import { administered, assertInScope } from './scope.ts'

const table = tableOf(slotAbnormalReports, {
  deletes: 'hard',
  audit: { surface: 'powerbank', as: 'slot_report', values: ['stationId', 'slotNumber', 'eventType', 'terminalId'] },
  scope: { by: 'orgUnitId', seen: administered, changed: administered },
  joins: [[stations, eq(stations.id, slotAbnormalReports.stationId)]],
  beside: {
    stationBoxId: sql<string>`${stations.boxId}`,
    /** The station's unit, for scope. */
    orgUnitId: sql<number | null>`${stations.orgUnitId}`,
  },
  newestFirst: true,
})
/** `remove` @throws Refused not_found, not_yours */
export const { get, list, remove } = table
/** A slot that went wrong, as a cabinet (0x83) or a client said. */
export type SlotReport = ReadBy<typeof table>

/**
 * Files a report; the same one said twice is the first one.
 * @throws Refused station_not_found, not_yours
 */
export async function create(tx: Tx, actor: Actor, report: New<typeof slotAbnormalReports>): Promise<SlotReport> {
  const { stationId, slotNumber, terminalId = null, eventType, reportedAt } = report
  // The lock makes two equal reports at once one after the other.
  const [station] = await tx<{ orgUnitId: number | null }[]>`
    select org_unit_id from stations where id = ${stationId} and deleted_at is null for no key update`
  if (!station) throw new Refused('station_not_found')
  assertInScope(await administered(tx, actor), station.orgUnitId)
  const [known] = await tx<{ id: number }[]>`
    select id from slot_abnormal_reports where station_id = ${stationId} and slot_number = ${slotNumber}
      and event_type = ${eventType} and terminal_id is not distinct from ${terminalId} and reported_at = ${reportedAt}`
  if (known) return (await table.find(tx, known.id))!
  const [row] = await tx<{ id: number }[]>`
    insert into slot_abnormal_reports (station_id, slot_number, terminal_id, event_type, reported_at)
    values (${stationId}, ${slotNumber}, ${terminalId}, ${eventType}, ${reportedAt}) returning id`
  return (await table.find(tx, row!.id))!
}
