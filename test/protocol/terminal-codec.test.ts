import { createHmac } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { MalformedBody } from '../../protocol/errors.ts'
import type { Codec } from '../../protocol/terminal.ts'
import { deviceCodec, greet, newFramer } from '../../protocol/terminal-iso8583/index.ts'
import { ringOf } from '../../protocol/terminal-iso8583/mac.ts'
import { split } from '../../protocol/terminal-iso8583/message.ts'
import {
  cardKey,
  command,
  entropy,
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

const without = (number: number) => Object.fromEntries(Object.entries(sale).filter(([one]) => Number(one) !== number))
const reversal = {
  4: '000000015000',
  7: '1128203140',
  11: '000006',
  41: terminalCode,
  90: `02000000021128203107${'0'.repeat(22)}`,
}

const heardBy = (codec: Codec, frame: Buffer): unknown => {
  const report = codec.decode(frame)
  return report.kind === 'unacceptable' ? report.code : report.kind
}

/** What is thrown, and what is said back to it. */
function thrown(work: () => unknown): MalformedBody {
  try {
    work()
  } catch (error) {
    if (error instanceof MalformedBody) return error
    throw error
  }
  throw new Error('it is believed')
}

describe('what is well signed and cannot be acted on is refused by its code', () => {
  const { codec, device } = pair({ carrier: 'mqtt' })
  test.each([
    ['another processing code', 0x0200, { ...sale, 3: '200000' }, '12'],
    ['another currency', 0x0200, { ...sale, 49: '840' }, '12'],
    ['an unknown network code', 0x0800, { 7: '1128203107', 11: '000002', 41: terminalCode, 70: '002' }, 'sign_off'],
    ['an unknown network code', 0x0800, { 7: '1128203107', 11: '000002', 41: terminalCode, 70: '777' }, '12'],
    ['a change of keys', 0x0800, { 7: '1128203107', 11: '000002', 41: terminalCode, 70: '101' }, '40'],
    ['another change of keys', 0x0800, { 7: '1128203107', 11: '000002', 41: terminalCode, 70: '161' }, '40'],
    ['a message nobody defines', 0x0300, sale, '12'],
    ['a command from a terminal', 0x0600, sale, '12'],
    ['nothing to pay', 0x0200, { ...sale, 4: '000000000000' }, '13'],
    ['too short a card number', 0x0200, { ...sale, 2: '4242424' }, '14'],
    ['a track without its separator', 0x0200, { ...without(2), 35: pan }, '14'],
    ['chip data without a card', 0x0200, { ...without(2), 55: '9F26020102' }, '14'],
    ['no card', 0x0200, without(2), '30'],
    ['a typed card without expiry', 0x0200, without(14), '30'],
    ['no STAN', 0x0200, without(11), '30'],
    ['no day', 0x0200, without(13), '30'],
    ['a day that is none', 0x0200, { ...sale, 13: '1340' }, '30'],
    ['an advice that advises nothing', 0x0220, sale, '30'],
    ['a PIN block', 0x0200, { ...sale, 52: '0123456789ABCDEF' }, '40'],
    ['replacement amounts', 0x0400, { ...reversal, 95: '0'.repeat(42) }, '40'],
    ['a reversal of nothing that is money', 0x0400, { ...reversal, 90: `08000000021128203107${'0'.repeat(22)}` }, '30'],
    ['another terminal', 0x0200, { ...sale, 41: 'T0000002' }, '58'],
    ['a repeat of an advice', 0x0221, { ...sale, 37: '633320000002' }, 'advice'],
    [
      'a reversal of what was itself a repeat',
      0x0400,
      { ...reversal, 90: `02010000021128203107${'0'.repeat(22)}` },
      'reversal',
    ],
    ['fields that nobody asked for', 0x0200, { ...sale, 43: 'STREET', 60: 'Ж', 97: 'C0000000000000001' }, 'purchase'],
  ])('%s', (_, mti, said, expected) => {
    const frame = signed(mti, said)
    expect(heardBy(codec, frame)).toBe(expected)
    if (/^\d\d$/.test(expected)) {
      const answer = codec.answer(frame, { kind: 'answered', code: expected as '12' }, entropy)!
      const request = (mti & 0xfffe) + 0x10
      expect(device.decode(answer)).toMatchObject({
        code: expected,
        mti: request.toString(16).padStart(4, '0'),
        isSigned: true,
      })
    }
  })
})

test('a card is a mask and a keyed hash, the same however it was read', () => {
  const { codec, device } = pair()
  const chip = `5A08${pan}5F24032912315F340101`
  const cards = [
    { pan, expiry: '2912' },
    { track2: `${pan}D29122010000000000` },
    { track2: `${pan}=2912201` },
    { chip: `5711${pan}D291220100000000009F0206000000015000` },
    { chip },
  ]
  const fingerprint = createHmac('sha256', Buffer.from(cardKey, 'hex')).update(pan).digest('hex')
  for (const card of cards) {
    const report = codec.decode(device.encode(purchase({ card })))
    expect(report).toMatchObject({ card: { masked: '424242******4242', fingerprint, expiry: '2912' } })
  }
  const odd = codec.decode(device.encode(purchase({ card: { pan: '424242424242424242', expiry: '2912' } })))
  expect(odd).toMatchObject({ card: { masked: '424242********4242' } })
  const short = codec.decode(device.encode(purchase({ card: { pan: '424242421', expiry: '2912' } })))
  expect(short).toMatchObject({ card: { masked: '*****2421' } })
})

test('a wrong or missing MAC is answered A0 with three fields and no MAC, a broken body 30 with one', () => {
  const { device, codec } = pair({ carrier: 'mqtt' })
  const bare = signed(0x0201, sale).subarray(0, -8)
  bare[9]! &= 0xfe
  for (const frame of [signed(0x0200, sale, otherKey), Buffer.from(bare)]) {
    const { answer } = thrown(() => codec.decode(frame))
    const { mti, spans, hasMac } = split(answer!)
    expect([mti, hasMac, ...spans.filter((_, at) => at % 3 === 0)]).toEqual([0x0210, false, 11, 39, 41])
    expect(device.decode(answer!)).toEqual({ kind: 'answer', mti: '0210', code: 'A0', stan: '000002', isSigned: false })
  }
  // Field 65 is a third bitmap: nobody speaks it, but whoever says so is known.
  const beyond = signed(0x0200, { ...sale, 66: '1' }).subarray(0, -8)
  beyond[10]! |= 0x80
  const { answer, message } = thrown(() =>
    codec.decode(Buffer.concat([beyond, Buffer.from(ringOf([key]).sign(beyond), 'latin1').subarray(0, 8)])),
  )
  expect(message).toBe('field 65 is not spoken here')
  expect(device.decode(answer!)).toMatchObject({ code: '30', isSigned: true })
  expect(thrown(() => codec.decode(signed(0x0210, sale, otherKey))).answer).toBeUndefined()
})

test('the MAC is HMAC-SHA256 over all that precedes it, and stands in 64 or 128', () => {
  for (const [said, at] of [
    [sale, 64],
    [{ ...sale, 70: '001' }, 128],
  ] as const) {
    const message = signed(0x0200, said)
    const mac = createHmac('sha256', Buffer.from(key, 'hex')).update(message.subarray(0, -8)).digest().subarray(0, 8)
    expect(message.subarray(-8)).toEqual(mac)
    expect(split(message).spans.at(-3)).toBe(at)
  }
  // A second bitmap without a bit is taken: then nothing is above 64.
  const { codec } = pair({ carrier: 'mqtt' })
  const short = signed(0x0200, sale).subarray(0, -8)
  const long = Buffer.concat([short.subarray(0, 10), Buffer.alloc(8), short.subarray(10)])
  long[2]! |= 0x80
  const mac = Buffer.from(ringOf([key]).sign(long), 'latin1').subarray(0, 8)
  expect(codec.decode(Buffer.concat([long, mac]))).toMatchObject({ kind: 'purchase' })
})

test('while a key changes both are good, and an answer is signed with the one that asked', () => {
  const { codec } = pair({ keys: [otherKey, key] })
  const old = deviceCodec({ terminalCode, key })
  const young = deviceCodec({ terminalCode, key: otherKey })
  for (const device of [old, young, old]) {
    const frame = device.encode(purchase())
    expect(codec.decode(frame)).toMatchObject({ kind: 'purchase' })
    expect(device.decode(codec.answer(frame, { kind: 'accepted' }, entropy)!)).toMatchObject({ isSigned: true })
    expect(device.decode(codec.encode(command, when))).toEqual(command)
  }
  expect(() => pair({ keys: ['K'] })).toThrow(RangeError)
  expect(() => pair({ keys: [] }).codec.encode(command, when)).toThrow(RangeError)
})

test('an answer that says of itself that it is a repeat is heard all the same', () => {
  const { codec, device } = pair({ carrier: 'mqtt' })
  const answer = { 7: '1128203107', 11: '000006', 39: '00', 41: terminalCode }
  for (const mti of [0x0411, 0x0431])
    expect(device.decode(signed(mti, answer))).toMatchObject({ code: '00', isSigned: true })
  expect(codec.decode(signed(0x0611, answer))).toMatchObject({ kind: 'result', stan: '000006', code: '00' })
})

test('only a sign-on is a greeting', () => {
  const device = deviceCodec({ terminalCode, key })
  expect(greet(device.encode(signOn)).terminalCode).toBe(terminalCode)
  const again = { ...signOn, isRepeat: true as const }
  expect(greet(device.encode(again)).terminalCode).toBe(terminalCode)
  for (const said of [
    purchase(),
    { ...signOn, kind: 'heartbeat' as const },
    { ...signOn, kind: 'sign_off' as const },
  ]) {
    const frame = device.encode(said)
    expect(() => greet(frame)).toThrow(MalformedBody)
    expect(frame.every((byte) => byte === 0)).toBe(true)
  }
})

test('what has no field that can be found is answered A0 in a frame that a terminal takes', () => {
  const { device, codec } = pair()
  // Field 2 has no length, so nothing behind it is found either.
  const broken = Buffer.from(`0014 0200 4000000000000001 ${'FF'.repeat(10)}`.replaceAll(' ', ''), 'hex')
  const { answer } = thrown(() => codec.decode(broken))
  expect([...newFramer().push(answer!)]).toHaveLength(1)
  expect(device.decode(answer!)).toEqual({ kind: 'answer', mti: '0210', code: 'A0', isSigned: false })
})

test('a sign-on of a terminal that nobody knows is answered A0', () => {
  const frame = deviceCodec({ terminalCode, key }).encode(signOn)
  const unknown = greet(frame).codec({ keys: [], cardKey })
  const { answer } = thrown(() => unknown.decode(frame))
  expect(pair().device.decode(answer!)).toMatchObject({ mti: '0810', code: 'A0', isSigned: false })
})

test('a refused terminal hears 58', () => {
  const { codec, device } = pair()
  const frame = device.encode(signOn)
  codec.decode(frame)
  expect(device.decode(codec.answer(frame, { kind: 'refused' }, entropy)!)).toMatchObject({ mti: '0810', code: '58' })
})

test('a value the wire cannot carry is refused before it is written, and is not quoted', () => {
  const { device, codec } = pair()
  const wrong = [
    ...[{ stan: '12345' }, { stan: 'ABCDEF' }, { amountMinor: -1 }, { amountMinor: 1e12 }, { amountMinor: 1.5 }],
    ...[{ localDate: '0230x' }, { localDate: '1301' }, { merchant: 'СЛОВО' }, { merchant: 'X'.repeat(16) }],
    ...[{ card: { pan: `${pan}A`, expiry: '2912' } }, { card: { pan: '4'.repeat(20), expiry: '2912' } }],
  ]
  for (const changes of wrong) {
    expect(() => device.encode(purchase(changes))).toThrow(RangeError)
    expect(() => device.encode(purchase(changes))).not.toThrow(/4242/)
  }
  expect(() => codec.encode(command)).toThrow(RangeError)
  expect(() => codec.encode({ ...command, data: { text: 'X'.repeat(1_000) } }, when)).toThrow(RangeError)
})
