import { describe, expect, test } from 'vitest'
import { addDays, addMonths } from '../../../db/getpro/decide/calendar.ts'
import { extend, extendUntil, rewardFor, type Term, withdraw } from '../../../db/getpro/decide/extension.ts'
import { isSameAmount, judge, judgeRefund, kopecksOf } from '../../../db/getpro/decide/payment.ts'
import { paymentStatuses } from '../../../db/getpro/words.ts'

const zone = 'Europe/Moscow'
const at = (text: string) => new Date(`${text}+03:00`)

describe('calendar months', () => {
  test.each([
    ['2026-01-31T12:00:00', 1, '2026-02-28T12:00:00'],
    ['2026-01-31T12:00:00', 2, '2026-03-31T12:00:00'],
    ['2026-01-31T12:00:00', 3, '2026-04-30T12:00:00'],
    ['2028-01-31T12:00:00', 1, '2028-02-29T12:00:00'],
    ['2026-12-31T23:30:00', 2, '2027-02-28T23:30:00'],
    // In UTC it is the day before: Moscow's clocks decide.
    ['2026-03-31T01:00:00', 1, '2026-04-30T01:00:00'],
    ['2026-08-15T00:00:00', 12, '2027-08-15T00:00:00'],
  ])('of %s, %i later, are counted from the first day', (from, months, to) => {
    expect(addMonths(at(from), months, zone)).toEqual(at(to))
  })

  test('and days keep the hour where clocks change', () => {
    const from = new Date('2026-03-28T12:00:00+01:00')
    expect(addDays(from, 1, 'Europe/Berlin')).toEqual(new Date('2026-03-29T12:00:00+02:00'))
    expect(addMonths(from, 1, 'Europe/Berlin')).toEqual(new Date('2026-04-28T12:00:00+02:00'))
  })
})

describe('a term', () => {
  const now = at('2026-01-31T12:00:00')
  const month = { months: 1, days: 0 }
  const grow = (term: Term | null, times: number): Term =>
    times === 0 ? term! : grow(extend(term, month, now, zone), times - 1)

  test('bought month by month ends on the days of one that is bought at once', () => {
    const ends = [1, 2, 3, 13].map((times) => grow(null, times).endsAt)
    expect(ends).toEqual(
      ['2026-02-28T12:00:00', '2026-03-31T12:00:00', '2026-04-30T12:00:00', '2027-02-28T12:00:00'].map(at),
    )
  })

  test('that is over begins anew now, one that lasts goes on from its end', () => {
    const over = { anchorAt: at('2025-01-05T00:00:00'), anchorMonths: 1, endsAt: at('2025-02-05T00:00:00') }
    expect(extend(over, month, now, zone)).toMatchObject({ startsAt: now, endsAt: at('2026-02-28T12:00:00') })
    const lasting = { ...over, endsAt: at('2026-02-05T00:00:00'), anchorMonths: 13 }
    expect(extend(lasting, month, now, zone)).toMatchObject({
      startsAt: lasting.endsAt,
      endsAt: at('2026-03-05T00:00:00'),
    })
  })

  test('made longer by days counts its months from there', () => {
    const longer = extend(extend(null, month, now, zone), { months: 0, days: 3 }, now, zone)
    expect(longer.endsAt).toEqual(at('2026-03-03T12:00:00'))
    expect(extend(longer, month, now, zone).endsAt).toEqual(at('2026-04-03T12:00:00'))
  })

  test('is never made shorter by a provider’s day', () => {
    const term = extend(null, month, now, zone)
    expect(extendUntil(term, at('2026-02-10T00:00:00'), now)).toBeNull()
    expect(extendUntil(term, at('2026-03-10T00:00:00'), now)).toMatchObject({ endsAt: at('2026-03-10T00:00:00') })
  })

  test('without what was paid back ends where it would have, and not before now', () => {
    const first = extend(null, month, now, zone)
    const second = extend(first, { months: 3, days: 0 }, now, zone)
    expect(withdraw(second, { ...second, months: 3, days: 0 }, now, zone).endsAt).toEqual(first.endsAt)
    expect(withdraw(second, { ...first, ...month }, now, zone).endsAt).toEqual(at('2026-04-30T12:00:00'))
    const used = at('2026-02-10T00:00:00')
    expect(withdraw(first, { ...first, ...month }, used, zone).endsAt).toEqual(used)
    const past = at('2026-06-01T00:00:00')
    expect(withdraw(first, { ...first, ...month }, past, zone).endsAt).toEqual(first.endsAt)
  })
})

