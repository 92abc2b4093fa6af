import type { Duplex } from 'node:stream'
import type { Client } from 'aedes'
import type { Credential } from '../../db/devices/mqtt-credentials.ts'
import type { Command } from '../../protocol/cabinet.ts'
import { type Channel, qosOf, topics } from '../../protocol/cabinet-mqtt/index.ts'
import { BrokenStream } from '../../protocol/errors.ts'
import type { Limits, MqttConfig } from '../config.ts'
import { count } from '../counts.ts'
import type { GatewayNode } from '../node.ts'
import type { Carrier, Session } from '../sessions.ts'
import { leave } from '../tcp/tcp-connection.ts'
import { answerToLevel } from './conformance.ts'
import { takeBeats, tell } from './heartbeat.ts'
import { type Meter, meter } from './packet-limits.ts'

/** Before a device is known it may say CONNECT and what follows it at once, but nothing long. */
const unauthorisedPacketBytesMax = 4_096
const msPerSecond = 1_000
/** A device whose socket takes nothing for so long is cut. */
export const drainTimeoutMs = 15_000

/** One connection to the broker. */
export interface Line {
  stream: Duplex
  address: string
  config: MqttConfig
  /** The broker's half; missing until it is handed over. */
  client: Client | null
  carrier: Carrier
  credential: Credential | null
  session: Session | null
  /** The last work of this device; null while nothing waits. One at a time, in the order it was heard. */
  running: Promise<void> | null
  waiting: number
  meter: Meter
  /** Something was read: its protocol level has been looked at. */
  isBegun: boolean
  /** Packets and bytes read and not paid for yet: a share is, at every tick. */
  packets: number
  bytes: number
  /** The broker asked for more and was told to wait. */
  isStalled: boolean
  /** A newer connection of the same device waits for this one: nothing more is read here. */
  isYielding: boolean
  /** The QoS its topics were subscribed with; null: not. Commands wait for theirs: said earlier, they would go nowhere. */
  granted: Record<Channel, number | null>
  /** The last packet id of ours. */
  lastId: number
  /** It is cut when it says nothing for longer; 0: its CONNECT asked for no such thing. */
  keepAliveMs: number
  /** The node's clock when something was read, and since when its socket takes nothing; null: it does. */
  readAt: number
  stuckAt: number | null
  malformedInARow: number
  /** Why it ends; null while it lives. */
  ending: string | null
  endingAt: number
}

/** A connection that just came in, counted and metered; it ends by itself with its stream. */
export function newLine(node: GatewayNode, config: MqttConfig, stream: Duplex, address: string): Line {
  const line: Line = {
    stream,
    address,
    config,
    client: null,
    carrier: {
      send: (bytes, command) => send(node, line, bytes, command),
      isOpen: () => line.ending === null && line.granted.get !== null,
      finish: (reason) => finish(node, line, reason),
      settled: async () => {
        line.isYielding = true
        await line.running
      },
      goOn: () => {
        line.isYielding = false
        readOn(node, line)
      },
      cut: (reason) => drop(node, line, reason),
    },
    credential: null,
    session: null,
    running: null,
    waiting: 0,
    meter: meter(),
    isBegun: false,
    packets: 0,
    bytes: 0,
    isStalled: false,
    isYielding: false,
    granted: { get: null, heart: null, update: null },
    lastId: 0,
    keepAliveMs: 0,
    readAt: node.clock.now,
    stuckAt: null,
    malformedInARow: 0,
    ending: null,
    endingAt: 0,
  }
  node.lines.add(line)
  metered(node, line)
  // It comes once; `once` would keep two more functions for every connection.
  stream.on('close', () => void gone(node, line))
  return line
}

/** What one line may say between two ticks. */
function shareOf({ tickMs }: Limits, { packetsPerSecondMax, bytesPerSecondMax }: MqttConfig) {
  const seconds = tickMs / msPerSecond
  return { packets: packetsPerSecondMax * seconds, bytes: bytesPerSecondMax * seconds }
}

/** True while no more may be read: too much of it this second, or too much that waits for the database. */
function isFull({ limits }: GatewayNode, { config, packets, bytes, waiting, isYielding, ending }: Line): boolean {
  if (ending !== null) return false
  const share = shareOf(limits, config)
  return isYielding || waiting >= limits.framesWaitingMax || packets > share.packets || bytes > share.bytes
}

/**
 * Stands between the stream and the broker, which reads whatever there is and collapses when it is flooded: a full line
 * gives it nothing, so the rest stays in the socket. A stream in between would cost every idle device two buffers.
 */
