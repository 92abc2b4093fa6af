import { expect, test } from 'vitest'
import * as subscriptions from '../../../db/getpro/subscriptions.ts'
import { refusal, rest } from './rest-stage.ts'

const { admin, customer, held, post, read, rich, call, lines, db } = await rest()
let made = 0
const plan = async (change: object = {}) => {
  const body = { name: `Месяц ${++made}`, months: 1, price_kopecks: 19_900, ...change }
  return (await post('/plans', admin.token, body)).body.data.id as number
}
const code = async (change: object = {}) => {
  const body = { code: `code-${++made}`, bonus_days: 7, activations_max: 5, ...change }
  return (await post('/promo-codes', admin.token, body)).body.data.code as string
}
const buy = (token: string, body: object, key?: string) => post('/subscriptions', token, body, key)
const daysOf = ({ body }: { body: any }) => Math.round((Date.parse(body.data.ends_at) - Date.now()) / 86_400_000)
const periods = async (accountId: number) =>
  (
    await db.sql<{ kind: string }[]>`
    select p.kind from subscription_periods p join subscriptions s on s.id = p.subscription_id
    where s.account_id = ${accountId} order by p.id`
  ).map(({ kind }) => kind)

test('a plan is made and changed by admins; customers see what is sold', async () => {
  const one = await customer()
  const name = `Год ${++made}`
  const body = { name, months: 12, price_kopecks: 149_900, price_stars: 1_000 }
  const there = await post('/plans', admin.token, body)
  expect(there).toMatchObject({ status: 201, body: { data: { ...body, is_active: true, traffic_limit_bytes: null } } })
  const same = { ...body, name: name.toUpperCase() }
  expect(await post('/plans', admin.token, same)).toMatchObject(refusal(409, 'DUPLICATE'))
  const { id } = there.body.data
  const change = (token: string, given: object) => call('PATCH', `/plans/${id}`, { token, body: given })
  expect(await change(one.token, { price_kopecks: 1 })).toMatchObject(refusal(403, 'FORBIDDEN'))
  expect((await change(admin.token, { is_active: false })).body.data).toMatchObject({ ...body, is_active: false })
  const seen = async (token: string) =>
    (await read('/plans?page_size=100', token)).body.data.items.map((p: any) => p.id)
  expect(await seen(admin.token)).toContain(id)
  expect(await seen(one.token)).not.toContain(id)
  expect(await buy(one.token, { plan_id: id })).toMatchObject(refusal(404, 'NOT_FOUND'))
})

test('what is bought from the balance costs its price and lasts its months', async () => {
  const one = await rich(40_000)
  const planId = await plan()
  const first = await buy(one.token, { plan_id: planId })
  expect(first).toMatchObject({ status: 201, body: { data: { user_id: one.id, kind: 'regular', plan_id: planId } } })
  const second = await buy(one.token, { plan_id: planId })
  expect(Date.parse(second.body.data.ends_at)).toBeGreaterThan(Date.parse(first.body.data.ends_at))
  expect(await held(one.id)).toBe(200)
  expect(await buy(one.token, { plan_id: planId })).toMatchObject(refusal(400, 'INSUFFICIENT_FUNDS'))
  expect((await read(`/users/${one.id}/subscriptions`, one.token)).body.data).toMatchObject({
    total: 1,
    items: [second.body.data],
  })
  expect((await read(`/users/${one.id}/balance/history`, one.token)).body.data.items[0]).toMatchObject({
    kind: 'subscription_purchase',
    amount_kopecks: -19_900,
  })
})

