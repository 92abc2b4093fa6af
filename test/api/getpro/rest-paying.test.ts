import { describe, expect, test } from 'vitest'
import { act } from '../../../api/providers/desk-acts.ts'
import * as acts from '../../../db/getpro/payment-acts.ts'
import type { PaymentProvider } from '../../../db/getpro/words.ts'
import { misbehave } from '../providers/simulated.ts'
import { payAt, payingAt, providers } from './paying-stage.ts'
import { refusal, rest } from './rest-stage.ts'
import { paidOnce, plan, standing } from './stage.ts'

const there = await providers()
const { admin, customer, post, read, db, lines, call, held, stage } = await rest({ providers: payingAt(there) })
const { desk } = stage
const everybody = ['yookassa', 'cryptopay', 'freekassa', 'tribute', 'stars'] as const
const topUp = (provider: PaymentProvider, more: object = {}) => ({
  purpose: 'balance',
  amount_kopecks: 5_000,
  provider,
  ...more,
})
const back = (reference: string) => call('GET', `/payments/return/${reference}`)
const referenceOf = async (id: number) =>
  (await db.sql<{ reference: string }[]>`select reference from subscription_payments where id = ${id}`)[0]!.reference
const madeAt = (name: 'yookassa' | 'cryptopay' | 'tribute', path: string) =>
  there[name].asked.filter((asked) => asked.method === 'POST' && asked.path === path).length

describe('a payment', () => {
  test.each(everybody)(
    'at %s is begun with a link, and made once however often and however many at once',
    async (provider) => {
      const one = await customer()
      const body = { purpose: 'subscription', plan_id: await plan(db), provider }
      const begin = () => post('/payments', one.token, body, `key-${provider}`)
      const answers = await Promise.all([begin(), begin(), begin()])
      const [first] = answers
      expect(first).toMatchObject({ status: 201, body: { data: { user_id: one.id, provider, status: 'pending' } } })
      expect(first!.body.data.confirmation_url).toMatch(/^http/)
      for (const answer of [...answers, await begin()]) expect(answer.body.data).toEqual(first!.body.data)
      const other = await post('/payments', one.token, { ...body, promo_code: null }, `key-${provider}`)
      expect(other).toMatchObject(refusal(409, 'IDEMPOTENCY_CONFLICT'))
      expect((await read('/payments', one.token)).body.data.total).toBe(1)
    },
  )

  test('tops a balance up, and buys a subscription where one is asked for by a payment', async () => {
    const one = await customer()
    const made = await post('/payments', one.token, topUp('cryptopay'))
    await payAt(made.body.data.confirmation_url)
    await back(await referenceOf(made.body.data.id))
    expect(await held(one.id)).toBe(5_000)
    const bought = await post('/subscriptions', one.token, { plan_id: await plan(db), provider: 'yookassa' })
    expect(bought).toMatchObject({ status: 201, body: { data: { purpose: 'subscription', status: 'pending' } } })
    await payAt(bought.body.data.confirmation_url)
    await back(await referenceOf(bought.body.data.id))
    expect((await read(`/users/${one.id}/subscriptions`, one.token)).body.data.total).toBe(1)
    expect(await held(one.id)).toBe(5_000)
  })

  test.each(['timeout:1', 'reset:1', '5xx:1', 'html:1', '429:1', 'processing:1'] as const)(
    'whose provider answers by %s stays, is told of, and is made once when it is asked for again',
    async (fault) => {
      const one = await customer()
      const paths = { yookassa: '/payments', cryptopay: '/createInvoice', tribute: '/shop/orders' } as const
      for (const name of ['yookassa', 'cryptopay', 'tribute'] as const) {
        if (fault === 'processing:1' && name !== 'yookassa') continue
        const before = madeAt(name, paths[name])
        misbehave(there[name], fault)
        const doubtful = await post('/payments', one.token, topUp(name), `key-${name}`)
        expect(doubtful).toMatchObject(refusal(503, 'SERVICE_UNAVAILABLE'))
        const { payment_id: id } = doubtful.body.error.details
        const known = (await read(`/payments/${id}`, one.token)).body.data
        expect(known).toMatchObject({ status: 'pending', confirmation_url: null })
        const again = await post('/payments', one.token, topUp(name), `key-${name}`)
        expect(again).toMatchObject({ status: 201, body: { data: { id } } })
        const isThere = ['timeout:1', 'reset:1', '5xx:1'].includes(fault)
        // YooKassa is told the same key again; of the others what is there already is found.
        expect(madeAt(name, paths[name]) - before, name).toBe(name !== 'yookassa' && isThere ? 1 : 2)
        await payAt(again.body.data.confirmation_url)
        await back(await referenceOf(id))
      }
      expect(await held(one.id)).toBe(fault === 'processing:1' ? 5_000 : 15_000)
    },
  )

  test('that a provider refuses is failed, and says so', async () => {
    const one = await customer()
    const made = await post('/payments', one.token, topUp('stars'))
    expect(made).toMatchObject(refusal(409, 'CONFLICT'))
    expect(await post('/payments', one.token, topUp('cryptopay', { saves_method: true }))).toMatchObject(
      refusal(409, 'CONFLICT'),
    )
    expect(await post('/payments', one.token, topUp('tribute', { is_captured: false }))).toMatchObject(
      refusal(409, 'CONFLICT'),
    )
  })

  test('is of whom it says, begun by nobody else, and of the right shape', async () => {
    const [one, other] = [await customer(), await customer()]
    const body = topUp('cryptopay', { user_id: other.id })
    expect(await post('/payments', one.token, body)).toMatchObject(refusal(403, 'FORBIDDEN'))
    expect(await call('POST', '/payments', { body })).toMatchObject(refusal(401, 'UNAUTHORIZED'))
    expect(await post('/payments', admin.token, body)).toMatchObject({
      status: 201,
      body: { data: { user_id: other.id } },
    })
    expect(await post('/payments', admin.token, { ...body, user_id: 999_999 })).toMatchObject(
      refusal(404, 'USER_NOT_FOUND'),
    )
    for (const wrong of [{ amount_kopecks: 0 }, { plan_id: 1 }, { provider: 'panel' }, { purpose: 'binding' }])
      expect(await post('/payments', one.token, topUp('cryptopay', wrong))).toMatchObject(
        refusal(422, 'VALIDATION_ERROR'),
      )
    const unknown = { purpose: 'subscription', plan_id: 999_999, provider: 'cryptopay' }
    expect(await post('/payments', one.token, unknown)).toMatchObject(refusal(404, 'NOT_FOUND'))
  })
})

