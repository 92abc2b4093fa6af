import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Billable, bill, periodsMax } from '../../../db/telecom/decide/fee.ts'
import { daysBetween, nextStart, periodStart, plusDays } from '../../../db/telecom/decide/periods.ts'

const day = fc
  .date({ min: new Date('2000-01-01'), max: new Date('2099-12-31'), noInvalidDate: true })
  .map((at) => at.toISOString().slice(0, 10))

test.each([
  ['2026-01-31', ['2026-01-31', '2026-02-28', '2026-03-31', '2026-04-30', '2026-05-31']],
  ['2028-01-31', ['2028-01-31', '2028-02-29', '2028-03-31']],
  ['2026-12-30', ['2026-12-30', '2027-01-30', '2027-02-28', '2027-03-30']],
  ['2028-02-29', ['2028-02-29', '2028-03-29', '2028-04-29']],
])('periods of a contract of %s are counted from its first day', (anchor, starts) => {
  expect(starts.map((_, n) => periodStart(anchor, n))).toEqual(starts)
})

test('periods follow each other without a gap, a month each, on the first day’s day or the last of a shorter month', () => {
  fc.assert(
    fc.property(day, fc.nat(400), (anchor, n) => {
      const [start, end] = [periodStart(anchor, n), periodStart(anchor, n + 1)]
      expect(nextStart(anchor, start)).toBe(end)
      expect(nextStart(anchor, plusDays(end, -1))).toBe(end)
      expect(daysBetween(start, end)).toBeGreaterThanOrEqual(28)
      expect(daysBetween(start, end)).toBeLessThanOrEqual(31)
      const isLast = plusDays(start, 1).endsWith('-01')
      expect(start.slice(8) === anchor.slice(8) || isLast).toBe(true)
    }),
  )
})

const contract = (change: Partial<Billable> = {}): Billable => ({
  ...{ status: 'active', balanceMinor: 100_000, feeMinor: 30_000 },
  ...{ billingAnchor: '2026-01-31', nextBillingDate: '2026-02-28' },
  ...change,
})
const starts = ({ charges }: ReturnType<typeof bill>) => charges.map(({ periodStart: at }) => at)

test('a period is charged on its first day, whole, and not before', () => {
  expect(bill(contract(), '2026-02-27')).toMatchObject({ charges: [], nextBillingDate: '2026-02-28' })
  expect(bill(contract(), '2026-02-28')).toMatchObject({
    charges: [
      { periodStart: '2026-02-28', periodEnd: '2026-03-31', periodDays: 31, chargedDays: 31, amountMinor: 30_000 },
    ],
    ...{ balanceMinor: 70_000, isSuspended: false, nextBillingDate: '2026-03-31' },
  })
})

test('a fee that the balance does not cover suspends, and no period after it is charged', () => {
  const billed = bill(contract({ balanceMinor: 40_000 }), '2026-05-31')
  expect(starts(billed)).toEqual(['2026-02-28', '2026-03-31', '2026-04-30', '2026-05-31'])
  expect(billed.charges.map(({ amountMinor }) => amountMinor)).toEqual([30_000, 30_000, 0, 0])
  expect(billed).toMatchObject({ balanceMinor: -20_000, isSuspended: true, nextBillingDate: '2026-06-30' })
})

test('a suspended contract is charged nothing, whatever it has', () => {
  const billed = bill(contract({ status: 'suspended' }), '2026-03-31')
  expect(billed).toMatchObject({ balanceMinor: 100_000, isSuspended: false, nextBillingDate: '2026-04-30' })
  expect(billed.charges.map(({ chargedDays }) => chargedDays)).toEqual([0, 0])
})

test('after any downtime it comes to the same as a run each day', () => {
  const state = fc.record({
    status: fc.constantFrom('active' as const, 'suspended' as const),
    balanceMinor: fc.integer({ min: -100_000, max: 500_000 }),
    feeMinor: fc.nat(50_000),
    anchor: day,
    months: fc.integer({ min: 1, max: 12 }),
  })
  fc.assert(
    fc.property(state, ({ anchor, months, ...rest }) => {
      const one = { ...rest, billingAnchor: anchor, nextBillingDate: periodStart(anchor, 1) }
      const until = periodStart(anchor, months)
      const whole = bill(one, until)
      let now: Billable = one
      const daily = Array.from({ length: daysBetween(anchor, until) + 1 }, (_, n) => plusDays(anchor, n)).flatMap(
        (at) => {
          const { charges, balanceMinor, isSuspended, nextBillingDate } = bill(now, at)
          now = { ...now, balanceMinor, nextBillingDate, ...(isSuspended && { status: 'suspended' as const }) }
          return charges
        },
      )
      expect(daily).toEqual(whole.charges)
      expect(whole.balanceMinor).toBe(one.balanceMinor - daily.reduce((sum, { amountMinor }) => sum + amountMinor, 0))
    }),
    { numRuns: 50 },
  )
})

test('a contract that nobody has charged for ages is charged ten years in one go', () => {
  const old = contract({ feeMinor: 0, billingAnchor: '1990-01-01', nextBillingDate: '1990-02-01' })
  expect(bill(old, '2026-01-01').charges).toHaveLength(periodsMax)
})
