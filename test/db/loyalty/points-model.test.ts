import fc from 'fast-check'
import { expect, test } from 'vitest'
import { verify } from '../../../db/ledger/ledger-verify.ts'
import * as loyalty from '../../../db/loyalty/loyalty.ts'
import type { Currency } from '../../../db/loyalty/words.ts'
import { Refused } from '../../../db/platform/refused.ts'
import { testDb } from '../../postgres.ts'
import { desk } from './points.ts'

const { db } = await testDb()
const { customer, accrue, deduct, expire, lapse, lots, key, witnesses } = await desk(db)
const histories = 40
const [stepsMin, stepsMax] = [10, 30]
const currencies = ['points', 'cashback'] as const

type Step =
  | { do: 'accrue' | 'deduct'; amount: number; currency: Currency; twice: boolean }
  /** The day comes for the n-th accrual (modulo how many there are); `clock`: and the clock comes round. */
  | { do: 'lapse'; n: number; clock: boolean }

const currency = fc.constantFrom(...currencies)
const amount = fc.integer({ min: 1, max: 3_000 })
const moved = (act: 'accrue' | 'deduct') =>
  fc.record({ do: fc.constant(act), amount, currency, twice: fc.boolean() }) satisfies fc.Arbitrary<Step>
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: moved('accrue') },
  { weight: 4, arbitrary: moved('deduct') },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('lapse' as const), n: fc.nat(50), clock: fc.boolean() }) },
)

/** What should come of it, without a database: a list of lots, spent from the front. */
function model() {
  const all: { currency: Currency; left: number; isDue: boolean }[] = []
  const earned = { points: 0, cashback: 0 }
  const spent = { points: 0, cashback: 0 }
  const alive = (of: Currency) => all.filter((lot) => lot.currency === of && !(lot.isDue && of === 'points'))
  const wipe = () => {
    for (const lot of all) if (lot.isDue && lot.currency === 'points') lot.left = 0
  }
  return {
    all,
    earned,
    spent,
    wipe,
    accrue(of: Currency, amount: number) {
      all.push({ currency: of, left: amount, isDue: false })
      earned[of] += amount
    },
    /** False: not enough; then what is due stays until the clock comes. */
    deduct(of: Currency, amount: number): boolean {
      if (alive(of).reduce((sum, { left }) => sum + left, 0) < amount) return false
      wipe()
      let rest = amount
      for (const lot of alive(of)) {
        const taken = Math.min(lot.left, rest)
        lot.left -= taken
        rest -= taken
      }
      spent[of] += amount
      return true
    },
    sum: (of: Currency) => all.reduce((sum, lot) => sum + (lot.currency === of ? lot.left : 0), 0),
  }
}

async function live(steps: Step[]) {
  const { userId, accountId } = await customer()
  const expected = model()
  const ids: number[] = []
  for (const one of steps) {
    if (one.do === 'lapse') {
      const n = one.n % Math.max(1, expected.all.length)
      if (expected.all[n]?.currency === 'points') {
        expected.all[n].isDue = true
        await lapse(ids[n]!)
      }
      if (!one.clock) continue
      expected.wipe()
      await expire(accountId)
      continue
    }
    const given = { currency: one.currency, idempotencyKey: key() }
    const say = () => (one.do === 'accrue' ? accrue : deduct)(accountId, one.amount, given)
    const answer = await say().catch((error) => error)
    if (one.do === 'accrue') {
      expected.accrue(one.currency, one.amount)
      ids.push(answer.id)
    } else if (!expected.deduct(one.currency, one.amount)) {
      expect(answer).toBeInstanceOf(Refused)
      expect(answer.code).toBe('insufficient_funds')
      continue
    }
    if (one.twice) expect(await say()).toEqual(answer)
    else expect(answer).toMatchObject({ amount: one.amount, currency: one.currency })
  }
  return { userId, accountId, expected }
}

test('whatever is earned, spent and expires in whatever order: the balance is the sum of the rows, of the lots, and the ledger’s', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: stepsMin, maxLength: stepsMax }), async (steps) => {
      const { userId, accountId, expected } = await live(steps)
      for (const of of currencies) {
        const sum = expected.sum(of)
        expect(await witnesses(accountId, of)).toEqual({ kept: sum, entries: sum, rows: sum, lots: sum })
      }
      expect(await lots(accountId)).toEqual(expected.all.map(({ left }) => left))
      const { earned, spent } = expected
      const { points } = earned
      expect(await loyalty.accountOf(db.sql, userId)).toMatchObject({
        totalPointsEarned: points,
        totalPointsSpent: spent.points,
        totalCashbackEarned: earned.cashback,
        totalCashbackSpent: spent.cashback,
        cardTier: points >= 10_000 ? 'platinum' : points >= 5_000 ? 'gold' : points >= 1_000 ? 'silver' : 'bronze',
      })
    }),
    { numRuns: histories },
  )
  expect((await verify(db)).broken).toBeNull()
})
