import type { Queryable } from '../postgres/connect.ts'
import type { Page } from '../postgres/rows.ts'
import { type Scope, within } from './scope.ts'

/** Of a loan of no unit (the columns' defaults). */
const REMINDER_HOURS = 24
const WRITE_OFF_HOURS = 48

/** In a slot; lent; lent for longer than the unit's `reminder_hours` (docs/contracts.md 4.10). Null: nobody knows where it is. */
export type Whereabouts = 'in_station' | 'in_use' | 'not_returned'

/** A power bank, where it is, and its open loan or else its last one. */
export interface Located {
  powerbankId: number
  serialNumber: string
  powerbankStatus: string
  orgUnitId: number | null
  orgUnitName: string | null
  whereabouts: Whereabouts | null
  /** Lent for longer than the unit's `write_off_hours`. */
  isLost: boolean
  /** Where it sits, else where it was lent. */
  stationId: number | null
  stationBoxId: string | null
  stationNik: string | null
  slotNumber: number | null
  orderId: number | null
  userId: number | null
  userName: string | null
  userPhone: string | null
  userEmail: string | null
  borrowTime: Date | null
  completedAt: Date | null
}

/** What the list may be narrowed to; `page` is 1-based. */
export interface LocatedFilter {
  scope: Scope
  whereabouts?: Whereabouts | undefined
  orgUnitId?: number | undefined
  page: number
  limit: number
}

/** SQL: every power bank with its place and its open loan. The bank's unit counts its hours, else the station's. */
const located = (q: Queryable, scope: Scope, orgUnitId: number | null) => q`
  select p.id as powerbank_id, p.serial_number, p.status as powerbank_status, p.org_unit_id, sp.station_id as sits_at,
    sp.slot_number, o.id as open_order_id,
    case when sp.id is not null then 'in_station' when o.id is null then null
      when o.status = 'borrow' and o.begun_at < now() - make_interval(hours => coalesce(h.reminder_hours, ${REMINDER_HOURS}))
        then 'not_returned' else 'in_use' end as whereabouts,
    coalesce(sp.id is null and o.status = 'borrow'
      and o.begun_at < now() - make_interval(hours => coalesce(h.write_off_hours, ${WRITE_OFF_HOURS})), false) as is_lost
  from powerbanks p
  left join station_powerbanks sp on sp.powerbank_id = p.id
  left join (
    select id, powerbank_id, status, station_id, coalesce(borrowed_at, created_at) as begun_at
    from orders where status in ('pending', 'borrow') and deleted_at is null
  ) o on o.powerbank_id = p.id
  left join stations os on os.id = o.station_id
  left join org_units h on h.id = coalesce(p.org_unit_id, os.org_unit_id)
  where p.deleted_at is null and ${within(q, scope, q`p.org_unit_id`)}
    and (${orgUnitId}::bigint is null or p.org_unit_id = ${orgUnitId})`

/** SQL: the same rows with the names of what they join; the last loan of those that have no open one. */
const named = (q: Queryable, rows: ReturnType<Queryable>) => q`
  select l.*, u.name as org_unit_name, coalesce(l.sits_at, o.station_id) as station_id, s.box_id as station_box_id,
    s.nik as station_nik, o.id as order_id, o.user_id, w.full_name as user_name, w.phone as user_phone,
    w.email as user_email, coalesce(o.borrowed_at, o.created_at) as borrow_time, o.completed_at
  from (${rows}) l
  left join org_units u on u.id = l.org_unit_id
  left join lateral (
    select id, user_id, station_id, borrowed_at, created_at, completed_at from orders
    where powerbank_id = l.powerbank_id and status <> 'cancelled' and deleted_at is null
      and (l.open_order_id is null or id = l.open_order_id)
    order by powerbank_id desc, id desc limit 1
  ) o on true
  left join users w on w.id = o.user_id
  left join stations s on s.id = coalesce(l.sits_at, o.station_id)
  order by l.powerbank_id`

/** One page of power banks by where they are, oldest first, and how many there are in all. */
export async function list(q: Queryable, filter: LocatedFilter): Promise<Page<Located>> {
  const { scope, whereabouts = null, orgUnitId = null, page, limit } = filter
  const all: ReturnType<Queryable> = q`
    select * from (${located(q, scope, orgUnitId)}) b where (${whereabouts}::text is null or whereabouts = ${whereabouts})`
  const [counted] = await q<{ total: number }[]>`select count(*) as total from (${all}) c`
  const one: ReturnType<Queryable> = q`${all} order by powerbank_id limit ${limit} offset ${(page - 1) * limit}`
  const rows = await q<Located[]>`${named(q, one)}`
  return { rows, total: counted!.total }
}

/** One power bank, or undefined. Whether the reader may see it is the caller's question. */
export async function get(q: Queryable, id: number): Promise<Located | undefined> {
  const one: ReturnType<Queryable> = q`${located(q, 'all', null)} and p.id = ${id}`
  const [bank] = await q<Located[]>`${named(q, one)}`
  return bank
}

export interface Summary {
  total: number
  inStation: number
  inUse: number
  notReturned: number
  /** Of those not returned: long enough to be written off. */
  lost: number
  elsewhere: number
}

/** How many are where. */
export async function summary(q: Queryable, scope: Scope, orgUnitId?: number): Promise<Summary> {
  const [counts] = await q<Summary[]>`
    select count(*) as total, count(*) filter (where whereabouts = 'in_station') as in_station,
      count(*) filter (where whereabouts = 'in_use') as in_use,
      count(*) filter (where whereabouts = 'not_returned') as not_returned, count(*) filter (where is_lost) as lost,
      count(*) filter (where whereabouts is null) as elsewhere
    from (${located(q, scope, orgUnitId ?? null)}) b`
  return counts!
}

export interface UnitCounts {
  orgUnitId: number | null
  orgUnitName: string | null
  total: number
  active: number
  unknown: number
  broken: number
  systemError: number
  writtenOff: number
}

/** How many power banks of each status every unit in scope has; those of no unit last. */
export function statistics(q: Queryable, scope: Scope): Promise<UnitCounts[]> {
  return q<UnitCounts[]>`
    select p.org_unit_id, u.name as org_unit_name, count(*) as total, count(*) filter (where p.status = 'active') as active,
      count(*) filter (where p.status = 'unknown') as unknown,
      count(*) filter (where p.status = 'user_reported_broken') as broken,
      count(*) filter (where p.status = 'system_error') as system_error,
      count(*) filter (where p.status = 'written_off') as written_off
    from powerbanks p left join org_units u on u.id = p.org_unit_id
    where p.deleted_at is null and ${within(q, scope, q`p.org_unit_id`)}
    group by p.org_unit_id, u.name order by p.org_unit_id nulls last`
}