/** A month that somebody paid at YooKassa, or at Telegram. */
async function bought(provider: 'yookassa' | 'stars', more: object = {}) {
  const one = await customer()
  const body = { purpose: 'subscription', plan_id: await plan(db), provider, ...more }
  const { id, confirmation_url: url } = (await post('/payments', one.token, body)).body.data
  await payAt(url)
  await back(await referenceOf(id))
  return { ...one, paymentId: id as number }
}
const refundedOnce = {
  payments: ['refunded'],
  moved: [...paidOnce.moved, ['refund', 19_900], ['payment_refund', -19_900]],
  periods: [...paidOnce.periods, ['refund', -1, 0]],
}

describe('a refund', () => {
  test.each(['yookassa', 'stars'] as const)('at %s gives back once, however many at once', async (provider) => {
    const { id, paymentId } = await bought(provider)
    const refund = () =>
      post(`/payments/${paymentId}/refunds`, admin.token, { reason: 'Не подошло' }, `refund-${provider}`)
    const answers = await Promise.all([refund(), refund()])
    expect(new Set(answers.map(({ body }) => body.data.id)).size).toBe(1)
    expect(await refund()).toMatchObject({ status: 201, body: { data: { state: 'done', amount_kopecks: 19_900 } } })
    expect(await standing(db, id)).toEqual(refundedOnce)
    expect(await post(`/payments/${paymentId}/refunds`, admin.token, {})).toMatchObject(refusal(409, 'CONFLICT'))
  })

  test('in parts never gives back more than was paid, whoever asks at once', async () => {
    const { id, paymentId } = await bought('yookassa')
    const part = () => post(`/payments/${paymentId}/refunds`, admin.token, { amount_kopecks: 10_000 })
    const answers = await Promise.all([part(), part(), part()])
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409])
    expect((await read(`/payments/${paymentId}`, admin.token)).body.data).toMatchObject({
      status: 'succeeded',
      refunded_kopecks: 10_000,
    })
    expect(await post(`/payments/${paymentId}/refunds`, admin.token, { amount_kopecks: 9_900 })).toMatchObject({
      status: 201,
    })
    expect((await standing(db, id)).payments).toEqual(['refunded'])
  })

  test.each(['timeout:1', 'reset:1', '5xx:1', 'html:1', '429:1', 'processing:1'] as const)(
    'that was answered by %s is told again by its key, and gives back once',
    async (fault) => {
      const { id, paymentId } = await bought('yookassa')
      misbehave(there.yookassa, fault)
      const asked = await post(`/payments/${paymentId}/refunds`, admin.token, {})
      expect(asked).toMatchObject({ status: 201, body: { data: { state: 'asked' } } })
      await db.sql`update payment_acts set due_at = now()`
      for (const one of await acts.claim(db.sql, 'yookassa', { limit: 20, leaseSeconds: 10 })) await act(desk, one)
      expect(await standing(db, id)).toEqual(refundedOnce)
    },
  )

  test('is an admin’s, of what is paid, where a provider knows refunds', async () => {
    const { token, paymentId } = await bought('yookassa')
    const stranger = await customer()
    for (const one of [token, stranger.token])
      expect(await post(`/payments/${paymentId}/refunds`, one, {})).toMatchObject(refusal(403, 'FORBIDDEN'))
    expect(await call('POST', `/payments/${paymentId}/refunds`, { body: {} })).toMatchObject(
      refusal(401, 'UNAUTHORIZED'),
    )
    expect(await post('/payments/999999/refunds', admin.token, {})).toMatchObject(refusal(404, 'PAYMENT_NOT_FOUND'))
    expect(await post(`/payments/${paymentId}/refunds`, admin.token, { amount_kopecks: 0 })).toMatchObject(
      refusal(422, 'VALIDATION_ERROR'),
    )
    const open = await post('/payments', stranger.token, topUp('cryptopay'))
    expect(await post(`/payments/${open.body.data.id}/refunds`, admin.token, {})).toMatchObject(
      refusal(409, 'CONFLICT'),
    )
  })
})

