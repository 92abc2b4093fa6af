import type { Duplex } from 'node:stream'
import { close } from '../../db/devices/connections.ts'
import type { Codec, Report } from '../../protocol/cabinet.ts'
import type { Framer } from '../../protocol/cabinet-tcp/index.ts'
import type { MalformedBody } from '../../protocol/errors.ts'
import { count } from '../counts.ts'
import type { GatewayNode } from '../node.ts'
import type { Carrier, Session } from '../sessions.ts'

/** Of an unreadable frame this much goes to the log. */
const hexBytesMax = 64

/** A frame that waits for the database; `report` is missing where it could not be heard yet. */
export interface ReceivedFrame {
  frame: Buffer
  report: Report | null
}

/** One TCP connection. Small on purpose: ten thousand of them are idle most of the time. */
export interface Link {
  stream: Duplex
  address: string
  framer: Framer
  carrier: Carrier
  session: Session | null
  queue: ReceivedFrame[]
  /** The work on the queue; null while nothing waits. */
  running: Promise<void> | null
  isPaused: boolean
  /** A newer connection of the same cabinet waits for this one: nothing more is read here. */
  isYielding: boolean
  /** Frames read since the last tick. */
  frames: number
  malformedInARow: number
  /** The last heartbeat that was believed, and the codec that believed it; see `repeats` in tcp.ts. `beatHead` 0: none yet. */
  beatHead: number
  beatTail: number
  beatEnd: number
  beatCodec: Codec | null
  /** The node's clock when the connection came, or when the frame under way began (0: none is). */
  openedAt: number
  partialAt: number
  /** Why it ends; null while it lives. What comes in after that is thrown away. */
  ending: string | null
  endingAt: number
}

/** Frames one connection may send between two ticks; beyond, it is read on at the next. */
export const framesPerTickMax = ({ limits }: GatewayNode) => (limits.framesPerSecondMax * limits.tickMs) / 1000

/** Writes; a cabinet that does not read is dropped instead of filling our memory. */
export function send(node: GatewayNode, link: Link, bytes: Buffer): void {
  const { stream } = link
  if (stream.writableEnded || stream.destroyed) return
  stream.write(bytes)
  if (stream.writableLength > node.limits.writeBufferBytesMax) drop(node, link, 'reads_too_slowly')
}

/** Stops reading until `resume`; the next tick tries that. */
export function pause(link: Link): void {
  link.isPaused = true
  link.stream.pause()
}

/** Reads on where reading was stopped, once there is room again. */
export function resume(node: GatewayNode, link: Link): void {
  if (!link.isPaused || link.frames > framesPerTickMax(node)) return
  if (link.isYielding && link.ending === null) return
  if (link.ending === null && link.queue.length * 2 > node.limits.framesWaitingMax) return
  link.isPaused = false
  link.stream.resume()
}

/** A frame we cannot take: the stream is still in step, so it goes on, unless it is one after another. */
export function unreadable(node: GatewayNode, link: Link, frame: Buffer, { message }: MalformedBody): void {
  node.counts.malformed += 1
  link.malformedInARow += 1
  const hex = frame.toString('hex', 0, hexBytesMax).toUpperCase()
  node.logSparingly('frame.unreadable', { ...about(link), why: message, bytes: frame.length, hex })
  if (link.malformedInARow >= node.limits.malformedInARowMax) finish(node, link, 'malformed')
}

/** Our side failed: nothing is acknowledged, the cabinet says it again on its next connection. */
export function fail(node: GatewayNode, link: Link, error: unknown): void {
  node.counts.failures += 1
  node.log('report.failed', { ...about(link), error })
  drop(node, link, 'our_failure')
}

/** Takes nothing more, works off what was heard, then ends. */
export function finish(node: GatewayNode, link: Link, reason: string): void {
  if (link.ending !== null) return
  ending(node, link, reason)
  resume(node, link)
  if (link.running === null) end(node, link)
}

/** What was written still reaches the cabinet; one that does not close its own side is cut after a deadline. */
export function end(node: GatewayNode, link: Link): void {
  link.endingAt = node.clock.now
  link.stream.end()
}

/** Ends at once. What waits unheard is dropped with it. */
export function drop(node: GatewayNode, link: Link, reason: string): void {
  if (link.ending === null) ending(node, link, reason)
  link.queue = []
  link.stream.destroy()
}

function ending(node: GatewayNode, link: Link, reason: string): void {
  link.ending = reason
  link.endingAt = node.clock.now
  count(node.counts.ended, reason)
  const log = link.session ? node.log : node.logSparingly
  log('cabinet.dropped', { ...about(link), reason })
}

const about = ({ session, address }: Link) => ({ stationId: session?.stationId, boxId: session?.boxId, address })

/** The stream is closed. The row learns it when all that was heard has been stored. */
export async function gone(node: GatewayNode, link: Link): Promise<void> {
  node.links.delete(link)
  if (link.ending === null) ending(node, link, 'closed')
  if (link.session) node.sessions.remove(link.session)
  await link.running
  if (link.session) await leave(node, link.session, link.ending ?? 'closed')
}

/** Writes down that a session is over, unless a newer connection owns the cabinet or the node releases all it has. */
export async function leave(node: GatewayNode, session: Session, reason: string): Promise<void> {
  if (node.isClosing) return
  node.sessions.remove(session)
  const { stationId, epoch } = session
  // A newer connection owns the row already.
  if ((node.sessions.get(stationId)?.epoch ?? 0) > epoch) return
  try {
    const left = { stationId, node: node.name, epoch, reason }
    await node.limiter.run(async () => {
      if (!node.isClosing) await node.db.transaction((tx) => close(tx, left))
    })
  } catch (error) {
    node.log('connection.not_closed', { stationId, error })
  }
}
