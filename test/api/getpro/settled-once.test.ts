import { expect, test } from 'vitest'
import { ask } from '../../../api/providers/desk.ts'
import * as openPayments from '../../../db/getpro/open-payments.ts'
import type { Payment } from '../../../db/getpro/payments.ts'
import * as payments from '../../../db/getpro/payments.ts'
import { credentials } from '../providers/simulated.ts'
import { payAt, payingAt, providers } from './paying-stage.ts'
import { rest } from './rest-stage.ts'
import { paid, paidOnce, plan, signed, standing, type Told, tell, work, yookassaObject } from './stage.ts'

const there = await providers()
const house = await rest({ providers: payingAt(there) })
const { customer, post, read, db, lines, call } = house
const { desk } = house.stage

/** Everybody who has a notice, an answer and a payer who comes back. */
const names = ['yookassa', 'cryptopay', 'freekassa', 'tribute'] as const
type Name = (typeof names)[number]
const notice: Record<Name, (payment: Payment) => Told> = {
  ...paid,
  yookassa: (payment) => {
    const object = yookassaObject(payment, { recipient: { account_id: credentials.yookassa.split(':')[0] } })
    return signed.yookassa({ type: 'notification', event: 'payment.succeeded', object })
  },
  tribute: ({ providerPaymentId: uuid, reference: comment, amountKopecks: amount }) => {
    const at = '2026-04-01T10:00:00Z'
    const payload = { uuid, comment, amount, currency: 'rub', status: 'paid' }
    return signed.tribute({ name: 'shop_order', created_at: at, sent_at: at, payload })
  },
}
const ways: Record<string, (payment: Payment) => Promise<unknown>> = {
  async webhook(payment) {
    const answer = await tell(house, `/webhook/${payment.provider}`, notice[payment.provider as Name](payment))
    expect(answer.status).toBe(200)
    await work(house)
  },
  async poll({ id, provider }) {
    await db.sql`update subscription_payments set due_at = now() where id = ${id}`
    for (const asking of await openPayments.claim(db.sql, provider, { limit: 20, leaseSeconds: 10 }))
      await ask(desk, asking)
  },
  async redirect({ reference }) {
    expect((await call('GET', `/payments/return/${reference}`)).status).toBe(200)
  },
}
const orders = [
  'webhook poll redirect',
  'webhook redirect poll',
  'poll webhook redirect',
  'poll redirect webhook',
  'redirect webhook poll',
  'redirect poll webhook',
]

async function begun(provider: Name) {
  const one = await customer()
  const made = await post('/payments', one.token, { purpose: 'subscription', plan_id: await plan(db), provider })
  expect(made.status).toBe(201)
  const { id, confirmation_url: url } = made.body.data
  return { accountId: one.id, payment: (await payments.get(db.sql, id))!, url, token: one.token }
}

test.each(names.flatMap((name) => orders.map((order) => [name, order] as const)))(
  '%s: %s, each twice at once, are one posting and one extension',
  async (name, order) => {
    const { accountId, payment, url } = await begun(name)
    await payAt(url)
    for (const way of order.split(' ')) {
      await Promise.all([ways[way]!(payment), ways[way]!(payment)])
      expect(await standing(db, accountId)).toEqual(paidOnce)
    }
  },
)

test.each(names)('%s: all of them at once are one posting and one extension', async (name) => {
  const { accountId, payment, url } = await begun(name)
  await payAt(url)
  await Promise.all([...Object.values(ways), ...Object.values(ways)].map((way) => way(payment)))
  await work(house)
  expect(await standing(db, accountId)).toEqual(paidOnce)
})

test.each(names)('%s: a payer who comes back has not paid by that', async (name) => {
  const { accountId, payment } = await begun(name)
  for (let times = 0; times < 2; times++) {
    const page = await call('GET', `/payments/return/${payment.reference}`)
    expect(page).toMatchObject({ status: 200, body: expect.stringContaining('не подтверждена') })
  }
  expect(await standing(db, accountId)).toEqual({ payments: ['pending'], moved: [], periods: [] })
})

test('a payer comes back to a payment that there is, by a name that nobody guesses', async () => {
  const { payment } = await begun('yookassa')
  expect((await call('GET', `/payments/return/${payment.id}`)).status).toBe(422)
  expect((await call('GET', '/payments/return/00000000-0000-4000-8000-000000000000')).status).toBe(404)
})

test('stars that came while nobody heard are found in what came', async () => {
  const one = await customer()
  const made = await post('/payments', one.token, {
    purpose: 'subscription',
    plan_id: await plan(db),
    provider: 'stars',
  })
  const { id, confirmation_url: url } = made.body.data
  const payment = (await payments.get(db.sql, id))!
  await ways.poll!(payment)
  expect((await read(`/payments/${id}`, one.token)).body.data.status).toBe('pending')
  await payAt(url)
  await Promise.all([ways.poll!(payment), ways.poll!(payment)])
  expect(await standing(db, one.id)).toEqual(paidOnce)
})

test('none of this was a bug of ours', () => {
  expect(lines.filter(({ event }) => event === 'request.failed')).toEqual([])
})
