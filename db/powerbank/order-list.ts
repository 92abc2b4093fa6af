import type { Queryable } from '../postgres/connect.ts'
import { columnsOf, type Fragment, type Page } from '../postgres/rows.ts'
import type { orders } from './schema.ts'
import { type Scope, within } from './scope.ts'
import type { Reason } from './selection.ts'
import type { OrderStatus } from './words.ts'

type Row = typeof orders.$inferSelect
const COLUMNS = [
  'id',
  'stationId',
  'userId',
  'powerbankId',
  'slotNumber',
  'status',
  'returnStationId',
  'returnSlot',
  'isAdminOrder',
  'createdAt',
  'borrowedAt',
  'completedAt',
] as const satisfies (keyof Row)[]

/** An order with the names of what it joins, for people to read. */
export interface ListedOrder extends Pick<Row, (typeof COLUMNS)[number]> {
  stationBoxId: string
  /** The station's unit, for scope. */
  orgUnitId: number | null
  userPhone: string | null
  userFio: string
  powerbankSerial: string | null
  /** Why this bank; null: the borrower chose it. */
  selection: Reason | null
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
  /** Unless asked for, cancelled orders are not shown: nothing was lent (docs/contracts.md 4.5). */
  status?: OrderStatus | undefined
  page: number
  limit: number
}

/** SQL: the stations of a scope, deleted ones too: their orders stay. */
const stationsIn = (q: Queryable, units: readonly number[]) =>
  q`array(select id from stations where org_unit_id = any(${[...units]}))`

/**
 * SQL: whose orders, as conditions that exclude each other; each is answered from an index of its own, and an order
 * belongs to the reader if one holds.
 */
function shares(q: Queryable, { scope, readerId }: Readable): Fragment[] {
  if (scope === 'all') return [q`true`]
  if (scope.length === 0) return [q`o.user_id = ${readerId}`]
  const theirs: Fragment = q`o.station_id = any(${stationsIn(q, scope)})`
  return [theirs, q`o.user_id = ${readerId} and not ${theirs}`]
}

const readable = (q: Queryable, { scope, readerId }: Readable) =>
  q`o.deleted_at is null and (o.user_id = ${readerId} or ${within(q, scope, q`s.org_unit_id`)})`

/** What a `ListedOrder` is read from. */
export const view = (q: Queryable) => q`
  select ${columnsOf(q, 'o', COLUMNS)}, s.box_id as station_box_id, s.org_unit_id, u.phone as user_phone,
    u.full_name as user_fio, p.serial_number as powerbank_serial, o.selection
  from orders o join stations s on s.id = o.station_id join users u on u.id = o.user_id
  left join powerbanks p on p.id = o.powerbank_id`

/**
 * One page of orders, newest first, and how many there are in all. Which ones they are comes from indexes alone, however
 * far the page; only those of the page are read.
 */
export async function list(q: Queryable, filter: OrderFilter): Promise<Page<ListedOrder>> {
  const { userId, stationId, status, page, limit } = filter
  const wanted = q`
    o.deleted_at is null
    ${status === undefined ? q`and o.status <> 'cancelled'` : q`and o.status = ${status}`}
    ${userId === undefined ? q`` : q`and o.user_id = ${userId}`}
    ${stationId === undefined ? q`` : q`and o.station_id = ${stationId}`}`
  const offset = (page - 1) * limit
  const parts = shares(q, filter).map((share): Fragment => q`from orders o where ${share} and ${wanted}`)
  const counts = parts.map((part): Fragment => q`(select count(*) ${part})`)
  const tops = parts.map((part): Fragment => q`(select o.id ${part} order by o.id desc limit ${offset + limit})`)
  const total = counts.reduce((sum, count): Fragment => q`${sum} + ${count}`)
  const all = tops.reduce((some, top): Fragment => q`${some} union all ${top}`)
  const [counted] = await q<{ total: number }[]>`select ${total} as total`
  const rows = await q<ListedOrder[]>`
    with page as materialized (select id from (${all}) o order by id desc limit ${limit} offset ${offset})
    ${view(q)} where o.id in (select id from page) order by o.id desc`
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
