import { duplexPair } from 'node:stream'
import { generate, type IPublishPacket, type Packet, parser } from 'mqtt-packet'
import { expect, onTestFinished, test } from 'vitest'
import { enqueue } from '../../../db/devices/commands.ts'
import { tick } from '../../../gateway/connection.ts'
import { startBroker } from '../../../gateway/mqtt/broker.ts'
import { drainTimeoutMs } from '../../../gateway/mqtt/mqtt-connection.ts'
import { deviceCodec, topics } from '../../../protocol/cabinet-mqtt/index.ts'
import { testDb } from '../../postgres.ts'
import { brokerOn, credentialOf, mqtt, mqttStation } from './mqtt-stage.ts'

const { db } = await testDb()

const codec = deviceCodec()
const heartbeat = codec.say({ kind: 'heartbeat' })
/** A packet as `publish 3 heart`, by which tests name what they expect. */
const name = (packet: Packet) => {
  const { cmd, messageId, qos, topic } = packet as IPublishPacket
  if (packet.cmd === 'connack') return `connack ${packet.returnCode}`
  return packet.cmd === 'publish' ? `${topic.split('/').at(-1)} qos${qos}` : `${cmd} ${messageId ?? ''}`.trim()
}

/** A cabinet that writes bytes and reads packets, on a broker whose clock stands still. */
async function bare({ keepalive = 0, heart = 1 as 0 | 1 | 2 | null } = {}) {
  const gateway = await brokerOn(db)
  const node = { ...gateway.node, clock: { now: 0 }, connections: new Set<never>() } as typeof gateway.node
  const broker = await startBroker(node, mqtt)
  onTestFinished(() => broker.close())
  const { id, imei } = await mqttStation(db)
  const { clientId, username, password } = await credentialOf(db, imei)
  const [near, far] = duplexPair()
  const line = broker.serve(far, '192.0.2.7')
  const closed = new Promise<void>((resolve) => far.once('close', resolve))
  const packets: Packet[] = []
  let more: (() => void) | null = null
  const reader = parser({ protocolVersion: 4 })
  reader.on('packet', (packet) => {
    packets.push(packet)
    more?.()
  })
  near.on('data', (chunk) => reader.parse(chunk))
  const topic = topics(imei)
  const hello = { cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clean: true } as const
  const shown = { clientId, username, password: Buffer.from(password), keepalive }
  const wanted = heart === null ? [] : [{ topic: topic.heart, qos: heart }]
  const beat = (qos: 0 | 1 | 2, messageId = 1, payload = heartbeat) =>
    generate({ cmd: 'publish', topic: topic.heart, payload, qos, messageId, retain: false, dup: false })
  const next = async (): Promise<Packet> => {
    while (packets.length === 0) await new Promise<void>((resolve) => (more = resolve))
    return packets.shift()!
  }
  /** Resolves when the broker has read it. */
  const write = (...parts: Buffer[]) => new Promise<void>((read) => near.write(Buffer.concat(parts), () => read()))
  const names = async (count: number) => {
    const heard: string[] = []
    while (heard.length < count) heard.push(name(await next()))
    return heard
  }
  return {
    gateway,
    node,
    line,
    near,
    far,
    closed,
    id,
    imei,
    topic,
    beat,
    next,
    write,
    names,
    connect: generate({ ...hello, ...shown }),
    subscribe:
      wanted.length > 0 ? generate({ cmd: 'subscribe', messageId: 1, subscriptions: wanted }) : Buffer.alloc(0),
    /** What the broker says to this; nothing is left out, for a PINGRESP ends it. */
    async answersTo(...parts: Buffer[]): Promise<string[]> {
      await write(...parts, generate({ cmd: 'pingreq' }))
      const heard: string[] = []
      for (let said = await next(); said.cmd !== 'pingresp'; said = await next()) heard.push(name(said))
      return heard
    },
  }
}

/** The same, logged in and subscribed. */
async function inside(options: Parameters<typeof bare>[0] = {}) {
  const cabinet = await bare(options)
  await cabinet.write(cabinet.connect)
  expect(await cabinet.names(1)).toEqual(['connack 0'])
  if (cabinet.subscribe.length > 0) {
    await cabinet.write(cabinet.subscribe)
    expect(await cabinet.names(1)).toEqual(['suback 1'])
  }
  return cabinet
}

test('a heartbeat is acknowledged and comes back in one piece, at its QoS', async () => {
  const cabinet = await inside()
  const chunks: Buffer[] = []
  cabinet.near.on('data', (chunk) => chunks.push(chunk))
  await cabinet.write(cabinet.beat(1, 77))
  expect(await cabinet.names(2)).toEqual(['puback 77', 'heart qos1'])
  expect(chunks).toHaveLength(1)
  expect(await cabinet.answersTo(cabinet.beat(0))).toEqual(['heart qos0'])
  expect(cabinet.node.counts).toMatchObject({
    heard: { heartbeat: 2 },
    acknowledged: { heartbeat: 2 },
    publishes: { acknowledged: 2 },
  })
})

test('cut at any byte, heartbeats are answered once each, and in their order', async () => {
  const cabinet = await inside()
  const bytes = Buffer.concat([cabinet.beat(1, 8), cabinet.beat(1, 9)])
  for (let at = 1; at < bytes.length; at++) {
    await cabinet.write(bytes.subarray(0, at))
    await cabinet.write(bytes.subarray(at))
    const heard = await cabinet.names(4)
    expect(heard.filter((one) => one.startsWith('puback'))).toEqual(['puback 8', 'puback 9'])
    expect(heard.filter((one) => one === 'heart qos1')).toHaveLength(2)
  }
  expect(cabinet.node.counts.heard).toEqual({ heartbeat: 2 * (bytes.length - 1) })
})

