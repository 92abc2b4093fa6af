import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { testDb } from '../postgres.ts'
import { bank, type Device, device, gatewayOn, hello, pairTo, socketTo, station } from './stage.ts'

const { db } = await testDb()

interface Vector {
  name: string
  kind: string
  hex: string
}
const vectors: Vector[] = JSON.parse(readFileSync(new URL('../vectors/cabinet-tcp.json', import.meta.url), 'utf8'))
const hexOf = (name: string) => vectors.find((vector) => vector.name === name)!.hex
const negatives = vectors.filter(({ name }) => name.startsWith('tcp-negative-garbage'))

/** Still served: the gateway answers its heartbeat. */
async function lives(cabinet: Device) {
  cabinet.say({ kind: 'heartbeat' })
  expect(await cabinet.until('heartbeat')).toEqual({ kind: 'acknowledged', report: 'heartbeat' })
}

/** A cabinet that is logged in. */
async function inside(gateway: Awaited<ReturnType<typeof gatewayOn>>) {
  const { id, boxId } = await station(db, 'KEYB')
  const cabinet = device(socketTo(gateway), 'KEYB')
  cabinet.say(hello(boxId))
  await cabinet.hear()
  return { ...cabinet, id, boxId }
}

const broken = (frame: Buffer) => {
  const bytes = Buffer.from(frame)
  bytes[4]! ^= 0xff
  return bytes
}

test.for(negatives)('$name is cut off at once, and nobody else notices', async ({ hex }) => {
  const gateway = await gatewayOn(db)
  const cabinet = await inside(gateway)
  const scanner = socketTo(gateway)
  scanner.write(hex)
  await scanner.ended
  expect(gateway.node.counts.ended).toEqual({ broken_stream: 1 })
  await lives(cabinet)
})

test('ten megabytes of noise end with their first bytes and leave nothing in memory', async () => {
  const gateway = await gatewayOn(db)
  const cabinet = await inside(gateway)
  const noise = socketTo(gateway)
  noise.write(Buffer.concat([Buffer.from('ffff', 'hex'), randomBytes(10 * 1024 * 1024)]))
  await noise.ended
  expect(gateway.node.connections.size).toBe(1)
  await lives(cabinet)
})

test('a connection that says nothing is closed at the login deadline', async () => {
  const gateway = await gatewayOn(db, { loginDeadlineMs: 60 })
  const mute = socketTo(gateway)
  await mute.ended
  expect(gateway.node.counts.ended).toEqual({ no_login: 1 })
})

test('a login that never becomes whole is not parsed, and closed at the deadline of a frame', async () => {
  const gateway = await gatewayOn(db, { partialFrameDeadlineMs: 60 })
  const cabinet = socketTo(gateway)
  cabinet.write(hexOf('tcpB-negative-truncated-login'))
  expect(await cabinet.frame()).toBeNull()
  expect(gateway.node.counts.ended).toEqual({ partial_frame: 1 })
  expect(gateway.node.counts.malformed).toBe(0)
})

test('a frame that drips in byte by byte is not given more time with every byte', async () => {
  const gateway = await gatewayOn(db, { partialFrameDeadlineMs: 100 })
  const cabinet = await inside(gateway)
  const frame = cabinet.codec.encode({ kind: 'returned', bank: bank(1, '4443484154000016') })
  let at = 0
  const drip = setInterval(() => cabinet.write(frame.subarray(at, ++at)), 15)
  await cabinet.ended
  clearInterval(drip)
  expect(at).toBeLessThan(frame.length)
  expect(gateway.node.counts.ended).toEqual({ partial_frame: 1 })
})

test('a cabinet that falls silent is given up after four of its heartbeats', async () => {
  const gateway = await gatewayOn(db)
  const cabinet = await inside(gateway)
  gateway.node.sessions.get(cabinet.id)!.heartbeatSeconds = 0.02
  await cabinet.ended
  expect(gateway.node.counts.ended).toEqual({ silent: 1 })
  await expect
    .poll(() => db.sql`select node from device_sessions where device_id = ${cabinet.id}`)
    .toEqual([{ node: null }])
})