test('said again by the same key it is bought once, also when its price has changed meanwhile', async () => {
  const one = await rich(100_000)
  const planId = await plan()
  const body = { plan_id: planId }
  const answers = await Promise.all([1, 2, 3, 4].map(() => buy(one.token, body, 'key-1')))
  expect(answers.map(({ status }) => status)).toEqual([201, 201, 201, 201])
  await call('PATCH', `/plans/${planId}`, { token: admin.token, body: { price_kopecks: 29_900 } })
  expect(await buy(one.token, body, 'key-1')).toMatchObject({ status: 201, body: { data: answers[0]!.body.data } })
  const other = await plan()
  expect(await buy(one.token, { plan_id: other }, 'key-1')).toMatchObject(refusal(409, 'IDEMPOTENCY_CONFLICT'))
  expect([await held(one.id), await periods(one.id)]).toEqual([80_100, ['balance']])
  // The key is the caller's own.
  const neighbour = await rich(50_000)
  expect(await buy(neighbour.token, body, 'key-1')).toMatchObject({
    status: 201,
    body: { data: { user_id: neighbour.id } },
  })
})

test('many at once buy what the balance is good for, and nothing is taken without time given', async () => {
  const one = await rich(60_000)
  const planId = await plan()
  const answers = await Promise.all(Array.from({ length: 10 }, () => buy(one.token, { plan_id: planId })))
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(3)
  expect([await held(one.id), (await periods(one.id)).length]).toEqual([300, 3])
})

test('a promo code makes what is bought longer; one that is no good undoes the whole', async () => {
  const one = await rich(100_000)
  const planId = await plan()
  const promo = await code()
  const bought = await buy(one.token, { plan_id: planId, promo_code: promo.toLowerCase() })
  expect(daysOf(bought)).toBeGreaterThanOrEqual(28 + 7)
  expect(await buy(one.token, { plan_id: planId, promo_code: promo })).toMatchObject(refusal(409, 'CONFLICT'))
  expect(await buy(one.token, { plan_id: planId, promo_code: 'NONE' })).toMatchObject(refusal(404, 'NOT_FOUND'))
  expect([await held(one.id), await periods(one.id)]).toEqual([80_100, ['balance']])
})

test('a promo code is used once by each, and as often as it says, however many come at once', async () => {
  const few = await code({ activations_max: 2 })
  const all = await Promise.all([1, 2, 3, 4].map(() => customer()))
  const apply = (token: string, body: object) => post('/promo-codes/apply', token, body)
  const answers = await Promise.all(all.map(({ token }) => apply(token, { code: few })))
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 409, 409])
  const winner = all[answers.findIndex(({ status }) => status === 200)]!
  expect(daysOf(answers.find(({ status }) => status === 200)!)).toBe(7)
  expect(await apply(winner.token, { code: few })).toMatchObject(refusal(409, 'CONFLICT'))
  expect(await periods(winner.id)).toEqual(['promo'])
  const foreign = await code()
  expect(await apply(winner.token, { code: foreign, user_id: all[0]!.id + 999 })).toMatchObject(
    refusal(403, 'FORBIDDEN'),
  )
  expect(await apply(admin.token, { code: foreign, user_id: winner.id })).toMatchObject({ status: 200 })
  expect(await apply(admin.token, { code: foreign })).toMatchObject(refusal(404, 'USER_NOT_FOUND'))
  const listed = (await read('/promo-codes', admin.token)).body.data.items
  expect(listed.find((one: any) => one.code === few)).toMatchObject({ activations: 2, activations_max: 2 })
  expect(await read('/promo-codes', winner.token)).toMatchObject(refusal(403, 'FORBIDDEN'))
})

test('a code that ends on a date is good to the end of that day in the house’s zone', async () => {
  const body = { code: 'LASTDAY', bonus_days: 1, activations_max: 1, valid_until: '2036-12-31' }
  const there = await post('/promo-codes', admin.token, body)
  expect(there.body.data).toMatchObject({ code: 'LASTDAY', valid_until: '2036-12-31T21:00:00Z' })
  expect(await post('/promo-codes', admin.token, { ...body, code: 'lastday' })).toMatchObject(refusal(409, 'DUPLICATE'))
  const over = await code({ valid_until: '2020-01-01' })
  const { token } = await customer()
  expect(await post('/promo-codes/apply', token, { code: over })).toMatchObject(refusal(404, 'NOT_FOUND'))
})

