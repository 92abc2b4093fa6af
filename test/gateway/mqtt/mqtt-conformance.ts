import { connect as dial, type Socket } from 'node:net'
import { generate, type IConnectPacket, type IPublishPacket, type Packet, parser } from 'mqtt-packet'
import { afterAll, expect, onTestFinished } from 'vitest'
import { usualRules } from '../../../db/powerbank/decide/snapshot.ts'
import { startGateway } from '../../../gateway/main.ts'
import { testDb } from '../../postgres.ts'
import { keysSecret, limits } from '../stage.ts'
import { mqtt } from './mqtt-stage.ts'

let clients = 0

/** A client id nobody had before: what one test leaves behind is not another's. */
export const newId = () => `client-${++clients}`

/** A topic of its own for each test, below the namespace that is open to tests. */
export const newTopic = (name: string) => `test/${++clients}/${name}`

/** What is open to strangers here; a device's topics and the broker's own never are. */
const open = (topic: string) => /^(test\/|\$test\/|#$|\+\/dollar\/#$)/.test(topic)

/** A packet of a stranger may have so much, and a connection wait so long for its CONNECT. */
export const packetBytesMax = 2_048
const loginDeadlineMs = 2_000

/** The gateway's broker, as it listens in production, for all tests of this file. @returns its port */
export async function openBroker(): Promise<number> {
  const { db } = await testDb()
  const gateway = await startGateway({
    config: {
      host: '127.0.0.1',
      cabinetPort: 0,
      tls: null,
      allow: [],
      reusePort: false,
      metricsPort: 0,
      mqtt: { ...mqtt, packetBytesMax, openNamespace: open },
      keysSecret,
      rules: usualRules,
      limits: { ...limits, loginDeadlineMs },
    },
    db,
    log: () => {},
  })
  afterAll(gateway.close)
  return gateway.ports.mqtt!
}

/** One connection, packet by packet: what a client library would smooth over is seen. */
export interface Wire {
  socket: Socket
  send(packet: Packet): void
  /** Bytes as they are, for what no library would write. */
  write(hex: string): void
  /** The next packet of the broker; null when it ends the connection instead. */
  next(): Promise<Packet | null>
  /** The next one is a PUBLISH; acknowledged as its QoS asks unless told otherwise. */
  heard(answer?: 'silent'): Promise<IPublishPacket>
  /** What came before the answer to a PINGREQ: all that the broker had for us by then. */
  before(): Promise<Packet[]>
  ended: Promise<void>
}

/** Dials a broker. */
export function wire(port: number): Wire {
  const socket = dial({ port, host: '127.0.0.1', noDelay: true })
  const read = parser({ protocolVersion: 4 })
  const packets: (Packet | null)[] = []
  const waiting: ((packet: Packet | null) => void)[] = []
  const give = (packet: Packet | null) => {
    const wanted = waiting.shift()
    if (wanted) wanted(packet)
    else packets.push(packet)
  }
  const { promise: ended, resolve } = Promise.withResolvers<void>()
  read.on('packet', give)
  socket.on('data', (chunk) => read.parse(chunk))
  socket.on('error', () => {})
  socket.on('close', () => {
    give(null)
    resolve()
  })
  onTestFinished(() => void socket.destroy())
  const next = () => {
    const packet = packets.shift()
    // What ended stays ended.
    if (packet === null) packets.unshift(null)
    return packet === undefined ? new Promise<Packet | null>((want) => waiting.push(want)) : Promise.resolve(packet)
  }
  const send = (packet: Packet) => void socket.write(generate(packet))
  return {
    socket,
    send,
    next,
    ended,
    write: (hex) => void socket.write(Buffer.from(hex.replaceAll(' ', ''), 'hex')),
    async heard(answer) {
      const packet = await next()
      if (packet?.cmd !== 'publish') throw new Error(`a PUBLISH was expected, not ${JSON.stringify(packet)}`)
      const { qos, messageId } = packet
      if (answer !== 'silent' && qos === 1) send({ cmd: 'puback', messageId: messageId! })
      if (answer !== 'silent' && qos === 2) {
        send({ cmd: 'pubrec', messageId: messageId! })
        expect(await next()).toMatchObject({ cmd: 'pubrel', messageId })
        send({ cmd: 'pubcomp', messageId: messageId! })
      }
      return packet
    },
    async before() {
      send({ cmd: 'pingreq' })
      const came: Packet[] = []
      for (let packet = await next(); packet?.cmd !== 'pingresp'; packet = await next()) {
        if (packet === null) throw new Error('the connection ended before its ping was answered')
        came.push(packet)
      }
      return came
    },
  }
}

/** A connection that has said CONNECT, and the answer to it. */
export async function connected(port: number, options: Partial<IConnectPacket> = {}) {
  const client = wire(port)
  const clientId = options.clientId ?? newId()
  client.send({
    cmd: 'connect',
    protocolId: 'MQTT',
    protocolVersion: 4,
    clean: true,
    keepalive: 60,
    ...options,
    clientId,
  })
  const connack = await client.next()
  if (connack?.cmd !== 'connack') throw new Error(`a CONNACK was expected, not ${JSON.stringify(connack)}`)
  return { ...client, clientId, connack }
}

type Client = Awaited<ReturnType<typeof connected>>

/** Subscribes and waits for the answer. @returns what was granted, 128 where nothing was */
export async function subscribe(client: Wire, ...topics: [topic: string, qos: 0 | 1 | 2][]): Promise<number[]> {
  client.send({ cmd: 'subscribe', messageId: 1, subscriptions: topics.map(([topic, qos]) => ({ topic, qos })) })
  const answer = await client.next()
  if (answer?.cmd !== 'suback') throw new Error(`a SUBACK was expected, not ${JSON.stringify(answer)}`)
  return answer.granted as number[]
}

let messages = 100

/** Publishes and sees the flow of its QoS through. */
export async function publish(
  client: Wire,
  topic: string,
  payload: string,
  { qos = 0, retain = false }: { qos?: 0 | 1 | 2; retain?: boolean } = {},
): Promise<void> {
  const messageId = ++messages
  client.send({ cmd: 'publish', topic, payload, qos, retain, dup: false, messageId })
  if (qos === 1) expect(await client.next()).toMatchObject({ cmd: 'puback', messageId })
  if (qos === 2) {
    expect(await client.next()).toMatchObject({ cmd: 'pubrec', messageId })
    client.send({ cmd: 'pubrel', messageId })
    expect(await client.next()).toMatchObject({ cmd: 'pubcomp', messageId })
  }
}

/** Says DISCONNECT and waits until the connection is gone. */
export async function leave(client: Client): Promise<void> {
  client.send({ cmd: 'disconnect' })
  await client.ended
}

/** A message as a line: topic, payload, QoS and the retain flag where it is set. */
export const line = ({ topic, payload, qos, retain }: IPublishPacket) =>
  `${topic} ${payload.toString()} qos${qos}${retain ? ' retained' : ''}`
