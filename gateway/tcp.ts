import type { Duplex } from 'node:stream'
import { close } from '../db/connections.ts'
import type { Report } from '../protocol/cabinet.ts'
import { type Cutter, cutter } from '../protocol/cabinet-tcp/index.ts'
import { BrokenStream, MalformedBody } from '../protocol/errors.ts'
import { accepted, receive } from './cabinet.ts'
import { count } from './counts.ts'
import { entropy, identifyAgain, login } from './login.ts'
import type { GatewayNode } from './node.ts'
import type { Carrier, Session } from './sessions.ts'

/** Of an unreadable frame this much goes to the log. */
const hexBytesMax = 64
/** Heartbeats are answered with neither (cabinet-protocol 0x61). */
const noEntropy = { nonce: 0, unixSeconds: 0 }

const later = 'later'

/** A frame that waits for the database; `report` is missing where it could not be heard yet. */
interface Heard {
  frame: Buffer
  report: Report | null
}

/** One TCP connection. Small on purpose: ten thousand of them are idle most of the time. */
export interface Link {
  stream: Duplex
  address: string
  knife: Cutter
  carrier: Carrier
  session: Session | null
  queue: Heard[]
  /** The work on the queue; null while nothing waits. */
  running: Promise<void> | null
  isPaused: boolean
  /** Frames read since the last tick. */
  frames: number
  malformedInARow: number
  /** The node's clock when the connection came, or when the frame under way began (0: none is). */
  openedAt: number
  partialAt: number
  /** Why it ends; null while it lives. What comes in after that is thrown away. */
  ending: string | null
  endingAt: number
}

/**
 * Serves one cabinet, on a socket or on any other two-way stream. Heartbeats are answered from memory at once; all else
 * is worked off in order, one report at a time, and acknowledged after its commit.
 */
export function serve(stream: Duplex, address: string, node: GatewayNode): Link {
  const link: Link = {
    stream,
    address,
    knife: cutter(),
    carrier: {
      send: (bytes) => send(node, link, bytes),
      isOpen: () => link.ending === null,
      finish: (reason) => finish(node, link, reason),
      settled: async () => {
        pause(link)
        await link.running
      },
    },
    session: null,
    queue: [],
    running: null,
    isPaused: false,
    frames: 0,
    malformedInARow: 0,
    openedAt: node.clock.now,
    partialAt: 0,
    ending: null,
    endingAt: 0,
  }
  node.links.add(link)
  stream.on('data', (chunk: Buffer) => read(node, link, chunk))
  stream.on('end', () => finish(node, link, 'closed_by_cabinet'))
  stream.on('error', (error: NodeJS.ErrnoException) => drop(node, link, error.code?.toLowerCase() ?? 'error'))
  stream.on('close', () => void gone(node, link))
  return link
}

const framesPerTickMax = ({ limits }: GatewayNode) => (limits.framesPerSecondMax * limits.tickMs) / 1000

/** True when what we know of this cabinet must be looked up again before its next frame is believed. */
const isDoubtful = (node: GatewayNode, session: Session) =>
  session.isStale || node.clock.now - session.identifiedAt > node.limits.identifyAgainMs

/** One read of the stream: every whole frame in it, and all replies that are ready in one write. */
function read(node: GatewayNode, link: Link, chunk: Buffer): void {
  if (link.ending !== null) return
  const replies: Buffer[] = []
  const framesBefore = link.frames
  let trouble: unknown = null
  try {
    for (const frame of link.knife.push(chunk)) take(node, link, frame, replies)
  } catch (error) {
    trouble = error
  }
  if (replies.length > 0) send(node, link, replies.length === 1 ? replies[0]! : Buffer.concat(replies))
  if (trouble !== null) stumble(node, link, trouble)
  else if (link.knife.rest().length === 0) link.partialAt = 0
  else if (link.partialAt === 0 || link.frames > framesBefore) link.partialAt = node.clock.now
  if (link.queue.length >= node.limits.framesWaitingMax || link.frames > framesPerTickMax(node)) pause(link)
}

/** There is no way back in step. A cabinet may have said something true in front of it; a stranger has said nothing. */
function stumble(node: GatewayNode, link: Link, error: unknown): void {
  if (!(error instanceof BrokenStream)) fail(node, link, error)
  else {
    node.counts.brokenStreams += 1
    if (link.session) finish(node, link, 'broken_stream')
    else drop(node, link, 'broken_stream')
  }
}

/** One frame: a heartbeat is answered here and now, anything else waits its turn. */
function take(node: GatewayNode, link: Link, frame: Buffer, replies: Buffer[]): void {
  const { session } = link
  link.frames += 1
  if (session) session.heardAt = node.clock.now
  const report = session && !isDoubtful(node, session) ? hearNow(node, link, session, frame) : later
  if (report === later) enqueue(node, link, { frame, report: null })
  else if (report?.kind === 'heartbeat') {
    const answer = session!.voice.answer(frame, accepted, noEntropy)
    if (!answer) return
    count(node.counts.acknowledged, report.kind)
    replies.push(answer)
  } else if (report) enqueue(node, link, { frame, report })
}

