import { connect as dial } from 'node:net'
import { duplexPair } from 'node:stream'
import { generate } from 'mqtt-packet'
import { expect, onTestFinished, test } from 'vitest'
import { startBroker } from '../../../gateway/mqtt/broker.ts'
import { meter } from '../../../gateway/mqtt/packet-limits.ts'
import { deviceCodec, topics } from '../../../protocol/cabinet-mqtt/index.ts'
import { testDb } from '../../postgres.ts'
import { cert, key } from '../localhost.ts'
import { brokerOn, client, credentialOf, device, inside, mqtt, mqttStation, type Running } from './mqtt-stage.ts'

const { db } = await testDb()

const returned = (slot: number, bankId: string) => ({ kind: 'returned' as const, bank: { slot, bankId } })
const slotsOf = (stationId: number) => db.sql`
  select sp.slot_number, p.device_id from station_powerbanks sp join powerbanks p on p.id = sp.powerbank_id
  where sp.station_id = ${stationId} order by sp.slot_number`
const endedBy = (gateway: Running, reason: string) => expect.poll(() => gateway.node.counts.ended[reason] ?? 0).toBe(1)

/** A connection without a library. */
function socketTo({ ports }: Running) {
  const socket = dial({ port: ports.mqtt!, host: '127.0.0.1', noDelay: true })
  onTestFinished(() => void socket.destroy())
  socket.on('error', () => {})
  return { socket, closed: new Promise((resolve) => socket.once('close', resolve)) }
}

const helloOf = ({ username, password, clientId }: { username: string; password: string; clientId: string }) =>
  generate({
    cmd: 'connect',
    protocolId: 'MQTT',
    protocolVersion: 4,
    clean: true,
    clientId,
    keepalive: 0,
    username,
    password: Buffer.from(password),
  })

test('the same broker answers over WebSocket', async () => {
  const gateway = await brokerOn(db)
  const { id, imei } = await mqttStation(db)
  const url = `ws://127.0.0.1:${gateway.ports.mqttWs}/mqtt`
  const cabinet = await device(gateway, imei, await credentialOf(db, imei), { url })
  await cabinet.told('check')
  await cabinet.say(returned(2, '0A0B0D01'))
  expect(await slotsOf(id)).toEqual([{ slotNumber: 2, deviceId: '0A0B0D01' }])
  const [session] = await db.sql`select address from device_sessions where device_id = ${id}`
  expect(session).toEqual({ address: '127.0.0.1' })
})

test('a WebSocket that is no MQTT, and HTTP that is no WebSocket, are told so', async () => {
  const gateway = await brokerOn(db)
  const url = `127.0.0.1:${gateway.ports.mqttWs}`
  expect((await fetch(`http://${url}/`)).status).toBe(426)
  const socket = new WebSocket(`ws://${url}/mqtt`, 'chat')
  await new Promise((resolve) => socket.addEventListener('error', resolve, { once: true }))
  expect(gateway.node.counts.turnedAway).toEqual({ no_mqtt_subprotocol: 1 })
})

test('the same broker answers over TLS, to whoever trusts its certificate', async () => {
  const tls = { port: 0, cert: Buffer.from(cert), key: Buffer.from(key) }
  const gateway = await brokerOn(db, { tls })
  const { id, imei } = await mqttStation(db)
  const url = `mqtts://localhost:${gateway.ports.mqttTls}`
  const credential = await credentialOf(db, imei)
  await expect(device(gateway, imei, credential, { url })).rejects.toThrow('certificate')
  const cabinet = await device(gateway, imei, credential, { url, options: { ca: cert } })
  await cabinet.say(returned(3, '0A0B0D02'))
  expect(await slotsOf(id)).toEqual([{ slotNumber: 3, deviceId: '0A0B0D02' }])
})

test('one address has its share of connections, over whichever door', async () => {
  const gateway = await brokerOn(db, {}, { connectionsPerAddressMax: 1 })
  const cabinet = await inside(db, gateway)
  await expect(client(`mqtt://127.0.0.1:${gateway.ports.mqtt}`, { connectTimeout: 500 })).rejects.toThrow()
  await expect(fetch(`http://127.0.0.1:${gateway.ports.calls}/`)).rejects.toThrow()
  expect(gateway.node.counts.turnedAway.too_many_of_one_address).toBeGreaterThan(1)
  await cabinet.say({ kind: 'heartbeat' })
})

test('whoever does not say CONNECT is cut', async () => {
  const gateway = await brokerOn(db, {}, { loginDeadlineMs: 50 })
  const { closed } = socketTo(gateway)
  await closed
  await endedBy(gateway, 'no_login')
})

