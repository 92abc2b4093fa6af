// The few packets of MQTT 3.1.1 that a cabinet says and hears, cut by hand: a client library would be what is measured.

import { generate } from 'mqtt-packet'

/** Longer than any test runs, so that nobody pings. */
const keepaliveSeconds = 3_600
const packetId = { subscribe: 1, answer: 2 }
/** Packet ids of what is measured, after those. */
const measuredIds = { from: 16, to: 0xffff }

/** Packet types as their first byte has them, without flags. */
export const type = { connack: 0x20, publish: 0x30, puback: 0x40, suback: 0x90 }

/** What a cabinet says first: who it is, and what it wants to hear, at QoS 1. */
export function greeting(who: { clientId: string; username: string; password: string }, topics: string[]): Buffer[] {
  const connect = generate({
    cmd: 'connect',
    protocolId: 'MQTT',
    protocolVersion: 4,
    clean: true,
    keepalive: keepaliveSeconds,
    ...who,
    password: Buffer.from(who.password),
  })
  const subscriptions = topics.map((topic) => ({ topic, qos: 1 as const }))
  return [connect, generate({ cmd: 'subscribe', messageId: packetId.subscribe, subscriptions })]
}

/** A QoS 1 publish; `idAt` is where its packet id stands. */
export function publish(topic: string, payload: Buffer): { bytes: Buffer; idAt: number } {
  const common = { cmd: 'publish' as const, qos: 1 as const, dup: false, retain: false }
  const bytes = generate({ ...common, messageId: packetId.answer, topic, payload })
  return { bytes, idAt: bytes.length - payload.length - 2 }
}

export const nextId = (id: number) => (id >= measuredIds.to ? measuredIds.from : id + 1)
export const isMeasured = (id: number) => id >= measuredIds.from
export const firstId = measuredIds.from

export const puback = (id: number) => Buffer.of(type.puback, 2, id >> 8, id & 0xff)

/** A packet that was heard: its first byte, and where its body is. */
type Heard = (first: number, bytes: Buffer, from: number, to: number) => void

/** Calls `heard` for each whole packet; what is left of one is returned, to go before the next bytes. */
export function cut(bytes: Buffer, heard: Heard): Buffer | null {
  let at = 0
  while (at < bytes.length) {
    let length = 0
    let body = at + 1
    let shift = 0
    let isWhole = false
    while (body < bytes.length && !isWhole) {
      length |= (bytes[body]! & 0x7f) << shift
      shift += 7
      isWhole = bytes[body++]! < 0x80
    }
    if (!isWhole || body + length > bytes.length) return Buffer.from(bytes.subarray(at))
    heard(bytes[at]!, bytes, body, body + length)
    at = body + length
  }
  return null
}

/** The payload of a publish and its packet id, 0 at QoS 0. */
export function openPublish(first: number, bytes: Buffer, from: number, to: number): { id: number; payload: Buffer } {
  const topicEnd = from + 2 + bytes.readUInt16BE(from)
  const hasId = (first & 0x06) !== 0
  return {
    id: hasId ? bytes.readUInt16BE(topicEnd) : 0,
    payload: bytes.subarray(topicEnd + (hasId ? 2 : 0), to),
  }
}
