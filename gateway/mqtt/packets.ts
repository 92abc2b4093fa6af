// The three packets of MQTT 3.1.1 that we say and hear past the broker: PUBLISH, and the PUBACKs of both sides.

const publish = 0x30
const acknowledgement = 0x40
/** The lower half of a PUBLISH's first byte. */
const flag = { duplicate: 0x08, qos: 0x06, retain: 0x01 }
const idBytes = 2
const nameLengthBytes = 2
const headBytes = 2
/** A packet of a longer body has more than one byte of length. */
const shortBodyBytesMax = 0x7f
const idMax = 0xffff

/** A PUBLISH that was heard, at QoS 0 or 1. */
export interface Published {
  qos: 0 | 1
  /** 0 at QoS 0. */
  id: number
  topic: string
  payload: Buffer
  /** Where the next packet begins. */
  end: number
}

/**
 * A short PUBLISH that begins at `at`; null where something else begins, or only a part of one is there, or one that
 * asks for more than to be heard: QoS 2, retain. Its payload is a view of the same memory.
 */
export function publishedAt(bytes: Buffer, at: number): Published | null {
  const first = bytes[at]!
  const body = at + headBytes
  const end = body + (bytes[at + 1] ?? bytes.length)
  const qos = (first & flag.qos) >> 1
  const isPlain = (first & ~(flag.duplicate | flag.qos)) === publish && qos < 2
  if (!isPlain || end > bytes.length || end - body > shortBodyBytesMax || end - body < nameLengthBytes) return null
  const name = body + nameLengthBytes
  const nameEnd = name + bytes.readUInt16BE(body)
  const payloadAt = nameEnd + (qos === 0 ? 0 : idBytes)
  if (payloadAt > end) return null
  const id = qos === 0 ? 0 : bytes.readUInt16BE(nameEnd)
  // A packet id is never 0 (MQTT-2.3.1-1), a duplicate never of QoS 0 (MQTT-3.3.1-2).
  if (qos === 0 ? first !== publish : id === 0) return null
  const topic = bytes.toString('latin1', name, nameEnd)
  return { qos: qos as 0 | 1, id, topic, payload: bytes.subarray(payloadAt, end), end }
}

/** Where the PUBACK that begins at `at` ends; null: none begins here, or only a part of one. */
export function acknowledgedAt(bytes: Buffer, at: number): number | null {
  const end = at + headBytes + idBytes
  return bytes[at] === acknowledgement && bytes[at + 1] === idBytes && end <= bytes.length ? end : null
}

/** The packet id after this one. */
export const nextId = (id: number) => (id >= idMax ? 1 : id + 1)

/** Bytes of a packet's length. */
const lengthBytes = (length: number) => {
  let bytes = 1
  for (let left = length; left > shortBodyBytesMax; left >>= 7) bytes += 1
  return bytes
}

function writeLength(packet: Buffer, at: number, length: number): number {
  let left = length
  for (; left > shortBodyBytesMax; left >>= 7) packet[at++] = (left & shortBodyBytesMax) | 0x80
  packet[at++] = left
  return at
}

/** What one PUBLISH says. Never retained, never a duplicate: nothing is said twice here. */
interface Saying {
  /** ASCII, as all our topics are. */
  topic: string
  payload: Buffer
  qos: 0 | 1
  /** Of no matter at QoS 0. */
  id: number
}

/** A PUBLISH, behind the PUBACK of `acknowledged` unless that is 0: one write. */
export function encodePublish({ topic, payload, qos, id }: Saying, acknowledged = 0): Buffer {
  const body = nameLengthBytes + topic.length + (qos === 0 ? 0 : idBytes) + payload.length
  const before = acknowledged === 0 ? 0 : headBytes + idBytes
  const packet = Buffer.allocUnsafe(before + 1 + lengthBytes(body) + body)
  if (before > 0) {
    packet[0] = acknowledgement
    packet[1] = idBytes
    packet.writeUInt16BE(acknowledged, headBytes)
  }
  packet[before] = publish | (qos << 1)
  let at = packet.writeUInt16BE(topic.length, writeLength(packet, before + 1, body))
  at += packet.write(topic, at, 'latin1')
  if (qos > 0) at = packet.writeUInt16BE(id, at)
  packet.set(payload, at)
  return packet
}