test('a packet longer than any is cut at its first bytes, before and after CONNECT', async () => {
  const gateway = await brokerOn(db, { packetBytesMax: 1_024 })
  const unauthorised = socketTo(gateway)
  // CONNECT of 5,000 bytes: more than a stranger has to say.
  unauthorised.socket.write(Buffer.from('108827', 'hex'))
  await unauthorised.closed
  const cabinet = await inside(db, gateway)
  cabinet.link.publishAsync(cabinet.topic.update, Buffer.alloc(1_024), { qos: 1 }).catch(() => {})
  await cabinet.closed
  cabinet.link.end(true)
  expect(gateway.node.counts).toMatchObject({ brokenStreams: 2, ended: { broken_stream: 2 }, malformed: 0 })
})

test('a device that says more than its share waits, and nothing it said is lost', async () => {
  const [packets, perTick] = [40, 2]
  const gateway = await brokerOn(db, { packetsPerSecondMax: perTick * 50 })
  const cabinet = await inside(db, gateway)
  const { tickMs } = gateway.node.limits
  const began = performance.now()
  const beats = Array.from({ length: packets }, () => cabinet.say({ kind: 'heartbeat' }))
  await Promise.all(beats)
  expect(gateway.node.counts.heard).toEqual({ heartbeat: packets })
  // One read of the socket may hold many shares; what follows waits until they are paid for.
  await cabinet.say({ kind: 'heartbeat' })
  expect(performance.now() - began).toBeGreaterThan((packets / perTick) * tickMs * 0.8)
})

test('a device that does not read is dropped instead of filling our memory', async () => {
  const gateway = await brokerOn(db, {}, { writeBufferBytesMax: 32_768 })
  const broker = await startBroker(gateway.node, mqtt)
  onTestFinished(() => broker.close())
  const { imei } = await mqttStation(db)
  const [near, far] = duplexPair()
  broker.serve(far, '192.0.2.7')
  near.write(helloOf(await credentialOf(db, imei)))
  await new Promise((resolve) => near.once('data', resolve))
  near.pause()
  const beat = { cmd: 'publish', topic: topics(imei).heart, qos: 0, retain: false, dup: false } as const
  const bytes = generate({ ...beat, payload: deviceCodec().say({ kind: 'heartbeat' }) })
  const isOver = new Promise<void>((resolve) => far.once('close', resolve))
  const chunk = Buffer.concat(Array.from({ length: 1_000 }, () => bytes))
  const push = () => {
    if (!far.destroyed) near.write(chunk, push)
  }
  push()
  await isOver
  expect(gateway.node.counts.ended).toEqual({ reads_too_slowly: 1 })
})

test('a cabinet that is silent for too long is gone', async () => {
  const gateway = await brokerOn(db, { silentMs: 500 })
  const cabinet = await inside(db, gateway)
  await cabinet.closed
  await endedBy(gateway, 'silent')
  await expect
    .poll(async () => (await db.sql`select node from device_sessions where device_id = ${cabinet.id}`)[0])
    .toEqual({ node: null })
})

test('what happens at the broker is counted for Prometheus', async () => {
  const gateway = await brokerOn(db)
  const cabinet = await inside(db, gateway)
  await cabinet.say({ kind: 'heartbeat' })
  await cabinet.link.publishAsync(cabinet.topic.update, 'noise', { qos: 1 })
  const text = await gateway.registry.metrics()
  expect(text).toContain('voltbay_mqtt_connections 1')
  expect(text).toContain('voltbay_mqtt_publishes_total{outcome="acknowledged"} 1')
  expect(text).toContain('voltbay_mqtt_publishes_total{outcome="poisoned"} 1')
})

test('a meter counts packets however they are cut, and knows a length that is none', () => {
  const packets = [
    generate({ cmd: 'pingreq' }),
    generate({ cmd: 'publish', topic: 'a', payload: 'x'.repeat(300), qos: 0, retain: false, dup: false }),
    generate({ cmd: 'publish', topic: 'b', payload: '', qos: 0, retain: false, dup: false }),
  ]
  const bytes = Buffer.concat([...packets, ...packets])
  for (let size = 1; size <= bytes.length; size++) {
    const counting = meter()
    let counted = 0
    for (let at = 0; at < bytes.length; at += size) counted += counting.push(bytes.subarray(at, at + size), 1_000)
    expect(counted).toBe(6)
  }
  expect(() => meter().push(bytes, 302)).toThrow('303 bytes')
  expect(() => meter().push(Buffer.from('30ffffffff01', 'hex'), 2 ** 40)).toThrow('four bytes')
  expect(() => meter().push(Buffer.from('30ffff', 'hex'), 1_000)).toThrow('a packet of')
})
