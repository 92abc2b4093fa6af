import type { Duplex } from 'node:stream'
import type { Client } from 'aedes'
import type { Credential } from '../../db/devices/mqtt-credentials.ts'
import type { AnyCommand } from '../../protocol/any-device.ts'
import { BrokenStream } from '../../protocol/errors.ts'
import type { Limits, MqttConfig } from '../config.ts'
import { type Connection, drop, ending, newConnection, type Transport } from '../connection.ts'
import type { DeviceHandlers } from '../device-handlers.ts'
import type { GatewayNode } from '../node.ts'
import { answerToLevel } from './conformance.ts'
import type { Channel, Owner } from './device-topics.ts'
import { takeBeats, tell } from './heartbeat.ts'
import { type Meter, meter } from './packet-limits.ts'

/** Before a device is known it may say CONNECT and what follows it at once, but nothing long. */
const unauthorisedPacketBytesMax = 4_096
const msPerSecond = 1_000
/** A device whose socket takes nothing for so long is cut. */
export const drainTimeoutMs = 15_000

/** One connection to the broker. */
export interface MqttConnection extends Connection {
  config: MqttConfig
  /** The broker's half; missing until it is handed over. */
  client: Client | null
  /** Of a cabinet. */
  credential: Credential | null
  /** Who it is, once CONNECT was believed. */
  owner: Owner | null
  /** The node's clock when it was, where the device still has to say who it is. */
  enteredAt: number | null
  meter: Meter
  /** Something was read: its protocol level has been looked at. */
  isBegun: boolean
  /** Packets and bytes read and not paid for yet: a share is, at every tick. */
  packets: number
  bytes: number
  /** The broker asked for more and was told to wait. */
  isStalled: boolean
  /** The QoS its topics were subscribed with; null: not. Commands wait for theirs: said earlier, they would go nowhere. */
  granted: Record<Channel, number | null>
  /** The last packet id of ours. */
  lastId: number
  /** It is cut when it says nothing for longer; 0: its CONNECT asked for no such thing. */
  keepAliveMs: number
  /** The node's clock when something was read, and since when its socket takes nothing; null: it does. */
  readAt: number
  stuckAt: number | null
}

/** A connection that just came in, counted and metered. */
export function newMqttConnection(
  node: GatewayNode,
  handlers: DeviceHandlers,
  config: MqttConfig,
  stream: Duplex,
  address: string,
): MqttConnection {
  const connection = newConnection(
    { node, transport: mqtt, handlers, stream, address },
    {
      config,
      client: null,
      credential: null,
      owner: null,
      enteredAt: null,
      meter: meter(),
      isBegun: false,
      packets: 0,
      bytes: 0,
      isStalled: false,
      granted: { get: null, heart: null, update: null },
      lastId: 0,
      keepAliveMs: 0,
      readAt: node.clock.now,
      stuckAt: null,
    },
  )
  metered(connection)
  return connection
}

/** What one connection may say between two ticks. */
function shareOf({ tickMs }: Limits, { packetsPerSecondMax, bytesPerSecondMax }: MqttConfig) {
  const seconds = tickMs / msPerSecond
  return { packets: packetsPerSecondMax * seconds, bytes: bytesPerSecondMax * seconds }
}

/** True while no more may be read: too much of it this second, or too much that waits for the database. */
function isFull(connection: MqttConnection): boolean {
  const { node, config, packets, bytes, waiting, isYielding, ending } = connection
  const { limits } = node
  if (ending !== null) return false
  const share = shareOf(limits, config)
  return isYielding || waiting >= limits.framesWaitingMax || packets > share.packets || bytes > share.bytes
}

/**
 * Stands between the stream and the broker, which reads whatever there is and collapses when it is flooded: a full one
 * gives it nothing, so the rest stays in the socket. A stream in between would cost every idle device two buffers.
 */
function metered(connection: MqttConnection): void {
  const { node, stream, config } = connection
  const read = stream.read.bind(stream)
  stream.read = (size) => {
    if (isFull(connection)) {
      connection.isStalled = true
      return null
    }
    const chunk: Buffer | null = read(size)
    if (chunk === null) return null
    const no = connection.isBegun ? null : answerToLevel(chunk)
    connection.isBegun = true
    if (no) {
      ending(connection, 'unknown_level')
      stream.end(no)
      return null
    }
    connection.readAt = node.clock.now
    try {
      const isBetween = connection.meter.isBetween()
      const most =
        connection.session === null && !config.openNamespace ? unauthorisedPacketBytesMax : config.packetBytesMax
      connection.packets += connection.meter.push(chunk, most)
      connection.bytes += chunk.length
      const taken = isBetween ? takeBeats(connection, chunk) : 0
      if (taken === 0) return chunk
      return taken === chunk.length ? null : chunk.subarray(taken)
    } catch (error) {
      if (!(error instanceof BrokenStream)) throw error
      node.counts.brokenStreams += 1
      drop(connection, 'broken_stream')
      return null
    }
  }
}

/** Lets the broker read where it was told to wait, once there is room. */
function readOn(connection: MqttConnection): void {
  if (!connection.isStalled || isFull(connection)) return
  connection.isStalled = false
  connection.stream.emit('readable')
}

/**
 * Publishes to this device and nobody else, past topics, queues and retained messages: what it does not hear now it never
 * hears. Movements go at QoS 0, for a lost acknowledgement must not open a slot twice (docs/protocol.md 5.2).
 */
function send(connection: MqttConnection, payload: Buffer, command: AnyCommand): void {
  const { owner } = connection
  if (owner) tell(connection, { topic: owner.down, channel: 'get', payload, qos: owner.qosOf(command) })
}

/** Answers where commands go too; nobody hears them who has not subscribed. Of cabinets only heartbeats are answered, on theirs. */
function say(connection: MqttConnection, payload: Buffer): void {
  const { owner, granted } = connection
  if (owner && granted.get !== null) tell(connection, { topic: owner.down, channel: 'get', payload, qos: 0 })
}

/** A new share to read, and whoever has been silent for too long goes (docs/protocol.md 5.6). */
function tick(connection: MqttConnection): void {
  const { node, stream, config, keepAliveMs, readAt } = connection
  const { limits, clock } = node
  const share = shareOf(limits, config)
  // One read may hold many shares; they are paid back.
  connection.packets = Math.max(0, connection.packets - share.packets)
  connection.bytes = Math.max(0, connection.bytes - share.bytes)
  readOn(connection)
  if (!stream.writableNeedDrain) connection.stuckAt = null
  else if (clock.now - (connection.stuckAt ??= clock.now) > drainTimeoutMs) drop(connection, 'reads_too_slowly')
  const { session, isStalled, running, enteredAt, handlers } = connection
  if (isStalled || running !== null) return
  if (!session) {
    if (enteredAt !== null && clock.now - enteredAt > limits.loginDeadlineMs) drop(connection, 'no_login')
    return
  }
  const { silentHeartbeats } = handlers
  const silentMs = silentHeartbeats ? silentHeartbeats * session.heartbeatSeconds * msPerSecond : config.silentMs
  const isSilent = clock.now - session.heardAt > silentMs
  if (isSilent || (keepAliveMs > 0 && clock.now - readAt > keepAliveMs)) drop(connection, 'silent')
}

// Each of these is called with connections of its own transport only, see `newMqttConnection`.
const mqtt: Transport = {
  name: 'mqtt',
  isListening: ({ granted }: MqttConnection) => granted.get !== null,
  say,
  send,
  // Every read looks whether it may.
  pause: () => {},
  readOn,
  tick,
}
