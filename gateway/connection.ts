import type { Duplex } from 'node:stream'
import type { AnyCommand } from '../protocol/any-device.ts'
import type { MalformedBody } from '../protocol/errors.ts'
import { count } from './counts.ts'
import type { DeviceHandlers } from './device-handlers.ts'
import type { GatewayNode } from './node.ts'
import { resetStream } from './raw-socket.ts'
import type { Session } from './sessions.ts'

/** Of an unreadable frame this much goes to the log. */
const hexBytesMax = 64

/** What a transport does its own way with connections of its own: one object for all of them. */
export interface Transport {
  name: 'tcp' | 'mqtt'
  /** False while nobody listens at the other end of a connection that holds. */
  isListening(connection: Connection): boolean
  /** Says what answers the device. */
  say(connection: Connection, bytes: Buffer): void
  /** Writes one frame. A broker carries each `command` as it must be carried: movements never twice. */
  send(connection: Connection, bytes: Buffer, command: AnyCommand): void
  /** Reads nothing until `readOn`. */
  pause(connection: Connection): void
  /** Reads on where reading was stopped, once there is room. */
  readOn(connection: Connection): void
  /** Its stream is closed. */
  gone?(connection: Connection): void
  /** Once a tick, as long as it lives: whoever missed a deadline is dropped. */
  tick(connection: Connection): void
}

/** One connection of a device, whatever the transport. Small on purpose: ten thousand are idle most of the time. */
export interface Connection {
  node: GatewayNode
  transport: Transport
  /** Of the devices that dial here. */
  handlers: DeviceHandlers
  stream: Duplex
  address: string
  session: Session | null
  /** Who it says it is, once that was believed. */
  serial: string | undefined
  /** The last work on what was heard; null while nothing waits. One at a time, in the order it was heard. */
  running: Promise<void> | null
  waiting: number
  /** A newer connection of the same device waits for this one: nothing more is read here. */
  isYielding: boolean
  malformedInARow: number
  /** Why it ends; null while it lives. What comes in after that is thrown away. */
  ending: string | null
  endingAt: number
}

/** A connection that just came in, and what of it is its transport's `own`; it goes by itself with its stream. */
export function newConnection<Own extends object>(
  come: Pick<Connection, 'node' | 'transport' | 'handlers' | 'stream' | 'address'>,
  own: Own,
): Connection & Own {
  const { node, transport, handlers, stream, address } = come
  const begun: Connection = {
    node,
    transport,
    handlers,
    stream,
    address,
    session: null,
    serial: undefined,
    running: null,
    waiting: 0,
    isYielding: false,
    malformedInARow: 0,
    ending: null,
    endingAt: 0,
  }
  // Not `{ ...begun, … }`: V8 keeps what follows a spread in a dictionary, 800 bytes instead of 200.
  const connection = Object.assign(begun, own)
  node.connections.add(connection)
  // It comes once; `once` would keep two more functions for every connection.
  stream.on('close', () => void gone(connection))
  return connection
}

/** Writes; a device that does not read is dropped instead of filling our memory. */
export function write(connection: Connection, bytes: Buffer): void {
  const { stream, node } = connection
  if (stream.writableEnded || stream.destroyed) return
  stream.write(bytes)
  if (stream.writableLength > node.limits.writeBufferBytesMax) drop(connection, 'reads_too_slowly')
}

/** False once it is ending, for whatever reason, and while nobody listens at its other end. */
export const isOpen = (connection: Connection) =>
  connection.ending === null && connection.transport.isListening(connection)

/** Does one thing of a device after the other. Also after it has hung up: what was heard is a fact. */
export function inTurn<T>(connection: Connection, work: () => Promise<T>): Promise<T> {
  const done = (connection.running ?? Promise.resolve()).then(work)
  connection.waiting += 1
  const after = () => {
    connection.waiting -= 1
    if (connection.running === mine) connection.running = null
    if (connection.running === null && connection.ending !== null) end(connection)
    connection.transport.readOn(connection)
  }
  const mine = done.then(after, after)
  connection.running = mine
  return done
}

/** Stops reading, until `goOn`, and resolves once nothing that was heard waits for the database. */
export async function settled(connection: Connection): Promise<void> {
  connection.isYielding = true
  connection.transport.pause(connection)
  await connection.running
}

/** Reads on after `settled`. */
export function goOn(connection: Connection): void {
  connection.isYielding = false
  connection.transport.readOn(connection)
}

