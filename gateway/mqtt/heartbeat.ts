import { topicOf } from '../../protocol/cabinet-mqtt/index.ts'
import { MalformedBody } from '../../protocol/errors.ts'
import { write } from '../connection.ts'
import { count } from '../counts.ts'
import { accepted } from '../device-handlers.ts'
import { isDue, lookAgain } from '../identity-check.ts'
import type { Channel } from './device-topics.ts'
import type { MqttConnection } from './mqtt-connection.ts'
import { acknowledgedAt, encodePublish, nextId, type Published, publishedAt } from './packets.ts'

// What goes past the broker, which would look for subscribers, retained messages and sessions that a device's heartbeat
// has none of, and write three times: heartbeats and their answers, our words to the device, its acknowledgements.

/** Its next packet id. All that is said to a device at QoS 1 is said here, so no two of a connection are alike. */
function idFor(connection: MqttConnection): number {
  connection.lastId = nextId(connection.lastId)
  return connection.lastId
}

/** Said at no more than the device has subscribed with (MQTT-3.8.4-6). */
function granted(connection: MqttConnection, channel: Channel, qos: number): 0 | 1 {
  return Math.min(qos, connection.granted[channel] ?? qos) >= 1 ? 1 : 0
}

/** Says one thing to a device that is in. What it does not hear now it never hears. */
export function tell(
  connection: MqttConnection,
  { topic, channel, payload, qos }: { topic: string; channel: Channel; payload: Buffer; qos: number },
): void {
  if (!connection.owner || !connection.stream.writable) return
  const most = granted(connection, channel, qos)
  write(connection, encodePublish({ topic, payload, qos: most, id: most === 0 ? 0 : idFor(connection) }))
}

/** What goes back for a heartbeat: the same bytes on the same topic (docs/protocol.md 5.6), its acknowledgement first. */
function answered(connection: MqttConnection, { topic, id, payload, qos }: Published): Buffer | null {
  const { node, session, credential } = connection
  const about = topicOf(topic)
  if (!session || about?.channel !== 'heart' || about.uuid !== credential?.serial) return null
  let echo: Buffer | null
  try {
    // Only a heartbeat has an answer on this wire, whatever it says of the signal: it need not be understood for that.
    echo = session.codec.answer(payload, accepted, { nonce: 0, unixSeconds: 0 })
  } catch (error) {
    if (error instanceof MalformedBody) return null
    throw error
  }
  if (!echo) return null
  session.heardAt = node.clock.now
  if (isDue(session)) void lookAgain(session)
  connection.malformedInARow = 0
  count(node.counts.heard, 'heartbeat')
  count(node.counts.publishes, 'acknowledged')
  count(node.counts.acknowledged, 'heartbeat')
  const most = granted(connection, 'heart', qos)
  return encodePublish({ topic, payload: echo, qos: most, id: most === 0 ? 0 : idFor(connection) }, id)
}

/**
 * Takes what needs no broker from the front of what was read, whole packets only; the rest is the broker's. Nothing is
 * taken before CONNACK, which is the first a device may hear (MQTT-3.2.0-1).
 * @param bytes begin with a packet
 * @returns how many of them were taken
 */
export function takeBeats(connection: MqttConnection, bytes: Buffer): number {
  if (!connection.client?.connected || !connection.session || connection.ending !== null || !connection.stream.writable)
    return 0
  const answers: Buffer[] = []
  let at = 0
  while (at < bytes.length) {
    const acknowledgedEnd = acknowledgedAt(bytes, at)
    if (acknowledgedEnd !== null) {
      at = acknowledgedEnd
      continue
    }
    const said = publishedAt(bytes, at)
    const answer = said && answered(connection, said)
    if (!answer) break
    answers.push(answer)
    at = said.end
  }
  if (answers.length > 0) write(connection, answers.length === 1 ? answers[0]! : Buffer.concat(answers))
  return at
}