test.each([
  [1, 3, 1],
  [3, 7, 3],
  [5, 7, 3],
  [6, 15, 7],
  [12, 30, 15],
  [24, 30, 15],
  [0, 0, 0],
])('a first payment of %i months is worth %i and %i days', (months, inviterDays, inviteeDays) => {
  expect(rewardFor(months)).toMatchObject({ inviterDays, inviteeDays })
})

test.each([
  ['1', '1.00', true],
  ['10.5', '10.50', true],
  ['1e2', '100', true],
  ['0.1', '0.10000000000000000001', false],
  ['9007199254740993', '9007199254740992', false],
  ['100', '-100', false],
  ['', '', false],
  ['NaN', 'NaN', false],
  ['1,5', '1.5', false],
])('%s and %s are the same sum: %s', (one, other, same) => {
  expect(isSameAmount(one, other)).toBe(same)
})

test.each([
  ['199.00', 19_900],
  ['0.01', 1],
  ['199', 19_900],
  ['1.005', null],
  ['99999999999999999999', null],
  ['x', null],
])('%s roubles are %s kopecks', (text, kopecks) => {
  expect(kopecksOf(text)).toBe(kopecks)
})

describe('a word about a payment', () => {
  const known = {
    status: 'pending' as const,
    providerPaymentId: 'p-1',
    chargedAmount: '199.00',
    chargedCurrency: 'RUB',
  }
  const said = { status: 'succeeded' as const, providerPaymentId: 'p-1', amount: '199', currency: 'rub', isTest: false }

  test.each(paymentStatuses)('of one that is %s never takes back what was paid', (status) => {
    const isPaid = status === 'succeeded' || status === 'refunded'
    expect(judge({ ...known, status }, said, false).do).toBe(isPaid ? 'nothing' : 'settle')
    const isOpen = status === 'pending' || status === 'waiting_for_capture'
    expect(judge({ ...known, status }, { ...said, status: 'canceled', amount: null }, false).do).toBe(
      isOpen ? 'cancel' : 'nothing',
    )
    expect(judge({ ...known, status }, { ...said, status: 'waiting_for_capture' }, false).do).toBe(
      status === 'pending' ? 'hold' : 'nothing',
    )
  })

  test.each([
    ['another sum', { amount: '199.01' }, 'INVALID_AMOUNT'],
    ['no sum', { amount: null }, 'INVALID_AMOUNT'],
    ['another currency', { currency: 'USD' }, 'INVALID_AMOUNT'],
    ['another payment of the provider’s', { providerPaymentId: 'p-2' }, 'DUPLICATE_PAYMENT'],
    ['play money', { isTest: true }, 'TEST_PAYMENT'],
  ])('that names %s credits nothing', (_, other, why) => {
    expect(judge(known, { ...said, ...other }, false)).toEqual({ do: 'refuse', why })
  })

  test('of play money counts where it is told to', () => {
    expect(judge(known, { ...said, isTest: true }, true)).toEqual({ do: 'settle' })
  })

  const paid = { ...known, status: 'succeeded' as const, amountKopecks: 19_900, refundedKopecks: 0 }
  test.each([
    ['all of it', paid, { amount: '199.00', currency: 'RUB' }, { kopecks: 19_900, isWhole: true }],
    ['all, without a sum', paid, { amount: null, currency: null }, { kopecks: 19_900, isWhole: true }],
    ['a part', paid, { amount: '99.50', currency: 'RUB' }, { kopecks: 9_950, isWhole: false }],
    [
      'the rest',
      { ...paid, refundedKopecks: 9_950 },
      { amount: '99.50', currency: 'RUB' },
      { kopecks: 9_950, isWhole: true },
    ],
    [
      'more than is left',
      { ...paid, refundedKopecks: 9_950 },
      { amount: '100', currency: 'RUB' },
      { refuse: 'INVALID_AMOUNT' },
    ],
    ['another currency', paid, { amount: '1', currency: 'EUR' }, { refuse: 'INVALID_AMOUNT' }],
    ['a part of a kopeck', paid, { amount: '0.005', currency: 'RUB' }, { refuse: 'INVALID_AMOUNT' }],
    ['what was not paid yet', { ...paid, status: 'pending' as const }, { amount: '199.00', currency: 'RUB' }, 'later'],
  ])('a refund of %s', (_, payment, refund, means) => {
    expect(judgeRefund(payment, refund)).toEqual(means)
  })
})