test('among other things said in one breath, heartbeats are answered like the rest', async () => {
  const cabinet = await inside()
  const ping = generate({ cmd: 'pingreq' })
  const returned = codec.say({ kind: 'returned', bank: { slot: 2, bankId: '0A0B0C71' } })
  const update = { cmd: 'publish', topic: cabinet.topic.update, retain: false, dup: false } as const
  const report = generate({ ...update, qos: 1, messageId: 21, payload: returned })
  const acknowledgement = generate({ cmd: 'puback', messageId: 4_711 })
  await cabinet.write(acknowledgement, cabinet.beat(1, 20), ping, cabinet.beat(0), report, cabinet.beat(1, 22), ping)
  const heard = (await cabinet.names(8)).toSorted()
  const expected = [
    'heart qos0',
    'heart qos1',
    'heart qos1',
    'pingresp',
    'pingresp',
    'puback 20',
    'puback 21',
    'puback 22',
  ]
  expect(heard).toEqual(expected)
  const [bank] = await db.sql`select 1 from station_powerbanks where station_id = ${cabinet.id} and slot_number = 2`
  expect(bank).toBeDefined()
})

test('CONNACK comes before the answer to a heartbeat that was said with CONNECT', async () => {
  const cabinet = await bare()
  await cabinet.write(cabinet.connect, cabinet.subscribe, cabinet.beat(1, 5))
  const heard = await cabinet.names(4)
  expect(heard[0]).toBe('connack 0')
  expect(heard.toSorted()).toEqual(['connack 0', 'heart qos1', 'puback 5', 'suback 1'])
})

test.for([
  { granted: 0 as const, came: ['heart qos0', 'puback 3', 'heart qos0'] },
  { granted: 1 as const, came: ['heart qos0', 'puback 3', 'heart qos1'] },
  { granted: null, came: ['heart qos0', 'puback 3', 'heart qos1'] },
])(
  'subscribed at QoS $granted, a heartbeat said at QoS 0 and at QoS 1 comes back at no more',
  async ({ granted, came }) => {
    const cabinet = await inside({ heart: granted })
    const heard = await cabinet.answersTo(cabinet.beat(0), cabinet.beat(1, 3))
    expect(heard.toSorted()).toEqual(came.toSorted())
  },
)

test('no two things a cabinet is told at QoS 1 have the same packet id, whoever says them', async () => {
  const cabinet = await inside()
  await cabinet.write(
    generate({ cmd: 'subscribe', messageId: 2, subscriptions: [{ topic: cabinet.topic.get, qos: 1 }] }),
    cabinet.beat(1, 3),
    cabinet.beat(1, 4),
  )
  await db.transaction((tx) =>
    enqueue(tx, { deviceId: cabinet.id, kind: 'set_volume', args: { level: 3 }, requestedBy: null, origin: 'api' }),
  )
  const ids: number[] = []
  while (ids.length < 4) {
    const packet = await cabinet.next()
    if (packet.cmd === 'publish') ids.push(packet.messageId!)
  }
  expect(new Set(ids).size).toBe(4)
  expect(ids).not.toContain(0)
})

test('a heartbeat nobody can read is acknowledged and counted by the broker, and does not come back', async () => {
  const cabinet = await inside()
  const cut = heartbeat.subarray(0, 4)
  expect(await cabinet.answersTo(cabinet.beat(1, 6, cut))).toEqual(['puback 6'])
  expect(cabinet.node.counts).toMatchObject({ malformed: 1, heard: {} })
  expect(cabinet.line.malformedInARow).toBe(1)
  expect(await cabinet.answersTo(cabinet.beat(1, 7))).toEqual(['puback 7', 'heart qos1'])
  expect(cabinet.line.malformedInARow).toBe(0)
})

test('a cabinet that is silent for one and a half of its keep-alive is cut; a ping or a heartbeat keeps it', async () => {
  const cabinet = await inside({ keepalive: 1 })
  const at = (now: number) => {
    cabinet.node.clock.now = now
    tick(cabinet.line)
    return cabinet.far.destroyed
  }
  expect(at(1_500)).toBe(false)
  await cabinet.answersTo(cabinet.beat(1))
  expect(at(3_000)).toBe(false)
  await cabinet.write(generate({ cmd: 'pingreq' }))
  expect(await cabinet.names(1)).toEqual(['pingresp'])
  expect(at(4_500)).toBe(false)
  expect(at(4_501)).toBe(true)
  await cabinet.closed
  expect(cabinet.node.counts.ended).toEqual({ silent: 1 })
})

test('a cabinet whose socket takes nothing for too long is cut', async () => {
  const cabinet = await inside()
  const at = (now: number) => {
    cabinet.node.clock.now = now
    tick(cabinet.line)
    return cabinet.far.destroyed
  }
  cabinet.near.pause()
  while (!cabinet.far.writableNeedDrain) {
    expect(at(0)).toBe(false)
    await cabinet.write(...Array.from({ length: 500 }, () => cabinet.beat(0)))
  }
  expect(at(1_000)).toBe(false)
  expect(at(1_000 + drainTimeoutMs)).toBe(false)
  expect(at(1_001 + drainTimeoutMs)).toBe(true)
  expect(cabinet.node.counts.ended).toEqual({ reads_too_slowly: 1 })
})
