import type { Reason } from './choice.ts'
import type { Queryable } from './connect.ts'
import type { OrderStatus } from './orders.ts'
import { type Scope, within } from './scope.ts'

/** An order with the names of what it joins, for people to read. */
export interface ListedOrder {
  id: number
  stationId: number
  stationBoxId: string
  /** The station's unit, for scope. */
  orgUnitId: number | null
  userId: number
  userPhone: string | null
  userFio: string
  powerbankId: number | null
  powerbankSerial: string | null
  slotNumber: number | null
  status: OrderStatus
  /** Why this bank; null: the borrower chose it. */
  selection: Reason | null
  returnStationId: number | null
  returnSlot: number | null
  isAdminOrder: boolean
  createdAt: Date
  borrowedAt: Date | null
  completedAt: Date | null
}

/** Whose orders: those at the stations in scope, and always the reader's own. */
export interface Readable {
  scope: Scope
  readerId: number
}

/** What the list may be narrowed to; `page` is 1-based. */
export interface OrderFilter extends Readable {
  userId?: number | undefined
  stationId?: number | undefined
  /** Unless asked for, cancelled orders are not shown: nothing was lent (api-contracts 4.5). */
  status?: OrderStatus | undefined
  page: number
  limit: number
}

const readable = (q: Queryable, { scope, readerId }: Readable) =>
  q`o.deleted_at is null and (o.user_id = ${readerId} or ${within(q, scope, q`s.org_unit_id`)})`

/** What a `ListedOrder` is read from. */
export const view = (q: Queryable) => q`
  select o.id, o.station_id, s.box_id as station_box_id, s.org_unit_id, o.user_id, u.phone as user_phone,
    u.full_name as user_fio, o.powerbank_id, p.serial_number as powerbank_serial, o.slot_number, o.status,
    o.selection, o.return_station_id, o.return_slot, o.is_admin_order, o.created_at, o.borrowed_at, o.completed_at
  from orders o join stations s on s.id = o.station_id join users u on u.id = o.user_id
  left join powerbanks p on p.id = o.powerbank_id`

/** One page of orders, newest first, and how many there are in all. */
export async function list(q: Queryable, filter: OrderFilter): Promise<{ rows: ListedOrder[]; total: number }> {
  const { userId = null, stationId = null, status = null, page, limit } = filter
  const where = q`
    ${readable(q, filter)}
    and (${userId}::bigint is null or o.user_id = ${userId})
    and (${stationId}::bigint is null or o.station_id = ${stationId})
    and ${status === null ? q`o.status <> 'cancelled'` : q`o.status = ${status}`}`
  const [counted] = await q<{ total: number }[]>`
    select count(*) as total from orders o join stations s on s.id = o.station_id where ${where}`
  const rows = await q<
    ListedOrder[]
  >`${view(q)} where ${where} order by o.id desc limit ${limit} offset ${(page - 1) * limit}`
  return { rows, total: counted!.total }
}

/** One order, whatever its status, or undefined. Who may read it is the caller's question. */
export async function get(q: Queryable, id: number): Promise<ListedOrder | undefined> {
  const [order] = await q<ListedOrder[]>`${view(q)} where o.id = ${id} and o.deleted_at is null`
  return order
}

/** The order a command was given for, or undefined. */
export async function byCommand(q: Queryable, commandId: number): Promise<ListedOrder | undefined> {
  const [order] = await q<ListedOrder[]>`${view(q)} where o.command_id = ${commandId} and o.deleted_at is null`
  return order
}

const ACTIVE_ROWS_MAX = 300

/** The open loans that began at a station, as far as the reader may see them, oldest first. */
export function activeAt(q: Queryable, stationId: number, reader: Readable): Promise<ListedOrder[]> {
  return q<ListedOrder[]>`
    ${view(q)} where ${readable(q, reader)} and o.station_id = ${stationId} and o.status = 'borrow'
    order by o.id limit ${ACTIVE_ROWS_MAX}`
}
