import { expect, onTestFinished, test } from 'vitest'
import { cryptopayApi } from '../../../api/providers/cryptopay-api.ts'
import { ask, deskOf } from '../../../api/providers/desk.ts'
import { paymentApis } from '../../../api/providers/payment-apis.ts'
import { startPayments } from '../../../api/tasks/payments.ts'
import * as openPayments from '../../../db/getpro/open-payments.ts'
import * as payments from '../../../db/getpro/payments.ts'
import type { PaymentProvider } from '../../../db/getpro/words.ts'
import { npm } from '../../npm-child.ts'
import { tempDataDir } from '../../postgres.ts'
import { credentials, limits, misbehave, simulated, value } from '../providers/simulated.ts'
import { config } from '../server.ts'
import { payAt, payingAt, providers } from './paying-stage.ts'
import { refusal, rest } from './rest-stage.ts'
import { paidOnce, plan, standing } from './stage.ts'

const there = await providers()
const settings = { ...config, providers: payingAt(there) }
const house = await rest({ providers: settings.providers })
const { admin, customer, post, db, url, lines, stage } = house
const everybody = ['yookassa', 'cryptopay', 'freekassa', 'tribute', 'stars'] as const

/** Two processes that poll; what is due now is settled in their first rounds. */
async function polled(desk = stage.desk) {
  await db.sql`update subscription_payments set due_at = now()`
  await db.sql`update payment_acts set due_at = now()`
  const tasks = await Promise.all([startPayments(desk), startPayments(desk)])
  onTestFinished(async () => void (await Promise.all(tasks.map((task) => task.close()))))
}

async function begun(provider: PaymentProvider) {
  const one = await customer()
  const made = await post('/payments', one.token, { purpose: 'subscription', plan_id: await plan(db), provider })
  expect(made.status).toBe(201)
  const payment = (await payments.get(db.sql, made.body.data.id))!
  return { accountId: one.id, payment, url: made.body.data.confirmation_url as string }
}
const patience = { timeout: 20_000 }
const status = async (id: number) => (await payments.get(db.sql, id))!.status

test('what every provider was paid is settled once, though nobody heard of it', async () => {
  const all = await Promise.all(everybody.map(begun))
  for (const one of all) await payAt(one.url)
  await polled()
  for (const { accountId } of all) await expect.poll(() => standing(db, accountId), patience).toEqual(paidOnce)
}, 60_000)

test('what was given up there is given up here, and by that word only', async () => {
  const names = ['yookassa', 'freekassa', 'tribute'] as const
  const all = await Promise.all(names.map(begun))
  const open = await Promise.all(everybody.map(begun))
  for (const { payment, url: link } of all) {
    if (payment.provider === 'freekassa') {
      const page = (await fetch(link, { redirect: 'manual' })).headers.get('location')!
      await there.freekassa.pay(new URL(page).pathname.split('/').at(-1)!, 'cancel')
    } else await there[payment.provider as 'yookassa' | 'tribute'].pay(payment.providerPaymentId!, 'cancel')
  }
  await db.sql`update subscription_payments set created_at = now() - interval '20 days' where id = any(${open.map(({ payment }) => payment.id)})`
  await polled()
  for (const { payment } of all) await expect.poll(() => status(payment.id), patience).toBe('canceled')
  const heard = async () =>
    (await db.sql`select 1 from subscription_payments where due_at <= now() and status = 'pending'`).length
  await expect.poll(heard, patience).toBe(0)
  for (const { payment } of open) expect(await status(payment.id)).toBe('pending')
}, 60_000)

test('an invoice that expired, which nobody is told, is given up', async () => {
  const { payment } = await begun('cryptopay')
  const api = cryptopayApi({
    ...limits,
    ...{ url: there.cryptopay.url, token: credentials.cryptopay, currencyType: 'fiat', currency: 'RUB' },
  })
  const about = { amount: '199.00', description: 'x', expiresInSeconds: 1, returnUrl: null, payload: 'short' }
  const { id } = value(await api.create(about))
  await db.sql`update subscription_payments set provider_payment_id = ${String(id)} where id = ${payment.id}`
  const expired = async () => value(await api.invoices([id]))[0]!.status
  await expect.poll(expired, patience).toBe('expired')
  await polled()
  await expect.poll(() => status(payment.id), patience).toBe('canceled')
}, 60_000)

test('a provider that hangs delays no other', async () => {
  const [slow, quick] = [await begun('yookassa'), await begun('cryptopay')]
  await payAt(quick.url)
  misbehave(there.yookassa, 'timeout')
  onTestFinished(() => void there.yookassa.faults.clear())
  await polled()
  await expect.poll(() => standing(db, quick.accountId), patience).toEqual(paidOnce)
  expect(await status(slow.payment.id)).toBe('pending')
}, 60_000)

