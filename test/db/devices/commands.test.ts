import { beforeEach, expect, test } from 'vitest'
import * as commands from '../../../db/devices/commands.ts'
import { Refused } from '../../../db/platform/refused.ts'
import * as cabinets from '../../../db/powerbank/cabinets.ts'
import { askInventory } from '../../../db/powerbank/looks.ts'
import { testDb } from '../../postgres.ts'
import * as world from '../world.ts'
import { act, cabinet, NODE, person, travel } from '../world.ts'

const { db } = await testDb()

beforeEach(async () => {
  await db.sql`update device_commands set status = 'answered' where status in ('queued', 'sent')`
})

const enqueue = (deviceId: number, kind: string, slot?: number) =>
  act(db, async (tx) => {
    const about = { deviceId, kind, requestedBy: null, origin: 'api' as const }
    return (await commands.enqueue(tx, slot === undefined ? about : { ...about, slot, isMovement: true })).id
  })
const waiting = async (stationId: number, node = NODE) =>
  (await commands.waiting(db.sql, node, [stationId])).map(({ id }) => id).toSorted((a, b) => a - b)
const claim = (id: number, { epoch = 1, node = NODE } = {}) =>
  commands.claim(db.sql, node, [{ id, epoch, hex: '00096502' }])
const status = async (id: number) => (await commands.get(db.sql, id))!.status
const expire = () => act(db, world.expire)
const settle = (id: number) => db.sql`update device_commands set status = 'answered' where id = ${id}`
const refusal = (code: string) => expect.objectContaining({ name: 'Refused', code })

test('a command is sent with its bytes, once, and only while it waits', async () => {
  const station = await cabinet(db)
  const id = await enqueue(station, 'eject', 2)
  expect(await commands.waiting(db.sql, NODE, [station])).toEqual([
    { id, deviceId: station, epoch: 1, kind: 'eject', args: { slot: 2 }, isMovement: true, attempts: 0 },
  ])
  expect(await claim(id)).toEqual([id])
  expect(await claim(id)).toEqual([])
  expect(await commands.get(db.sql, id)).toMatchObject({ status: 'sent', hexSent: '00096502', attempts: 1, slot: 2 })
})

test('a node without the newest connection sends nothing', async () => {
  const station = await cabinet(db)
  const id = await enqueue(station, 'eject', 2)
  expect(await waiting(station, 'node-2')).toEqual([])
  expect(await claim(id, { node: 'node-2' })).toEqual([])
  expect(await claim(id, { epoch: 0 })).toEqual([])
  await act(db, (tx) => cabinets.open(tx, { stationId: station, node: 'node-2', dialect: 'B', address: '::1', vsn: 2 }))
  expect(await claim(id)).toEqual([])
  expect(await claim(id, { node: 'node-2', epoch: 2 })).toEqual([id])
})

test('what waited too long is not sent any more', async () => {
  const station = await cabinet(db)
  const id = await enqueue(station, 'eject', 2)
  await travel(db, 16)
  expect(await waiting(station)).toEqual([])
  expect(await claim(id)).toEqual([])
})

test('of twenty who claim at once one may write', async () => {
  const station = await cabinet(db)
  const id = await enqueue(station, 'eject', 2)
  const claims = await Promise.all(Array.from({ length: 20 }, () => claim(id)))
  expect(claims.flat()).toEqual([id])
})

test('one movement at a time per cabinet; others do not wait for it', async () => {
  const [here, there] = [await cabinet(db), await cabinet(db)]
  const first = await enqueue(here, 'eject', 1)
  const second = await enqueue(here, 'force_eject', 2)
  const query = await enqueue(here, 'volume')
  const other = await enqueue(there, 'eject', 1)
  expect(await waiting(here)).toEqual([first, query])
  await claim(first)
  expect(await waiting(here)).toEqual([query])
  expect(await waiting(there)).toEqual([other])
  await settle(first)
  expect(await waiting(here)).toEqual([second, query])
})

test('one query of a kind at a time; other kinds do not wait for it', async () => {
  const station = await cabinet(db)
  const first = await enqueue(station, 'volume')
  const second = await enqueue(station, 'volume')
  const iccid = await enqueue(station, 'iccid')
  expect(await waiting(station)).toEqual([first, iccid])
  await claim(first)
  expect(await waiting(station)).toEqual([iccid])
  await settle(first)
  expect(await waiting(station)).toEqual([second, iccid])
})

test('a silent query is asked once more, then unknown', async () => {
  const station = await cabinet(db)
  const id = await enqueue(station, 'volume')
  await claim(id)
  await travel(db, 4)
  expect(await expire()).toBe(0)
  await travel(db, 2)
  expect(await expire()).toBe(1)
  expect(await status(id)).toBe('queued')
  expect(await claim(id)).toEqual([id])
  await travel(db, 6)
  await expire()
  expect(await commands.get(db.sql, id)).toMatchObject({
    status: 'unknown',
    attempts: 2,
    evidence: 'no answer in time',
  })
  expect(await waiting(station)).toEqual([])
})

