import { type AddressInfo, createServer, connect as dial, type Socket } from 'node:net'
import { generate, type Packet, parser } from 'mqtt-packet'
import { inject, onTestFinished } from 'vitest'
import { connect, type Db } from '../../../db/postgres/connect.ts'
import type { GatewayConfig, Limits } from '../../../gateway/config.ts'
import type { BrokerAccess } from '../../../gateway/mqtt-cluster/broker-client.ts'
import { brokerOn, credentialOf, device, type mqtt, mqttStation } from '../mqtt/mqtt-stage.ts'
import { gatewayOn } from '../stage.ts'
import { hasMosquitto, mosquitto } from './mosquitto.ts'

type Running = Awaited<ReturnType<typeof gatewayOn>>
type Cabinet = Awaited<ReturnType<typeof device>>

/** How a gateway shows itself to a broker that asks nobody for a name. */
export const accessTo = (url: string, change: Partial<BrokerAccess> = {}): BrokerAccess => ({
  url,
  username: null,
  password: null,
  clientId: null,
  shareGroup: 'tests',
  ...change,
})

/** A gateway behind somebody else's broker, subscribed. */
export async function nodeBehind(
  db: Db,
  access: BrokerAccess,
  config: Partial<GatewayConfig> = {},
  limits: Partial<Limits> = {},
): Promise<Running> {
  const gateway = await gatewayOn(db, limits, { broker: access, ...config })
  await until(() => gateway.cluster!.isOpen())
  return gateway
}

const untilMs = 12_000

/** Looks until it is so: what other processes do has no event of its own here. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + untilMs
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error('it did not come to that')
    await new Promise((again) => setTimeout(again, 5))
  }
}

/** A broker, a gateway at it, and how cabinets come in. */
export interface AppContext {
  gateway: Running
  /** How many reports the broker was told it need not keep: by PUBACK, as seen on the wire. */
  acknowledged(): number
  /** A cabinet of a new station, at the broker. */
  cabinet(): Promise<Cabinet & { id: number; imei: string }>
}

/** The broker inside the gateway. */
async function embedded(db: Db, change: Partial<typeof mqtt> = {}): Promise<AppContext> {
  const gateway = await brokerOn(db, change)
  let acknowledged = 0
  return {
    gateway,
    acknowledged: () => acknowledged,
    async cabinet() {
      const { id, imei } = await mqttStation(db)
      // Said again on the next connection, as a cabinet does.
      const options = { reconnectPeriod: 50 }
      const made = await device(gateway, imei, await credentialOf(db, imei), { options })
      made.link.on('packetreceive', ({ cmd }) => {
        if (cmd === 'puback') acknowledged += 1
      })
      return { ...made, id, imei }
    },
  }
}

/** A Mosquitto between cabinets and gateway, and a tap between it and the gateway. */
async function external(db: Db): Promise<AppContext> {
  const broker = await mosquitto()
  const line = await tap(broker.port)
  const gateway = await nodeBehind(db, accessTo(line.url))
  return { gateway, acknowledged: () => line.said('puback'), cabinet: () => cabinetAt(db, broker.url) }
}

/** A cabinet of a new station, at somebody else's broker. */
export async function cabinetAt(db: Db, url: string) {
  const { id, imei } = await mqttStation(db)
  const credential = { clientId: imei, username: imei, password: 'whatever' }
  const made = await device({ ports: { mqtt: null } }, imei, credential, { url, options: { reconnectPeriod: 50 } })
  return { ...made, id, imei }
}

/** The brokers of this machine that the same promises are tried with. */
export const brokers: { name: string; open(db: Db): Promise<AppContext>; missing: boolean }[] = [
  { name: 'the embedded broker', open: embedded, missing: false },
  { name: 'Mosquitto', open: external, missing: !hasMosquitto },
]

