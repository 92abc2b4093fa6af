import { describe, expect, test } from 'vitest'
import { work as workOne } from '../../../api/providers/webhook-events.ts'
import * as balance from '../../../db/getpro/balance.ts'
import * as payments from '../../../db/getpro/payments.ts'
import * as subscriptions from '../../../db/getpro/subscriptions.ts'
import { proveWitnesses } from '../../../db/ledger/ledger-witnesses.ts'
import {
  customer,
  heard,
  next,
  order,
  paid,
  paidOnce,
  signed,
  standing,
  stored,
  tell,
  work,
  yookassaObject,
} from './stage.ts'

const house = await heard()
const { db } = house

const yookassa = (event: string, object: object) =>
  tell(house, '/webhook/yookassa', signed.yookassa({ type: 'notification', event, object }))
/** A word of YooKassa about a payment, worked. */
async function says(event: string, payment: payments.Payment, change: object = {}) {
  await yookassa(event, yookassaObject(payment, change))
  return await work(house)
}
const refunded = (payment: payments.Payment, value: string, id = `r-${next()}`) =>
  yookassa('refund.succeeded', {
    ...{ id, payment_id: payment.providerPaymentId, status: 'succeeded', amount: { value, currency: 'RUB' } },
  })

const permutations = <T>(list: readonly T[]): T[][] =>
  list.length < 2
    ? [[...list]]
    : list.flatMap((one, at) => permutations(list.toSpliced(at, 1)).map((rest) => [one, ...rest]))

describe('whatever the order of', () => {
  const words = {
    waiting: (payment: payments.Payment) =>
      yookassa('payment.waiting_for_capture', yookassaObject(payment, { status: 'waiting_for_capture' })),
    succeeded: (payment: payments.Payment) => yookassa('payment.succeeded', yookassaObject(payment)),
    canceled: (payment: payments.Payment) =>
      yookassa('payment.canceled', yookassaObject(payment, { status: 'canceled' })),
  }
  const orders = permutations(Object.keys(words) as (keyof typeof words)[])
  test.each(orders.map((one) => [one.join(', '), one] as const))(
    '%s, each said twice, what was paid is booked once',
    async (_, said) => {
      const payment = await order(db, 'yookassa')
      for (const word of said) {
        await Promise.all([words[word](payment), words[word](payment)])
        await work(house)
      }
      expect(await standing(db, payment.accountId)).toEqual(paidOnce)
    },
  )

  test('a refund that comes before its payment waits for it', async () => {
    const payment = await order(db, 'yookassa')
    await refunded(payment, '199.00')
    expect(await work(house)).toMatchObject({ state: 'unmatched', lastError: 'the payment is pending' })
    await says('payment.succeeded', payment)
    await db.sql`update inbox set worked_at = now() - interval '11 minutes' where state = 'unmatched'`
    await work(house)
    const { payments: states, moved } = await standing(db, payment.accountId)
    expect(states).toEqual(['refunded'])
    expect(moved.map(([, amount]) => amount).reduce<number>((sum, amount) => sum + Number(amount), 0)).toBe(0)
  })
})

describe('a notice finds its payment', () => {
  test('by our id, when it overtakes the answer that names it', async () => {
    const payment = await order(db, 'yookassa')
    await db.sql`update subscription_payments set provider_payment_id = null where id = ${payment.id}`
    expect((await says('payment.succeeded', payment, { id: 'early' })).state).toBe('done')
    expect((await payments.get(db.sql, payment.id))?.providerPaymentId).toBe('early')
  })

  test('and not by our id, when another of the provider’s is known', async () => {
    const payment = await order(db, 'yookassa')
    expect(await says('payment.succeeded', payment, { id: `forged-${payment.id}` })).toMatchObject({
      state: 'unmatched',
    })
    expect(await standing(db, payment.accountId)).toEqual({ payments: ['pending'], moved: [], periods: [] })
  })

  test.each([
    ['another shop', { recipient: { account_id: '1' } }, 'it was paid to another shop'],
    ['play money', { test: true }, 'TEST_PAYMENT'],
    ['another currency', { amount: { value: '199.00', currency: 'KZT' } }, 'INVALID_AMOUNT'],
  ])('but of %s it credits nothing', async (_, change, why) => {
    const payment = await order(db, 'yookassa')
    expect(await says('payment.succeeded', payment, change)).toMatchObject({ state: 'failed', lastError: why })
    expect(await standing(db, payment.accountId)).toEqual({ payments: ['pending'], moved: [], periods: [] })
  })
})

