import type { Db } from '../../db/postgres/connect.ts'

/** How much there is. */
export interface Amounts {
  orders: number
  users: number
  stations: number
  banks: number
  groups: number
}

/** A network of several years: what `of` says, statistics gathered. Every row of it is invented by counting. */
export async function fill({ sql }: Db, { orders, users, stations, banks, groups }: Amounts): Promise<void> {
  await sql`
    insert into org_units (id, unit_type, parent_id, name)
    overriding system value
    select n, case when n <= ${groups}::int then 'group' else 'subgroup' end,
      case when n > ${groups}::int then (n - 1) % ${groups}::int + 1 end, 'unit ' || n
    from generate_series(1, ${groups}::int * 3) n`
  await sql`
    insert into users (id, phone, email, full_name, status)
    overriding system value
    select n, '+79' || lpad(n::text, 9, '0'), n || '@example.com', 'Иван Иванов', case when n % 50 = 0 then 'blocked' else 'active' end
    from generate_series(1, ${users}::int) n`
  await sql`
    insert into user_roles (user_id, surface, role, org_unit_id)
    select n, 'powerbank', case when n = 1 then 'service_admin' when n % 500 = 0 then 'group_admin' else 'user' end,
      case when n > 1 then n % (${groups}::int * 3) + 1 end
    from generate_series(1, ${users}::int) n`
  await sql`
    insert into stations (id, org_unit_id, box_id, slots_declared, status)
    overriding system value
    select n, n % (${groups}::int * 3) + 1, 'BOX' || n, 12, 'active' from generate_series(1, ${stations}::int) n`
  await sql`
    insert into powerbanks (id, org_unit_id, serial_number, device_id, status)
    overriding system value
    select n, n % (${groups}::int * 3) + 1, lpad(to_hex(n), 16, '0'), lpad(to_hex(n), 16, '0'),
      (array['active','active','active','active','active','active','active','unknown','system_error','written_off'])[n % 10 + 1]
    from generate_series(1, ${banks}::int) n`
  // The first banks are lent, the others sit in stations.
  const lent = Math.floor(banks / 4)
  await sql`
    insert into station_powerbanks (station_id, powerbank_id, slot_number, level)
    select (n - ${lent}::int - 1) % ${stations}::int + 1, n, (n - ${lent}::int - 1) / ${stations}::int + 1, n % 100
    from generate_series(${lent}::int + 1, least(${banks}::int, ${lent}::int + ${stations}::int * 12)) n`
  await sql`
    insert into orders (station_id, user_id, powerbank_id, slot_number, status, created_at, borrowed_at, completed_at,
      return_station_id, return_slot, evidence)
    select n::bigint * 7919 % ${stations}::int + 1, n::bigint * 104729 % ${users}::int + 1,
      case when n > ${orders}::int - ${lent}::int then ${orders}::int - n + 1 else n % ${banks}::int + 1 end, n % 12 + 1,
      s.status, at, case when s.status <> 'cancelled' then at end,
      case when s.status <> 'borrow' then at + interval '2 hours' end,
      case when s.status = 'return' then n::bigint * 31 % ${stations}::int + 1 end, case when s.status = 'return' then n % 12 + 1 end,
      case when s.status = 'return' then 'return frame' else 'eject answer' end
    from generate_series(1, ${orders}::int) n,
      lateral (select now() - make_interval(secs => (${orders}::int - n) * 60.0) as at,
        case when n > ${orders}::int - ${lent}::int then 'borrow' when n % 40 = 0 then 'cancelled'
          when n % 997 = 0 then 'force_eject' else 'return' end as status) s`
  await sql`
    insert into slot_abnormal_reports (station_id, slot_number, terminal_id, event_type, reported_at)
    select n % ${stations}::int + 1, n % 12 + 1, null, (n % 9)::text, now() - make_interval(mins => n)
    from generate_series(1, ${orders}::int / 10) n`
  // Not inside a transaction: as the vacuum of a running house would leave it.
  await sql.unsafe('vacuum analyze')
}
