import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { formLink, freekassaApi, signatureOf } from '../../../api/providers/freekassa-api.ts'
import { credentials, limits, misbehave, outcomes, simulated, value } from './simulated.ts'

const path = new URL('../../vectors/providers-payments.json', import.meta.url)
const { vectors } = JSON.parse(readFileSync(path, 'utf8')) as {
  vectors: { id: string; raw_body: string; secret: string; signature: string; signed_text: string }[]
}
const vector = (id: string) => vectors.find((one) => one.id === id)!

async function shop() {
  const there = await simulated('freekassa')
  const access = { ...limits, url: there.url, payUrl: there.url, merchantId: '777', firstSecret: 'secret word 1' }
  const api = freekassaApi({ ...access, apiKey: credentials.freekassa, payerAddress: '177.7.34.106' })
  return { there, api, access: { ...access, apiKey: null, payerAddress: null } }
}
const order = (nonce: number, orderId = 'ORD-1') => ({
  orderId,
  nonce,
  amountMinor: 249_050,
  email: 'payer@example.org',
  method: 44,
  address: null,
})

test('the API is signed as in the published example, byte for byte', () => {
  const { raw_body: body, secret } = vector('freekassa-25')
  const { signature, ...words } = JSON.parse(body)
  expect(signatureOf(words, secret)).toBe(signature)
  expect(JSON.stringify({ ...words, signature })).toBe(body)
})

test('a link is signed with its currency, and makes the order that it names', async () => {
  const { there, access } = await shop()
  const link = new URL(formLink(access, { orderId: 'ORD-7', amountMinor: 19_890, email: 'a+b@example.org' }))
  expect(Object.fromEntries(link.searchParams)).toMatchObject({ m: '777', oa: '198.90', currency: 'RUB', o: 'ORD-7' })
  const page = (await fetch(link, { redirect: 'manual' })).headers.get('location')
  expect(page).toMatch(/\/pay\/\d+$/)
  link.searchParams.set('oa', '1.00')
  expect((await fetch(link, { redirect: 'manual' })).status).toBe(400)
  await there.close()
})

test('the old formula of a link, without its currency, is not ours', () => {
  const access = { ...limits, url: '', payUrl: 'https://pay.fk.money', payerAddress: null, apiKey: null }
  const stale = vector('freekassa-23')
  const fields = new URLSearchParams(stale.raw_body)
  const shopOf = { ...access, merchantId: fields.get('m')!, firstSecret: stale.secret }
  const ours = formLink(shopOf, { orderId: fields.get('o')!, amountMinor: 9_900, email: null })
  expect(new URL(ours).searchParams.get('s')).not.toBe(stale.signature)
  expect(() => formLink({ ...shopOf, firstSecret: null }, { orderId: '1', amountMinor: 1, email: null })).toThrow(
    RangeError,
  )
})

test('an order is made, paid on its page, and found by our number', async () => {
  const { there, api } = await shop()
  const made = value(await api.create(order(1)))
  await fetch(made.url)
  const known = { id: made.id, orderId: 'ORD-1', amountMinor: 249_050, currency: 'RUB', status: 'paid' }
  expect(value(await api.orders('ORD-1', 2))).toEqual([known])
  expect(value(await api.orders('ORD-2', 3))).toEqual([])
  expect(JSON.parse(there.asked[0]!.body.toString())).toMatchObject({ amount: 2490.5, i: 44, ip: '177.7.34.106' })
})

test.each(outcomes)(
  'after a create whose answer is %s our number tells whether there is an order',
  async (fault, outcome) => {
    const { there, api } = await shop()
    misbehave(there, fault)
    expect(await api.create(order(1))).toEqual(outcome)
    const isThere = !/^(?:429|html)/.test(fault)
    expect(value(await api.orders('ORD-1', 2))).toHaveLength(isThere ? 1 : 0)
  },
)

test('a nonce that comes too late did nothing, and another may be taken', async () => {
  const { api } = await shop()
  value(await api.create(order(5)))
  expect(await api.create(order(5, 'ORD-2'))).toMatchObject({
    kind: 'later',
    seconds: 0,
    why: expect.stringMatching(/nonce/),
  })
  expect(value(await api.orders('ORD-2', 6))).toEqual([])
})

test('calls go out one at a time, in the order of their nonces', async () => {
  const { there, api } = await shop()
  const replies = await Promise.all(Array.from({ length: 10 }, (_, n) => api.create(order(n + 1, `ORD-${n}`))))
  expect(replies.map(({ kind }) => kind)).toEqual(Array(10).fill('done'))
  misbehave(there, 'timeout:1')
  const before = there.asked.length
  const [hanging, waiting] = await Promise.all([api.create(order(11, 'ORD-11')), api.create(order(12, 'ORD-12'))])
  expect([hanging.kind, waiting]).toEqual(['doubtful', { kind: 'later', seconds: 5, why: 'too many calls are open' }])
  expect(there.asked.length).toBe(before + 1)
})

test('a mistake is refused, with the words of the provider', async () => {
  const { there, api, access } = await shop()
  expect(await api.create({ ...order(1), address: '127.0.0.1' })).toEqual({
    kind: 'refused',
    status: 400,
    code: 'error',
    why: 'ip is wrong',
  })
  const stranger = freekassaApi({ ...access, apiKey: 'hush', url: there.url })
  expect(await stranger.orders('ORD-1', 2)).toMatchObject({ kind: 'refused', status: 401, why: 'Wrong signature' })
})