test('a trial is had once, and by nobody who ever had a subscription', async () => {
  const one = await customer()
  const answers = await Promise.all([1, 2, 3].map(() => post('/subscriptions/trial', one.token)))
  expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409])
  expect(daysOf(answers.find(({ status }) => status === 201)!)).toBe(3)
  const other = await customer()
  expect(await post('/subscriptions/trial', one.token, { user_id: other.id })).toMatchObject(refusal(403, 'FORBIDDEN'))
  expect(await post('/subscriptions/trial', admin.token, { user_id: other.id })).toMatchObject({ status: 201 })
})

test('a gift said twice is given once, and only an admin gives', async () => {
  const one = await customer()
  const gift = (token: string, body: object, key?: string) => post('/subscriptions/gift', token, body, key)
  const body = { user_id: one.id, days: 10 }
  const answers = await Promise.all([1, 2, 3].map(() => gift(admin.token, body, 'gift-1')))
  expect(answers.map((one) => [one.status, daysOf(one)])).toEqual([1, 2, 3].map(() => [201, 10]))
  expect(await gift(admin.token, { ...body, days: 11 }, 'gift-1')).toMatchObject(refusal(409, 'IDEMPOTENCY_CONFLICT'))
  expect(await gift(one.token, body)).toMatchObject(refusal(403, 'FORBIDDEN'))
  expect(await gift(admin.token, { user_id: one.id })).toMatchObject(refusal(422, 'VALIDATION_ERROR'))
  expect(await periods(one.id)).toEqual(['gift'])
})

test('a subscription renews only when there is something to charge, and only by its owner’s word', async () => {
  const [one, other] = [await customer(), await customer()]
  const { body } = await post('/subscriptions/trial', one.token)
  const renew = (token: string, on: unknown, id = body.data.id) =>
    post(`/subscriptions/${id}/auto-renew`, token, { auto_renews: on })
  expect(await renew(one.token, true)).toMatchObject(refusal(409, 'CONFLICT'))
  await db.sql`
    insert into saved_payment_methods (account_id, provider, provider_method_id, method_type)
    values (${one.id}, 'yookassa', ${`pm-${one.id}`}, 'bank_card')`
  expect(await renew(one.token, true)).toMatchObject({ status: 200, body: { data: { auto_renews: true } } })
  const off = await renew(one.token, false)
  expect(off.body.data).toMatchObject({ auto_renews: false, cancelled_at: expect.any(String) })
  expect((await renew(one.token, false)).body.data).toEqual(off.body.data)
  for (const id of [body.data.id, 999_999])
    expect(await renew(other.token, true, id)).toMatchObject(refusal(403, 'FORBIDDEN'))
  expect(await renew(admin.token, true, 999_999)).toMatchObject(refusal(404, 'NOT_FOUND'))
  expect(await renew(one.token, 'yes')).toMatchObject(refusal(422, 'VALIDATION_ERROR'))
  const bound = { provider: 'tribute', providerSubscriptionId: 's-1', kind: 'regular' as const, saidAt: null }
  await db.transaction((tx) => subscriptions.bind(tx, one.id, bound))
  expect(await renew(one.token, false)).toMatchObject(refusal(409, 'CONFLICT'))
})

test('an inviter sees whom they invited, and nothing else of them', async () => {
  const inviter = await customer()
  const invited = await customer({ referral_code: inviter.referralCode })
  const { body } = await read(`/users/${inviter.id}/referrals`, inviter.token)
  expect(body.data).toMatchObject({ total: 1, page: 1 })
  expect(body.data.items).toEqual([
    { user_id: invited.id, created_at: expect.any(String), has_paid: false, bonus_days: 0 },
  ])
  expect(await read(`/users/${inviter.id}/referrals`, invited.token)).toMatchObject(refusal(403, 'FORBIDDEN'))
})

test('nobody without a token does any of this', async () => {
  for (const path of ['/subscriptions', '/subscriptions/trial', '/subscriptions/gift', '/promo-codes/apply', '/plans'])
    expect(await call('POST', path, { body: {} }), path).toMatchObject(refusal(401, 'UNAUTHORIZED'))
})

test('none of this was a bug of ours', () => {
  expect(lines.filter(({ event }) => event === 'request.failed')).toEqual([])
})
