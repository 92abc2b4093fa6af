import { expect, test } from 'vitest'
import { cryptopayApi, type NewInvoice } from '../../../api/providers/cryptopay-api.ts'
import { credentials, limits, misbehave, outcomes, simulated, value } from './simulated.ts'

async function app({
  currencyType = 'fiat' as 'fiat' | 'crypto',
  currency = 'RUB',
  token = credentials.cryptopay,
} = {}) {
  const there = await simulated('cryptopay')
  return { there, api: cryptopayApi({ ...limits, url: there.url, token, currencyType, currency }) }
}
const invoice = (more: Partial<NewInvoice> = {}): NewInvoice => ({
  amount: '299.00',
  description: 'Подписка на 1 месяц 🚀',
  payload: 'payment-42',
  expiresInSeconds: 3600,
  returnUrl: 'https://example.org/back',
  ...more,
})
const since = new Date()

test('an invoice is made, paid on its page, and read as it is there', async () => {
  const { there, api } = await app()
  const made = value(await api.create(invoice()))
  expect(made).toMatchObject({ status: 'active', amount: '299', currency: 'RUB', payload: 'payment-42' })
  expect((await fetch(made.url, { redirect: 'manual' })).headers.get('location')).toBe('https://example.org/back')
  expect(value(await api.invoices([made.id, 1]))).toMatchObject([{ id: made.id, status: 'paid' }])
  const [asked] = there.asked
  expect(JSON.parse(asked!.body.toString())).toMatchObject({ currency_type: 'fiat', fiat: 'RUB', amount: '299.00' })
  expect(asked!.headers['crypto-pay-api-token']).toBe(credentials.cryptopay)
})

test('an invoice in coins names the asset', async () => {
  const { there, api } = await app({ currencyType: 'crypto', currency: 'TON' })
  expect(value(await api.create(invoice({ amount: '10.5', returnUrl: null })))).toMatchObject({
    amount: '10.5',
    currency: 'TON',
  })
  expect(JSON.parse(there.asked[0]!.body.toString())).toMatchObject({ currency_type: 'crypto', asset: 'TON' })
})

test.each(outcomes)(
  'after a create whose answer is %s its payload tells whether there is an invoice',
  async (fault, outcome) => {
    const { there, api } = await app()
    misbehave(there, fault)
    expect(await api.create(invoice())).toEqual(outcome)
    const isThere = !/^(?:429|html)/.test(fault)
    const found = value(await api.find('payment-42', since))
    expect(found !== null).toBe(isThere)
    expect(value(await api.find('payment-4', since))).toBe(null)
  },
)

test('an invoice is found behind a thousand newer ones', async () => {
  const { there, api } = await app()
  const mine = value(await api.create(invoice()))
  const headers = { 'crypto-pay-api-token': credentials.cryptopay }
  const other = JSON.stringify({ currency_type: 'fiat', fiat: 'RUB', amount: '1', payload: 'other' })
  for (let n = 0; n < 1_000; n += 50)
    await Promise.all(
      Array.from({ length: 50 }, () => fetch(`${there.url}/createInvoice`, { method: 'POST', headers, body: other })),
    )
  expect(value(await api.find('payment-42', since))).toMatchObject({ id: mine.id })
  misbehave(there, 'timeout:1')
  expect((await api.find('payment-42', since)).kind).toBe('doubtful')
})

test('what is deleted is no more, and what nobody paid in time is expired', async () => {
  const { there, api } = await app()
  const [one, two] = [value(await api.create(invoice())), value(await api.create(invoice({ expiresInSeconds: 0.001 })))]
  expect(await api.cancel(one.id)).toEqual({ kind: 'done', value: null })
  expect(await api.cancel(one.id)).toMatchObject({ kind: 'refused', code: 'INVOICE_NOT_FOUND' })
  await expect
    .poll(async () => value(await api.invoices([one.id, two.id])))
    .toMatchObject([{ id: two.id, status: 'expired' }])
  await there.pay(String(two.id))
  expect(value(await api.invoices([two.id]))[0]!.status).toBe('expired')
})

test('a mistake is refused, and a token of the other network', async () => {
  const { there, api } = await app()
  const refused = { kind: 'refused', status: 400, code: 'AMOUNT_INVALID', why: 'AMOUNT_INVALID' }
  expect(await api.create(invoice({ amount: '0' }))).toEqual(refused)
  const { api: stranger } = await app({ token: 'hush' })
  expect(await stranger.create(invoice())).toMatchObject({ kind: 'refused', status: 401, code: 'UNAUTHORIZED' })
  expect(() => api.create(invoice({ payload: 'я'.repeat(2_049) }))).toThrow(RangeError)
  expect(there.asked).toHaveLength(1)
})
