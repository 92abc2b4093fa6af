import { within } from '../../db/platform/patience.ts'
import { type Channel, topicOf } from '../../protocol/cabinet-mqtt/index.ts'
import { MalformedBody } from '../../protocol/errors.ts'
import { count } from '../counts.ts'
import { receive } from '../device-handlers.ts'
import type { Dispatcher } from '../dispatcher.ts'
import type { GatewayNode } from '../node.ts'
import type { Incoming } from './broker-client.ts'
import type { Devices, Known } from './known-devices.ts'

/** Of an unreadable frame this much goes to the log. */
const hexBytesMax = 64
/** A report our side cannot store is tried again after this, then after twice as long … */
const retryMs = 250
const retryMsMax = 5_000
/**
 * … and given up after so many attempts with the database there: acknowledgements keep their order, so it would hold up
 * everybody's. What it said an inventory will tell.
 */
const attemptsMax = 5
/** Messages that nobody will send again, waiting for the database at once, and bytes of all that wait. */
const fleetingMax = 10_000
const waitingBytesMax = 33_554_432
const workMs = 5_000

const hexOf = (payload: Buffer) => payload.toString('hex', 0, hexBytesMax).toUpperCase()

/** What the work is done with. */
interface Desk {
  node: GatewayNode
  dispatcher: Dispatcher
  devices: Devices
  /** Something was said that nobody could take: all cabinets are to be looked into. */
  missed(): void
  /** Sends a heartbeat back. */
  echo(message: Incoming): void
}

/** A message of a cabinet's own topics. */
interface ReceivedMessage {
  boxId: string
  channel: Channel
  message: Incoming
}

async function poisoned(desk: Desk, heard: ReceivedMessage, { message: why }: MalformedBody): Promise<void> {
  const { node } = desk
  const {
    boxId,
    message: { payload },
  } = heard
  node.counts.malformed += 1
  count(node.counts.publishes, 'poisoned')
  node.logSparingly('frame.unreadable', { boxId, why, bytes: payload.length, hex: hexOf(payload) })
  await lookAfter(desk, heard)
}

/** What it said is lost, if it said anything that matters: it is looked into. */
async function lookAfter(
  { node, devices, missed }: Desk,
  { boxId, message: { payload } }: ReceivedMessage,
): Promise<void> {
  const device = devices.remembered(boxId)
  const misheard = device?.handlers.misheard
  if (!device || !misheard?.mayMatter(payload)) return
  try {
    await node.limiter.run(() => node.db.transaction((tx) => misheard.look(tx, device.deviceId)))
  } catch (error) {
    node.logSparingly('look.failed', { boxId, error })
    missed()
  }
}

/** The same bytes on the same topic, from memory (docs/protocol.md 5.6). */
function beat({ node, echo }: Desk, device: Known, message: Incoming): void {
  if (device.codec.decode(message.payload).kind !== 'heartbeat') throw new MalformedBody('no heartbeat')
  device.heardAt = node.clock.now
  count(node.counts.heard, 'heartbeat')
  echo(message)
  count(node.counts.acknowledged, 'heartbeat')
}

/** One message, once it is its turn. @throws MalformedBody | whatever keeps it from being stored */
async function act(desk: Desk, { boxId, channel, message }: ReceivedMessage): Promise<void> {
  const { node, dispatcher, devices } = desk
  const device = await devices.find(boxId)
  if (!device) return
  const report = device.codec.decode(message.payload)
  if ((report.kind === 'heartbeat') !== (channel === 'heart')) throw new MalformedBody(`${report.kind} on ${channel}`)
  if (await devices.arrived(device, false)) dispatcher.ring(device.deviceId)
  if (channel === 'heart') return beat(desk, device, message)
  device.heardAt = node.clock.now
  count(node.counts.heard, report.kind)
  const { db, metrics } = node
  await receive({ db, metrics, dispatcher }, device, report, message.payload.toString('hex').toUpperCase())
  count(node.counts.acknowledged, report.kind)
}

