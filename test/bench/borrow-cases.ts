import type { Db } from '../../db/postgres/connect.ts'

/** One borrow transaction: who takes what out of which slot. No two cases share a user or a power bank. */
export interface BorrowCase {
  stationId: number
  userId: number
  powerbankId: number
  slot: number
}

/** Large and far apart, so that a recorded parameter tells by its value what it is. */
export const firstOf = {
  stationId: 1_000_000,
  userId: 2_000_000,
  powerbankId: 3_000_000,
  commandId: 4_000_000,
  orderId: 5_000_000,
}
export const slotsEach = 8

/** The nth case, from 0 on. */
export const caseOf = (n: number): BorrowCase => ({
  stationId: firstOf.stationId + Math.floor(n / slotsEach),
  userId: firstOf.userId + n,
  powerbankId: firstOf.powerbankId + n,
  slot: (n % slotsEach) + 1,
})

/** Rows for so many cases: stations that are online, their banks in their slots, a customer for each. */
export async function prepareCases(db: Db, count: number): Promise<{ unitId: number }> {
  const stations = Math.ceil(count / slotsEach)
  const unitId = await db.transaction(async (tx) => {
    const [unit] = await tx<{ id: number }[]>`
      insert into org_units (unit_type, name, default_powerbank_limit) values ('group', 'Bench', 100) returning id`
    const { id } = unit!
    await tx`
      insert into stations (id, org_unit_id, box_id, slots_declared, status)
      select ${firstOf.stationId}::bigint + n, ${id}, 'BENCH' || lpad(n::text, 11, '0'), ${slotsEach}, 'active'
      from generate_series(0, ${stations}::int - 1) n`
    await tx`
      insert into device_sessions (device_id, node, epoch, dialect, connected_at, seen_at)
      select id, 'bench', 1, 'B', now(), now() + interval '1 day' from stations`
    await tx`
      insert into users (id, email, full_name, status)
      select ${firstOf.userId}::bigint + n, 'bench' || n || '@example.org', 'Bench', 'active'
      from generate_series(0, ${count}::int - 1) n`
    await tx`
      insert into user_roles (user_id, surface, role, org_unit_id) select id, 'powerbank', 'user', ${id} from users`
    await tx`
      insert into powerbanks (id, org_unit_id, serial_number, device_id, status)
      select ${firstOf.powerbankId}::bigint + n, ${id}, s, s, 'active'
      from (select n, '42454E43' || upper(lpad(to_hex(n), 8, '0')) as s from generate_series(0, ${count}::int - 1) n) i`
    await tx`
      insert into station_powerbanks (station_id, powerbank_id, slot_number, level, voltage, temperature)
      select ${firstOf.stationId}::bigint + n / ${slotsEach}, ${firstOf.powerbankId}::bigint + n, n % ${slotsEach} + 1, 90, 4100, 25
      from generate_series(0, ${count}::int - 1) n`
    await tx`select setval(pg_get_serial_sequence('device_commands', 'id'), ${firstOf.commandId})`
    await tx`select setval(pg_get_serial_sequence('orders', 'id'), ${firstOf.orderId})`
    return id
  })
  await db.sql`vacuum analyze`
  return { unitId }
}

/** As if nobody had ever borrowed; what the last run left to be written is written now, and not during the next. */
export async function forget(db: Db): Promise<void> {
  await db.sql`truncate orders, device_commands, events cascade`
  await db.sql`checkpoint`
}
