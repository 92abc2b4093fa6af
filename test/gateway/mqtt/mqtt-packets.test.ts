import fc from 'fast-check'
import { generate, type IPublishPacket, type Packet, parser } from 'mqtt-packet'
import { expect, test } from 'vitest'
import { acknowledgedAt, encodePublish, nextId, publishedAt } from '../../../gateway/mqtt/packets.ts'

/** All packets in these bytes, as a library reads them. */
function read(bytes: Buffer): Packet[] {
  const packets: Packet[] = []
  const reader = parser({ protocolVersion: 4 })
  reader.on('packet', (packet) => packets.push(packet))
  expect(reader.parse(bytes)).toBe(0)
  return packets
}

const qos = fc.constantFrom(0 as const, 1 as const)
const id = fc.integer({ min: 1, max: 0xffff })
const topic = fc.stringMatching(/^[a-z0-9/]{1,40}$/)
const payloadUpTo = (maxLength: number) => fc.uint8Array({ maxLength }).map((bytes) => Buffer.from(bytes))

test('what we spell is what a library reads, of every length', () => {
  const said = fc.record({ topic, payload: payloadUpTo(20_000), qos, id })
  fc.assert(
    fc.property(said, fc.nat({ max: 0xffff }), ({ id, ...publish }, acknowledged) => {
      const packets = read(encodePublish({ ...publish, id }, acknowledged))
      const ours = { cmd: 'publish', ...publish, retain: false, dup: false }
      expect(packets.at(-1)).toMatchObject(publish.qos === 0 ? ours : { ...ours, messageId: id })
      const before = acknowledged === 0 ? [] : [{ cmd: 'puback', messageId: acknowledged }]
      expect(packets.slice(0, -1)).toMatchObject(before)
    }),
  )
})

test('a short publish is read as a library spells it, wherever it begins, and never a part of it', () => {
  const said = fc.record({ topic, payload: payloadUpTo(80), qos, id, isRepeated: fc.boolean() })
  fc.assert(
    fc.property(said, payloadUpTo(9), ({ id, isRepeated, ...publish }, before) => {
      const packet = { cmd: 'publish', ...publish, retain: false, dup: isRepeated && publish.qos > 0 } as IPublishPacket
      if (publish.qos > 0) packet.messageId = id
      const bytes = Buffer.concat([before, generate(packet)])
      expect(publishedAt(bytes, before.length)).toEqual(
        bytes.length - before.length > 129 ? null : { ...publish, id: publish.qos && id, end: bytes.length },
      )
      for (let end = before.length + 1; end < bytes.length; end++)
        expect(publishedAt(bytes.subarray(0, end), before.length)).toBeNull()
    }),
    { numRuns: 30 },
  )
})

test.for([
  ['3407000161000141', 'QoS 2'],
  ['3607000161000141', 'QoS 3'],
  ['310400016141', 'retained'],
  ['3306000161000141', 'retained at QoS 1'],
  ['380400016141', 'a duplicate at QoS 0'],
  ['3206000161000041', 'packet id 0'],
  ['320400016100', 'half a packet id'],
  ['30040003616141', 'a topic longer than the packet'],
  ['3000', 'no topic'],
  ['300100', 'half a topic length'],
  ['30', 'no length'],
  ['c000', 'a PINGREQ'],
  ['40020001', 'a PUBACK'],
])('left to the broker: %s, %s', ([hex]) => {
  expect(publishedAt(Buffer.from(hex!, 'hex'), 0)).toBeNull()
})

test('an acknowledgement is read whole or not at all', () => {
  const bytes = Buffer.from('ff40020007', 'hex')
  expect(acknowledgedAt(bytes, 1)).toBe(5)
  for (const end of [2, 3, 4]) expect(acknowledgedAt(bytes.subarray(0, end), 1)).toBeNull()
  expect(acknowledgedAt(Buffer.from('4003000700', 'hex'), 0)).toBeNull()
  expect(acknowledgedAt(Buffer.from('50020007', 'hex'), 0)).toBeNull()
})

test('packet ids go round, and 0 is none', () => {
  expect([nextId(0), nextId(0xfffe), nextId(0xffff)]).toEqual([1, 0xffff, 1])
})
