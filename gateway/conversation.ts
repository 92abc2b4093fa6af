import { randomInt } from 'node:crypto'
import type { AnyReport, AnyVerdict } from '../protocol/any-device.ts'
import { MalformedBody } from '../protocol/errors.ts'
import { type Connection, finish } from './connection.ts'
import { count } from './counts.ts'
import { accepted, type DeviceHandlers, type Outcome, receive } from './device-handlers.ts'
import { isDue, isWorthALook, lookAgain } from './identity-check.ts'
import { admit, type Newcomer } from './login.ts'
import type { Session } from './sessions.ts'

// What a device says on a line of its own and what it is answered there, whatever carries the frames.

const nonceMax = 2 ** 32
const msPerSecond = 1_000

/** TCP-B's login answer carries a random number and the time (docs/protocol.md 0x60); other answers look at neither. */
export const entropy = () => ({ nonce: randomInt(nonceMax), unixSeconds: Math.floor(Date.now() / msPerSecond) })

/** What the gateway asks of a kind of device that says who it is by its first frame. */
export interface Speaker extends DeviceHandlers {
  /**
   * Who is this, by its first frame or a later login?
   * @returns null: it is not let in, and has been told
   * @throws MalformedBody the frame is no login
   */
  identify(connection: Connection, frame: Buffer): Promise<Newcomer | null>
}

/** A connection of such a device. */
export interface SpeakingConnection extends Connection {
  handlers: Speaker
}

/**
 * One frame, when it is its turn: a login, a report, or the first one after a doubt.
 * @param heard its report; null where it could not be heard yet
 * @throws MalformedBody | whatever keeps it from being stored
 */
export async function act(connection: SpeakingConnection, frame: Buffer, heard: AnyReport | null): Promise<void> {
  const { session, node } = connection
  const report = session && (heard ?? (await hearAgain(connection, session, frame)))
  if (session === null || report === null || report.kind === 'login') {
    if (connection.ending === null) await login(connection, frame)
    return
  }
  const since = performance.now()
  const outcome: Outcome =
    report.kind === 'heartbeat'
      ? { verdict: accepted }
      : await receive(node, session, report, frame.toString('hex').toUpperCase(), since)
  reply(connection, session, { frame, kind: report.kind }, outcome)
}

/** What is answered. */
interface Asked {
  frame: Buffer
  /** Of its report. */
  kind: string
}

/** Says what a report came to: now, or when that is known. */
function reply(connection: Connection, { codec }: Session, { frame, kind }: Asked, outcome: Outcome): void {
  const say = (asked: Buffer, verdict: AnyVerdict) => {
    const answer = codec.answer(asked, verdict, entropy())
    if (!answer) return
    count(connection.node.counts.acknowledged, kind)
    connection.transport.say(connection, answer)
  }
  if (outcome.later) {
    const kept = codec.keep?.(frame) ?? Buffer.from(frame)
    outcome.later((verdict) => say(kept, verdict))
  } else say(frame, outcome.verdict)
  if (outcome.ends !== undefined) finish(connection, outcome.ends)
}

/** Answers a login once it is committed; its commands follow it. @throws MalformedBody the frame is no login */
async function login(connection: SpeakingConnection, frame: Buffer): Promise<void> {
  const { node, handlers, session } = connection
  const newcomer = await handlers.identify(connection, frame)
  if (!newcomer) return
  if (session && session.deviceId !== newcomer.deviceId) return finish(connection, 'other_box_id')
  connection.session = await admit(connection, newcomer, () => newcomer.codec.answer(frame, accepted, entropy()))
  count(node.counts.acknowledged, 'login')
  node.dispatcher.ring(newcomer.deviceId)
}

/** A frame that came before the login was done, or that nothing we knew could read. */
async function hearAgain(connection: Connection, session: Session, frame: Buffer): Promise<AnyReport> {
  try {
    return hear(connection, session, frame)
  } catch (error) {
    // What has an answer is overwritten, and is said again.
    if (!(error instanceof MalformedBody && error.answer === undefined && isWorthALook(session))) throw error
    await lookAgain(session)
    return hear(connection, session, frame)
  }
}

/** A frame's report, believed. @throws MalformedBody */
export function hear(connection: Connection, session: Session, frame: Buffer): AnyReport {
  if (isDue(session)) void lookAgain(session)
  const report = session.codec.decode(frame)
  connection.malformedInARow = 0
  count(connection.node.counts.heard, report.kind)
  return report
}
