import { connect as dial } from 'node:net'
import { connectAsync } from 'mqtt'
import { generate } from 'mqtt-packet'
import { expect, onTestFinished, test } from 'vitest'
import { deviceCodec, topics } from '../../../protocol/cabinet-mqtt/index.ts'
import { testDb } from '../../postgres.ts'
import { hasMosquitto, mosquitto } from '../mqtt-cluster/mosquitto.ts'
import { accessTo, cabinetAt, held, nodeBehind } from '../mqtt-cluster/mqtt-brokers.ts'
import { brokerOn, credentialOf, device, inside, mqttStation } from './mqtt-stage.ts'

const { db } = await testDb()

let made = 0x0c000000
const newBank = () => (++made).toString(16).padStart(8, '0').toUpperCase()
const giveBack = (slot: number, bankId: string) => ({ kind: 'returned' as const, bank: { slot, bankId } })
const eventsOf = async (stationId: number, kind: string) =>
  (await db.sql`select 1 from events where station_id = ${stationId} and kind = ${kind}`).length

/** What a cabinet that never stops talking has had written about it. */
const noise = (stationId: number, lines: number) => db.sql`
  insert into events (kind, station_id) select 'powerbank.returned', ${stationId} from generate_series(1, ${lines})`

test('whoever buries what it has invented under noise may invent no more', async () => {
  const gateway = await brokerOn(db)
  const cabinet = await inside(db, gateway)
  const [before, behind] = [newBank(), newBank()]
  await cabinet.say(giveBack(1, before))
  await noise(cabinet.id, 2_000)
  await cabinet.say(giveBack(2, behind))
  await cabinet.say(giveBack(3, before))
  const known = await db.sql`select device_id from powerbanks where device_id in (${before}, ${behind})`
  expect(known).toEqual([{ deviceId: before }])
})

test('answers nobody asked for are told of so often and no more', async () => {
  const gateway = await brokerOn(db)
  const cabinet = await inside(db, gateway)
  const answer = { kind: 'eject' as const, slot: 1, bankId: newBank(), ok: true, result: 1 }
  const said = Array.from({ length: 150 }, () => cabinet.say(answer))
  await Promise.all(said)
  expect(await eventsOf(cabinet.id, 'answer.unmatched')).toBe(120)
})

test('whoever hung up while it waited for its login is not logged in, and takes nothing from who is there', async () => {
  const gateway = await brokerOn(db, {}, { reportsAtOnceMax: 1 })
  const there = await inside(db, gateway)
  const busy = await mqttStation(db)
  const credential = await credentialOf(db, busy.imei)
  const { free, over } = await held(db, busy.id)
  // The one place at the database is taken by this one.
  const late = device(gateway, busy.imei, credential)
  await expect.poll(() => gateway.node.connections.size).toBe(2)
  const socket = dial({ port: gateway.ports.mqtt!, host: '127.0.0.1' })
  onTestFinished(() => void socket.destroy())
  const { clientId, username, password } = there.credential
  const hello = { cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clean: true, keepalive: 0 } as const
  socket.write(generate({ ...hello, clientId, username, password: Buffer.from(password) }))
  await expect.poll(() => gateway.node.limiter.waiting()).toBe(1)
  socket.destroy()
  await expect.poll(() => gateway.node.connections.size).toBe(2)
  free()
  await over
  await late
  await expect.poll(() => gateway.node.counts.loginsRefused).toEqual({ hung_up: 1 })
  await there.say(giveBack(1, newBank()))
  const [session] = await db.sql`select epoch from device_sessions where device_id = ${there.id}`
  expect(session).toEqual({ epoch: 1 })
})

const missing = !hasMosquitto

test.skipIf(missing)('what is longer than any cabinet’s message is not brought to us by a broker', async () => {
  const broker = await mosquitto()
  const gateway = await nodeBehind(db, accessTo(broker.url))
  const cabinet = await cabinetAt(db, broker.url)
  await cabinet.say({ kind: 'heartbeat' })
  const unauthorised = await connectAsync(broker.url, { reconnectPeriod: 0 })
  onTestFinished(() => void unauthorised.end(true))
  await unauthorised.publishAsync(topics(cabinet.imei).update, Buffer.alloc(1 << 20), { qos: 1 })
  await unauthorised.publishAsync(topics(cabinet.imei).update, Buffer.alloc(100), { qos: 1 })
  await unauthorised.publishAsync(topics(cabinet.imei).heart, deviceCodec().say({ kind: 'heartbeat' }), { qos: 1 })
  await expect.poll(() => gateway.node.counts.heard.heartbeat ?? 0).toBe(2)
  expect(gateway.node.counts.malformed).toBe(1)
})

test.skipIf(missing)('a stranger at a broker cannot fill our memory while the database is slow', async () => {
  const broker = await mosquitto()
  const gateway = await nodeBehind(db, accessTo(broker.url))
  const cabinet = await cabinetAt(db, broker.url)
  await cabinet.say({ kind: 'inventory', slots: 6, banks: [] })
  await expect.poll(() => gateway.node.counts.acknowledged.inventory ?? 0).toBe(1)
  const { free, over } = await held(db, cabinet.id)
  const bankId = newBank()
  await cabinet.say(giveBack(1, bankId))
  const unauthorised = await connectAsync(broker.url, { reconnectPeriod: 0 })
  onTestFinished(() => void unauthorised.end(true))
  const long = Buffer.alloc(60_000)
  for (let n = 0; n < 700; n++) await unauthorised.publishAsync(topics(cabinet.imei).update, long, { qos: 0 })
  await expect.poll(() => gateway.node.counts.publishes.refused ?? 0).toBeGreaterThan(100)
  free()
  await over
  await expect.poll(() => gateway.node.counts.acknowledged.returned ?? 0).toBe(1)
  await expect.poll(() => gateway.node.counts.publishes.poisoned ?? 0).toBe(Math.ceil(33_554_432 / 60_000))
  // There is room again.
  await unauthorised.publishAsync(topics(cabinet.imei).update, long, { qos: 0 })
  await expect.poll(() => gateway.node.counts.publishes.poisoned ?? 0).toBe(1 + Math.ceil(33_554_432 / 60_000))
})
