import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { seal, tokenOf } from '../../protocol/cabinet-tcp/frame.ts'
import { newFramer } from '../../protocol/cabinet-tcp/index.ts'
import { testDb } from '../postgres.ts'
import { bank, device, gatewayOn, hello, pairTo, socketTo, station } from './stage.ts'

const { db } = await testDb()

/** A TCP-B cabinet that is logged in, over a real socket. */
async function inside(gateway: Awaited<ReturnType<typeof gatewayOn>>, key = 'KEYB') {
  const { id, boxId } = await station(db, key)
  const cabinet = device(socketTo(gateway), key)
  cabinet.say(hello(boxId))
  await cabinet.hear()
  return { ...cabinet, id, boxId }
}

const slotsOf = (stationId: number) => db.sql`
  select sp.slot_number, p.device_id from station_powerbanks sp join powerbanks p on p.id = sp.powerbank_id
  where sp.station_id = ${stationId} order by sp.slot_number`

/** Holds a station's row until `free` is called: its reports wait, as behind a long transaction. */
async function held(stationId: number) {
  const { promise: until, resolve: free } = Promise.withResolvers<void>()
  const { promise: isHeld, resolve: tell } = Promise.withResolvers<void>()
  const over = db.transaction(async (tx) => {
    await tx`select 1 from stations where id = ${stationId} for update`
    tell()
    await until
  })
  await isHeld
  return { free, over }
}

/** Makes every write about this station fail, as a database that has run full would. */
async function broken(stationId: number) {
  await db.sql`
    create or replace function refuse() returns trigger language plpgsql as
    $$ begin raise exception 'the disk is full' using errcode = '53100'; end $$`
  await db.sql.unsafe(`create trigger refuse_${stationId} before insert on station_powerbanks
    for each row when (new.station_id = ${stationId}) execute function refuse()`)
  return () => db.sql.unsafe(`drop trigger refuse_${stationId} on station_powerbanks`)
}

test('a return is acknowledged when its row is there to be seen', async () => {
  const gateway = await gatewayOn(db)
  const cabinet = await inside(gateway)
  cabinet.say({ kind: 'returned', bank: bank(5, '4443484154000051') })
  expect(await cabinet.hear()).toEqual({ kind: 'acknowledged', report: 'returned', slot: 5, result: 1 })
  expect(await slotsOf(cabinet.id)).toEqual([{ slotNumber: 5, deviceId: '4443484154000051' }])
})

test('a return is not acknowledged as long as its transaction waits', async () => {
  const gateway = await gatewayOn(db)
  const cabinet = await inside(gateway)
  const { free, over } = await held(cabinet.id)
  cabinet.say({ kind: 'returned', bank: bank(5, '4443484154000052') })
  cabinet.say({ kind: 'heartbeat' })
  expect(await cabinet.hear()).toMatchObject({ report: 'heartbeat' })
  expect(await slotsOf(cabinet.id)).toEqual([])
  free()
  await over
  expect(await cabinet.hear()).toMatchObject({ report: 'returned', result: 1 })
})

test('heartbeats are answered while reports wait, and the reports keep their order', async () => {
  const gateway = await gatewayOn(db)
  const cabinet = await inside(gateway)
  const { free, over } = await held(cabinet.id)
  for (const slot of [1, 2, 3]) cabinet.say({ kind: 'returned', bank: bank(slot, `444348415400006${slot}`) })
  for (let n = 0; n < 20; n++) {
    cabinet.say({ kind: 'heartbeat' })
    expect(await cabinet.hear()).toMatchObject({ report: 'heartbeat' })
  }
  free()
  await over
  for (const slot of [1, 2, 3]) expect(await cabinet.hear()).toMatchObject({ report: 'returned', slot })
})

test('when our side fails nothing is acknowledged, and the cabinet says it again on its next connection', async () => {
  const gateway = await gatewayOn(db)
  const cabinet = await inside(gateway)
  const mend = await broken(cabinet.id)
  const report = { kind: 'returned', bank: bank(2, '4443484154000071') } as const
  cabinet.say(report)
  cabinet.say({ kind: 'returned', bank: bank(3, '4443484154000072') })
  expect(await cabinet.frame()).toBeNull()
  expect(gateway.node.counts).toMatchObject({ failures: 1, ended: { our_failure: 1 } })
  expect(gateway.said('report.failed')[0]?.about.error).toMatchObject({ code: '53100' })
  await mend()
  const again = device(socketTo(gateway), 'KEYB')
  again.say(hello(cabinet.boxId))
  await again.hear()
  again.say(report)
  expect(await again.hear()).toMatchObject({ report: 'returned', result: 1 })
  expect(await slotsOf(cabinet.id)).toEqual([{ slotNumber: 2, deviceId: '4443484154000071' }])
})

test('a return said twice is acknowledged twice and stored once', async () => {
  const gateway = await gatewayOn(db)
  const cabinet = await inside(gateway)
  for (let n = 0; n < 2; n++) {
    cabinet.say({ kind: 'returned', bank: bank(6, '4443484154000081') })
    expect(await cabinet.hear()).toMatchObject({ report: 'returned', slot: 6, result: 1 })
  }
  expect(await slotsOf(cabinet.id)).toHaveLength(1)
  const told = await db.sql`select 1 from events where station_id = ${cabinet.id} and kind = 'powerbank.returned'`
  expect(told).toHaveLength(1)
})

