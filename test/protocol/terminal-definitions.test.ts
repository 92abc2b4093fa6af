import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MalformedBody } from '../../protocol/errors.ts'
import type { Presented, Saying } from '../../protocol/terminal.ts'
import { mtiText } from '../../protocol/terminal-iso8583/dialect.ts'
import { type Field, fields } from '../../protocol/terminal-iso8583/fields.ts'
import { definitions } from '../../protocol/terminal-iso8583/index.ts'
import { join, present, read, split } from '../../protocol/terminal-iso8583/message.ts'
import { bytesOf } from '../../protocol/terminal-iso8583/values.ts'
import { accepted, entropy, hexOf, pair, when } from './terminal-stage.ts'

const bytes = (hex: string) => Buffer.from(hex, 'hex')
const refused = (work: () => unknown, why: string) => expect(work, why).toThrow(MalformedBody)

/** Words as the host hears them: of the card only what leaves the codec. */
function heard({ ...report }: Saying<Presented>) {
  if ('card' in report) return { ...report, card: { masked: expect.stringMatching(/^\d{6}\*+\d{4}$/) } }
  return report
}

test('all messages of the specification are spoken', () => {
  const mtis = definitions.map(({ mti }) => mtiText(mti))
  expect(mtis).toEqual(['0100', '0200', '0220', '0400', '0420', '0500', '0600', '0800'])
})

const examples = definitions.flatMap(({ mti, examples }) => examples.map((example) => ({ mti: mtiText(mti), example })))

describe.each(examples)('$mti $example.says.kind $example.says.stan', ({ example }) => {
  const { says, up, down } = example
  const { device, codec } = pair({ carrier: 'mqtt' })
  const isCommand = 'command' in example

  test('is its bytes both ways', () => {
    expect(hexOf(device.encode(says))).toBe(up)
    const frame = bytes(up)
    expect(codec.decode(frame)).toMatchObject(heard(says))
    if (!isCommand) expect(hexOf(codec.answer(frame, example.verdict, entropy)!)).toBe(down)
    else {
      // 2026-11-28 20:40:00, as field 7 of the examples.
      expect(hexOf(codec.encode(example.command, when))).toBe(down)
      expect(device.decode(bytes(down))).toEqual(example.command)
      expect(codec.answer(frame, { kind: 'silent' }, entropy)).toBeNull()
    }
  })

  test('no part of it is a message, and none with one bit turned', () => {
    for (const [hex, hears] of [
      [up, codec],
      [down, device],
    ] as const) {
      const whole = bytes(hex)
      for (let size = 0; size < whole.length; size++)
        refused(() => hears.decode(Buffer.from(whole.subarray(0, size))), `${size} bytes`)
      refused(() => hears.decode(Buffer.concat([whole, Buffer.of(0)])), 'one more')
      for (let bit = 0; bit < whole.length * 8; bit++) {
        const turned = Buffer.from(whole)
        turned[bit >> 3]! ^= 0x80 >> (bit & 7)
        refused(() => hears.decode(turned), `bit ${bit}`)
      }
    }
  })

  test('in a frame neither, with or without a TPDU: only its two addresses are not signed', () => {
    for (const tpdu of [undefined, bytes('6000010002')]) {
      const { device, codec } = pair(tpdu ? { tpdu } : {})
      const whole = device.encode(says)
      for (let size = 0; size < whole.length; size++)
        refused(() => codec.decode(Buffer.from(whole.subarray(0, size))), `${size} bytes`)
      for (let bit = 0; bit < whole.length * 8; bit++) {
        const turned = Buffer.from(whole)
        turned[bit >> 3]! ^= 0x80 >> (bit & 7)
        const isAddress = tpdu !== undefined && bit >= 24 && bit < 56
        if (isAddress) expect(codec.decode(turned)).toMatchObject(heard(says))
        else refused(() => codec.decode(turned), `bit ${bit}`)
      }
    }
  })
})

const characters = (from: string, min: number, max: number) =>
  fc.string({ unit: fc.constantFrom(...from), minLength: min, maxLength: max })
const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

/** Any text that a field can hold. */
function textFor({ kind, size, prefix }: Field): fc.Arbitrary<string> {
  const min = prefix === 0 ? size : 0
  if (kind === 'n') return characters('0123456789', min, size)
  if (kind === 'z') return characters('0123456789D', min, size)
  if (kind === 'x+n')
    return fc.tuple(fc.constantFrom('C', 'D'), characters('0123456789', size, size)).map((two) => two.join(''))
  if (kind === 'b') return fc.uint8Array({ minLength: min, maxLength: Math.min(size, 60) }).map(hexOf)
  if (kind === 'ans' && prefix === 2)
    return fc.string({ unit: fc.constantFrom(...letters, ...' {}":,\n', 'Ж', '€', '😀'), maxLength: 40 })
  const text = characters(kind === 'an' ? letters : `${letters}!"#$%&'()*+,-./:;<=>?@[]^_{|}~`, 0, Math.min(size, 60))
  return text
}

