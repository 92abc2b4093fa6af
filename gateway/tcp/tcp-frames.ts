import type { Duplex } from 'node:stream'
import type { Report } from '../../protocol/cabinet.ts'
import { newFramer } from '../../protocol/cabinet-tcp/index.ts'
import { BrokenStream, MalformedBody } from '../../protocol/errors.ts'
import { isDue, isWorthALook, lookAgain } from '../cabinet/identity-check.ts'
import { accepted, receive } from '../cabinet/reports.ts'
import { count } from '../counts.ts'
import type { GatewayNode } from '../node.ts'
import type { Session } from '../sessions.ts'
import {
  drop,
  end,
  fail,
  finish,
  framesPerTickMax,
  gone,
  type Link,
  pause,
  type ReceivedFrame,
  resume,
  send,
  unreadable,
} from './tcp-connection.ts'
import { entropy, login } from './tcp-login.ts'

/** A heartbeat is a bare header in both dialects (docs/protocol.md 0x61). */
const beatBytes = 9
/** Heartbeats are answered with neither (docs/protocol.md 0x61). */
const noEntropy = { nonce: 0, unixSeconds: 0 }

const later = 'later'

/**
 * Serves one cabinet, on a socket or on any other two-way stream. Heartbeats are answered from memory at once; all else
 * is worked off in order, one report at a time, and acknowledged after its commit.
 */
export function serve(stream: Duplex, address: string, node: GatewayNode): Link {
  const link: Link = {
    stream,
    address,
    framer: newFramer(),
    carrier: {
      send: (bytes) => send(node, link, bytes),
      isOpen: () => link.ending === null,
      finish: (reason) => finish(node, link, reason),
      settled: async () => {
        link.isYielding = true
        pause(link)
        await link.running
      },
      goOn: () => {
        link.isYielding = false
        resume(node, link)
      },
      cut: (reason) => drop(node, link, reason),
    },
    session: null,
    queue: [],
    running: null,
    isPaused: false,
    isYielding: false,
    frames: 0,
    malformedInARow: 0,
    beatHead: 0,
    beatTail: 0,
    beatEnd: 0,
    beatCodec: null,
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

/**
 * A cabinet's heartbeat is the same nine bytes every time, and so is its answer: once heard, believed and answered with
 * itself, it needs no second hearing. With a thousand cabinets the hearing is mostly waiting for memory.
 */
const repeats = (link: Link, session: Session, chunk: Buffer) =>
  chunk.length === beatBytes &&
  link.partialAt === 0 &&
  chunk.readInt32BE(0) === link.beatHead &&
  chunk.readInt32BE(4) === link.beatTail &&
  chunk[8] === link.beatEnd &&
  // Believed under the keys of now.
  link.beatCodec === session.codec

function remember(link: Link, session: Session, beat: Buffer): void {
  link.beatCodec = session.codec
  link.beatHead = beat.readInt32BE(0)
  link.beatTail = beat.readInt32BE(4)
  link.beatEnd = beat[8]!
}

/** Answers a heartbeat that is known. */
function beatAgain(node: GatewayNode, link: Link, session: Session, chunk: Buffer): void {
  link.frames += 1
  link.malformedInARow = 0
  session.heardAt = node.clock.now
  if (isDue(node, session)) void lookAgain(node, session)
  count(node.counts.heard, 'heartbeat')
  count(node.counts.acknowledged, 'heartbeat')
  send(node, link, chunk)
  if (link.frames > framesPerTickMax(node)) pause(link)
}

function read(node: GatewayNode, link: Link, chunk: Buffer): void {
  if (link.ending !== null) return
  const { session } = link
  if (session !== null && repeats(link, session, chunk)) beatAgain(node, link, session, chunk)
  else readFrames(node, link, chunk)
}

/** One read of the stream: every whole frame in it, and all replies that are ready in one write. */
function readFrames(node: GatewayNode, link: Link, chunk: Buffer): void {
  const replies: Buffer[] = []
  const framesBefore = link.frames
  let trouble: unknown = null
  try {
    for (const frame of link.framer.push(chunk)) take(node, link, frame, replies)
  } catch (error) {
    trouble = error
  }
  if (replies.length > 0) send(node, link, replies.length === 1 ? replies[0]! : Buffer.concat(replies))
  if (trouble !== null) stumble(node, link, trouble)
  else if (link.framer.rest().length === 0) link.partialAt = 0
  else if (link.partialAt === 0 || link.frames > framesBefore) link.partialAt = node.clock.now
  if (link.queue.length >= node.limits.framesWaitingMax || link.frames > framesPerTickMax(node)) pause(link)
}

/** There is no way back in step. A cabinet may have said something true in front of it; an unauthorised device has said nothing. */
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
  const report = session ? hearNow(node, link, session, frame) : later
  if (report === later) enqueue(node, link, { frame, report: null })
  else if (report?.kind === 'heartbeat') {
    const answer = session!.codec.answer(frame, accepted, noEntropy)
    if (!answer) return
    count(node.counts.acknowledged, report.kind)
    replies.push(answer)
    if (frame.length === beatBytes && answer.equals(frame)) remember(link, session!, frame)
  } else if (report) enqueue(node, link, { frame, report })
}

/** The report of a frame; null when it is unreadable; `later` when that is worth a look at the cabinet's keys. */
function hearNow(node: GatewayNode, link: Link, session: Session, frame: Buffer): Report | null | typeof later {
  try {
    return hear(node, link, session, frame)
  } catch (error) {
    if (!(error instanceof MalformedBody)) throw error
    if (isWorthALook(node, session)) return later
    unreadable(node, link, frame, error)
    return null
  }
}

function enqueue(node: GatewayNode, link: Link, heard: ReceivedFrame): void {
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
async function act(node: GatewayNode, link: Link, heard: ReceivedFrame): Promise<void> {
  const { frame } = heard
  const { session } = link
  if (session === null) {
    if (link.ending === null) link.session = await login(node, link, frame)
    return
  }
  const report = heard.report ?? (await hearAgain(node, link, session, frame))
  if (report.kind === 'login') {
    if (link.ending === null) link.session = (await login(node, link, frame)) ?? session
    return
  }
  const verdict =
    report.kind === 'heartbeat'
      ? accepted
      : await node.limiter.run(() => receive(node, session, report, frame.toString('hex').toUpperCase()))
  const answer = session.codec.answer(frame, verdict, entropy())
  if (!answer) return
  count(node.counts.acknowledged, report.kind)
  send(node, link, answer)
}

/** A frame that came before the login was done, or that nothing we knew could read. */
async function hearAgain(node: GatewayNode, link: Link, session: Session, frame: Buffer): Promise<Report> {
  try {
    return hear(node, link, session, frame)
  } catch (error) {
    if (!(error instanceof MalformedBody && isWorthALook(node, session))) throw error
    await lookAgain(node, session)
    return hear(node, link, session, frame)
  }
}

function hear(node: GatewayNode, link: Link, session: Session, frame: Buffer): Report {
  if (isDue(node, session)) void lookAgain(node, session)
  const report = session.codec.decode(frame)
  link.malformedInARow = 0
  count(node.counts.heard, report.kind)
  return report
}
