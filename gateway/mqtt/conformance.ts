import { Readable } from 'node:stream'
import type { Aedes, AedesPublishPacket, Client, ConnectPacket } from 'aedes'

// What MQTT 3.1.1 asks of a server and aedes 1.2.0 leaves out; found by test/gateway/mqtt/mqtt-conformance.test.ts.

const connectHeader = 0x10
const nameLengthBytes = 2
const lengthBytesMax = 4
/** MQTT 3.1 says 3 and MQTT 3.1.1 says 4; the rest is answered with 0x01 (MQTT-3.1.2-2). */
const levelsSpoken = [3, 4]
const levelRefused = Buffer.from([0x20, 2, 0, 1])
const idRefused = Buffer.from([0x20, 2, 0, 2])

/** Where the body of a packet begins, or null as long as its length is not complete. */
function bodyAt(bytes: Buffer): number | null {
  for (let at = 1; at <= Math.min(lengthBytesMax, bytes.length - 1); at++) if (bytes[at]! < 0x80) return at + 1
  return null
}

/**
 * The answer to a CONNECT of a protocol level we do not speak, after which the connection ends (MQTT-3.1.2-2). aedes
 * hangs up without a word, because its parser knows no such level. Null: it is spoken here, or this is no CONNECT.
 * @param bytes the first that came; a level that came later than them goes unanswered
 */
export function answerToLevel(bytes: Buffer): Buffer | null {
  if (bytes[0] !== connectHeader) return null
  const body = bodyAt(bytes)
  if (body === null || bytes.length < body + nameLengthBytes) return null
  const nameEnd = body + nameLengthBytes + bytes.readUInt16BE(body)
  const name = bytes.toString('latin1', body + nameLengthBytes, nameEnd)
  const level = bytes[nameEnd]
  if ((name !== 'MQTT' && name !== 'MQIsdp') || level === undefined) return null
  return levelsSpoken.includes(level) ? null : levelRefused
}

/** The will of a CONNECT, as far as it is looked at here. */
type Will = { qos?: number }

/**
 * May this CONNECT be looked at by `authenticate`? What may not is answered as the standard says and its connection
 * ended: an empty client id cannot name a session to keep (MQTT-3.1.3-8), a will has no QoS 3 (MQTT-3.1.2-14), and a
 * password needs a user name (MQTT-3.1.2-22). For aedes' `preConnect`.
 */
export function isWellMannered({ conn }: Client, packet: ConnectPacket): boolean {
  if (packet.clientId === '' && !packet.clean) {
    // aedes would destroy the connection, and with it the answer.
    conn.end(idRefused, () => conn.destroy())
    return false
  }
  const { qos = 0 } = (packet.will ?? {}) as Will
  const isSound = qos <= 2 && (packet.password === undefined || packet.username !== undefined)
  if (!isSound) conn.destroy()
  return isSound
}

/** Does a topic filter match a topic (MQTT 4.7)? */
function matches(filter: string, topic: string): boolean {
  const wanted = filter.split('/')
  const levels = topic.split('/')
  for (const [n, want] of wanted.entries()) {
    if (want === '#') return true
    if (n >= levels.length || (want !== '+' && want !== levels[n])) return false
  }
  return wanted.length === levels.length
}

/** The subscriptions of a client as aedes keeps them; its types do not name them. */
type Subscriptions = Record<string, { qos: number }>

/**
 * A message goes out at no more than the highest QoS its subscriptions grant (MQTT-3.8.4-6, MQTT-3.3.5-1); aedes looks
 * at no wildcard, and at nothing for what it kept. For aedes' `authorizeForward`.
 */
export function withinGranted(client: Client, packet: AedesPublishPacket): AedesPublishPacket {
  if (packet.qos === 0 || packet.cmd !== 'publish') return packet
  const { subscriptions } = client as unknown as { subscriptions: Subscriptions }
  let granted = -1
  for (const [filter, { qos }] of Object.entries(subscriptions))
    if (qos > granted && matches(filter, packet.topic)) granted = qos
  if (granted >= 0 && granted < packet.qos) packet.qos = granted as 0 | 1 | 2
  return packet
}

/** What the store of a broker keeps for one client; aedes' types do not name it. */
type Store = { outgoingStream(client: { id: string }): AsyncIterable<AedesPublishPacket> }

async function* repeated(kept: AsyncIterable<AedesPublishPacket>) {
  for await (const packet of kept) {
    // Only what has been sent has an id.
    if (packet.cmd === 'publish' && packet.messageId !== undefined) packet.dup = true
    yield packet
  }
}

/** What is sent again to a session that was kept says so (MQTT-3.3.1-1); aedes forgets it. Call it once for a broker. */
export function markRepeats(broker: Aedes): void {
  const { persistence } = broker as unknown as { persistence: Store }
  const kept = persistence.outgoingStream.bind(persistence)
  persistence.outgoingStream = (client) => Readable.from(repeated(kept(client)))
}
