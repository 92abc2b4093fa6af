import { expect, test } from 'vitest'
import { config } from '../server.ts'
import { refusal, rest } from './rest-stage.ts'
import { notices, order, paid, paidOnce, standing, tell, work } from './stage.ts'

const house = await rest({ providers: { ...config.providers, notices: notices() } })
const { admin, call, customer, post, read, db, lines } = house

test('customers see their own payments, admins all', async () => {
  const [one, other] = [await customer(), await customer()]
  const payment = await order(db, 'cryptopay', { accountId: one.id })
  await order(db, 'freekassa', { accountId: other.id })
  const own = await read('/payments', one.token)
  expect(own.body.data).toMatchObject({ total: 1, items: [{ id: payment.id, user_id: one.id, status: 'pending' }] })
  expect(JSON.stringify(own.body)).not.toContain(payment.reference)
  expect((await read(`/payments/${payment.id}`, one.token)).body.data).toEqual(own.body.data.items[0])
  for (const path of [`/payments?user_id=${one.id}`, `/payments/${payment.id}`, '/payments/999999'])
    expect(await read(path, other.token), path).toMatchObject(refusal(403, 'FORBIDDEN'))
  expect(await read('/payments/999999', admin.token)).toMatchObject(refusal(404, 'PAYMENT_NOT_FOUND'))
  const found = await read(`/payments?user_id=${other.id}&provider=freekassa&status=pending`, admin.token)
  expect(found.body.data).toMatchObject({ total: 1, items: [{ user_id: other.id }] })
  expect((await read('/payments', admin.token)).body.data.total).toBeGreaterThan(1)
  expect(await read('/payments?status=paid', admin.token)).toMatchObject(refusal(422, 'VALIDATION_ERROR'))
})

/** A paid notice that names no payment we know. */
async function lost(accountId: number) {
  const payment = await order(db, 'cryptopay', { accountId })
  const stranger = { ...payment, providerPaymentId: `nobodys-${payment.id}`, reference: `nobodys-${payment.id}` }
  await tell(house, '/webhook/cryptopay', paid.cryptopay(stranger))
  return { payment, event: await work(house) }
}

test('what names nothing is matched by an admin, and paid once however many do it at once', async () => {
  const one = await customer()
  const { payment, event } = await lost(one.id)
  await db.sql`update subscription_payments set provider_payment_id = null where id = ${payment.id}`
  const listed = (await read('/inbox?state=unmatched', admin.token)).body.data.items
  expect(listed).toMatchObject([{ id: event.id, provider: 'cryptopay', last_error: 'PAYMENT_NOT_FOUND' }])
  expect(Object.keys(listed[0])).not.toContain('raw')
  const match = () => post(`/inbox/${event.id}/match`, admin.token, { payment_id: payment.id })
  const answers = await Promise.all([match(), match(), match()])
  expect(answers.map(({ status, body }) => [status, body.data?.state])).toEqual([1, 2, 3].map(() => [200, 'done']))
  expect(await standing(db, one.id)).toEqual(paidOnce)
  const again = await post(`/inbox/${event.id}/replay`, admin.token)
  expect(again).toMatchObject({ status: 200, body: { data: { state: 'done' } } })
  expect(await standing(db, one.id)).toEqual(paidOnce)
})

test('a match names one thing that is there', async () => {
  const { payment, event } = await lost((await customer()).id)
  const match = (body: object) => post(`/inbox/${event.id}/match`, admin.token, body)
  const both = { payment_id: payment.id, user_id: payment.accountId }
  for (const body of [{}, both]) expect(await match(body)).toMatchObject(refusal(422, 'VALIDATION_ERROR'))
  const unknown = await match({ payment_id: 999_999 })
  expect([unknown.status, unknown.body.data?.state ?? unknown.body.error.code]).toEqual([404, 'PAYMENT_NOT_FOUND'])
  expect(await post(`/inbox/${event.id}/replay`, admin.token)).toMatchObject({ body: { data: { state: 'unmatched' } } })
})

test('the inbox is closed to customers, and to what other businesses are told', async () => {
  const one = await customer()
  const { event } = await lost(one.id)
  expect(await read('/inbox', one.token)).toMatchObject(refusal(403, 'FORBIDDEN'))
  for (const act of ['replay', 'match']) {
    const body = { payment_id: 1 }
    expect(await post(`/inbox/${event.id}/${act}`, one.token, body)).toMatchObject(refusal(403, 'FORBIDDEN'))
    expect(await call('POST', `/inbox/${event.id}/${act}`, { body })).toMatchObject(refusal(401, 'UNAUTHORIZED'))
  }
  await db.sql`update inbox set provider = '1c' where id = ${event.id}`
  expect(await post(`/inbox/${event.id}/replay`, admin.token)).toMatchObject(refusal(404, 'NOT_FOUND'))
  const all = (await read('/inbox?page_size=100', admin.token)).body.data.items
  expect(all.map(({ id }: any) => id)).not.toContain(event.id)
})

test('none of this was a bug of ours', () => {
  expect(lines.filter(({ event }) => event === 'request.failed')).toEqual([])
})