/** Passes bytes on and keeps the packets of whoever dials. */
export async function tap(port: number) {
  const packets: Packet[] = []
  const sockets = new Set<Socket>()
  let isDown = false
  const server = createServer({ noDelay: true }, (near) => {
    if (isDown) return void near.destroy()
    const far = dial({ port, host: '127.0.0.1', noDelay: true })
    const read = parser({ protocolVersion: 5 })
    read.on('packet', (packet: Packet) => packets.push(packet))
    sockets.add(near)
    near.on('data', (chunk) => read.parse(chunk))
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.pipe(other)
      one.on('error', () => other.destroy())
      one.on('close', () => {
        sockets.delete(one)
        other.destroy()
      })
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return {
    url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`,
    packets,
    said: (cmd: string) => packets.filter((packet) => packet.cmd === cmd).length,
    ids: (cmd: string) => packets.filter((packet) => packet.cmd === cmd).map(({ messageId }) => messageId!),
    cut() {
      for (const socket of sockets) socket.destroy()
    },
    /** Cut, and nobody gets through until `up`. */
    down() {
      isDown = true
      for (const socket of sockets) socket.destroy()
    },
    up() {
      isDown = false
    },
  }
}

/** A broker that grants shared subscriptions and delivers nothing to them, as some do. */
export async function sharingNothing(): Promise<{ url: string }> {
  const clients = new Map<Socket, { filters: Set<string>; say(packet: Packet): void }>()
  const server = createServer({ noDelay: true }, (socket) => {
    const read = parser({ protocolVersion: 5 })
    const spoken = { protocolVersion: 5 as 4 | 5 }
    const say = (packet: Packet) => void socket.write(generate(packet, spoken))
    const filters = new Set<string>()
    clients.set(socket, { filters, say })
    socket.on('close', () => clients.delete(socket)).on('error', () => {})
    socket.on('data', (chunk) => read.parse(chunk))
    read.on('packet', (packet: Packet) => {
      const { messageId = 0 } = packet
      if (packet.cmd === 'connect') {
        spoken.protocolVersion = packet.protocolVersion === 5 ? 5 : 4
        say({ cmd: 'connack', reasonCode: 0, returnCode: 0, sessionPresent: false })
      }
      if (packet.cmd === 'pingreq') say({ cmd: 'pingresp' })
      if (packet.cmd === 'unsubscribe') say({ cmd: 'unsuback', messageId, granted: [0] })
      if (packet.cmd === 'subscribe') {
        for (const { topic } of packet.subscriptions) filters.add(topic)
        say({ cmd: 'suback', messageId, granted: packet.subscriptions.map(() => 0) })
      }
      if (packet.cmd !== 'publish') return
      if (packet.qos === 1) say({ cmd: 'puback', messageId })
      for (const client of clients.values())
        if (client.filters.has(packet.topic) || client.filters.has(packet.topic.replace(/\/\d{15}\//, '/+/')))
          client.say({ ...packet, qos: 0 })
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    for (const socket of clients.keys()) socket.destroy()
    server.close()
  })
  return { url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

/** Takes a database away from everybody. @returns what gives it back */
export async function outage(url: string): Promise<() => Promise<unknown>> {
  const admin = connect(inject('server'), { max: 1 })
  const name = new URL(url).pathname.slice(1)
  const may = (allowed: boolean) =>
    admin.sql`alter database ${admin.sql(name)} with allow_connections ${admin.sql.unsafe(String(allowed))}`
  onTestFinished(async () => {
    await may(true)
    await admin.close()
  })
  await may(false)
  await admin.sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = ${name}`
  return () => may(true)
}

/** Holds a station's row, so that everything about it waits. */
export async function held(db: Db, stationId: number) {
  const { promise: isHeld, resolve: tell } = Promise.withResolvers<void>()
  const { promise, resolve: free } = Promise.withResolvers<void>()
  const over = db.transaction(async (tx) => {
    await tx`select 1 from stations where id = ${stationId} for update`
    tell()
    await promise
  })
  await isHeld
  return { free, over }
}
