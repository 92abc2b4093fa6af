import { expect, test } from 'vitest'
import { type NewPayment, yookassaApi } from '../../../api/providers/yookassa-api.ts'
import { methods } from '../../../simulators/provider/yookassa-api.ts'
import { credentials, limits, misbehave, outcomes, simulated, value } from './simulated.ts'

const codes = {
  vatCode: 11,
  taxSystemCode: 2,
  paymentMode: 'full_payment',
  paymentSubject: 'service',
  measure: 'piece',
}
const buyer = { email: 'payer@example.org', phone: '+79991234567' }
const by = { returnUrl: 'https://example.org/back', save: true }
const [shopId = '', secretKey = ''] = credentials.yookassa.split(':')

async function shop({ receipts = null as typeof codes | null, needsReceipts = false } = {}) {
  const there = await simulated('yookassa', { needsReceipts })
  return { there, api: yookassaApi({ ...limits, url: there.url, shopId, secretKey, receipts }) }
}
const payment = (more: Partial<NewPayment> = {}): NewPayment => ({
  key: 'payment:42:1',
  amountMinor: 29_900,
  description: 'Подписка на 1 месяц',
  capture: true,
  metadata: { user_id: '123456', payment_db_id: '42' },
  buyer,
  by,
  ...more,
})
const since = new Date(Date.now() - 60_000)

test('a payment is made, paid on its page, and read as it is there', async () => {
  const { there, api } = await shop()
  const made = value(await api.create(payment()))
  expect(made).toMatchObject({ status: 'pending', amountMinor: 29_900, currency: 'RUB', isTest: false, shopId })
  expect(made.metadata).toEqual({ user_id: '123456', payment_db_id: '42' })
  expect((await fetch(made.confirmationUrl!, { redirect: 'manual' })).headers.get('location')).toBe(by.returnUrl)
  expect(value(await api.payment(made.id))).toMatchObject({
    status: 'succeeded',
    method: { providerMethodId: made.id },
  })
  const [asked] = there.asked
  expect(asked!.headers).toMatchObject({ 'idempotence-key': 'payment:42:1', 'content-type': 'application/json' })
  expect(JSON.parse(asked!.body.toString())).toEqual({
    amount: { value: '299.00', currency: 'RUB' },
    capture: true,
    description: 'Подписка на 1 месяц',
    metadata: { user_id: '123456', payment_db_id: '42' },
    confirmation: { type: 'redirect', return_url: by.returnUrl },
    save_payment_method: true,
  })
})

test.each([...outcomes, ['processing:1', { kind: 'later', seconds: 2, why: 'still processing' }]] as const)(
  'a payment whose answer is %s is told again under its key, and is one payment',
  async (fault, outcome) => {
    const { there, api } = await shop()
    misbehave(there, fault)
    expect(await api.create(payment())).toEqual(outcome)
    const made = value(await api.create(payment()))
    expect(value(await api.payments({ since })).payments.map(({ id }) => id)).toEqual([made.id])
  },
)

test('a key with another body is refused, as is what the shop may not do', async () => {
  const { api } = await shop({ needsReceipts: true })
  const refused = { kind: 'refused', status: 400, code: 'invalid_request' }
  expect(await api.create(payment())).toEqual({ ...refused, why: 'Receipt is missing or illegal' })
  expect(await api.create(payment({ amountMinor: 1 }))).toEqual({ ...refused, why: 'Idempotence key duplicated' })
  expect(await api.payment('2276a845-000f-5000-a000-172bd5b5821a')).toMatchObject({ kind: 'refused', status: 404 })
  const stranger = yookassaApi({
    ...limits,
    url: (await simulated('yookassa')).url,
    shopId,
    secretKey: 'hush',
    receipts: null,
  })
  expect(await stranger.create(payment())).toMatchObject({ kind: 'refused', status: 401, code: 'invalid_credentials' })
})

