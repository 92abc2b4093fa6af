import fc from 'fast-check'
import { expect, test } from 'vitest'
import { priceOf, type Tariff } from '../../../db/kiosk/decide/price.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

const tariff: Tariff = {
  ...{ freeMinutes: 5, periodMinutes: 60, periodMinor: 5_000 },
  ...{ dayMinor: 30_000, depositMinor: 200_000, lostMinor: 150_000 },
}

test.for([
  ['nothing in no time', 0, 0],
  ['nothing within the free minutes', 5 * MINUTE_MS, 0],
  ['a whole period as soon as it has begun', 5 * MINUTE_MS + 1, 5_000],
  ['the first period to its end', 65 * MINUTE_MS, 5_000],
  ['the second as soon as that has begun', 65 * MINUTE_MS + 1, 10_000],
  ['no more than a day costs', 5 * MINUTE_MS + 23 * HOUR_MS, 30_000],
  ['another day behind it', 5 * MINUTE_MS + DAY_MS + 1, 35_000],
  ['no more than is held', 30 * DAY_MS, 200_000],
] as const)('a rental costs %s', ([, durationMs, minor]) => {
  expect(priceOf(tariff, durationMs)).toBe(minor)
})

test('a rental that a clock set back has ended before it began costs nothing', () => {
  expect(priceOf(tariff, -HOUR_MS)).toBe(0)
})

const tariffs = fc.record({
  freeMinutes: fc.nat(120),
  periodMinutes: fc.integer({ min: 1, max: 1_440 }),
  periodMinor: fc.nat(50_000),
  dayMinor: fc.nat(100_000),
  depositMinor: fc.integer({ min: 1, max: 500_000 }),
  lostMinor: fc.nat(500_000),
})
const duration = fc.nat(20 * DAY_MS)

test('whatever the tariff, more time never costs less, and no time costs more than its days or the deposit', () => {
  fc.assert(
    fc.property(tariffs, duration, duration, (any, one, more) => {
      const [price, later] = [priceOf(any, one), priceOf(any, one + more)]
      expect(Number.isSafeInteger(price)).toBe(true)
      expect(later).toBeGreaterThanOrEqual(price)
      expect(later).toBeLessThanOrEqual(any.depositMinor)
      expect(price).toBeLessThanOrEqual((Math.floor(one / DAY_MS) + 1) * any.dayMinor)
      if (one <= any.freeMinutes * MINUTE_MS) expect(price).toBe(0)
      // A day is never dearer for being cut into periods.
      expect(priceOf(any, one + DAY_MS) - price).toBeLessThanOrEqual(any.dayMinor)
    }),
    { numRuns: 2_000 },
  )
})
