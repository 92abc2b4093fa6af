import { createHash } from 'node:crypto'
import { COMMAND_CHANNEL, DEVICE_CHANNEL } from '../../db/postgres/channels.ts'
import { sweep } from '../../db/powerbank/janitor.ts'
import { lookAtAll } from '../../db/powerbank/mqtt-stations.ts'
import type { Command } from '../../protocol/cabinet.ts'
import { qosOf, topics } from '../../protocol/cabinet-mqtt/index.ts'
import { type Dispatcher, dispatcher } from '../dispatcher.ts'
import { gauge } from '../metrics.ts'
import type { GatewayNode } from '../node.ts'
import { every } from '../patience.ts'
import { type BrokerAccess, brokerClient, type Incoming } from './broker-client.ts'
import { type Devices, devices } from './known-devices.ts'
import { worker } from './worker.ts'

/** What cabinets say (docs/protocol.md 5.2). */
const filters = ['/powerbank/+/user/update', '/powerbank/+/user/heart']

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
  bell: Dispatcher
  /** Something may have been said to nobody since all cabinets were last asked what they hold. */
  hasMissed: boolean
}

/** Writes by the clock what this node has heard, and asks what it may have missed. @returns what stops it */
function startWriting(member: Member): () => Promise<void> {
  const { node, name, known, bell } = member
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
      writtenAt = now
      // A bell that was lost costs no more than this interval.
      bell.ringAll()
    } catch (error) {
      node.logSparingly('cluster.not_written', { error })
    }
  })
}

/**
 * Becomes one of the gateway nodes behind a broker. A broker that is away is dialled until it is there. Each cabinet's
 * reports are worked off one after the other, and acknowledged after their commit. (The order between nodes is the
 * broker's: where it can share by topic or by client, it should.)
 */
export async function joinCluster(node: GatewayNode, access: BrokerAccess): Promise<Cluster> {
  const { db, log, counts, limits } = node
  const { observe, registry } = node.metrics
  const name = nameOf(access)
  const known = devices(node, name)
  const bell = dispatcher({
    ...{ name, db, log, counts, observe, sessions: known, prepare: known.prepare },
    isOpen: () => client.isOpen(),
    send: ({ serial }, bytes, command: Command) => client.publish(topics(serial).get, bytes, { qos: qosTo(command) }),
  })
  const member: Member = { node, name, known, bell, hasMissed: false }
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
  const awayMsMax = limits.brokerAwayMsMax
  const client = brokerClient({ access, awayMsMax, filters, log, onReady, onMessage: work.take, onFlood: missed })
  gauge(registry, 'voltbay_broker_up', '1 while this node is subscribed at the broker', () => Number(client.isOpen()))
  gauge(registry, 'voltbay_broker_cabinets', 'Cabinets behind the broker that this node remembers', known.count)
  const stopWriting = startWriting(member)
  const unlisten = await Promise.all([
    db.listen(COMMAND_CHANNEL, (stationId) => bell.ring(Number(stationId)), bell.ringAll),
    db.listen(DEVICE_CHANNEL, (stationId) => known.forget(Number(stationId))),
  ])
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
      await stopWriting()
      await Promise.all(unlisten.map((stop) => stop()))
      await bell.settled()
      await client.close()
    },
  }
}
