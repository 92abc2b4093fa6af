import * as audit from '../messages/audit.ts'
import type { Actor } from '../platform/actor.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import { columnsOf } from '../postgres/rows.ts'
import { Refused } from './refused.ts'
import type { slotAbnormalReports } from './schema.ts'
import { administered, assertInScope, type Scope, within } from './scope.ts'

const COLUMNS = [
  'id',
  'stationId',
  'slotNumber',
  'terminalId',
  'eventType',
  'reportedAt',
  'createdAt',
] as const satisfies (keyof typeof slotAbnormalReports.$inferSelect)[]

/** A slot that went wrong, as a cabinet (0x83) or a client said. */
export interface SlotReport extends Pick<typeof slotAbnormalReports.$inferSelect, (typeof COLUMNS)[number]> {
  stationBoxId: string
  /** The station's unit, for scope. */
  orgUnitId: number | null
}

export type NewSlotReport = Omit<SlotReport, 'id' | 'createdAt' | 'stationBoxId' | 'orgUnitId'>

/** What the list may be narrowed to; `page` is 1-based. */
export interface SlotReportFilter {
  scope: Scope
  stationId?: number | undefined
  eventType?: string | undefined
  page: number
  limit: number
}

const view = (q: Queryable) => q`
  select ${columnsOf(q, 'r', COLUMNS)}, s.box_id as station_box_id, s.org_unit_id
  from slot_abnormal_reports r join stations s on s.id = r.station_id`

/** One page of the reports of the stations in scope, newest first, and how many there are in all. */
export async function list(q: Queryable, filter: SlotReportFilter): Promise<{ rows: SlotReport[]; total: number }> {
  const { scope, stationId = null, eventType = null, page, limit } = filter
  const where = q`
    ${within(q, scope, q`s.org_unit_id`)}
    and (${stationId}::bigint is null or r.station_id = ${stationId})
    and (${eventType}::text is null or r.event_type = ${eventType})`
  const [counted] = await q<{ total: number }[]>`
    select count(*) as total from slot_abnormal_reports r join stations s on s.id = r.station_id where ${where}`
  const rows = await q<
    SlotReport[]
  >`${view(q)} where ${where} order by r.id desc limit ${limit} offset ${(page - 1) * limit}`
  return { rows, total: counted!.total }
}

/** A report, or undefined. */
export async function get(q: Queryable, id: number): Promise<SlotReport | undefined> {
  const [report] = await q<SlotReport[]>`${view(q)} where r.id = ${id}`
  return report
}

/**
 * Files a report; the same one said twice is the first one.
 * @throws Refused station_not_found, not_yours
 */
export async function file(tx: Tx, actor: Actor, report: NewSlotReport): Promise<SlotReport> {
  const { stationId, slotNumber, terminalId, eventType, reportedAt } = report
  // The lock makes two equal reports at once one after the other.
  const [station] = await tx<{ orgUnitId: number | null }[]>`
    select org_unit_id from stations where id = ${stationId} and deleted_at is null for no key update`
  if (!station) throw new Refused('station_not_found')
  assertInScope(await administered(tx, actor), station.orgUnitId)
  const [known] = await tx<{ id: number }[]>`
    select id from slot_abnormal_reports where station_id = ${stationId} and slot_number = ${slotNumber}
      and event_type = ${eventType} and terminal_id is not distinct from ${terminalId} and reported_at = ${reportedAt}`
  if (known) return (await get(tx, known.id))!
  const [row] = await tx<{ id: number }[]>`
    insert into slot_abnormal_reports (station_id, slot_number, terminal_id, event_type, reported_at)
    values (${stationId}, ${slotNumber}, ${terminalId}, ${eventType}, ${reportedAt}) returning id`
  return (await get(tx, row!.id))!
}

/**
 * Deletes a report.
 * @throws Refused not_found, not_yours
 */
export async function remove(tx: Tx, actor: Actor, id: number): Promise<void> {
  const report = await get(tx, id)
  if (!report) throw new Refused('not_found')
  assertInScope(await administered(tx, actor), report.orgUnitId)
  if ((await tx`delete from slot_abnormal_reports where id = ${id}`).count === 0) throw new Refused('not_found')
  const { stationId, slotNumber, eventType, terminalId } = report
  const oldValues = { stationId, slotNumber, eventType, terminalId }
  await audit.record(tx, actor, 'powerbank', {
    action: 'slot_report.delete',
    entityType: 'slot_report',
    entityId: id,
    oldValues,
  })
}