describe('what is held', () => {
  const statusOf = async (id: number) => (await read(`/payments/${id}`, admin.token)).body.data.status

  test.each([
    ['capture', 'succeeded', paidOnce],
    ['cancel', 'canceled', { payments: ['canceled'], moved: [], periods: [] }],
  ] as const)('is told to %s once, and never both', async (kind, status, standingThen) => {
    const { id, paymentId } = await bought('yookassa', { is_captured: false })
    expect(await statusOf(paymentId)).toBe('waiting_for_capture')
    misbehave(there.yookassa, 'timeout:1')
    expect(await post(`/payments/${paymentId}/${kind}`, admin.token)).toMatchObject(refusal(503, 'SERVICE_UNAVAILABLE'))
    const other = kind === 'capture' ? 'cancel' : 'capture'
    expect(await post(`/payments/${paymentId}/${other}`, admin.token)).toMatchObject(refusal(409, 'CONFLICT'))
    await db.sql`update payment_acts set due_at = now()`
    const due = () => acts.claim(db.sql, 'yookassa', { limit: 20, leaseSeconds: 10 })
    for (const one of (await Promise.all([due(), due()])).flat()) await act(desk, one)
    expect(await statusOf(paymentId)).toBe(status)
    expect(await standing(db, id)).toEqual(standingThen)
    expect(await post(`/payments/${paymentId}/${kind}`, admin.token)).toMatchObject(refusal(409, 'CONFLICT'))
  })

  test('is let go by whose it is, and captured by admins', async () => {
    const { token, paymentId } = await bought('yookassa', { is_captured: false })
    expect(await post(`/payments/${paymentId}/capture`, token)).toMatchObject(refusal(403, 'FORBIDDEN'))
    expect(await post(`/payments/${paymentId}/cancel`, (await customer()).token)).toMatchObject(
      refusal(403, 'FORBIDDEN'),
    )
    expect(await post(`/payments/${paymentId}/cancel`, token)).toMatchObject({
      status: 200,
      body: { data: { status: 'canceled' } },
    })
  })

  test('an invoice of CryptoPay that nobody paid is taken back', async () => {
    const one = await customer()
    const { id } = (await post('/payments', one.token, topUp('cryptopay'))).body.data
    expect(await post(`/payments/${id}/cancel`, one.token)).toMatchObject({
      status: 200,
      body: { data: { status: 'canceled' } },
    })
    expect(await post(`/payments/${id}/capture`, admin.token)).toMatchObject(refusal(409, 'CONFLICT'))
  })
})

test('none of this was a bug of ours', () => {
  expect(lines.filter(({ event }) => event === 'request.failed')).toEqual([])
})
