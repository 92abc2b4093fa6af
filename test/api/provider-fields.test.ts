import fc from 'fast-check'
import { expect, test } from 'vitest'
import { instantOf } from '../../api/instants.ts'
import { minorOf, reference } from '../../api/providers/fields.ts'
import { canonical, isOneOf, jsonOf, Unreadable } from '../../api/providers/provider.ts'

test('hundredths are read exactly, however they are written', () => {
  fc.assert(
    fc.property(fc.integer({ min: -1_000_000_000_000, max: 1_000_000_000_000 }), fc.nat(5), (minor, zeros) => {
      const digits = String(Math.abs(minor)).padStart(3, '0')
      const plain = `${minor < 0 ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`
      expect(minorOf(plain + '0'.repeat(zeros))).toBe(minor)
      // The same, the point moved: 12.34 is 0.1234e2 and 12340e-3.
      expect(minorOf(`${minor < 0 ? '-' : ''}${digits}e-2`)).toBe(minor)
      expect(minorOf(`${minor < 0 ? '-' : ''}0.${digits}e${digits.length - 2}`)).toBe(minor)
      if (minor !== 0) expect(minorOf(`${plain}1`)).toBeNull()
    }),
  )
  for (const text of ['', '-', '1.', '.5', '1,5', '1e', '0x10', 'NaN', 'Infinity', '1e99', ' 1', '10000000000.01'])
    expect(minorOf(text), text).toBeNull()
  expect(minorOf('-0')).toBe(0)
})

test.each([
  ['2025-09-30T10:00:00', 'Europe/Moscow', '2025-09-30T07:00:00.000Z'],
  ['2025-09-30T10:00:00', 'Asia/Bishkek', '2025-09-30T04:00:00.000Z'],
  ['2025-09-30 10:00', 'UTC', '2025-09-30T10:00:00.000Z'],
  ['2025-09-30', 'Europe/Moscow', '2025-09-29T21:00:00.000Z'],
  ['2025-09-30T10:00:00.5', 'UTC', '2025-09-30T10:00:00.000Z'],
  ['2025-09-30T10:00:00Z', 'Europe/Moscow', '2025-09-30T10:00:00.000Z'],
  ['2025-09-30T10:00:00+05:30', 'Europe/Moscow', '2025-09-30T04:30:00.000Z'],
  ['2025-09-30T10:00:00-0330', 'Europe/Moscow', '2025-09-30T13:30:00.000Z'],
  ['2025-09-30T10:00:00+03', 'UTC', '2025-09-30T07:00:00.000Z'],
  // The hour before and the hour after the clocks change.
  ['2025-03-30T01:59:59', 'Europe/Berlin', '2025-03-30T00:59:59.000Z'],
  ['2025-03-30T03:00:00', 'Europe/Berlin', '2025-03-30T01:00:00.000Z'],
  ['2025-10-26T01:30:00', 'Europe/Berlin', '2025-10-25T23:30:00.000Z'],
  ['2025-10-26T03:30:00', 'Europe/Berlin', '2025-10-26T02:30:00.000Z'],
])('%s in %s is %s', (text, zone, instant) => {
  expect(instantOf(text, zone)?.toISOString()).toBe(instant)
})

test('an empty date is none, and what is no date is told apart from it', () => {
  for (const text of ['', '0001-01-01T00:00:00', '0001-01-01T00:00:00Z']) expect(instantOf(text, 'UTC')).toBeNull()
  for (const text of [
    '30.09.2025',
    '2025-13-01',
    '2025-02-29',
    '2025-01-01T24:00:00',
    '2025-01-01T10:60:00',
    '1600-01-01',
    '2025-09-30T10:00:00+99:99',
    '2025-09-30T10:00:00+15:00',
    '2025-09-30T10:00:00-03:60',
  ])
    expect(instantOf(text, 'UTC'), text).toBeUndefined()
})

const body = (text: string) => jsonOf(Buffer.from(text))

test('the same value written in another way is the same content, another value is not', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
      const turned = Object.fromEntries(Object.entries(value).reverse())
      expect(canonical(turned)).toBe(canonical(value))
      expect(canonical(body(JSON.stringify(turned, null, 2)))).toBe(canonical(body(JSON.stringify(value))))
    }),
  )
  expect(canonical(body('{"b":3000.00,"a":[1e2]}'))).toBe(canonical(body('\u{feff}{"a":[100],"b":3000}')))
  expect(canonical(body('{"a":1}'))).not.toBe(canonical(body('{"a":"1"}')))
})

test('whatever the bytes are, reading them ends in a value or in Unreadable', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 200 }),
        fc.json().map((text) => Buffer.from(text)),
      ),
      (bytes) => {
        try {
          expect(canonical(jsonOf(Buffer.from(bytes)))).toMatch(/^\{/)
        } catch (error) {
          expect(error).toBeInstanceOf(Unreadable)
        }
      },
    ),
  )
  expect(() => body(`{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`)).toThrow(Unreadable)
  expect(() => canonical(body(`{"a":${'['.repeat(100)}${']'.repeat(100)}}`))).toThrow(Unreadable)
})

test('an empty secret opens nothing', () => {
  expect(isOneOf([''], '')).toBe(false)
  expect(isOneOf([], 'x')).toBe(false)
  expect(isOneOf(['x'], null)).toBe(false)
  expect(isOneOf(['y', 'x'], 'x')).toBe(true)
})

test('a reference is a text that can be stored as it was said', () => {
  for (const text of ['ДОК-1', '😀', ' 5 ']) expect(reference(10).safeParse(text).data, text).toBe(text.trim())
  for (const text of ['a\0b', 'a\ud800b', '\udc00', '', ' ', 'x'.repeat(11)])
    expect(reference(10).safeParse(text).success, JSON.stringify(text)).toBe(false)
})
