import { describe, expect, test } from 'vitest'
import * as payments from '../../../db/getpro/payments.ts'
import * as subscriptions from '../../../db/getpro/subscriptions.ts'
import { heard, next, order, paid, paidOnce, signed, standing, starsPaid, tell, work } from './stage.ts'

const house = await heard()
const { db } = house

describe('Stars', () => {
  const checkout = (payment: Pick<payments.Payment, 'id' | 'reference'>, amount: number) =>
    tell(
      house,
      '/webhook/stars',
      signed.stars({
        update_id: next(),
        pre_checkout_query: {
          ...{ id: `q-${next()}`, from: { id: 5, is_bot: false }, currency: 'XTR' },
          ...{ total_amount: amount, invoice_payload: payment.reference },
        },
      }),
    )

  test('a checkout goes on while the order is open and of this price, and is no payment', async () => {
    const payment = await order(db, 'stars')
    const answers = [
      await checkout(payment, 150),
      await checkout(payment, 1),
      await checkout({ id: 0, reference: 'nobodys' }, 150),
    ].map(({ text }) => JSON.parse(text))
    expect(answers).toMatchObject([
      { method: 'answerPreCheckoutQuery', ok: true },
      { ok: false, error_message: 'Цена изменилась, начните заново' },
      { ok: false, error_message: 'Заказ не найден' },
    ])
    expect(answers[0]).not.toHaveProperty('error_message')
    expect(await standing(db, payment.accountId)).toEqual({ payments: ['pending'], moved: [], periods: [] })
    await tell(house, '/webhook/stars', paid.stars(payment))
    await work(house)
    expect(JSON.parse((await checkout(payment, 150)).text)).toMatchObject({
      ok: false,
      error_message: 'Заказ уже оплачен или отменён',
    })
  })

  test('who pays for somebody else pays for them, and it is written down', async () => {
    const payment = await order(db, 'stars')
    await tell(house, '/webhook/stars', starsPaid(payment, { from: 987_654 }))
    await work(house)
    expect(await standing(db, payment.accountId)).toEqual(paidOnce)
    expect((await payments.get(db.sql, payment.id))?.paidByTelegramId).toBe(987_654)
  })

  test('a subscription that Telegram charges again is paid again, each charge once', async () => {
    const payment = await order(db, 'stars')
    const until = { subscription_expiration_date: 1_893_456_000, is_recurring: true }
    const first = starsPaid(payment, { more: { ...until, is_first_recurring: true } })
    const second = starsPaid(payment, { charge: `again-${payment.id}`, more: until })
    for (const told of [first, second, second]) {
      await tell(house, '/webhook/stars', told)
      await work(house)
    }
    expect((await standing(db, payment.accountId)).periods).toEqual([
      ['payment', 1, 0],
      ['payment', 1, 0],
    ])
    expect(await subscriptions.of(db.sql, payment.accountId)).toMatchObject({ provider: 'stars', autoRenews: true })
    const about = { user: { id: 1 }, invoice_payload: payment.reference }
    for (const [state, autoRenews] of [
      ['canceled', false],
      ['active', true],
      ['failed', true],
    ] as const) {
      await tell(house, '/webhook/stars', signed.stars({ update_id: next(), subscription: { ...about, state } }))
      await work(house)
      expect((await subscriptions.of(db.sql, payment.accountId))?.autoRenews).toBe(autoRenews)
    }
  })

  test('that go back take back what they had bought', async () => {
    const payment = await order(db, 'stars')
    await tell(house, '/webhook/stars', paid.stars(payment))
    await work(house)
    const refund = {
      currency: 'XTR',
      total_amount: 150,
      invoice_payload: payment.reference,
      telegram_payment_charge_id: `charge-${payment.id}`,
    }
    for (let n = 0; n < 2; n++)
      await tell(house, '/webhook/stars', signed.stars({ update_id: next(), message: { refunded_payment: refund } }))
    expect((await work(house)).state).toBe('done')
    const { payments: states, periods } = await standing(db, payment.accountId)
    expect([states, periods]).toEqual([
      ['refunded'],
      [
        ['payment', 1, 0],
        ['refund', -1, 0],
      ],
    ])
  })

  test('an update of a name that no text can hold is nothing to us, once and for all', async () => {
    await tell(house, '/webhook/stars', signed.stars({ update_id: next(), 'a\u0000b': {} }))
    expect(await work(house)).toMatchObject({ state: 'ignored', lastError: 'no use for nothing' })
  })

  test('a checkout is answered in the ten seconds there are, also when nothing can be looked up', async () => {
    const payment = await order(db, 'stars')
    const held = Promise.withResolvers<void>()
    const locked = Promise.withResolvers<void>()
    const holding = db.transaction(async (tx) => {
      await tx`select 1 from subscription_payments where id = ${payment.id} for update`
      locked.resolve()
      await held.promise
    })
    await locked.promise
    const began = performance.now()
    const late = JSON.parse((await checkout(payment, 150)).text)
    expect(late).toMatchObject({ ok: false, error_message: 'Не удалось проверить заказ, попробуйте ещё раз' })
    expect(performance.now() - began).toBeLessThan(9_500)
    held.resolve()
    await holding
    await db.sql`alter table inbox rename to inbox_gone`
    expect(JSON.parse((await checkout(payment, 150)).text)).toMatchObject({ ok: false })
    await db.sql`alter table inbox_gone rename to inbox`
    expect(JSON.parse((await checkout(payment, 150)).text)).toMatchObject({ ok: true })
  }, 30_000)
})
