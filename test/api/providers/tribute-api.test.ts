import { expect, test } from 'vitest'
import { type NewShopOrder, tributeApi } from '../../../api/providers/tribute-api.ts'
import { credentials, limits, misbehave, outcomes, simulated, value } from './simulated.ts'

async function shop() {
  const there = await simulated('tribute')
  return { there, api: tributeApi({ ...limits, url: there.url, apiKey: credentials.tribute }) }
}
const order = (more: Partial<NewShopOrder> = {}): NewShopOrder => ({
  reference: 'payment-42',
  amountMinor: 29_900,
  currency: 'rub',
  title: 'Подписка',
  description: 'Подписка на 1 месяц',
  customerId: '123456',
  successUrl: 'https://example.org/back',
  failUrl: 'https://example.org/failed',
  email: null,
  ...more,
})
const since = new Date()

test('an order is made, paid on its page, read, and given back as a whole', async () => {
  const { there, api } = await shop()
  const made = value(await api.create(order()))
  expect(made).toMatchObject({ status: 'pending', amountMinor: 29_900, currency: 'rub', reference: 'payment-42' })
  expect((await fetch(made.url!, { redirect: 'manual' })).headers.get('location')).toBe('https://example.org/back')
  expect(value(await api.order(made.id)).status).toBe('paid')
  expect((await api.refund(made.id, '1')).kind).toBe('done')
  expect(await api.refund(made.id, '1')).toMatchObject({ kind: 'refused', status: 400, code: 'error_bad_request' })
  expect(there.asked[0]!.headers['api-key']).toBe(credentials.tribute)
})

test.each(outcomes)(
  'after a create whose answer is %s our reference tells whether there is an order',
  async (fault, outcome) => {
    const { there, api } = await shop()
    misbehave(there, fault)
    expect(await api.create(order())).toEqual(outcome)
    const isThere = !/^(?:429|html)/.test(fault)
    expect(value(await api.find('payment-42', since)) !== null).toBe(isThere)
    expect(value(await api.find('payment-43', since))).toBe(null)
  },
)

test('a mistake is refused, an unknown order, and a wrong key', async () => {
  const { there, api } = await shop()
  expect(await api.create(order({ currency: 'kzt' }))).toEqual({
    kind: 'refused',
    status: 400,
    code: 'error_bad_request',
    why: 'currency is wrong',
  })
  expect(await api.order('550e8400-e29b-41d4-a716-446655440000')).toMatchObject({ kind: 'refused', status: 404 })
  const stranger = tributeApi({ ...limits, url: there.url, apiKey: 'hush' })
  expect(await stranger.create(order())).toMatchObject({ kind: 'refused', status: 401, code: 'no_access' })
})