test('a receipt of the whole sum goes with a payment, a capture and a refund', async () => {
  const { there, api } = await shop({ receipts: codes, needsReceipts: true })
  const made = value(await api.create(payment({ capture: false })))
  await there.pay(made.id)
  const part = { amountMinor: 10_050, description: 'Подписка', buyer: { email: null, phone: buyer.phone } }
  expect(value(await api.capture({ id: made.id, key: 'capture:42', ...part })).amountMinor).toBe(10_050)
  expect(value(await api.refund({ paymentId: made.id, key: 'refund:1', ...part }))).toMatchObject({
    status: 'succeeded',
  })
  const [first, , third] = there.asked.map(({ body }) => JSON.parse(body.toString()))
  expect(first.receipt).toEqual({
    customer: { email: 'payer@example.org', phone: '79991234567' },
    items: [
      {
        description: 'Подписка на 1 месяц',
        quantity: '1.00',
        amount: { value: '299.00', currency: 'RUB' },
        vat_code: 11,
        payment_mode: 'full_payment',
        payment_subject: 'service',
        measure: 'piece',
      },
    ],
    tax_system_code: 2,
  })
  expect(third.receipt).toMatchObject({ customer: { phone: '79991234567' }, items: [{ amount: { value: '100.50' } }] })
  expect(await api.receiptLater({ paymentId: made.id, key: 'receipt:42', ...part })).toMatchObject({ kind: 'done' })
  expect(
    api.receiptLater({ paymentId: made.id, key: 'receipt:43', ...part, buyer: { email: null, phone: null } }),
  ).toBe(null)
})

test('what was held is taken once or let go once', async () => {
  const { there, api } = await shop()
  const made = value(await api.create(payment({ capture: false })))
  await there.pay(made.id)
  expect(value(await api.payment(made.id)).status).toBe('waiting_for_capture')
  for (let times = 0; times < 2; times++) expect(value(await api.cancel(made.id, 'cancel:42')).status).toBe('canceled')
  expect(value(await api.payment(made.id)).cancellation).toEqual({ party: 'merchant', reason: 'canceled_by_merchant' })
  expect(await api.cancel(made.id, 'cancel:43')).toMatchObject({ kind: 'refused', why: 'Payment is canceled' })
})

test('refunds go back in parts up to what was paid, each once under its key', async () => {
  const { there, api } = await shop()
  const made = value(await api.create(payment()))
  await there.pay(made.id)
  const refund = (key: string, amountMinor: number) =>
    api.refund({ paymentId: made.id, key, amountMinor, description: 'Возврат', buyer })
  misbehave(there, 'timeout:1')
  expect((await refund('refund:1', 20_000)).kind).toBe('doubtful')
  const again = value(await refund('refund:1', 20_000))
  expect(value(await api.refundOf(again.id))).toMatchObject({ paymentId: made.id, amountMinor: 20_000 })
  expect(value(await api.payment(made.id)).refundedMinor).toBe(20_000)
  expect(await refund('refund:2', 9_901)).toMatchObject({ kind: 'refused', why: 'The refund is not possible' })
  expect((await refund('refund:3', 9_900)).kind).toBe('done')
})

test('a saved method is charged without its owner; one that is forbidden says so', async () => {
  const { there, api } = await shop()
  const first = value(await api.create(payment()))
  const charge = (key: string, methodId: string) => api.create(payment({ key, by: { methodId } }))
  expect(await charge('renewal:1', first.id)).toMatchObject({ kind: 'refused', why: 'Payment method is not found' })
  await there.pay(first.id)
  const { method } = value(await api.payment(first.id))
  const unsaved = value(await api.create(payment({ key: 'payment:43:1', by: { ...by, save: false } })))
  await there.pay(unsaved.id)
  expect(value(await api.payment(unsaved.id))).toMatchObject({ status: 'succeeded', method: null })
  expect(value(await charge('renewal:2', method!.providerMethodId))).toMatchObject({
    status: 'succeeded',
    confirmationUrl: null,
  })
  expect(value(await charge('renewal:3', methods.revoked))).toMatchObject({
    status: 'canceled',
    cancellation: { reason: 'permission_revoked' },
  })
})

test('all payments since are read, a page at a time', async () => {
  const { api } = await shop()
  const made = []
  for (let n = 1; n <= 101; n++) made.push(value(await api.create(payment({ key: `payment:${n}` }))).id)
  const first = value(await api.payments({ since }))
  const second = value(await api.payments({ since, cursor: first.cursor }))
  expect([...first.payments, ...second.payments].map(({ id }) => id)).toEqual(made.reverse())
  expect(second.cursor).toBe(null)
})

test('a key or an id that is none never leaves', async () => {
  const { there, api } = await shop()
  for (const key of ['', 'x'.repeat(65), 'ключ', 'a\r\nb'])
    expect(() => api.create(payment({ key }))).toThrow(RangeError)
  expect(() => api.payment('../refunds')).toThrow(RangeError)
  expect(there.asked).toEqual([])
})
