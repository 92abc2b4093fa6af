import { createHash } from 'node:crypto'
import type { Registry } from 'prom-client'
import { every } from '../../db/platform/patience.ts'
import { gauge } from '../../db/platform/process-metrics.ts'
import { COMMAND_CHANNEL, DEVICE_CHANNEL } from '../../db/postgres/channels.ts'
import { sweep } from '../../db/powerbank/janitor.ts'
import { lookAtAll } from '../../db/powerbank/mqtt-stations.ts'
import type { Command } from '../../protocol/cabinet.ts'
import { qosOf } from '../../protocol/cabinet-mqtt/index.ts'
import { topicOf as terminalTopicOf } from '../../protocol/terminal-iso8583/topics.ts'
import { type Dispatcher, dispatcher } from '../dispatcher.ts'
import { cabinetOwner, terminalOwner } from '../mqtt/device-topics.ts'
import type { GatewayNode } from '../node.ts'
import type { Addressee } from '../sessions.ts'
import { type BrokerTerminals, brokerTerminals } from '../terminal/broker-terminals.ts'
import type { MqttTerminals } from '../terminal/mqtt-login.ts'
import { type BrokerAccess, type BrokerClient, brokerClient, type Incoming } from './broker-client.ts'
import { type Devices, devices } from './known-devices.ts'
import { type Worker, worker } from './worker.ts'

/** What cabinets say (docs/protocol.md 5.2). */
const cabinetFilters = ['/powerbank/+/user/update', '/powerbank/+/user/heart']
/** What terminals say (docs/protocol.md 7.1). */
const terminalFilters = ['terminals/+/up']

/** This node's part in a broker that is not ours. */
export interface Cluster {
  /** The one name of all nodes behind this broker: with shared subscriptions any of them hears and may tell. */
  name: string
  isOpen(): boolean
  /** True: the nodes split the load. False: each hears all. Null: not known yet, or not connected. */
  isShared(): boolean | null
  /** Cabinets this node remembers. */
  count(): number
  /** A cabinet dialled the broker just now: what was under way on its older connection is over. */
  loggedIn(boxId: string): Promise<void>
  /** Hears nothing new, stores and acknowledges what was heard, leaves. The sessions stay: other nodes hold them too. */
  close(): Promise<void>
}

const nameDigits = 16

/** The same on every node that is told the same broker, whatever it shows there. */
function nameOf({ url, shareGroup }: BrokerAccess): string {
  const { protocol, host, pathname } = new URL(url)
  const hash = createHash('sha256').update(`${protocol}//${host}${pathname} ${shareGroup}`).digest('hex')
  return `mqtt:${hash.slice(0, nameDigits)}`
}

/** At QoS 1 a lost connection says it again, and nobody is restarted twice. */
const qosTo = (command: Command) => (command.kind === 'restart' ? 0 : qosOf(command))

/** What the parts of a node behind a broker share. */
interface Member {
  node: GatewayNode
  name: string
  known: Devices
  /** Null: none are listened for. */
  terminals: BrokerTerminals | null
  bell: Dispatcher
  /** Something may have been said to nobody since all cabinets were last asked what they hold. */
  hasMissed: boolean
}

/** Writes by the clock what this node has heard, and asks what it may have missed. @returns what stops it */
function startWriting(member: Member): () => Promise<void> {
  const { node, name, known, terminals, bell } = member
  const { db, limits, clock } = node
  let writtenAt = clock.now

  async function askMissed() {
    if (!member.hasMissed) return
    member.hasMissed = false
    try {
      await db.transaction((tx) => lookAtAll(tx, name))
    } catch (error) {
      member.hasMissed = true
      throw error
    }
  }

  return every(limits.tickMs, async () => {
    try {
      await askMissed()
      await sweep(db, name)
      const { now } = clock
      if (now - writtenAt < limits.seenIntervalMs) return
      await known.write(writtenAt)
      await terminals?.write(writtenAt)
      writtenAt = now
      // A bell that was lost costs no more than this interval.
      bell.ringAll()
    } catch (error) {
      node.logSparingly('cluster.not_written', { error })
    }
  })
}

const filtersOf = (terminals: BrokerTerminals | null) => [...cabinetFilters, ...(terminals ? terminalFilters : [])]