test('before the login nothing else is served', async () => {
  const gateway = await gatewayOn(db)
  const { boxId } = await station(db, 'KEYB')
  const cabinet = device(socketTo(gateway), 'KEYB')
  cabinet.say({ kind: 'heartbeat' })
  cabinet.say({ kind: 'returned', bank: bank(1, '4443484154000016') })
  cabinet.say(hello(boxId))
  expect(await cabinet.hear()).toMatchObject({ report: 'login' })
  expect(gateway.node.counts).toMatchObject({ malformed: 2, heard: {} })
})

test('five unreadable frames in a row end a connection', async () => {
  const gateway = await gatewayOn(db)
  const cabinet = await inside(gateway)
  const frame = broken(cabinet.codec.encode({ kind: 'heartbeat' }))
  for (let n = 0; n < 5; n++) cabinet.write(frame)
  await cabinet.ended
  expect(gateway.node.counts).toMatchObject({ malformed: 5, ended: { malformed: 1 } })
  expect(gateway.said('frame.unreadable')).toHaveLength(5)
})

test('unreadable frames between good ones are counted, kept as hex, and harm nothing', async () => {
  const gateway = await gatewayOn(db)
  const cabinet = await inside(gateway)
  for (let n = 0; n < 12; n++) {
    cabinet.write(broken(cabinet.codec.encode({ kind: 'returned', bank: bank(1, '4443484154000016') })))
    await lives(cabinet)
  }
  expect(gateway.node.counts.malformed).toBe(12)
  expect(gateway.said('frame.unreadable')[0]?.about).toMatchObject({
    serial: cabinet.boxId,
    why: 'bad checksum',
    bytes: 26,
  })
})

test.for([
  ['a return', { kind: 'returned', bank: bank(1, '4443484154000016') }, true],
  ['an abnormal report', { kind: 'abnormal', event: 1, slot: 1, bankId: null }, true],
  ['a heartbeat', { kind: 'heartbeat' }, false],
] as const)('%s that nobody can read has the cabinet looked into: %j', async ([, report, looks]) => {
  const gateway = await gatewayOn(db)
  const cabinet = await inside(gateway)
  await db.sql`update stations set inventory_due_at = now() + interval '1 day' where id = ${cabinet.id}`
  cabinet.write(broken(cabinet.codec.encode(report)))
  await lives(cabinet)
  const isDue = async () =>
    (
      await db.sql<{ is: boolean }[]>`
        select coalesce(inventory_due_at <= now(), true) as is from stations where id = ${cabinet.id}`
    )[0]!.is
  if (looks) await expect.poll(isDue).toBe(true)
  else expect(await isDue()).toBe(false)
})

test('an eject that is not answered in time ends its connection by a reset', async () => {
  const gateway = await gatewayOn(db)
  const cabinet = await inside(gateway)
  const session = gateway.node.sessions.get(cabinet.id)!
  session.movement = { commandId: 0, until: gateway.node.clock.now }
  const [error] = await once(cabinet.stream, 'error')
  expect(error).toMatchObject({ code: 'ECONNRESET' })
  expect(gateway.node.counts.ended).toEqual({ unanswered: 1 })
})

test('a command nobody has defined is not answered and does not end the connection', async () => {
  const gateway = await gatewayOn(db)
  const cabinet = await inside(gateway)
  const strange = Buffer.from(cabinet.codec.encode({ kind: 'heartbeat' }))
  strange[2] = 0x6b
  cabinet.write(strange)
  await lives(cabinet)
  expect(gateway.said('frame.unreadable')).toMatchObject([{ about: { why: 'unknown command 0x6b' } }])
})

