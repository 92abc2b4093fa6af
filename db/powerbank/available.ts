import { isOnline } from '../devices/connections.ts'
import type { Queryable } from '../postgres/connect.ts'
import { type Page, pageOf } from '../postgres/rows.ts'
import { type Scope, within } from './scope.ts'
import { type Candidate, candidates, order } from './selection.ts'

export type Available = Candidate & {
  stationBoxId: string
  /** Its cabinet is connected: the bank can be had at once. */
  isOnline: boolean
}

/** What the list may be narrowed to; `page` is 1-based. */
export interface AvailableFilter {
  scope: Scope
  stationId?: number | undefined
  page: number
  limit: number
}

/** One page of what may be borrowed now at the active stations in scope: connected ones first, the best of each first. */
export async function list(q: Queryable, filter: AvailableFilter): Promise<Page<Available>> {
  const { scope, stationId = null } = filter
  const free = q`
    (${candidates(q, q`p.status = 'active' and (${stationId}::bigint is null or sp.station_id = ${stationId})`)}) c
    join stations s on s.id = c.station_id and s.status = 'active' and s.deleted_at is null
    left join device_sessions ds on ds.device_id = s.id
    where not c.on_loan and ${within(q, scope, q`s.org_unit_id`)}`
  const rows = q`
    select * from (select c.*, s.box_id as station_box_id, ${isOnline(q)} as is_online from ${free}) a
    order by is_online desc, station_id, ${order(q)}`
  return await pageOf(q, free, rows, filter)
}