function metered(node: GatewayNode, line: Line): void {
  const { stream, config } = line
  const read = stream.read.bind(stream)
  stream.read = (size) => {
    if (isFull(node, line)) {
      line.isStalled = true
      return null
    }
    const chunk: Buffer | null = read(size)
    if (chunk === null) return null
    const no = line.isBegun ? null : answerToLevel(chunk)
    line.isBegun = true
    if (no) {
      ending(node, line, 'unknown_level')
      stream.end(no)
      return null
    }
    line.readAt = node.clock.now
    try {
      const isBetween = line.meter.isBetween()
      const most = line.session === null && !config.openNamespace ? unauthorisedPacketBytesMax : config.packetBytesMax
      line.packets += line.meter.push(chunk, most)
      line.bytes += chunk.length
      const taken = isBetween ? takeBeats(node, line, chunk) : 0
      if (taken === 0) return chunk
      return taken === chunk.length ? null : chunk.subarray(taken)
    } catch (error) {
      if (!(error instanceof BrokenStream)) throw error
      node.counts.brokenStreams += 1
      drop(node, line, 'broken_stream')
      return null
    }
  }
}

/** Lets the broker read where it was told to wait, once there is room. */
export function readOn(node: GatewayNode, line: Line): void {
  if (!line.isStalled || isFull(node, line)) return
  line.isStalled = false
  line.stream.emit('readable')
}

/** Does one thing of a device after the other. */
export function inTurn<T>(node: GatewayNode, line: Line, work: () => Promise<T>): Promise<T> {
  const done = (line.running ?? Promise.resolve()).then(work)
  line.waiting += 1
  const after = () => {
    line.waiting -= 1
    if (line.running === mine) line.running = null
    if (line.running === null && line.ending !== null) end(node, line)
    readOn(node, line)
  }
  const mine = done.then(after, after)
  line.running = mine
  return done
}

/**
 * Publishes to this device and nobody else, past topics, queues and retained messages: what it does not hear now it never
 * hears. Movements go at QoS 0, for a lost acknowledgement must not open a slot twice (docs/protocol.md 5.2).
 */
function send(node: GatewayNode, line: Line, payload: Buffer, command: Command | undefined): void {
  const { credential } = line
  if (!credential || !command) return
  const { get: topic } = topics(credential.deviceId)
  tell(node, line, { topic, channel: 'get', payload, qos: qosOf(command) })
}

/** Takes nothing more, works off what was heard, then ends. */
export function finish(node: GatewayNode, line: Line, reason: string): void {
  if (line.ending !== null) return
  ending(node, line, reason)
  if (line.running === null) end(node, line)
  readOn(node, line)
}

function end(node: GatewayNode, line: Line): void {
  line.endingAt = node.clock.now
  line.stream.end()
}

/** Ends at once. */
export function drop(node: GatewayNode, line: Line, reason: string): void {
  if (line.ending === null) ending(node, line, reason)
  line.stream.destroy()
}

/** Notes why it ends, where that is known before the stream closes. */
export function ending(node: GatewayNode, line: Line, reason: string): void {
  line.ending = reason
  line.endingAt = node.clock.now
  count(node.counts.ended, reason)
  const log = line.session ? node.log : node.logSparingly
  log('cabinet.dropped', { ...about(line), reason })
}

/** For the log: who, and from where. */
export const about = ({ session, credential, address }: Line) => ({
  stationId: session?.stationId,
  boxId: credential?.deviceId,
  address,
})

/** The stream is closed. The row learns it when all that was heard has been stored. */
async function gone(node: GatewayNode, line: Line): Promise<void> {
  node.lines.delete(line)
  if (line.ending === null) ending(node, line, 'closed')
  if (line.session) node.sessions.remove(line.session)
  await line.running
  if (line.session) await leave(node, line.session, line.ending ?? 'closed')
}

/** Once a tick: a new share to read, and whoever has been silent for too long goes (docs/protocol.md 5.6). */
export function lookAt(node: GatewayNode, line: Line): void {
  const { limits, clock } = node
  if (line.ending !== null) {
    if (clock.now - line.endingAt > limits.endDeadlineMs && line.running === null) line.stream.destroy()
    return
  }
  const share = shareOf(limits, line.config)
  // One read may hold many shares; they are paid back.
  line.packets = Math.max(0, line.packets - share.packets)
  line.bytes = Math.max(0, line.bytes - share.bytes)
  readOn(node, line)
  if (!line.stream.writableNeedDrain) line.stuckAt = null
  else if (clock.now - (line.stuckAt ??= clock.now) > drainTimeoutMs) drop(node, line, 'reads_too_slowly')
  if (line.isStalled || line.running !== null) return
  const { session, config, keepAliveMs, readAt } = line
  if (!session) return
  if (clock.now - session.heardAt > config.silentMs) drop(node, line, 'silent')
  else if (keepAliveMs > 0 && clock.now - readAt > keepAliveMs) drop(node, line, 'silent')
}