test('a true report in front of garbage is stored and acknowledged before the end', async () => {
  const gateway = await gatewayOn(db)
  const cabinet = await inside(gateway)
  const report = cabinet.codec.encode({ kind: 'returned', bank: bank(4, '4443484154000044') })
  cabinet.write(Buffer.concat([report, Buffer.from('0000', 'hex')]))
  expect(await cabinet.hear()).toMatchObject({ report: 'returned', slot: 4, result: 1 })
  await cabinet.ended
  expect(gateway.node.counts.ended).toEqual({ broken_stream: 1 })
})

test('a cabinet that does not read is dropped, and the others are served', async () => {
  const gateway = await gatewayOn(db, { writeBufferBytesMax: 4_096 })
  const cabinet = await inside(gateway)
  const { boxId } = await station(db)
  const deaf = device(pairTo(gateway))
  deaf.say({ kind: 'login', boxId })
  await deaf.hear()
  const dropped = once(gateway.node.connections.values().toArray().at(-1)!.stream, 'close')
  deaf.stream.pause()
  const beats = Buffer.concat(Array.from({ length: 1_000 }, () => deaf.codec.encode({ kind: 'heartbeat' })))
  for (let n = 0; n < 50; n++) deaf.write(beats)
  await dropped
  expect(gateway.node.counts.ended).toEqual({ reads_too_slowly: 1 })
  await lives(cabinet)
})

test('a flood on one connection is read at its measure', async () => {
  const gateway = await gatewayOn(db, { framesPerSecondMax: 5_000, tickMs: 20 })
  const cabinet = await inside(gateway)
  const beat = cabinet.codec.encode({ kind: 'heartbeat' })
  const flood = Buffer.concat(Array.from({ length: 40_000 }, () => beat))
  cabinet.write(flood)
  const started = performance.now()
  for (let n = 0; n < 40_000; n++) await cabinet.frame()
  // 64 KiB, some 7,000 frames, may come in one read; the rest waits for the ticks.
  expect(performance.now() - started).toBeGreaterThan(60)
  expect(gateway.node.counts.ended).toEqual({})
})

test('an address has so many connections, and gets one back when one closes', async () => {
  const gateway = await gatewayOn(db, { connectionsPerAddressMax: 2 })
  const first = await inside(gateway)
  const second = await inside(gateway)
  const third = socketTo(gateway)
  await third.ended
  expect(gateway.node.counts.turnedAway).toEqual({ too_many_of_one_address: 1 })
  second.stream.destroy()
  await expect.poll(() => gateway.node.connections.size).toBe(1)
  await lives(await inside(gateway))
  await lives(first)
})

test('a full house turns the next one away', async () => {
  const gateway = await gatewayOn(db, { connectionsMax: 1 })
  const cabinet = await inside(gateway)
  await socketTo(gateway).ended
  expect(gateway.node.counts.turnedAway).toEqual({ too_many_connections: 1 })
  await lives(cabinet)
})

test('only the networks on the list may dial', async () => {
  const closed = await gatewayOn(db, {}, { allow: ['10.20.0.0/16', '2001:db8::/32'] })
  await socketTo(closed).ended
  expect(closed.node.counts.turnedAway).toEqual({ address_not_allowed: 1 })
  const open = await gatewayOn(db, {}, { allow: ['127.0.0.0/8'] })
  await lives(await inside(open))
})

test('a list of networks that is none is refused at the start', async () => {
  await expect(gatewayOn(db, {}, { allow: ['10.20.0.0/99'] })).rejects.toThrow(
    'names 10.20.0.0/99, which is no address',
  )
})

test('strangers cannot fill the log', async () => {
  const gateway = await gatewayOn(db, { unauthorisedLinesPerTickMax: 3, tickMs: 100_000 })
  for (let n = 0; n < 10; n++) {
    const scanner = socketTo(gateway)
    scanner.write('FFFF')
    await scanner.ended
  }
  expect(gateway.said('cabinet.dropped')).toHaveLength(3)
  expect(gateway.node.counts.ended).toEqual({ broken_stream: 10 })
})