function numbers(registry: Registry, client: BrokerClient, known: Devices): void {
  gauge(registry, 'voltbay_broker_up', '1 while this node is subscribed at the broker', () => Number(client.isOpen()))
  gauge(registry, 'voltbay_broker_cabinets', 'Cabinets behind the broker that this node remembers', known.count)
}

/** Hands a message to whom its topic is for. */
function heard(terminals: BrokerTerminals | null, work: Worker, message: Incoming): void {
  const topic = terminalTopicOf(message.topic)
  if (topic && terminals) terminals.take(topic.terminalCode, message)
  else work.take(message)
}

/** Listens to the bells of commands and of devices that have changed. @returns what ends it */
async function hearBells({ node: { db }, known, terminals, bell }: Member): Promise<() => Promise<void>> {
  const unlisten = await Promise.all([
    db.listen(COMMAND_CHANNEL, (deviceId) => bell.ring(Number(deviceId)), bell.ringAll),
    db.listen(DEVICE_CHANNEL, (deviceId) => {
      known.forget(Number(deviceId))
      terminals?.forget(Number(deviceId))
    }),
  ])
  return async () => void (await Promise.all(unlisten.map((stop) => stop())))
}

/** Brings commands to devices behind the broker, of either kind. */
function bellOf(
  { node, name, known, terminals }: Pick<Member, 'node' | 'name' | 'known' | 'terminals'>,
  client: () => BrokerClient,
): Dispatcher {
  const { db, log, counts, metrics } = node
  return dispatcher<Addressee>({
    ...{ name, db, log, counts, observe: metrics.observe },
    sessions: { get: (deviceId) => known.get(deviceId) ?? terminals?.get(deviceId) },
    async prepare(rows) {
      await known.prepare(rows)
      await terminals?.prepare(rows.filter(({ deviceId }) => !known.get(deviceId)))
    },
    isOpen: () => client().isOpen(),
    send({ serial, handlers }, bytes, command) {
      if (handlers.kind === 'terminal') client().publish(terminalOwner(serial).down, bytes, { qos: 0 })
      else client().publish(cabinetOwner(serial).down, bytes, { qos: qosTo(command as Command) })
    },
  })
}

/**
 * Becomes one of the gateway nodes behind a broker. A broker that is away is dialled until it is there. Each cabinet's
 * reports are worked off one after the other, and acknowledged after their commit. (The order between nodes is the
 * broker's: where it can share by topic or by client, it should.)
 */
export async function joinCluster(
  node: GatewayNode,
  access: BrokerAccess,
  byBroker: MqttTerminals | null = null,
): Promise<Cluster> {
  const { log, limits, metrics } = node
  const name = nameOf(access)
  const known = devices(node, name)
  const publish = (topic: string, bytes: Buffer) => client.publish(topic, bytes, { qos: 0 })
  const terminals = byBroker && brokerTerminals({ node, name, terminals: byBroker, bell: () => bell, publish })
  const bell = bellOf({ node, name, known, terminals }, () => client)
  const member: Member = { node, name, known, terminals, bell, hasMissed: false }
  const echo = ({ topic, payload, qos }: Incoming) =>
    client.publish(topic, payload, { qos: qos === 0 ? 0 : 1, isEcho: true })
  const missed = () => {
    member.hasMissed = true
  }
  const work = worker({ node, dispatcher: bell, devices: known, missed, echo })
  const onReady = (isKept: boolean) => {
    if (!isKept) missed()
    bell.ringAll()
  }
  const onMessage = (message: Incoming) => heard(terminals, work, message)
  const hears = { filters: filtersOf(terminals), onReady, onMessage, onFlood: missed }
  const client = brokerClient({ access, awayMsMax: limits.brokerAwayMsMax, log, ...hears })
  numbers(metrics.registry, client, known)
  const stopWriting = startWriting(member)
  const deafen = await hearBells(member)
  return {
    name,
    isOpen: client.isOpen,
    isShared: client.isShared,
    count: known.count,
    async loggedIn(boxId) {
      const device = await known.find(boxId)
      if (device) await known.arrived(device, true)
    },
    async close() {
      await client.deafen()
      await work.finish()
      await terminals?.finish()
      await stopWriting()
      await deafen()
      await bell.settled()
      await client.close()
    },
  }
}