test('a slot that went wrong is filed, acknowledged, and looked into', async () => {
  const gateway = await gatewayOn(db)
  const cabinet = await inside(gateway)
  cabinet.say({ kind: 'abnormal', event: 1, slot: 4, bankId: '4443484154000091' })
  expect(await cabinet.until('abnormal')).toEqual({ kind: 'acknowledged', report: 'abnormal' })
  const filed = await db.sql`select slot_number, event_type from slot_abnormal_reports where station_id = ${cabinet.id}`
  expect(filed).toEqual([{ slotNumber: 4, eventType: '1' }])
  expect(await cabinet.until('inventory')).toEqual({ kind: 'inventory' })
})

test('an inventory nobody asked for is believed', async () => {
  const gateway = await gatewayOn(db)
  const cabinet = await inside(gateway)
  cabinet.say({ kind: 'inventory', slots: 8, banks: [bank(1, '44434841540000A1'), bank(7, '44434841540000A7')] })
  await expect.poll(() => slotsOf(cabinet.id)).toHaveLength(2)
})

test('a cabinet that hung up right after a return has returned it', async () => {
  const gateway = await gatewayOn(db)
  const cabinet = await inside(gateway)
  const { free, over } = await held(cabinet.id)
  cabinet.say({ kind: 'returned', bank: bank(1, '44434841540000B1') })
  cabinet.say({ kind: 'heartbeat' })
  await cabinet.hear()
  const [link] = gateway.node.connections
  cabinet.stream.destroy()
  await expect.poll(() => link!.ending).toBe('closed_by_cabinet')
  free()
  await over
  await expect.poll(() => slotsOf(cabinet.id)).toEqual([{ slotNumber: 1, deviceId: '44434841540000B1' }])
  await expect
    .poll(() => db.sql`select node from device_sessions where device_id = ${cabinet.id}`)
    .toEqual([{ node: null }])
})

test('what the old socket said is stored before the new one may speak', async () => {
  const gateway = await gatewayOn(db)
  const old = await inside(gateway)
  const { free, over } = await held(old.id)
  old.say({ kind: 'returned', bank: bank(1, '44434841540000C1') })
  old.say({ kind: 'heartbeat' })
  await old.hear()
  const young = device(socketTo(gateway), 'KEYB')
  young.say(hello(old.boxId, [bank(1, '44434841540000C1')]))
  free()
  await over
  expect(await old.hear()).toMatchObject({ report: 'returned', result: 1 })
  expect(await young.hear()).toMatchObject({ report: 'login', result: 1 })
  expect(await slotsOf(old.id)).toHaveLength(1)
})

test('three hundred reports in one write are all taken, in order, while reading waits', async () => {
  const gateway = await gatewayOn(db, { framesWaitingMax: 4 })
  const cabinet = await inside(gateway)
  const slots = Array.from({ length: 300 }, (_, n) => (n % 8) + 1)
  const frames = slots.map((slot) => cabinet.codec.encode({ kind: 'returned', bank: bank(slot, '44434841540000D1') }))
  cabinet.write(Buffer.concat(frames))
  for (const slot of slots) expect(await cabinet.until('returned')).toMatchObject({ slot, result: 1 })
  expect(gateway.node.counts.heard.returned).toBe(300)
}, 60_000)

test.for([1, 2, 7, 26, 51])('frames may be cut every %d bytes', async (size) => {
  const gateway = await gatewayOn(db)
  const cabinet = device(pairTo(gateway), 'KEYB')
  const { id, boxId } = await station(db, 'KEYB')
  const { codec } = cabinet
  const bytes = Buffer.concat([
    codec.encode(hello(boxId, [bank(1, '44434841540000E1')])),
    codec.encode({ kind: 'heartbeat' }),
    codec.encode({ kind: 'returned', bank: bank(2, '44434841540000E2') }),
    codec.encode({ kind: 'heartbeat' }),
  ])
  for (let at = 0; at < bytes.length; at += size) cabinet.write(bytes.subarray(at, at + size))
  await cabinet.until('login')
  await cabinet.until('returned')
  await expect.poll(() => slotsOf(id)).toHaveLength(2)
  await expect.poll(() => gateway.node.counts.heard.heartbeat).toBe(2)
})

interface Stream {
  name: string
  kind: string
  hex: string
}
const streams = (
  JSON.parse(readFileSync(new URL('../vectors/cabinet-tcp.json', import.meta.url), 'utf8')) as Stream[]
).filter(({ kind }) => kind === 'stream')

/** Captured frames under a key of ours: the real one is a stranger's secret and was never published. */
const resigned = (hex: string, key: string) =>
  Buffer.concat(
    [...newFramer().push(Buffer.from(hex, 'hex'))].map((frame) => {
      const payload = frame.subarray(9)
      return seal(frame[2]!, frame[3]!, tokenOf(payload, Buffer.from(key)), payload)
    }),
  )

test.for(streams)('captured: $name, once lost by a server that took one read for one frame', async ({ hex }) => {
  const gateway = await gatewayOn(db)
  const cabinet = await inside(gateway, 'CAPTURED')
  const bytes = resigned(hex, 'CAPTURED')
  expect(bytes.length).toBe(hex.length / 2)
  cabinet.write(bytes)
  expect(await cabinet.until('returned')).toMatchObject({ slot: 1, result: 1 })
  const bankId = hex.slice(20, 36)
  expect(await slotsOf(cabinet.id)).toEqual([{ slotNumber: 1, deviceId: bankId }])
  const [{ inventoryAt }] = (await db.sql`select inventory_at from stations where id = ${cabinet.id}`) as any
  expect(inventoryAt).toBeInstanceOf(Date)
  const [returned] = await db.sql`
    select data->>'slot' as slot from events where station_id = ${cabinet.id} and kind = 'powerbank.returned'`
  expect(returned).toEqual({ slot: '1' })
})
