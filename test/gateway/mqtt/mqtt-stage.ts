import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt'
import { onTestFinished } from 'vitest'
import * as credentials from '../../../db/devices/mqtt-credentials.ts'
import type { Firmware } from '../../../db/devices/words.ts'
import type { Db } from '../../../db/postgres/connect.ts'
import type { Limits, MqttConfig } from '../../../gateway/config.ts'
import type { Report } from '../../../protocol/cabinet.ts'
import { deviceCodec, topics } from '../../../protocol/cabinet-mqtt/index.ts'
import { gatewayOn } from '../stage.ts'

/** As in production, on free ports. */
export const mqtt: MqttConfig = {
  port: 0,
  wsPort: 0,
  tls: null,
  httpPort: 0,
  publicHost: null,
  publicPort: null,
  packetBytesMax: 66_560,
  packetsPerSecondMax: 100_000,
  bytesPerSecondMax: 1 << 30,
  silentMs: 1_215_000,
}

/** A running gateway with a broker on free ports, its log kept, closed with the test. */
export const brokerOn = (db: Db, config: Partial<MqttConfig> = {}, limits: Partial<Limits> = {}) =>
  gatewayOn(db, limits, { mqtt: { ...mqtt, ...config } })

/** What `brokerOn` gives. */
export type Running = Awaited<ReturnType<typeof brokerOn>>

let made = 0

/** A station of the MQTT family; its IMEI is new and of a range nobody is given. */
export async function mqttStation(db: Db): Promise<{ id: number; imei: string }> {
  const imei = `0010100${String(process.pid % 1_000).padStart(3, '0')}${String(++made).padStart(5, '0')}`
  const [row] = await db.sql<{ id: number }[]>`
    insert into stations (box_id, slots_declared, status) values (${imei}, 6, 'active') returning id`
  return { id: row!.id, imei }
}

/** What the bootstrap would hand to a cabinet. */
export async function credentialOf(
  db: Db,
  imei: string,
  { iccid = null as string | null, firmware = 'current' as Firmware } = {},
): Promise<credentials.Issued> {
  const issued = await db.transaction((tx) =>
    credentials.issue(tx, {
      kind: 'cabinet',
      serial: imei,
      iccid,
      firmware,
      software: null,
      address: '192.0.2.9',
    }),
  )
  if (typeof issued === 'string') throw new Error(issued)
  return issued
}

/** A message as it came in. */
export interface Message {
  topic: string
  payload: Buffer
  qos: number
  retain: boolean
}

/** A client that keeps what it hears until somebody asks. */
export async function client(url: string, options: IClientOptions = {}) {
  const link = await connectAsync(url, { reconnectPeriod: 0, protocolVersion: 4, ...options }, false)
  onTestFinished(() => void link.end(true))
  link.on('error', () => {})
  const heard: Message[] = []
  const waiting: ((message: Message) => void)[] = []
  link.on('message', (topic, payload, { qos, retain }) => {
    const message = { topic, payload, qos, retain }
    const wanted = waiting.shift()
    if (wanted) wanted(message)
    else heard.push(message)
  })
  const closed = new Promise<void>((resolve) => link.once('close', resolve))
  return {
    link,
    closed,
    /** What was heard and not asked for yet. */
    heard,
    /** The next message. */
    next: async (): Promise<Message> => heard.shift() ?? (await new Promise((wanted) => waiting.push(wanted))),
  }
}

type Client = Awaited<ReturnType<typeof client>>

/** A cabinet on the broker that says and hears nothing by itself, subscribed to its own topics. */
export interface Device extends Client {
  link: MqttClient
  topic: ReturnType<typeof topics>
  /** Publishes; resolves with the broker's acknowledgement (QoS 1). */
  say(report: Report, qos?: 0 | 1 | 2): Promise<unknown>
  /** The next command of this name, as its JSON and as it came; what comes in between is answered by nobody. */
  told(cmd: string): Promise<{ said: Record<string, string>; message: Message }>
}

/** Dials in with a credential. */
export async function device(
  gateway: { ports: { mqtt: number | null } },
  imei: string,
  { username, password, clientId }: credentials.Issued,
  { isSubscribed = true, options = {} as IClientOptions, url = `mqtt://127.0.0.1:${gateway.ports.mqtt}` } = {},
): Promise<Device> {
  const made = await client(url, { username, password, clientId, ...options })
  const topic = topics(imei)
  if (isSubscribed) await made.link.subscribeAsync([topic.get, topic.heart], { qos: 1 })
  const codec = deviceCodec()
  return {
    ...made,
    topic,
    say: (report, qos = 1) =>
      made.link.publishAsync(report.kind === 'heartbeat' ? topic.heart : topic.update, codec.say(report), { qos }),
    told: async (cmd) => {
      for (;;) {
        const message = await made.next()
        const said = message.topic === topic.get ? JSON.parse(message.payload.toString()) : {}
        if (said.cmd === cmd) return { said, message }
      }
    },
  }
}

/** A cabinet of a new station, logged in, its first question heard. */
export async function inside(db: Db, gateway: Running) {
  const { id, imei } = await mqttStation(db)
  const credential = await credentialOf(db, imei)
  const cabinet = await device(gateway, imei, credential)
  await cabinet.told('check')
  return { ...cabinet, id, imei, credential }
}