describe('a method of payment', () => {
  const method = (id: string) => ({
    payment_method: {
      type: 'bank_card',
      id,
      saved: true,
      title: 'Bank card *4444',
      card: { last4: '4444', card_type: 'MasterCard' },
    },
  })
  const kept = (accountId: number) => db.sql<{ providerMethodId: string; isDefault: boolean; cardLast4: string }[]>`
    select provider_method_id, is_default, card_last4 from saved_payment_methods
    where account_id = ${accountId} and deleted_at is null order by id`

  test('that YooKassa saved is kept, the newest is the default, and the subscription renews', async () => {
    const first = await order(db, 'yookassa')
    const { accountId } = first
    const [one, two] = [`m-${next()}`, `m-${next()}`]
    await says('payment.succeeded', first, method(one))
    await says('payment.succeeded', await order(db, 'yookassa', { accountId }), method(two))
    expect(await kept(accountId)).toMatchObject([
      { providerMethodId: one, isDefault: false, cardLast4: '4444' },
      { providerMethodId: two, isDefault: true },
    ])
    expect(await subscriptions.of(db.sql, accountId)).toMatchObject({ autoRenews: true, cancelledAt: null })
  })

  test('that was not saved is not kept', async () => {
    const payment = await order(db, 'yookassa')
    await says('payment.succeeded', payment, { payment_method: { type: 'sbp', id: 'x', saved: false } })
    expect(await kept(payment.accountId)).toEqual([])
  })

  test('is given up, and so are the renewals, when it can never be charged again', async () => {
    const first = await order(db, 'yookassa')
    const { accountId } = first
    await says('payment.succeeded', first, method(`m-${next()}`))
    const [saved] = await db.sql<{ id: number }[]>`select id from saved_payment_methods where account_id = ${accountId}`
    for (const [reason, left] of [
      ['insufficient_funds', 1],
      ['permission_revoked', 0],
    ] as const) {
      const renewal = await order(db, 'yookassa', { accountId })
      await db.sql`update subscription_payments set saved_method_id = ${saved!.id}, is_renewal = true where id = ${renewal.id}`
      const change = { status: 'canceled', cancellation_details: { party: 'yoo_money', reason } }
      expect((await says('payment.canceled', renewal, change)).state).toBe('done')
      expect(await kept(accountId)).toHaveLength(left)
      expect((await subscriptions.of(db.sql, accountId))?.autoRenews).toBe(left === 1)
    }
  })
})

