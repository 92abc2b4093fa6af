import type { Duplex } from 'node:stream'
import type { Framer } from '../../protocol/any-device.ts'
import { type Connection, drop, newConnection, type Transport, write } from '../connection.ts'
import type { Speaker } from '../conversation.ts'
import type { GatewayNode } from '../node.ts'
import type { AnyCodec } from '../sessions.ts'

/** What the gateway asks of a kind of device that speaks over TCP. */
export interface TcpHandlers extends Speaker {
  newFramer(): Framer
}

/** A connection over TCP. */
export interface TcpConnection extends Connection {
  handlers: TcpHandlers
  framer: Framer
  isPaused: boolean
  /** Frames read since the last tick. */
  frames: number
  /** The last heartbeat that was believed, and the codec that believed it; see `repeats`. `beatHead` 0: none yet. */
  beatHead: number
  beatTail: number
  beatEnd: number
  beatCodec: AnyCodec | null
  /** The node's clock when the connection came, or when the frame under way began (0: none is). */
  openedAt: number
  partialAt: number
}

/** Frames one connection may send between two ticks; beyond, it is read on at the next. */
const framesPerTickMax = ({ limits }: GatewayNode) => (limits.framesPerSecondMax * limits.tickMs) / 1000

/** True when it has said more than it may before the next tick. */
export const isTooFast = ({ node, frames }: TcpConnection) => frames > framesPerTickMax(node)

/** Stops reading until `readOn`; the next tick tries that. */
export function pause(connection: TcpConnection): void {
  connection.isPaused = true
  connection.stream.pause()
}

/** Reads on where reading was stopped, once there is room again. */
function readOn(connection: TcpConnection): void {
  const { node, isPaused, isYielding, ending, waiting } = connection
  if (!isPaused || isTooFast(connection)) return
  if (ending === null && (isYielding || waiting * 2 > node.limits.framesWaitingMax)) return
  connection.isPaused = false
  connection.stream.resume()
}

/** Which deadline it has missed (docs/protocol.md 4), or null. */
function missed({ node: { limits, clock }, handlers, session, partialAt, openedAt }: TcpConnection): string | null {
  if (partialAt > 0 && clock.now - partialAt > limits.partialFrameDeadlineMs) return 'partial_frame'
  if (session === null) return clock.now - openedAt > limits.loginDeadlineMs ? 'no_login' : null
  const silentMs = (handlers.silentHeartbeats ?? limits.silentHeartbeats) * session.heartbeatSeconds * 1000
  return clock.now - session.heardAt > silentMs ? 'silent' : null
}

// Each of these is called with connections of its own transport only, see `newTcpConnection`.
const tcp: Transport = {
  name: 'tcp',
  isListening: () => true,
  say: write,
  send: write,
  pause,
  readOn,
  // What was begun may be a secret.
  gone: ({ framer }: TcpConnection) => void framer.rest().fill(0),
  tick(connection: TcpConnection) {
    connection.frames = 0
    readOn(connection)
    // One that we do not read, or whose word we are working on, is not late.
    const reason = connection.isPaused || connection.running !== null ? null : missed(connection)
    if (reason !== null) drop(connection, reason)
  },
}

/** A connection that just came in. */
export const newTcpConnection = (
  node: GatewayNode,
  handlers: TcpHandlers,
  stream: Duplex,
  address: string,
): TcpConnection =>
  newConnection(
    { node, transport: tcp, handlers, stream, address },
    {
      handlers,
      framer: handlers.newFramer(),
      isPaused: false,
      frames: 0,
      beatHead: 0,
      beatTail: 0,
      beatEnd: 0,
      beatCodec: null,
      openedAt: node.clock.now,
      partialAt: 0,
    },
  )
