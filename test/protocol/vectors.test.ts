import { describe, expect, test } from 'vitest'
import { checksumOf, open, seal, tokenOf, tokenText } from '../../protocol/cabinet-tcp/frame.ts'
import { A, B, deviceCodec, greet, newFramer } from '../../protocol/cabinet-tcp/index.ts'
import { BrokenStream, MalformedBody } from '../../protocol/errors.ts'
import { type Body, decodeBody, encodeBody, type Layout } from '../../protocol/field.ts'
import { bodyOf, frames, negatives, streams, type Vector, vectors } from './vectors.ts'

const key = 'EXAMPLEKEY'

const layoutOf = (vector: Vector, code: number): Layout => {
  const definition = (vector.dialect === 'A' ? A : B).byCode(code)
  return vector.direction === 'device->server' ? definition.up : definition.down
}

const cut = (...chunks: Buffer[]) => {
  const framer = newFramer()
  const whole = chunks.flatMap((chunk) => [...framer.push(chunk)]).map((frame) => frame.toString('hex').toUpperCase())
  return { whole, rest: framer.rest().toString('hex').toUpperCase() }
}

test('every public TCP vector is used', () => {
  expect(frames.length + streams.length + negatives.length).toBe(vectors.length)
  expect([frames.length, streams.length, negatives.length]).toEqual([132, 2, 5])
})

describe.each(frames)('$name', (vector) => {
  const bytes = Buffer.from(vector.hex, 'hex')
  const frame = open(bytes)
  const layout = layoutOf(vector, frame.code)

  test('its header says what the vector says', () => {
    expect(`0x${frame.code.toString(16).toUpperCase()}`).toBe(vector.command)
    expect(frame.vsn).toBe(vector.decoded.vsn)
    expect(tokenText(frame.token)).toBe(vector.decoded.token)
    expect(checksumOf(frame.payload) === frame.checksum).toBe(vector.verify.checksum_ok)
  })

  test('its body says what the vector says, and goes out byte for byte', () => {
    const body = decodeBody(layout, frame.payload)
    expect(body).toEqual(bodyOf(vector))
    const again = seal(frame.code, frame.vsn, frame.token, encodeBody(layout, body))
    // Five published server frames carry a constant where the checksum belongs; all other bytes are theirs.
    if (!vector.verify.checksum_ok) again[4] = frame.checksum
    expect(again.toString('hex').toUpperCase()).toBe(vector.hex)
  })

  test('no part of it is a message', () => {
    for (let size = 1; size < bytes.length; size++)
      expect(cut(bytes.subarray(0, size))).toEqual({ whole: [], rest: vector.hex.slice(0, size * 2) })
    for (let size = 0; size < frame.payload.length; size++) {
      const part = frame.payload.subarray(0, size)
      const optional = Object.values(layout).filter(({ shape }) => shape.is === 'optional').length
      let whole: Body<Layout> | undefined
      try {
        whole = decodeBody(layout, part)
      } catch (error) {
        expect(error).toBeInstanceOf(MalformedBody)
        continue
      }
      expect(optional).toBeGreaterThan(0)
      expect(Buffer.from(encodeBody(layout, whole))).toEqual(part)
    }
  })

  test('signed with a key we know, the other side understands it', () => {
    const token = vector.dialect === 'B' ? tokenOf(frame.payload, Buffer.from(key)) : frame.token
    const signed = seal(frame.code, frame.vsn, token, frame.payload)
    const device = deviceCodec(vector.dialect ?? 'A', { key })
    if (vector.direction === 'server->device') return expect(device.decode(signed)).toHaveProperty('kind')
    const login = device.encode({ kind: 'login', boxId: 'DCHEY02504000018' })
    const codec = greet(login).codec({ keys: [key] })
    expect(codec.decode(signed)).toHaveProperty('kind')
  })
})

test.each(streams)('$name is split as given, and at every byte', ({ hex, decoded }) => {
  const bytes = Buffer.from(hex, 'hex')
  expect(cut(bytes)).toEqual({ whole: decoded.frameHex, rest: '' })
  for (let at = 1; at < bytes.length; at++)
    expect(cut(bytes.subarray(0, at), bytes.subarray(at))).toEqual({ whole: decoded.frameHex, rest: '' })
  expect(cut(...[...bytes].map((byte) => Buffer.from([byte])))).toEqual({ whole: decoded.frameHex, rest: '' })
})

test('all captured frames in one stream survive any cut', () => {
  const whole = frames.map(({ hex }) => hex)
  const bytes = Buffer.from(whole.join(''), 'hex')
  for (const size of [1, 2, 3, 7, 8, 9, 10, 64, 1000, bytes.length]) {
    const chunks = []
    for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size))
    expect(cut(...chunks)).toEqual({ whole, rest: '' })
  }
})

test.each(negatives)('$name is refused or waits', ({ hex }) => {
  const bytes = Buffer.from(hex, 'hex')
  const length = bytes.readUInt16BE(0)
  if (length > 4096) expect(() => cut(bytes)).toThrow(BrokenStream)
  else expect(cut(bytes)).toEqual({ whole: [], rest: hex })
})
