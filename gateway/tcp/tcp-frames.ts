import type { Duplex } from 'node:stream'
import type { AnyReport } from '../../protocol/any-device.ts'
import { BrokenStream, MalformedBody } from '../../protocol/errors.ts'
import { drop, fail, finish, inTurn, unreadable, write } from '../connection.ts'
import { act, hear } from '../conversation.ts'
import { count } from '../counts.ts'
import { accepted } from '../device-handlers.ts'
import { isDue, isWorthALook, lookAgain } from '../identity-check.ts'
import type { GatewayNode } from '../node.ts'
import type { Session } from '../sessions.ts'
import { isTooFast, newTcpConnection, pause, type TcpConnection, type TcpHandlers } from './tcp-connection.ts'

/** A cabinet's heartbeat is a bare header in both dialects (docs/protocol.md 0x61). */
const beatBytes = 9
/** Heartbeats are answered with neither (docs/protocol.md 0x61). */
const noEntropy = { nonce: 0, unixSeconds: 0 }
const later = 'later'

/**
 * Serves one device, on a socket or on any other two-way stream. Heartbeats are answered from memory at once; all else
 * is worked off in order, one report at a time, and acknowledged after its commit.
 */
export function serve(node: GatewayNode, handlers: TcpHandlers, stream: Duplex, address: string): TcpConnection {
  const connection = newTcpConnection(node, handlers, stream, address)
  stream.on('data', (chunk: Buffer) => read(connection, chunk))
  stream.on('end', () => finish(connection, `closed_by_${handlers.kind}`))
  stream.on('error', (error: NodeJS.ErrnoException) => drop(connection, error.code?.toLowerCase() ?? 'error'))
  return connection
}

/**
 * A cabinet's heartbeat is the same nine bytes every time, and so is its answer: once heard, believed and answered with
 * itself, it needs no second hearing. With a thousand cabinets the hearing is mostly waiting for memory.
 */
const repeats = (connection: TcpConnection, session: Session, chunk: Buffer) =>
  chunk.length === beatBytes &&
  connection.partialAt === 0 &&
  chunk.readInt32BE(0) === connection.beatHead &&
  chunk.readInt32BE(4) === connection.beatTail &&
  chunk[8] === connection.beatEnd &&
  // Believed under the keys of now.
  connection.beatCodec === session.codec

function remember(connection: TcpConnection, session: Session, beat: Buffer): void {
  connection.beatCodec = session.codec
  connection.beatHead = beat.readInt32BE(0)
  connection.beatTail = beat.readInt32BE(4)
  connection.beatEnd = beat[8]!
}

/** Answers a heartbeat that is known. */
function beatAgain(connection: TcpConnection, session: Session, chunk: Buffer): void {
  const { clock, counts } = connection.node
  connection.frames += 1
  connection.malformedInARow = 0
  session.heardAt = clock.now
  if (isDue(session)) void lookAgain(session)
  count(counts.heard, 'heartbeat')
  count(counts.acknowledged, 'heartbeat')
  write(connection, chunk)
  if (isTooFast(connection)) pause(connection)
}

function read(connection: TcpConnection, chunk: Buffer): void {
  const { session } = connection
  // Nobody looks at it any more, and nobody knows what is in it.
  if (connection.ending !== null) chunk.fill(0)
  else if (session !== null && repeats(connection, session, chunk)) beatAgain(connection, session, chunk)
  else readFrames(connection, chunk)
}

/** One read of the stream: every whole frame in it, and all replies that are ready in one write. */
function readFrames(connection: TcpConnection, chunk: Buffer): void {
  const { node, framer } = connection
  const replies: Buffer[] = []
  const framesBefore = connection.frames
  let trouble: unknown = null
  try {
    for (const frame of framer.push(chunk)) take(connection, frame, replies)
  } catch (error) {
    trouble = error
  }
  if (replies.length > 0) write(connection, replies.length === 1 ? replies[0]! : Buffer.concat(replies))
  if (trouble !== null) stumble(connection, trouble)
  else if (framer.rest().length === 0) connection.partialAt = 0
  else if (connection.partialAt === 0 || connection.frames > framesBefore) connection.partialAt = node.clock.now
  if (connection.waiting >= node.limits.framesWaitingMax || isTooFast(connection)) pause(connection)
}

/** There is no way back in step. A device may have said something true in front of it; an unauthorised device has said nothing. */
function stumble(connection: TcpConnection, error: unknown): void {
  if (!(error instanceof BrokenStream)) fail(connection, error)
  else {
    connection.node.counts.brokenStreams += 1
    if (connection.session) finish(connection, 'broken_stream')
    else drop(connection, 'broken_stream')
  }
}

/** One frame: a heartbeat is answered here and now, anything else waits its turn. */
function take(connection: TcpConnection, frame: Buffer, replies: Buffer[]): void {
  const { session, node } = connection
  connection.frames += 1
  if (session) session.heardAt = node.clock.now
  const report = session ? hearNow(connection, session, frame) : later
  if (report === later) enqueue(connection, frame, null)
  else if (report?.kind === 'heartbeat') {
    const answer = session!.codec.answer(frame, accepted, noEntropy)
    if (!answer) return
    count(node.counts.acknowledged, report.kind)
    replies.push(answer)
    if (frame.length === beatBytes && answer.equals(frame)) remember(connection, session!, frame)
  } else if (report) enqueue(connection, frame, report)
}

/** The report of a frame; null when it is unreadable; `later` when that is worth a look at the device's keys. */
function hearNow(connection: TcpConnection, session: Session, frame: Buffer): AnyReport | null | typeof later {
  try {
    return hear(connection, session, frame)
  } catch (error) {
    if (!(error instanceof MalformedBody)) throw error
    const mayBeNew = isWorthALook(session)
    // What has an answer is overwritten, and is said again.
    if (mayBeNew && error.answer === undefined) return later
    if (mayBeNew) void lookAgain(session)
    unreadable(connection, frame, error)
    return null
  }
}

/** Has a frame wait for its turn; `report` is null where it could not be heard yet. */
function enqueue(connection: TcpConnection, frame: Buffer, report: AnyReport | null): void {
  void inTurn(connection, async () => {
    // Dropped: one before it was not stored, so it is said again behind that, on the next connection.
    if (connection.stream.destroyed) return void frame.fill(0)
    try {
      await act(connection, frame, report)
    } catch (error) {
      if (error instanceof MalformedBody) unreadable(connection, frame, error)
      else fail(connection, error)
    }
  })
}