/** A frame we cannot take: the stream is still in step, so it goes on, unless it is one after another. */
export function unreadable(connection: Connection, frame: Buffer, { message, answer }: MalformedBody): void {
  const { node } = connection
  if (answer) connection.transport.say(connection, answer)
  node.counts.malformed += 1
  connection.malformedInARow += 1
  const hex = frame.toString('hex', 0, hexBytesMax).toUpperCase()
  node.logSparingly('frame.unreadable', { ...about(connection), why: message, bytes: frame.length, hex })
  if (connection.session?.handlers.misheard?.mayMatter(frame)) void look(connection, connection.session)
  if (connection.malformedInARow >= node.limits.malformedInARowMax) finish(connection, 'malformed')
}

/** What it said and nobody could read is to be looked into. Nothing is told of a database that is away: it looks at its next login. */
const look = (connection: Connection, { handlers, deviceId }: Session) =>
  inTurn(connection, async () => {
    const { node } = connection
    await node.limiter.run(() => node.db.transaction((tx) => handlers.misheard!.look(tx, deviceId)))
  }).catch((error) => connection.node.log('look.failed', { ...about(connection), error }))

/** Our side failed: nothing is acknowledged, the device says it again on its next connection. */
export function fail(connection: Connection, error: unknown): void {
  const { node } = connection
  node.counts.failures += 1
  node.log('report.failed', { ...about(connection), error })
  drop(connection, 'our_failure')
}

/** Takes nothing more, works off what was heard, then ends. `reason` as `noun_or_verb`, for logs and rows. */
export function finish(connection: Connection, reason: string): void {
  if (connection.ending !== null) return
  ending(connection, reason)
  if (connection.running === null) end(connection)
  connection.transport.readOn(connection)
}

/** What was written still reaches the device; one that does not close its own side is cut after a deadline. */
function end(connection: Connection): void {
  connection.endingAt = connection.node.clock.now
  connection.stream.end()
}

/** Ends at once: what waits unheard was never acknowledged, so an honest device says it again. */
export function drop(connection: Connection, reason: string): void {
  if (connection.ending === null) ending(connection, reason)
  connection.stream.destroy()
}

/** Ends at once and by a reset: what was written and is under way must not arrive any more. */
export function reset(connection: Connection, reason: string): void {
  if (connection.ending === null) ending(connection, reason)
  resetStream(connection.stream)
}

/** Notes why it ends, where that is known before the stream closes. */
export function ending(connection: Connection, reason: string): void {
  const { node, session, handlers } = connection
  connection.ending = reason
  connection.endingAt = node.clock.now
  count(node.counts.ended, reason)
  const log = session ? node.log : node.logSparingly
  log(`${handlers.kind}.dropped`, { ...about(connection), reason })
}

/** For the log: who, and from where. */
export const about = ({ session, serial, address }: Connection) => ({ deviceId: session?.deviceId, serial, address })

/** Once a tick. */
export function tick(connection: Connection): void {
  const { node, ending, endingAt, running, stream, transport, session } = connection
  // What it may still obey is not ours to wait for: the order is in doubt, and its next login's list decides.
  if (ending === null && session?.movement && node.clock.now > session.movement.until) reset(connection, 'unanswered')
  else if (ending === null) transport.tick(connection)
  else if (node.clock.now - endingAt > node.limits.endDeadlineMs && running === null) stream.destroy()
}

/** The stream is closed. The row learns it when all that was heard has been stored. */
async function gone(connection: Connection): Promise<void> {
  const { node } = connection
  node.connections.delete(connection)
  connection.transport.gone?.(connection)
  if (connection.ending === null) ending(connection, 'closed')
  if (connection.session) node.sessions.remove(connection.session)
  await connection.running
  if (connection.session) await leave(connection.session, connection.ending ?? 'closed')
}

/** Writes down that a session is over, unless a newer connection owns the device or the node releases all it has. */
async function leave(session: Session, reason: string): Promise<void> {
  const { deviceId, epoch, connection, handlers } = session
  const { node } = connection
  if (node.isClosing) return
  node.sessions.remove(session)
  // A newer connection owns the row already.
  if ((node.sessions.get(deviceId)?.epoch ?? 0) > epoch) return
  try {
    const left = { deviceId, node: node.name, epoch, reason }
    await node.limiter.run(async () => {
      if (!node.isClosing) await node.db.transaction((tx) => handlers.close(tx, left))
    })
  } catch (error) {
    node.log('connection.not_closed', { deviceId, error })
  }
}