describe('a refund', () => {
  test('in parts is counted once each; the last takes back the time that was bought', async () => {
    const payment = await order(db, 'yookassa')
    await says('payment.succeeded', payment)
    const before = await subscriptions.of(db.sql, payment.accountId)
    for (const [value, id] of [
      ['100.00', 'part-1'],
      ['100.00', 'part-1'],
      ['99.00', 'part-2'],
    ] as const) {
      await refunded(payment, value, `${id}-${payment.id}`)
      await work(house)
    }
    const { payments: states, moved, periods } = await standing(db, payment.accountId)
    expect(states).toEqual(['refunded'])
    expect(moved.slice(2)).toEqual([
      ['refund', 10_000],
      ['payment_refund', -10_000],
      ['refund', 9_900],
      ['payment_refund', -9_900],
    ])
    expect(periods).toEqual([
      ['payment', 1, 0],
      ['refund', -1, 0],
    ])
    const after = await subscriptions.of(db.sql, payment.accountId)
    expect(after!.endsAt.getTime()).toBeLessThan(before!.endsAt.getTime())
    await refunded(payment, '1.00')
    expect(await work(house)).toMatchObject({ state: 'failed', lastError: 'INVALID_AMOUNT' })
  })

  test('of a balance that was spent takes what is left, and says what is short', async () => {
    const { id: accountId } = await customer(db)
    const given = { accountId, provider: 'yookassa' as const, purpose: 'balance' as const, amountKopecks: 50_000 }
    const payment = await db.transaction(async (tx) => {
      const begun = await payments.begin(tx, null, given)
      await payments.keepProvidersName(tx, begun.id, { providerPaymentId: `top-${begun.id}` })
      return (await payments.get(tx, begun.id))!
    })
    await says('payment.succeeded', payment)
    expect((await standing(db, accountId)).moved).toEqual([['balance_add', 50_000]])
    await db.transaction((tx) =>
      balance.change(tx, null, { accountId, amountKopecks: -40_000, key: `spent-${accountId}`, reason: 'test' }),
    )
    await refunded(payment, '500.00')
    expect(await work(house)).toMatchObject({ state: 'done', result: { amountKopecks: 50_000, shortKopecks: 40_000 } })
    expect((await standing(db, accountId)).moved.at(-1)).toEqual(['payment_refund', -10_000])
  })
})

describe('who was invited', () => {
  test('gives days to both with the first payment, and never again', async () => {
    const inviter = await customer(db)
    const invited = await customer(db, inviter.id)
    const first = await order(db, 'cryptopay', { accountId: invited.id, months: 3 })
    await tell(house, '/webhook/cryptopay', paid.cryptopay(first))
    await work(house)
    const second = await order(db, 'cryptopay', { accountId: invited.id, months: 3 })
    await tell(house, '/webhook/cryptopay', paid.cryptopay(second))
    await work(house)
    expect((await standing(db, invited.id)).periods).toEqual([
      ['payment', 3, 0],
      ['referral', 0, 3],
      ['payment', 3, 0],
    ])
    expect((await standing(db, inviter.id)).periods).toEqual([['referral', 0, 7]])
    expect((await subscriptions.of(db.sql, inviter.id))?.kind).toBe('bonus')
  })

  test('gives none when there was access already', async () => {
    const inviter = await customer(db)
    const invited = await customer(db, inviter.id)
    await db.transaction((tx) => subscriptions.trial(tx, null, invited.id, 'Europe/Moscow'))
    const payment = await order(db, 'freekassa', { accountId: invited.id })
    await tell(house, '/webhook/freekassa', paid.freekassa(payment))
    await work(house)
    expect((await standing(db, inviter.id)).periods).toEqual([])
    expect((await standing(db, invited.id)).periods).toEqual([
      ['trial', 0, 3],
      ['payment', 1, 0],
    ])
  })

  test('may pay while their inviter pays: nobody waits in a circle', async () => {
    const inviter = await customer(db)
    const invited = await Promise.all(Array.from({ length: 6 }, () => customer(db, inviter.id)))
    const orders = await Promise.all([inviter, ...invited].map(({ id }) => order(db, 'cryptopay', { accountId: id })))
    await Promise.all(orders.map((payment) => tell(house, '/webhook/cryptopay', paid.cryptopay(payment))))
    const open = (await stored(house)).filter(({ state }) => state === 'received')
    await Promise.all(open.map(({ id }) => workOne(db, house.stage.providers, id)))
    const periods = (await standing(db, inviter.id)).periods
    expect(periods.filter(([kind]) => kind === 'referral')).toHaveLength(6)
    expect(periods.filter(([kind]) => kind === 'payment')).toHaveLength(1)
  })
})

test('the nightly proof holds every payment against its posting', async () => {
  await db.transaction((tx) => proveWitnesses(tx))
  const payment = await order(db, 'yookassa')
  await db.sql`update subscription_payments set status = 'succeeded' where id = ${payment.id}`
  await expect(db.transaction((tx) => proveWitnesses(tx))).rejects.toThrow(`subscription payment ${payment.id}`)
  await db.sql`update subscription_payments set status = 'pending' where id = ${payment.id}`
})
