import { isOnline } from '../devices/connections.ts'
import type { Queryable } from '../postgres/connect.ts'
import { columnsOf, type Page, pageOf } from '../postgres/rows.ts'
import { Refused } from './refused.ts'
import type { terminals } from './schema.ts'
import type { PaymentMethod } from './words.ts'

export const terminalStatuses = ['online', 'offline', 'maintenance', 'error'] as const
export type TerminalStatus = (typeof terminalStatuses)[number]

const COLUMNS = [
  'id',
  'terminalCode',
  'name',
  'location',
  'address',
  'latitude',
  'longitude',
  'terminalType',
  'model',
  'manufacturer',
  'softwareVersion',
  'supportedPaymentMethods',
  'isActive',
  'createdAt',
  'updatedAt',
] as const satisfies (keyof typeof terminals.$inferSelect)[]

/** A terminal as clients see it. */
export type Terminal = Omit<
  Pick<typeof terminals.$inferSelect, (typeof COLUMNS)[number]>,
  'supportedPaymentMethods'
> & {
  serialNumber: string
  supportedPaymentMethods: PaymentMethod[]
  status: TerminalStatus
  /** The last sign of life. */
  lastPing: Date | null
}

const from = (q: Queryable) => q`
  terminals t join devices d on d.id = t.id left join device_sessions ds on ds.device_id = t.id
  where t.deleted_at is null`
/** What people and commands have set comes before what the line says. */
const status = (q: Queryable) => q`
  case when t.condition <> 'working' then t.condition when ${isOnline(q)} then 'online' else 'offline' end`
const view = (q: Queryable) => q`
  select ${columnsOf(q, 't', COLUMNS)}, d.serial as serial_number, ${status(q)} as status, ds.seen_at as last_ping`

export interface TerminalFilter {
  status?: TerminalStatus | undefined
  /** Those that are switched off for good as well. */
  isAll: boolean
  limit: number
  offset: number
}

/** One page of terminals, by id, and how many there are. */
export async function list(q: Queryable, filter: TerminalFilter): Promise<Page<Terminal>> {
  const { status: wanted, isAll, ...at } = filter
  const of = q`${from(q)} ${isAll ? q`` : q`and t.is_active`} ${wanted ? q`and ${status(q)} = ${wanted}` : q``}`
  return await pageOf(q, of, q`${view(q)} from ${of} order by t.id`, at)
}

/** @throws Refused not_found (terminal_unknown: never was, or is switched off) */
export async function get(q: Queryable, id: number): Promise<Terminal> {
  const [row] = await q<Terminal[]>`${view(q)} from ${from(q)} and t.is_active and t.id = ${id}`
  if (!row) throw new Refused('not_found', `terminal ${id}`, { reason: 'terminal_unknown' })
  return row
}

/** What a terminal has taken. Of amounts, what was given back is not there. */
export interface Takings {
  totalTransactions: number
  totalMinor: number
  successfulTransactions: number
  failedTransactions: number
}

/** SQL: `Takings` of `transactions t`. A payment that was given back had succeeded all the same. */
const takings = (q: Queryable) => q`
  count(*) as total_transactions,
  coalesce(sum(t.amount_minor - t.refunded_minor) filter (where t.status in ('completed', 'refunded')), 0)::bigint as total_minor,
  count(*) filter (where t.status in ('completed', 'refunded')) as successful_transactions,
  count(*) filter (where t.status = 'failed') as failed_transactions`

export async function takingsOf(q: Queryable, terminalId: number): Promise<Takings> {
  const [row] = await q<Takings[]>`select ${takings(q)} from transactions t where t.terminal_id = ${terminalId}`
  return row!
}

/** How many terminals there are in each status; those that are switched off for good are not counted. */
export async function countByStatus(q: Queryable): Promise<Record<TerminalStatus, number>> {
  const rows = await q<{ status: TerminalStatus; count: number }[]>`
    select ${status(q)} as status, count(*) as count from ${from(q)} and t.is_active group by 1`
  const none = Object.fromEntries(terminalStatuses.map((name) => [name, 0])) as Record<TerminalStatus, number>
  return { ...none, ...Object.fromEntries(rows.map(({ status: name, count }) => [name, count])) }
}

/** The takings of all terminals, ever and in the last so many days. */
export async function takingsOfAll(
  q: Queryable,
  days: number,
): Promise<Takings & { recentTransactions: number; recentMinor: number }> {
  const isRecent = q`t.created_at > now() - make_interval(days => ${days})`
  const [row] = await q<(Takings & { recentTransactions: number; recentMinor: number })[]>`
    select ${takings(q)}, count(*) filter (where ${isRecent}) as recent_transactions,
      coalesce(sum(t.amount_minor - t.refunded_minor)
        filter (where ${isRecent} and t.status in ('completed', 'refunded')), 0)::bigint as recent_minor
    from transactions t`
  return row!
}
