import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, expect, test } from 'vitest'
import { startInbox } from '../../../api/tasks/inbox.ts'
import type * as payments from '../../../db/getpro/payments.ts'
import { config } from '../server.ts'
import {
  heard,
  notices,
  order,
  paid,
  paidOnce,
  shopId,
  signed,
  standing,
  stored,
  tell,
  work,
  yookassaObject,
} from './stage.ts'

// YooKassa signs nothing: what it tells is asked for. Its API is played here, well and badly.
let answer: (path: string, response: ServerResponse) => void = () => {}
const asked: string[] = []
const server = createServer((request, response) => {
  asked.push(`${request.url} ${request.headers.authorization}`)
  answer(request.url!, response)
}).listen(0, '127.0.0.1')
await once(server, 'listening')
afterAll(() => {
  server.closeAllConnections()
  server.close()
})
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
const access = { url, timeoutSeconds: 30, callsMax: 20, shopId, secretKey: 'live_hush', receipts: null }
const shop = { ...notices().yookassa!, isVerified: true }
const house = await heard(
  { yookassa: shop },
  { providers: { ...config.providers, payments: { ...config.providers.payments, yookassa: access } } },
)
const { db } = house

const says = (status: number, body: unknown) => (_: string, response: ServerResponse) => {
  response
    .writeHead(status, { 'content-type': 'application/json' })
    .end(typeof body === 'string' ? body : JSON.stringify(body))
}
const there = (payment: payments.Payment, change: object = {}) => ({
  ...yookassaObject(payment, change),
  created_at: '2026-04-01T10:00:00.000Z',
})
const notify = (payment: payments.Payment) => tell(house, '/webhook/yookassa', paid.yookassa(payment))
const nothing = { payments: ['pending'], moved: [], periods: [] }

test('what is there is believed, not what was told', async () => {
  const payment = await order(db, 'yookassa')
  answer = says(
    200,
    there(payment, {
      status: 'canceled',
      cancellation_details: { party: 'yoo_money', reason: 'expired_on_confirmation' },
    }),
  )
  await notify(payment)
  expect((await work(house)).result).toMatchObject({ status: 'canceled' })
  expect(await standing(db, payment.accountId)).toEqual({ ...nothing, payments: ['canceled'] })
  expect(asked.at(-1)).toBe(`/payments/${payment.providerPaymentId} Basic ${btoa(`${shopId}:live_hush`)}`)
})

test('what is not there is unmatched, and credits nothing', async () => {
  const payment = await order(db, 'yookassa')
  answer = says(404, { type: 'error', id: 'x', code: 'not_found', description: 'Payment doesn’t exist' })
  expect((await notify(payment)).status).toBe(200)
  expect(await work(house)).toMatchObject({ state: 'unmatched', lastError: 'YooKassa does not know it' })
  expect(await standing(db, payment.accountId)).toEqual(nothing)
})

test.each([
  ['5xx', says(503, 'over there')],
  ['HTML', says(200, '<html>')],
  ['202', says(202, { type: 'processing', retry_after: 1 })],
  ['429', says(429, { type: 'error', code: 'too_many_requests' })],
  ['a reset', (_: string, response: ServerResponse) => void response.destroy()],
])('while it answers with %s nothing is decided; once it answers it is worked', async (_, bad) => {
  const payment = await order(db, 'yookassa')
  answer = bad
  expect((await notify(payment)).status).toBe(200)
  expect(await work(house)).toMatchObject({
    state: 'received',
    lastError: expect.stringContaining('YooKassa could not be asked'),
  })
  expect(await standing(db, payment.accountId)).toEqual(nothing)
  answer = says(200, there(payment))
  await db.sql`update inbox set worked_at = now() - interval '1 minute' where state = 'received'`
  expect((await work(house)).state).toBe('done')
  expect(await standing(db, payment.accountId)).toEqual(paidOnce)
})