const dataFields = fields.filter(({ number }) => number !== 64 && number !== 128)
const anyMessage = fc
  .subarray(dataFields, { minLength: 1, maxLength: 20 })
  .chain((some) => fc.tuple(...some.map((field) => textFor(field).map((text) => [field, text] as const))))

test('any fields come back as they went, in their order, and nothing is between them', () => {
  const run = (sign: boolean) =>
    fc.assert(
      fc.property(anyMessage, fc.constantFrom(0x0100, 0x0221, 0x0810), (said, mti) => {
        const parts = said.map(([field, text]) => {
          const bytes = bytesOf(field, text)
          return { number: field.number, bytes, start: 0, end: bytes.length }
        })
        const whole = join(mti, parts, new Uint8Array(0), sign ? () => '12345678' : undefined)
        const message = split(whole)
        expect(message).toMatchObject({ mti, fault: sign ? null : 'no MAC', hasMac: sign })
        const back = present(message).map((field) => [field.number, read(message, field)])
        const mac = said.some(([{ number }]) => number > 64) ? 128 : 64
        expect(back).toEqual([
          ...said.map(([{ number }, text]) => [number, text]),
          ...(sign ? [[mac, hexOf(Buffer.from('12345678'))]] : []),
        ])
      }),
      { numRuns: 500, seed: 8583 },
    )
  run(true)
  run(false)
})

const two = (min: number, max: number) => fc.integer({ min, max }).map((value) => String(value).padStart(2, '0'))
const day = fc.tuple(two(1, 12), two(1, 31)).map((parts) => parts.join(''))
const time = fc.tuple(two(0, 23), two(0, 59), two(0, 59)).map((parts) => parts.join(''))
const digits = (count: number) => characters('0123456789', count, count)
const spoken = { stan: digits(6), sentAt: fc.tuple(day, time).map((parts) => parts.join('')) }
const amountMinor = fc.integer({ min: 1, max: 999_999_999_999 })
const pan = characters('0123456789', 13, 19)
const card: fc.Arbitrary<Presented> = fc.oneof(
  fc.record({ pan, expiry: digits(4) }),
  fc.record({ pan, expiry: digits(4), sequence: digits(3) }),
  fc.record({ track2: fc.tuple(pan, digits(7)).map((parts) => parts.join('D')) }),
)
const sale = {
  ...{ ...spoken, amountMinor, localTime: time, localDate: day, entryMode: digits(3), condition: digits(2), card },
  merchant: characters(letters, 1, 15),
}
const original = fc.record({ mti: fc.constantFrom('0100', '0200', '0220'), ...spoken })
const count = fc.integer({ min: 0, max: 9_999_999_999 })
const sum = fc.maxSafeNat()
const totals = fc.record({
  ...{ credits: count, creditsReversed: count, debits: count, debitsReversed: count },
  ...{ creditsMinor: sum, creditsReversedMinor: sum, debitsMinor: sum, debitsReversedMinor: sum },
})
const repeated = { isRepeat: fc.constant(true as const) }
const optional = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }, required: (keyof T & string)[]) =>
  fc.record(model, { requiredKeys: required })
const needs = Object.keys(sale).filter((name) => name !== 'merchant') as never[]
const sayings: fc.Arbitrary<Saying<Presented>>[] = [
  optional({ kind: fc.constantFrom('purchase' as const, 'authorisation' as const), ...sale, ...repeated }, [
    ...needs,
    'kind',
  ]),
  optional({ kind: fc.constant('advice' as const), ...sale, rrn: characters(letters, 12, 12), original, ...repeated }, [
    ...needs,
    ...(['kind', 'rrn'] as never[]),
  ]),
  optional(
    {
      kind: fc.constant('reversal' as const),
      ...spoken,
      amountMinor,
      original,
      reason: digits(2),
      isAdvice: fc.constant(true as const),
      ...repeated,
    },
    ['kind', 'stan', 'sentAt', 'amountMinor', 'original'],
  ),
  optional({ kind: fc.constant('totals' as const), ...spoken, localDate: day, totals, ...repeated }, [
    ...(['kind', 'stan', 'sentAt', 'localDate', 'totals'] as const),
  ]),
  optional({ kind: fc.constantFrom('sign_off' as const, 'heartbeat' as const), ...spoken, ...repeated }, [
    'kind',
    'stan',
    'sentAt',
  ]),
  optional(
    {
      kind: fc.constant('result' as const),
      ...spoken,
      code: digits(2),
      text: fc.constantFrom('готово', '{"paper":0}'),
    },
    [...(['kind', 'stan', 'sentAt', 'code'] as const)],
  ),
]

test('whatever a terminal can say is heard as it was said', () => {
  const { device, codec } = pair()
  fc.assert(
    fc.property(fc.oneof(...sayings), (says) => {
      const frame = device.encode(says)
      expect(codec.decode(frame)).toMatchObject(heard(says))
      const answer = codec.answer(frame, accepted, entropy)!
      if (says.kind === 'result') expect(answer).toBeNull()
      else expect(device.decode(answer)).toMatchObject({ kind: 'answer', code: '00', stan: says.stan, isSigned: true })
    }),
    { numRuns: 1_000, seed: 8583 },
  )
})
