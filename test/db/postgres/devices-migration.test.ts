import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { seal } from '../../../db/devices/keys.ts'
import type { Db } from '../../../db/postgres/connect.ts'
import { migrate } from '../../../db/postgres/migrations.ts'
import { identify } from '../../../db/powerbank/cabinets.ts'
import { freshDb, tempDataDir } from '../../postgres.ts'
import { act, expire, NODE, orderOf, says, send, travel } from '../world.ts'

const SECRET = 'a secret for tests only, 32 bytes'

/** The migrations up to and with this one. */
function until(last: string): URL {
  const dir = tempDataDir()
  cpSync('db/migrations', dir, { recursive: true })
  const journal = join(dir, 'meta/_journal.json')
  const { entries } = JSON.parse(readFileSync(journal, 'utf8')) as { entries: { tag: string }[] }
  const kept = entries.slice(0, entries.findIndex(({ tag }) => tag === last) + 1)
  writeFileSync(journal, JSON.stringify({ entries: kept }))
  return pathToFileURL(`${dir}/`)
}

/** What the older build has in its rows, by its own statements: two stations, the first of them deleted; of the other all. */
async function older(db: Db) {
  const [unit] = await db.sql<{ id: number }[]>`
    insert into org_units (unit_type, name, default_powerbank_limit) values ('group', 'Old', 3) returning id`
  const [user] = await db.sql<{ id: number }[]>`
    insert into users (username, full_name, status) values ('old', 'Old Hand', 'active') returning id`
  const station = async (boxId: string) =>
    (
      await db.sql<{ id: number }[]>`
        insert into stations (org_unit_id, box_id, iccid, slots_declared, status)
        values (${unit!.id}, ${boxId}, null, 8, 'active')
        on conflict (box_id) where deleted_at is null do nothing returning id`
    )[0]!.id
  const gone = await station('OLDBOX')
  await db.sql`update stations set deleted_at = now() where id = ${gone}`
  const stationId = await station('OLDBOX')
  await db.sql`
    insert into device_sessions as ds (station_id, node, epoch, dialect, address, vsn, heartbeat_seconds, connected_at, seen_at)
    values (${stationId}, ${NODE}, 1, 'B', '192.0.2.1', 2, 30, now() - interval '1 minute', now())`
  await db.sql`
    insert into station_secret_keys (station_id, key_ciphertext, key_hint, created_by)
    values (${stationId}, ${seal('the-old-key', SECRET)}, 'ey', null)`
  await db.sql`insert into quarantine (box_id, dialect, reason) values ('STRANGER', 'A', 'unknown_box_id')`
  const command = async (kind: string, slot: number | null, status: string, age: string) =>
    (
      await db.sql<{ id: number }[]>`
        insert into device_commands (station_id, kind, slot, is_movement, status, args, created_at, sent_at, deadline)
        values (${stationId}, ${kind}, ${slot}, ${slot !== null}, ${status}, ${db.sql.json({ slot })}, now() - ${age}::interval,
          case when ${status} <> 'queued' then now() - ${age}::interval end, now() + interval '15 seconds') returning id`
    )[0]!.id
  const ancient = await command('volume', null, 'answered', '3 days')
  const sent = await command('eject', 1, 'sent', '2 seconds')
  const queued = await command('eject', 2, 'queued', '1 second')
  const order = async (commandId: number, slot: number) => {
    const [bank] = await db.sql<{ id: number }[]>`
      insert into powerbanks (serial_number, device_id, status) values (${`BANK${slot}`}, ${`444348410000000${slot}`}, 'active') returning id`
    await db.sql`insert into station_powerbanks (station_id, powerbank_id, slot_number) values (${stationId}, ${bank!.id}, ${slot})`
    const [row] = await db.sql<{ id: number }[]>`
      insert into orders (station_id, user_id, powerbank_id, slot_number, status, command_id)
      values (${stationId}, ${user!.id}, ${bank!.id}, ${slot}, 'pending', ${commandId}) returning id`
    return row!.id
  }
  return {
    unitId: unit!.id,
    gone,
    stationId,
    ancient,
    sent,
    queued,
    orders: [await order(sent, 1), await order(queued, 2)],
  }
}

