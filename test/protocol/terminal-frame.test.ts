import { expect, test } from 'vitest'
import { BrokenStream, MalformedBody } from '../../protocol/errors.ts'
import { deviceCodec, newFramer } from '../../protocol/terminal-iso8583/index.ts'
import { split } from '../../protocol/terminal-iso8583/message.ts'
import {
  command,
  entropy,
  hexOf,
  key,
  otherKey,
  pair,
  pan,
  purchase,
  sale,
  signed,
  signOn,
  terminalCode,
  when,
} from './terminal-stage.ts'

test('a TPDU is answered with its addresses changed over, frame by frame, and a command follows the last', () => {
  const tpdu = Buffer.from('6000010002', 'hex')
  const { codec, device } = pair()
  const routed = deviceCodec({ terminalCode, key, tpdu })
  for (const [by, expected] of [
    [routed, '6000020001'],
    [device, null],
    [routed, '6000020001'],
  ] as const) {
    const frame = by.encode(purchase())
    codec.decode(frame)
    for (const said of [codec.answer(frame, { kind: 'accepted' }, entropy)!, codec.encode(command, when)]) {
      expect(said.readUInt16BE(0)).toBe(said.length - 2)
      if (expected) expect(hexOf(said.subarray(2, 7))).toBe(expected)
      else expect(said[2]).toBeLessThan(0x10)
    }
  }
})

test('a stream is cut by its lengths, whatever the chunks, and what was copied of it is overwritten', () => {
  const device = deviceCodec({ terminalCode, key, tpdu: Buffer.from('6000010002', 'hex') })
  const frames = [device.encode(signOn), device.encode(purchase()), device.encode(purchase({ stan: '000003' }))]
  const whole = frames.map(hexOf)
  for (let size = 1; size < 200; size++) {
    const framer = newFramer()
    const bytes = Buffer.concat(frames)
    const cut: string[] = []
    for (let at = 0; at < bytes.length; at += size) {
      const chunk = Buffer.from(bytes.subarray(at, at + size))
      for (const frame of framer.push(chunk)) {
        cut.push(hexOf(frame))
        frame.fill(0)
      }
      expect(chunk.every((byte) => byte === 0)).toBe(true)
    }
    expect(cut).toEqual(whole)
    expect(framer.rest()).toHaveLength(0)
  }
  for (const length of [0, 19, 4097, 0xffff]) {
    const bytes = Buffer.alloc(2)
    bytes.writeUInt16BE(length)
    expect(() => [...newFramer().push(bytes)]).toThrow(BrokenStream)
  }
})

test('once a message is read, no secret and nothing unasked for is left in its bytes; what is answered is', () => {
  const { codec } = pair({ carrier: 'mqtt' })
  const secrets = { 35: `${pan}D2912`, 45: `B${pan}NAME`, 48: 'CVV2 123', 55: `5A08${pan}`, 126: '123' }
  for (const said of [
    { ...sale, ...secrets },
    { ...sale, ...secrets, 52: '0123456789ABCDEF' },
  ]) {
    const frame = signed(0x0200, said)
    codec.decode(frame)
    const left = [hexOf(frame), frame.toString('latin1')].join()
    for (const secret of [pan, hexOf(Buffer.from(pan)), '123456789ABCDEF', '123', 'NAME']) {
      if (secret === '123') expect(frame.toString('latin1')).not.toContain(secret)
      else expect(left).not.toContain(secret)
    }
    expect(split(frame)).toMatchObject({ fault: null })
    const answer = codec.answer(
      frame,
      { kind: 'answered', code: '00', approval: 'A1B2C3', rrn: '633320000002' },
      entropy,
    )!
    const numbers = split(answer).spans.filter((_, at) => at % 3 === 0)
    expect(numbers).toEqual([3, 4, 7, 11, 12, 13, 37, 38, 39, 41, 49, 64])
  }
})

test('what cannot be believed or read leaves not one byte behind', () => {
  const { codec } = pair({ carrier: 'mqtt' })
  const forged = signed(0x0200, sale, otherKey)
  const cut = signed(0x0200, sale).subarray(0, 60)
  const unreadable = Buffer.from(`0200${'FF'.repeat(40)}`, 'hex')
  for (const frame of [forged, Buffer.from(cut), unreadable]) {
    expect(() => codec.decode(frame)).toThrow(MalformedBody)
    expect(frame.every((byte) => byte === 0)).toBe(true)
  }
})