test('a refund is asked for by its own name', async () => {
  const payment = await order(db, 'yookassa')
  answer = says(200, there(payment))
  await notify(payment)
  await work(house)
  const refund = { id: `rf-${payment.id}`, payment_id: payment.providerPaymentId, status: 'succeeded' }
  answer = says(200, { ...refund, amount: { value: '99.00', currency: 'RUB' } })
  const object = { ...refund, amount: { value: '199.00', currency: 'RUB' } }
  await tell(house, '/webhook/yookassa', signed.yookassa({ type: 'notification', event: 'refund.succeeded', object }))
  expect((await work(house)).result).toMatchObject({ status: 'refunded', amountKopecks: 9_900 })
  expect(asked.at(-1)).toContain(`/refunds/${refund.id} `)
})

test('what was told before it was so, by whomever, does not silence what is told when it is', async () => {
  const payment = await order(db, 'yookassa')
  answer = says(200, there(payment, { status: 'pending' }))
  const object = { id: payment.providerPaymentId, status: 'succeeded' }
  await tell(house, '/webhook/yookassa', signed.yookassa({ type: 'notification', event: 'payment.succeeded', object }))
  expect(await work(house)).toMatchObject({ state: 'unmatched', lastError: 'the payment is pending' })
  answer = says(200, there(payment))
  await notify(payment)
  expect((await work(house)).state).toBe('done')
  expect(await standing(db, payment.accountId)).toEqual(paidOnce)
  const refund = { id: `rf-${payment.id}`, payment_id: payment.providerPaymentId }
  const amount = { value: '199.00', currency: 'RUB' }
  answer = says(200, { ...refund, amount, status: 'pending' })
  const said = { ...refund, amount, status: 'succeeded' }
  await tell(
    house,
    '/webhook/yookassa',
    signed.yookassa({ type: 'notification', event: 'refund.succeeded', object: said }),
  )
  expect((await work(house)).state).toBe('unmatched')
  answer = says(200, said)
  await db.sql`update inbox set worked_at = now() - interval '1 hour' where last_error = 'the refund is pending'`
  expect((await work(house)).result).toMatchObject({ status: 'refunded', amountKopecks: 19_900 })
})

test('while it hangs it is answered at once, and the notices of all others are worked', async () => {
  const held: ServerResponse[] = []
  answer = (_, response) => void held.push(response)
  const slow = await Promise.all(Array.from({ length: 6 }, () => order(db, 'yookassa')))
  const { stage } = house
  const task = await startInbox({ db, log: stage.log, providers: stage.providers })
  try {
    const began = performance.now()
    for (const payment of slow) expect((await notify(payment)).status).toBe(200)
    await expect.poll(() => held.length, { timeout: 10_000 }).toBeGreaterThan(0)
    const others = await Promise.all(
      (['cryptopay', 'freekassa', 'stars'] as const).map(async (name) => [name, await order(db, name)] as const),
    )
    for (const [name, payment] of others)
      expect((await tell(house, `/webhook/${name}`, paid[name](payment))).status).toBe(200)
    for (const [, payment] of others)
      await expect.poll(() => standing(db, payment.accountId), { timeout: 10_000 }).toEqual(paidOnce)
    expect(performance.now() - began).toBeLessThan(access.timeoutSeconds * 1_000)
    expect(
      (await stored(house)).filter(({ provider, state }) => provider === 'yookassa' && state === 'received'),
    ).toHaveLength(6)
    answer = (path, response) =>
      says(200, there(slow.find(({ providerPaymentId }) => path.endsWith(providerPaymentId!))!))(path, response)
    for (const response of held) response.destroy()
  } finally {
    await task.close()
  }
  await db.sql`update inbox set worked_at = now() - interval '1 minute' where state = 'received'`
  await work(house)
  for (const payment of slow) expect(await standing(db, payment.accountId)).toEqual(paidOnce)
})

test('and the key of the shop is in no row and no line', async () => {
  expect(JSON.stringify([house.lines, await stored(house)])).not.toContain('live_hush')
})
