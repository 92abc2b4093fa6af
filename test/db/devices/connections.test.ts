import { expect, test } from 'vitest'
import * as connections from '../../../db/devices/connections.ts'
import * as keys from '../../../db/devices/keys.ts'
import { quarantine } from '../../../db/devices/quarantine.ts'
import * as cabinets from '../../../db/powerbank/cabinets.ts'
import { testDb } from '../../postgres.ts'
import { act, actor, cabinet, happened, lookDue, NODE, person, releaseNode } from '../world.ts'

const { db } = await testDb()
const SECRET = 'a secret for tests only, 32 bytes'

const open = (stationId: number, node = NODE) =>
  act(db, (tx) => cabinets.open(tx, { stationId, node, dialect: 'B', address: '192.0.2.1', vsn: 2 }))
const close = (stationId: number, epoch: number, node = NODE) =>
  act(db, (tx) => cabinets.close(tx, { stationId, node, epoch, reason: 'reset' }))
const session = async (stationId: number) =>
  (await db.sql`select * from device_sessions where device_id = ${stationId}`)[0]!
const boxIdOf = async (id: number) =>
  (await db.sql<{ boxId: string }[]>`select box_id from stations where id = ${id}`)[0]!.boxId
const isOnline = async (stationId: number) =>
  (
    await db.sql`select ${connections.isOnline(db.sql)} as online from device_sessions ds where device_id = ${stationId}`
  )[0]!.online

test('a cabinet is known by its box id, with its keys, the newest first', async () => {
  const station = await cabinet(db, { slots: 12 })
  const boxId = await boxIdOf(station)
  const as = actor(await person(db, { role: 'service_admin' }))
  expect(await cabinets.identify(db.sql, boxId, SECRET)).toEqual({
    stationId: station,
    slotsDeclared: 12,
    isSimStale: true,
    isOnBroker: false,
    keys: [],
  })
  for (const value of ['first-key', 'second-key', 'third-key'])
    await act(db, (tx) => keys.add(tx, as, { deviceId: station, value }, SECRET))
  expect((await cabinets.identify(db.sql, boxId, SECRET))!.keys).toEqual(['third-key', 'second-key'])
  expect(await cabinets.identify(db.sql, 'nobody', SECRET)).toBeNull()
  await db.sql`update stations set deleted_at = now() where id = ${station}`
  expect(await cabinets.identify(db.sql, boxId, SECRET)).toBeNull()
})

test('the newest connection owns the cabinet, and a look becomes due', async () => {
  const station = await cabinet(db)
  const first = await open(station)
  const second = await open(station, 'node-2')
  expect(second.epoch).toBe(first.epoch + 1)
  expect(await session(station)).toMatchObject({ node: 'node-2', epoch: second.epoch, disconnectedAt: null })
  expect(await lookDue(db, station)).toBeLessThanOrEqual(0)
  expect((await happened(db, station, 'station.connected')).length).toBe(2)
})

test('of twenty logins at once each is a connection of its own', async () => {
  const station = await cabinet(db)
  const opened = await Promise.all(Array.from({ length: 20 }, () => open(station)))
  expect(new Set(opened.map(({ epoch }) => epoch)).size).toBe(20)
})

test('the end of an old connection does not end the new one', async () => {
  const station = await cabinet(db)
  const old = await open(station)
  const now = await open(station)
  await close(station, old.epoch)
  expect((await session(station)).node).toBe(NODE)
  expect(await happened(db, station, 'station.disconnected')).toEqual([])
  await close(station, now.epoch, 'node-2')
  expect((await session(station)).node).toBe(NODE)
  await close(station, now.epoch)
  expect((await session(station)).node).toBeNull()
  await close(station, now.epoch)
  expect((await happened(db, station, 'station.disconnected')).length).toBe(1)
})

test('a cabinet keeps the heartbeat it was told over its logins', async () => {
  const station = await cabinet(db)
  await db.sql`update device_sessions set heartbeat_seconds = 90 where device_id = ${station}`
  expect((await open(station)).heartbeatSeconds).toBe(90)
})

test('signs of life are written for the cabinets a node owns, and only those', async () => {
  const [mine, theirs] = [await cabinet(db), await cabinet(db, { node: 'node-2' })]
  await db.sql`update device_sessions set seen_at = now() - interval '1 hour' where device_id = any(${[mine, theirs]})`
  expect(await connections.seen(db.sql, NODE, [mine, theirs])).toEqual([mine])
  expect([await isOnline(mine), await isOnline(theirs)]).toEqual([true, false])
})

test('online ends two heartbeats and a little after the last sign of life, and with the connection', async () => {
  const station = await cabinet(db)
  const seenAgo = (seconds: number) =>
    db.sql`update device_sessions set seen_at = now() - make_interval(secs => ${seconds}) where device_id = ${station}`
  await seenAgo(74)
  expect(await isOnline(station)).toBe(true)
  await seenAgo(76)
  expect(await isOnline(station)).toBe(false)
  await db.sql`update device_sessions set heartbeat_seconds = 60 where device_id = ${station}`
  expect(await isOnline(station)).toBe(true)
  await close(station, 1)
  expect(await isOnline(station)).toBe(false)
})

test('a node that says goodbye gives back its cabinets and no others', async () => {
  const [one, two, other] = [await cabinet(db, { node: 'bye' }), await cabinet(db, { node: 'bye' }), await cabinet(db)]
  expect(await act(db, (tx) => releaseNode(tx, 'bye'))).toBe(2)
  expect([(await session(one)).node, (await session(two)).node, (await session(other)).node]).toEqual([
    null,
    null,
    NODE,
  ])
})

test('a stranger is remembered once and counted, and what it told last is kept', async () => {
  const knock = (reason: 'unknown_box_id' | 'no_key', slots?: number) =>
    quarantine(db.sql, { boxId: 'STRANGER', dialect: 'B', reason, address: '192.0.2.7', slots })
  await Promise.all(Array.from({ length: 10 }, () => knock('unknown_box_id', 8)))
  await knock('no_key')
  const rows = await db.sql`select reason, slots, attempts from quarantine where box_id = 'STRANGER'`
  expect([...rows]).toEqual([{ reason: 'no_key', slots: 8, attempts: 11 }])
})

test('however many strangers knock, ten thousand are remembered, the latest', async () => {
  await db.sql`
    insert into quarantine (box_id, dialect, reason, last_seen_at)
    select 'FLOOD' || n, 'A', 'unknown_box_id', now() - interval '1 day' + make_interval(secs => n) from generate_series(1, 10000) n`
  await quarantine(db.sql, { boxId: 'LATEST', dialect: 'A', reason: 'unknown_box_id', address: '::1' })
  const [row] =
    await db.sql`select count(*) as n, bool_or(box_id = 'LATEST') as latest, bool_or(box_id = 'FLOOD1') as first from quarantine`
  expect(row).toEqual({ n: 10_000, latest: true, first: false })
})