test('what the older build had under way goes on: sessions, commands, orders and keys', async () => {
  const { db, url } = await freshDb()
  await migrate(url, until('0008_certificate_keys'))
  const { unitId, gone, stationId, ancient, sent, queued, orders } = await older(db)
  await migrate(url)
  const devices =
    await db.sql`select id, kind, serial, org_unit_id, deleted_at is null as is_there from devices order by id`
  expect([...devices]).toEqual([
    { id: gone, kind: 'cabinet', serial: 'OLDBOX', orgUnitId: unitId, isThere: false },
    { id: stationId, kind: 'cabinet', serial: 'OLDBOX', orgUnitId: unitId, isThere: true },
  ])
  expect(await identify(db.sql, 'OLDBOX', SECRET)).toMatchObject({ stationId, keys: ['the-old-key'] })
  expect([...(await db.sql`select kind, box_id from quarantine`)]).toEqual([{ kind: 'cabinet', boxId: 'STRANGER' }])
  expect([...(await db.sql`select id, device_id, station_id from device_commands order by id`)]).toEqual([
    // Nobody of the older build looks back so far.
    { id: ancient, deviceId: stationId, stationId: null },
    { id: sent, deviceId: stationId, stationId },
    { id: queued, deviceId: stationId, stationId },
  ])
  await says(db, stationId, 1, '4443484100000001')
  expect(await orderOf(db, orders[0]!)).toMatchObject({ status: 'borrow' })
  await send(db, queued)
  await says(db, stationId, 2, '4443484100000002')
  expect(await orderOf(db, orders[1]!)).toMatchObject({ status: 'borrow' })
})

test('what was overdue ends once, and new stations take ids that none had', async () => {
  const { db, url } = await freshDb()
  await migrate(url, until('0008_certificate_keys'))
  const { stationId, orders } = await older(db)
  await migrate(url)
  await travel(db, 16)
  expect(
    (await Promise.all(Array.from({ length: 3 }, () => act(db, expire)))).reduce((sum, ended) => sum + ended),
  ).toBe(2)
  expect(await orderOf(db, orders[0]!)).toMatchObject({ status: 'pending' })
  expect(await orderOf(db, orders[1]!)).toMatchObject({ status: 'cancelled' })
  const [made] = await db.sql<{ id: number }[]>`
    insert into stations (box_id, slots_declared) values ('NEWBOX', 8) returning id`
  expect(made!.id).toBeGreaterThan(stationId)
})

test('the older build’s statements go on working on what is there now', async () => {
  const { db, url } = await freshDb()
  await migrate(url, until('0008_certificate_keys'))
  const { gone, stationId, sent } = await older(db)
  await migrate(url)
  const [session] = await db.sql`
    insert into device_sessions as ds (station_id, node, epoch, dialect, address, connected_at, seen_at)
    values (${stationId}, 'old-node', 1, 'A', '::1', now(), now())
    on conflict (station_id) do update set node = excluded.node, epoch = ds.epoch + 1 returning epoch, device_id`
  expect(session).toEqual({ epoch: 2, deviceId: stationId })
  const [command] = await db.sql<{ id: number }[]>`
    insert into device_commands (station_id, kind, origin, deadline)
    select ${stationId}, 'inventory', 'janitor', now() + interval '15 seconds' returning id, device_id`
  expect(command).toEqual({ id: sent + 2, deviceId: stationId })
  const [made] = await db.sql<{ id: number }[]>`
    insert into stations (org_unit_id, box_id, iccid, slots_declared, status) values (null, 'NEWBOX', null, 8, 'pending')
    on conflict (box_id) where deleted_at is null do nothing returning id`
  const first = await db.sql`
    insert into device_sessions as ds (station_id, node, epoch, dialect, address, connected_at, seen_at)
    values (${made!.id}, 'old-node', 1, 'A', '::1', now(), now())
    on conflict (station_id) do update set node = excluded.node, epoch = ds.epoch + 1 returning device_id`
  expect([...first]).toEqual([{ deviceId: made!.id }])
  const key = await db.sql`
    insert into station_secret_keys (station_id, key_ciphertext, key_hint, created_by)
    values (${made!.id}, 'sealed', '42', null) returning id, station_id, key_hint, valid_until, created_at`
  expect(key).toMatchObject([{ stationId: made!.id, keyHint: '42', validUntil: null, createdAt: expect.any(Date) }])
  const overlapping = await db.sql`
    update station_secret_keys k set valid_until = case
      when id = (select max(id) from station_secret_keys where station_id = ${made!.id}) then now() + interval '24 hours' else now() end
    where station_id = ${made!.id} and (valid_until is null or valid_until > now())`
  expect(overlapping.count).toBe(1)
  expect((await db.sql`delete from station_secret_keys where station_id = ${made!.id}`).count).toBe(1)
  const knock = () => db.sql`
    insert into quarantine as known (box_id, dialect, reason, address, slots) values ('KNOCK', 'A', 'unknown_box_id', '::1', null)
    on conflict (box_id) do update set attempts = known.attempts + 1 returning kind, attempts`
  await knock()
  expect([...(await knock())]).toEqual([{ kind: 'cabinet', attempts: 2 }])
  expect((await db.sql`update stations set deleted_at = null, box_id = 'AGAIN' where id = ${gone}`).count).toBe(1)
  expect([...(await db.sql`select serial, deleted_at from devices where id = ${gone}`)]).toEqual([
    { serial: 'AGAIN', deletedAt: null },
  ])
})