test('a provider that does not take our key has refused nothing: all of it is done with the right one', async () => {
  const [open, paid] = [await begun('freekassa'), await begun('yookassa')]
  await payAt(paid.url)
  await polled()
  await expect.poll(() => status(paid.payment.id), patience).toBe('succeeded')
  const { yookassa, freekassa } = settings.providers.payments
  const { gateways } = stage.desk
  const wrong = payingAt(there, {
    yookassa: { ...yookassa!, secretKey: 'test_wrong' },
    freekassa: { ...freekassa!, apiKey: 'wrong' },
  })
  stage.desk.gateways = deskOf(stage.desk, { ...settings, providers: wrong }, paymentApis(wrong.payments)).gateways
  onTestFinished(() => void (stage.desk.gateways = gateways))
  const body = { user_id: open.accountId, purpose: 'balance', amount_kopecks: 5_000, provider: 'yookassa' }
  const begin = () => post('/payments', admin.token, body, 'by-a-wrong-key')
  expect(await begin()).toMatchObject(refusal(503, 'SERVICE_UNAVAILABLE'))
  const back = () => post(`/payments/${paid.payment.id}/refunds`, admin.token, {}, 'back-by-a-wrong-key')
  expect((await back()).body.data.state).toBe('asked')
  await ask(stage.desk, (await openPayments.claimOne(db.sql, open.payment.id, 60))!)
  expect(await status(open.payment.id)).toBe('pending')
  stage.desk.gateways = gateways
  expect(await begin()).toMatchObject({ status: 201, body: { data: { confirmation_url: expect.any(String) } } })
  await polled()
  await expect.poll(async () => (await back()).body.data.state, patience).toBe('done')
}, 60_000)

test('a process that is killed between the row and the answer has made one payment', async () => {
  const one = await customer()
  const secret = 's'.repeat(40)
  const { said, pid, gone } = npm(['api'], {
    ...{
      DATABASE_URL: url,
      DATA_DIR: tempDataDir(),
      JWT_SECRET: secret,
      KEYS_SECRET: secret,
      PAYMENT_CARD_KEY: secret,
    },
    ...{ YOOKASSA_SHOP_ID: '100500', YOOKASSA_SECRET_KEY: 'test_secret-key', YOOKASSA_API_URL: there.yookassa.url },
  })
  const { port } = await said('api.ready')
  const base = `http://127.0.0.1:${port}/api/getpro`
  const json = { 'content-type': 'application/json' }
  const login = JSON.stringify({ login: one.email, password: 'secure_password' })
  const tokens: any = await (await fetch(`${base}/auth/login`, { method: 'POST', headers: json, body: login })).json()
  // It makes the payment, and says nothing.
  misbehave(there.yookassa, 'timeout:1')
  const asked = new Promise<void>((resolve) => there.yookassa.watch(({ method }) => method === 'POST' && resolve()))
  const body = JSON.stringify({ purpose: 'subscription', plan_id: await plan(db), provider: 'yookassa' })
  const headers = { ...json, authorization: `Bearer ${tokens.data.access_token}` }
  const answer = fetch(`${base}/payments`, { method: 'POST', headers, body }).catch(() => null)
  await asked
  process.kill(-pid, 'SIGKILL')
  await gone
  expect(await answer).toBe(null)
  const before = there.yookassa.asked.length
  // The lease of whoever died is over.
  await db.sql`update subscription_payments set leased_until = now() where account_id = ${one.id}`
  await polled()
  const made = async () =>
    (
      await db.sql<{ providerPaymentId: string; confirmationUrl: string }[]>`
    select provider_payment_id, confirmation_url from subscription_payments where account_id = ${one.id}`
    )[0]!
  await expect.poll(async () => (await made()).confirmationUrl, patience).toMatch(/^http/)
  const keys = there.yookassa.asked.slice(before - 1).flatMap(({ headers: { 'idempotence-key': key } }) => key ?? [])
  expect([keys.length, new Set(keys).size]).toEqual([2, 1])
  await payAt((await made()).confirmationUrl)
  await polled()
  await expect.poll(() => standing(db, one.id), patience).toEqual(paidOnce)
}, 90_000)

test('a shop with receipts sends them, and one that wants them and gets none refuses', async () => {
  const shop = await simulated('yookassa', { needsReceipts: true })
  const codes = {
    vatCode: 11,
    taxSystemCode: null,
    paymentMode: 'full_payment',
    paymentSubject: 'service',
    measure: null,
  }
  const one = await customer({ email: 'payer@example.org' })
  const yookassa = { ...settings.providers.payments.yookassa!, url: shop.url, receipts: codes }
  for (const receipts of [null, codes]) {
    const payingThere = { ...settings, providers: payingAt(there, { yookassa: { ...yookassa, receipts } }) }
    stage.desk.gateways = deskOf(stage.desk, payingThere, paymentApis(payingThere.providers.payments)).gateways
    const made = await post('/payments', one.token, { purpose: 'balance', amount_kopecks: 5_000, provider: 'yookassa' })
    if (receipts) expect(made.status).toBe(201)
    else expect(made).toMatchObject(refusal(409, 'PAYMENT_REFUSED'))
  }
  const { receipt } = JSON.parse(shop.asked.at(-1)!.body.toString())
  expect(receipt).toMatchObject({
    customer: { email: 'payer@example.org' },
    items: [{ amount: { value: '50.00' }, vat_code: 11 }],
  })
  expect((await standing(db, one.id)).payments).toEqual(['failed', 'pending'])
})

test('who cannot be paid at is said to be off', async () => {
  stage.desk.gateways = {}
  const body = { purpose: 'balance', amount_kopecks: 5_000, provider: 'yookassa', user_id: (await customer()).id }
  expect(await post('/payments', admin.token, body)).toMatchObject(refusal(503, 'SERVICE_UNAVAILABLE'))
})

test('none of this was a bug of ours', () => {
  expect(lines.filter(({ event }) => /failed$/.test(event) && event !== 'payment.failed')).toEqual([])
})