/** The report of a frame; null when it is unreadable; `later` when the cabinet's keys must be looked up first. */
function hearNow(node: GatewayNode, link: Link, session: Session, frame: Buffer): Report | null | typeof later {
  try {
    return hear(node, link, session, frame)
  } catch (error) {
    if (!(error instanceof MalformedBody)) throw error
    // The operator may have given it a new key since: looked up once, then heard again.
    session.isStale = session.needsKey && node.clock.now - session.identifiedAt >= node.limits.identifyAgainMsMin
    if (session.isStale) return later
    unreadable(node, link, frame, error)
    return null
  }
}

function enqueue(node: GatewayNode, link: Link, heard: Heard): void {
  link.queue.push(heard)
  link.running ??= work(node, link)
}

/** Works off the queue, one report at a time. Also after the connection is gone: what was heard is a fact. */
async function work(node: GatewayNode, link: Link): Promise<void> {
  for (let heard = link.queue.shift(); heard; heard = link.queue.shift()) {
    try {
      await act(node, link, heard)
    } catch (error) {
      if (error instanceof MalformedBody) unreadable(node, link, heard.frame, error)
      else fail(node, link, error)
    }
    resume(node, link)
  }
  link.running = null
  if (link.ending !== null) end(node, link)
}

/** One frame that could not be answered at once: a login, a report, or the first one after a doubt. */
async function act(node: GatewayNode, link: Link, heard: Heard): Promise<void> {
  const { frame } = heard
  const { session } = link
  if (session === null) {
    if (link.ending === null) link.session = await login(node, link, frame)
    return
  }
  if (isDoubtful(node, session) && !(await identifyAgain(node, session))) return
  const report = heard.report ?? hear(node, link, session, frame)
  if (report.kind === 'login') {
    if (link.ending === null) link.session = (await login(node, link, frame)) ?? session
    return
  }
  const verdict =
    report.kind === 'heartbeat'
      ? accepted
      : await node.gate.run(() => receive(node, session, report, frame.toString('hex').toUpperCase()))
  const answer = session.voice.answer(frame, verdict, entropy())
  if (!answer) return
  count(node.counts.acknowledged, report.kind)
  send(node, link, answer)
}

function hear(node: GatewayNode, link: Link, session: Session, frame: Buffer): Report {
  const report = session.voice.hear(frame)
  link.malformedInARow = 0
  count(node.counts.heard, report.kind)
  return report
}

function send(node: GatewayNode, link: Link, bytes: Buffer): void {
  const { stream } = link
  if (stream.writableEnded || stream.destroyed) return
  stream.write(bytes)
  if (stream.writableLength > node.limits.writeBufferBytesMax) drop(node, link, 'reads_too_slowly')
}

function pause(link: Link): void {
  link.isPaused = true
  link.stream.pause()
}

/** Reads on where reading was stopped, once there is room again. */
export function resume(node: GatewayNode, link: Link): void {
  if (!link.isPaused || link.frames > framesPerTickMax(node)) return
  if (link.ending === null && link.queue.length * 2 > node.limits.framesWaitingMax) return
  link.isPaused = false
  link.stream.resume()
}

/** A frame we cannot take: the stream is still in step, so it goes on, unless it is one after another. */
function unreadable(node: GatewayNode, link: Link, frame: Buffer, { message }: MalformedBody): void {
  node.counts.malformed += 1
  link.malformedInARow += 1
  const hex = frame.toString('hex', 0, hexBytesMax).toUpperCase()
  node.logSparingly('frame.unreadable', { ...about(link), why: message, bytes: frame.length, hex })
  if (link.malformedInARow >= node.limits.malformedInARowMax) finish(node, link, 'malformed')
}

/** Our side failed: nothing is acknowledged, the cabinet says it again on its next connection. */
function fail(node: GatewayNode, link: Link, error: unknown): void {
  node.counts.failures += 1
  node.log('report.failed', { ...about(link), error })
  drop(node, link, 'our_failure')
}

/** Takes nothing more, works off what was heard, then ends. */
function finish(node: GatewayNode, link: Link, reason: string): void {
  if (link.ending !== null) return
  ending(node, link, reason)
  resume(node, link)
  if (link.running === null) end(node, link)
}

/** What was written still reaches the cabinet; one that does not close its own side is cut after a deadline. */
function end(node: GatewayNode, link: Link): void {
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
async function gone(node: GatewayNode, link: Link): Promise<void> {
  node.links.delete(link)
  if (link.ending === null) ending(node, link, 'closed')
  if (link.session) node.sessions.remove(link.session)
  await link.running
  const { session, ending: reason } = link
  if (!session || node.isClosing) return
  node.sessions.remove(session)
  const { stationId, epoch } = session
  // A newer connection owns the row already.
  if ((node.sessions.get(stationId)?.epoch ?? 0) > epoch) return
  try {
    const left = { stationId, node: node.name, epoch, reason: reason ?? 'closed' }
    await node.gate.run(async () => {
      if (!node.isClosing) await node.db.transaction((tx) => close(tx, left))
    })
  } catch (error) {
    node.log('connection.not_closed', { stationId, error })
  }
}
