import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Amount, AmountOrZero, toMinor, toUnits, toUnitsText } from '../../../api/money.ts'

test.each([
  ['0', 0],
  ['1', 100],
  ['100.1', 10_010],
  ['100.10', 10_010],
  ['0.07', 7],
  ['1.15', 115],
  ['-3.5', -350],
  ['8.41', 841],
  ['90071992547409.91', Number.MAX_SAFE_INTEGER],
  ['90071992547409.92', null],
  ['0.001', null],
  ['1e3', null],
  ['1e-7', null],
  ['NaN', null],
  ['Infinity', null],
  ['', null],
  [' 1', null],
  ['1.', null],
  ['.5', null],
  ['1,5', null],
  ['0x10', null],
])('%s is %s minor units', (text, minor) => {
  expect(toMinor(text)).toBe(minor)
})

test('every amount survives the way out and back, and has two decimals at most', () => {
  // Beyond 70 million millions of units a number cannot tell kopecks apart.
  const amount = fc.integer({ min: -7_000_000_000_000_000, max: 7_000_000_000_000_000 })
  fc.assert(
    fc.property(amount, (minor) => {
      const text = JSON.stringify(toUnits(minor))
      expect(text).toMatch(/^-?\d+(\.\d{1,2})?$/)
      expect(toMinor(text)).toBe(minor)
    }),
    { numRuns: 2_000 },
  )
})

test('a sum of kopecks is told as one, not as floats add up', () => {
  expect(toUnits(toMinor('0.1')! + toMinor('0.2')!)).toBe(0.3)
  expect(toUnitsText(1_250)).toBe('12.50')
})

test('an amount in a body is above zero, or zero where it may be', () => {
  expect(Amount.parse(0.01)).toBe(1)
  expect(AmountOrZero.parse(0)).toBe(0)
  for (const bad of [0, -1, 0.001, 1e9 + 0.01, Number.NaN, Number.POSITIVE_INFINITY, '1', true, null])
    expect(Amount.safeParse(bad).success, String(bad)).toBe(false)
  for (const bad of [-0.01, 1e10]) expect(AmountOrZero.safeParse(bad).success, String(bad)).toBe(false)
})