/** Waits a while. @returns false when there is no time any more */
type Pause = (milliseconds: number) => Promise<boolean>

/**
 * One message, again and again until it is stored: a broker says nothing twice on a connection that holds.
 * @returns true once it is done with, by whatever end; false: we are leaving, and the broker keeps it
 */
async function persist(desk: Desk, heard: ReceivedMessage, pause: Pause): Promise<boolean> {
  const { node } = desk
  let attempts = 0
  for (let pauseMs = retryMs; ; pauseMs = Math.min(pauseMs * 2, retryMsMax)) {
    try {
      await node.limiter.run(() => act(desk, heard))
      count(node.counts.publishes, 'acknowledged')
      return true
    } catch (error) {
      if (error instanceof MalformedBody) {
        await poisoned(desk, heard, error)
        return true
      }
      node.counts.failures += 1
      count(node.counts.publishes, 'failed')
      attempts = node.isDatabaseThere ? attempts + 1 : 0
      const isGivenUp = attempts >= attemptsMax
      const about = { boxId: heard.boxId, hex: hexOf(heard.message.payload), error }
      node.log(isGivenUp ? 'report.given_up' : 'report.failed', about)
      if (isGivenUp) {
        await lookAfter(desk, heard)
        return true
      }
    }
    if (!(await pause(pauseMs))) return false
  }
}

/** What this node does with the messages of a broker. */
export interface Worker {
  take(message: Incoming): void
  /** Waits for what was heard, but not for what the database cannot take. */
  finish(): Promise<void>
}

/** Messages at work, each cabinet's in the order they came. @param pause resolves false when there is no time any more */
function chains(desk: Desk, pause: Pause) {
  const byBox = new Map<string, Promise<void>>()
  let waiting = 0
  let bytes = 0
  return {
    queue(heard: ReceivedMessage) {
      const { boxId, message } = heard
      // The broker holds back what is acknowledged late; what is not acknowledged at all must not fill our memory.
      const isFull = waiting >= fleetingMax || bytes >= waitingBytesMax
      if (message.qos === 0 && isFull) {
        desk.missed()
        return count(desk.node.counts.publishes, 'refused')
      }
      waiting += 1
      bytes += message.payload.length
      const mine = (byBox.get(boxId) ?? Promise.resolve())
        .then(() => persist(desk, heard, pause))
        .then((isDone) => {
          if (isDone) message.acknowledge()
          waiting -= 1
          bytes -= message.payload.length
          if (byBox.get(boxId) === mine) byBox.delete(boxId)
        })
      byBox.set(boxId, mine)
    },
    settled: async () => void (await Promise.all(byBox.values())),
  }
}

/** Works messages off, and acknowledges each when it is done with. */
export function worker(desk: Desk): Worker {
  const { node, devices } = desk
  const closing = Promise.withResolvers<void>()
  const { queue, settled } = chains(desk, async (milliseconds) => !(await within(milliseconds, closing.promise)))
  return {
    take(message) {
      const topic = topicOf(message.topic)
      // Our own echo has been heard when it was a heartbeat.
      if (!topic || message.isEcho) return message.acknowledge()
      if (message.isRetained) {
        count(node.counts.publishes, 'retained')
        return message.acknowledge()
      }
      const heard = { boxId: topic.uuid, channel: topic.channel, message }
      const device = devices.remembered(topic.uuid)
      if (topic.channel !== 'heart' || !device?.isOpen) return queue(heard)
      try {
        beat(desk, device, message)
      } catch (error) {
        if (!(error instanceof MalformedBody)) throw error
        void poisoned(desk, heard, error)
      }
      message.acknowledge()
    },
    async finish() {
      if (node.isDatabaseThere) await within(workMs, settled())
      closing.resolve()
      await settled()
    },
  }
}
