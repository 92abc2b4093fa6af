import type { PublishPacket } from 'aedes'
import type { AnyReport } from '../../protocol/any-device.ts'
import { MalformedBody } from '../../protocol/errors.ts'
import { about, ending, fail, inTurn, unreadable } from '../connection.ts'
import { act, type SpeakingConnection } from '../conversation.ts'
import { count } from '../counts.ts'
import { accepted, receive } from '../device-handlers.ts'
import { isDue, lookAgain } from '../identity-check.ts'
import type { GatewayNode } from '../node.ts'
import type { Session } from '../sessions.ts'
import { type Channel, deviceTopicOf } from './device-topics.ts'
import { tell } from './heartbeat.ts'
import type { MqttConnection } from './mqtt-connection.ts'

// What devices publish at the embedded broker.

/** Is this a topic of its own, and not that one? */
export function isOf({ owner }: MqttConnection, topic: string, otherThan: Channel): boolean {
  const about = deviceTopicOf(topic)
  return about !== null && about.kind === owner?.kind && about.name === owner.name && about.channel !== otherThan
}

type Callback = (error?: Error | null) => void

/**
 * A device has published. The broker acknowledges when `callback` is called without an error, which is after the commit;
 * with one it drops the connection, and the device says it again.
 */
export function heard(connection: MqttConnection, packet: PublishPacket, callback: Callback): void {
  const { node, session, owner } = connection
  const isSpeaker = owner?.kind === 'terminal'
  // Nothing a device says is for others to find later (MQTT 3.1.1 3.3.1.3).
  packet.retain = false
  if (connection.ending !== null || !(session || isSpeaker)) {
    callback(new Error('it is ending'))
    return
  }
  if (!isOf(connection, packet.topic, 'get')) {
    count(node.counts.publishes, 'refused')
    node.logSparingly('publish.refused', about(connection))
    ending(connection, 'not_its_topic')
    callback(new Error('not its topic'))
    return
  }
  const payload = packet.payload as Buffer
  if (session) session.heardAt = node.clock.now
  if (isSpeaker) converse(connection as MqttConnection & SpeakingConnection, payload, callback)
  else hearCabinet(connection, session!, packet, callback)
}

/** A device that says who it is by its first message: one after the other, each acknowledged when it is done with. */
function converse(connection: MqttConnection & SpeakingConnection, payload: Buffer, callback: Callback): void {
  const done = inTurn(connection, async () => {
    if (connection.stream.destroyed) throw new Error('it is gone')
    try {
      await act(connection, payload, null)
    } catch (error) {
      if (error instanceof MalformedBody) return poisoned(connection, payload, error, callback)
      throw error
    }
    count(connection.node.counts.publishes, 'acknowledged')
    callback(null)
  })
  done.catch((error) => {
    payload.fill(0)
    failed(connection, error, callback)
  })
}

/** A cabinet's reports are decoded as they come: its heartbeats do not wait for the others. */
function hearCabinet(connection: MqttConnection, session: Session, packet: PublishPacket, callback: Callback): void {
  const { node } = connection
  if (isDue(session)) void lookAgain(session)
  const payload = packet.payload as Buffer
  let report: AnyReport
  try {
    report = session.codec.decode(payload)
  } catch (error) {
    if (error instanceof MalformedBody) poisoned(connection, payload, error, callback)
    else failed(connection, error, callback)
    return
  }
  connection.malformedInARow = 0
  count(node.counts.heard, report.kind)
  if (report.kind === 'heartbeat') {
    const echo = session.codec.answer(payload, accepted, { nonce: 0, unixSeconds: 0 })
    if (echo) tell(connection, { topic: packet.topic, channel: 'heart', payload: echo, qos: packet.qos })
    acknowledge(node, report.kind, callback)
  } else store(connection, report, payload, callback)
}

/** One report after the other, for the broker hands them over all at once. */
function store(connection: MqttConnection, report: AnyReport, payload: Buffer, callback: Callback): void {
  const { node } = connection
  const session = connection.session!
  const hex = payload.toString('hex').toUpperCase()
  const since = performance.now()
  const done = inTurn(connection, async () => {
    // One before it was not stored: this one waits behind it, on the next connection.
    if (connection.stream.destroyed) throw new Error('it is gone')
    await receive(node, session, report, hex, since)
    acknowledge(node, report.kind, callback)
  })
  done.catch((error) => failed(connection, error, callback))
}

/** Our side failed: not acknowledged, so the device says it again on its next connection, and all that it said behind it. */
function failed(connection: MqttConnection, error: unknown, callback: Callback): void {
  count(connection.node.counts.publishes, 'failed')
  if (!connection.stream.destroyed) fail(connection, error)
  callback(error as Error)
}

function acknowledge(node: GatewayNode, kind: string, callback: Callback): void {
  count(node.counts.publishes, 'acknowledged')
  count(node.counts.acknowledged, kind)
  callback(null)
}

/**
 * A message nobody can read comes back for ever unless it is acknowledged (docs/decisions.md "Three errors, three fates");
 * its bytes are kept in the log.
 */
function poisoned(connection: MqttConnection, payload: Buffer, error: MalformedBody, callback: Callback): void {
  count(connection.node.counts.publishes, 'poisoned')
  // Before it may end for that.
  callback(null)
  unreadable(connection, payload, error)
}