test('a silent movement is unknown and never sent again', async () => {
  const station = await cabinet(db)
  const id = await enqueue(station, 'eject', 1)
  await claim(id)
  await travel(db, 14)
  await expire()
  expect(await status(id)).toBe('sent')
  await travel(db, 2)
  await expire()
  expect(await status(id)).toBe('unknown')
  expect(await waiting(station)).toEqual([])
  expect(await claim(id)).toEqual([])
})

test('what ends by the clock ends once, however many look at the clock', async () => {
  const station = await cabinet(db)
  for (let slot = 1; slot <= 8; slot++) await enqueue(station, 'eject', slot)
  await travel(db, 16)
  const ended = await Promise.all(Array.from({ length: 5 }, expire))
  expect(ended.reduce((sum, count) => sum + count)).toBe(8)
})

test.for([
  [
    'a new login',
    (stationId: number) =>
      act(db, (tx) => cabinets.open(tx, { stationId, node: NODE, dialect: 'B', address: '::1', vsn: 2 })),
  ],
  [
    'the end of the connection',
    (stationId: number) => act(db, (tx) => cabinets.close(tx, { stationId, node: NODE, epoch: 1, reason: 'reset' })),
  ],
  [
    'the end of the node',
    (stationId: number) =>
      act(db, async (tx) => {
        await tx`update device_sessions set node = 'leaving' where device_id = ${stationId}`
        await world.releaseNode(tx, 'leaving')
      }),
  ],
] as const)('%s settles what the old connection had under way', async ([, end]) => {
  const station = await cabinet(db)
  const eject = await enqueue(station, 'eject', 1)
  const query = await enqueue(station, 'volume')
  const later = await enqueue(station, 'force_eject', 2)
  await claim(eject)
  await claim(query)
  await end(station)
  expect([await status(eject), await status(query), await status(later)]).toEqual(['unknown', 'queued', 'queued'])
  await db.sql`update device_sessions set node = ${NODE}, epoch = 1 where device_id = ${station}`
  expect(await claim(query)).toEqual([query])
  await end(station)
  expect(await status(query)).toBe('unknown')
})

test('a cabinet may have 32 commands waiting and not one more', async () => {
  const station = await cabinet(db)
  for (let n = 0; n < 32; n++) await enqueue(station, 'volume')
  await expect(enqueue(station, 'volume')).rejects.toEqual(refusal('too_many_commands'))
  await travel(db, 16)
  await expire()
  await enqueue(station, 'volume')
})

test('a full queue does not keep the house from asking what a cabinet holds', async () => {
  const station = await cabinet(db)
  for (let n = 0; n < 32; n++) await enqueue(station, 'volume')
  await act(db, (tx) => askInventory(tx, station, 'janitor'))
  await act(db, (tx) => askInventory(tx, station, 'janitor'))
  const asked = await db.sql`
    select 1 from device_commands where device_id = ${station} and kind = 'inventory' and status = 'queued'`
  expect(asked.length).toBe(1)
})

test('an unasked inventory is asked again: the doubt stays', async () => {
  const station = await cabinet(db)
  await act(db, (tx) => askInventory(tx, station, 'janitor'))
  await travel(db, 16)
  await expire()
  const [row] = await db.sql`select inventory_due_at from stations where id = ${station}`
  expect(row!.inventoryDueAt).not.toBeNull()
})

test('the same key is the same command; for something else it is refused', async () => {
  const station = await cabinet(db)
  const requestedBy = await person(db)
  const ask = (level: number, key = 'k1') =>
    act(db, (tx) =>
      commands.enqueue(tx, {
        deviceId: station,
        kind: 'set_volume',
        args: { level },
        requestedBy,
        origin: 'api',
        idempotency: { key, hash: `level ${level}` },
      }),
    )
  const all = await Promise.all(Array.from({ length: 20 }, () => ask(3)))
  expect(new Set(all.map(({ id }) => id)).size).toBe(1)
  expect(all.filter(({ repeated }) => !repeated).length).toBe(1)
  await expect(ask(4)).rejects.toBeInstanceOf(Refused)
  await expect(ask(4)).rejects.toEqual(refusal('idempotency_mismatch'))
  expect((await ask(4, 'k2')).repeated).toBe(false)
})

test('the gateway hears of a command when it is committed, not before', async () => {
  const station = await cabinet(db)
  const heard = Promise.withResolvers<string>()
  const unlisten = await db.listen('voltbay_command', heard.resolve)
  await act(db, async (tx) => {
    await commands
      .enqueue(tx, { deviceId: station + 1_000_000, kind: 'volume', requestedBy: null, origin: 'api' })
      .catch(() => {})
    throw new Error('changed my mind')
  }).catch(() => {})
  await enqueue(station, 'volume')
  expect(await heard.promise).toBe(String(station))
  await unlisten()
})
