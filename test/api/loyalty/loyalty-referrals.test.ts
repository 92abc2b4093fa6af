import { expect, test } from 'vitest'
import * as identity from '../../../db/identity/identity.ts'
import { startApiServer } from '../server.ts'

const { db, call, person, lines } = await startApiServer()

/** Somebody with a role on the loyalty surface; without one, a patient. */
async function member(role?: string) {
  const one = await person()
  if (role) await db.transaction((tx) => identity.grant(tx, one.id, { surface: 'loyalty', role }))
  return one
}
type Member = Awaited<ReturnType<typeof member>>
const [cashier, admin] = [await member('cashier'), await member('admin')]
const ask = (token: string | undefined, method: string, path: string, body?: unknown) =>
  call(method, `/api/referrals/${path}`, { ...(token ? { token } : {}), ...(body === undefined ? {} : { body }) })
const create = (by: Member, body: object = {}) =>
  ask(by.token, 'POST', 'create-code', { user_id: by.id, referrer_type: 'patient', ...body })
const mine = async ({ token }: Member) => (await ask(token, 'GET', 'my-code')).body
const happen = (referral_code: string, who: { id: number }, event_type: string, more: object = {}, by = cashier) =>
  ask(by.token, 'POST', 'register-event', { referral_code, referred_user_id: who.id, event_type, ...more })
const stats = async ({ token }: Member) => (await ask(token, 'GET', 'stats')).body
const rewards = (who: Member, query = '') => ask(who.token, 'GET', `rewards${query}`)
const balance = async ({ token }: Member) => (await call('GET', '/api/loyalty/balance', { token })).body
const detail = (text: RegExp) => ({ detail: expect.stringMatching(text) })
const many = 20

test('a code is made as documented, and the same comes again', async () => {
  const anna = await member()
  const { status, body } = await create(anna)
  expect(status).toBe(201)
  expect(body).toEqual({
    id: expect.any(Number),
    user_id: anna.id,
    code: expect.stringMatching(/^REF-[A-Z0-9]{8}$/),
    referrer_type: 'patient',
    total_referrals: 0,
    successful_referrals: 0,
    total_revenue: 0,
    is_active: true,
    expires_at: null,
    created_at: expect.stringMatching(/Z$/),
  })
  expect(await create(anna, { custom_code: 'another-one' })).toMatchObject({ status: 201, body })
  expect(await ask(anna.token, 'GET', 'my-code')).toMatchObject({ status: 200, body })
})

test(`${many} who ask for their own code at once see one`, async () => {
  const anna = await member()
  const codes = await Promise.all(Array.from({ length: many }, (_, n) => (n % 2 ? mine(anna) : create(anna))))
  expect(new Set(codes.map((one) => one.body?.code ?? one.code)).size).toBe(1)
})

test('a code is made for oneself, by an administrator for anybody, and never for more than one’s own role earns', async () => {
  const [anna, boris, doctor] = [await member(), await member(), await member('doctor')]
  for (const by of [boris, cashier, doctor]) expect((await create(by, { user_id: anna.id })).status).toBe(403)
  expect(await create(anna, { referrer_type: 'doctor' })).toMatchObject({ status: 403, body: detail(/администратор/) })
  expect((await create(doctor, { referrer_type: 'doctor' })).body.referrer_type).toBe('doctor')
  expect((await create(admin, { user_id: anna.id, referrer_type: 'doctor' })).body).toMatchObject({
    user_id: anna.id,
    referrer_type: 'doctor',
  })
  expect(await create(admin, { user_id: 999_999_999 })).toMatchObject({ status: 404, body: detail(/Пользователь/) })
})

test('a chosen code is kept in capitals, taken once, and of letters that can be read out', async () => {
  const [anna, boris] = [await member(), await member()]
  expect((await create(anna, { custom_code: ' spring-26 ' })).body.code).toBe('SPRING-26')
  expect(await create(boris, { custom_code: 'Spring-26' })).toMatchObject({ status: 400, body: detail(/занят/) })
  for (const custom_code of ['abc', 'x'.repeat(33), 'with space', 'код-весна', '-abcd', 'a\u0000bcd', 7])
    expect((await create(boris, { custom_code })).status, String(custom_code)).toBe(422)
})

test('a first visit is registered and paid as documented, once', async () => {
  const [anna, guest] = [await member(), await member()]
  const { id, code } = await mine(anna)
  const more = { transaction_amount: 3000, onec_document_id: 'DOC-67890' }
  const first = await happen(code, guest, 'first_visit', more)
  expect(first).toMatchObject({
    status: 201,
    body: {
      id: expect.any(Number),
      referral_code_id: id,
      referred_user_id: guest.id,
      event_type: 'first_visit',
      transaction_amount: 3000,
      onec_document_id: 'DOC-67890',
      processed: true,
      occurred_at: expect.stringMatching(/Z$/),
    },
  })
  const again = await Promise.all(Array.from({ length: many }, () => happen(code, guest, 'first_visit', more)))
  for (const { status, body } of again) expect({ status, body }).toEqual({ status: 201, body: first.body })
  expect(await balance(anna)).toMatchObject({ points_balance: 500, cashback_balance: 0, transactions_count: 1 })
  expect(await mine(anna)).toMatchObject({ total_referrals: 1, successful_referrals: 1, total_revenue: 3000 })
  expect(await happen(code, guest, 'first_visit', { ...more, transaction_amount: 1 })).toMatchObject({
    status: 400,
    body: detail(/Документ/),
  })
})

test('what services cost comes back as cashback: 5 % to a patient, 10 % to a doctor, rounded down', async () => {
  const [anna, doctor] = [await member(), await member('doctor')]
  for (const who of [anna, doctor])
    await happen((await mine(who)).code, await member(), 'paid_service', { transaction_amount: 1000.19 })
  expect([(await balance(anna)).cashback_balance, (await balance(doctor)).cashback_balance]).toEqual([50, 100.01])
})

test('only staff register events, of codes that count, and nobody’s own', async () => {
  const [anna, guest, doctor] = [await member(), await member(), await member('doctor')]
  const { code } = await mine(anna)
  for (const by of [anna, doctor]) expect((await happen(code, guest, 'first_visit', {}, by)).status).toBe(403)
  expect(await happen('REF-NOBODY00', guest, 'first_visit')).toMatchObject({ status: 404, body: detail(/код/) })
  expect(await happen(code, anna, 'first_visit')).toMatchObject({ status: 400, body: detail(/собственный/) })
  expect(await happen(code, { id: 999_999_999 }, 'first_visit')).toMatchObject({ status: 404 })
  await db.sql`update referral_codes set is_active = false where code = ${code}`
  expect((await happen(code, guest, 'first_visit')).status).toBe(404)
  expect(await rewards(anna)).toMatchObject({ status: 200, body: [] })
})

test('no shape but the documented one is taken', async () => {
  const guest = await member()
  const { code } = await mine(await member())
  for (const kind of ['visit', '', null, 7]) expect((await happen(code, guest, kind as string)).status).toBe(422)
  for (const transaction_amount of [-1, 0.001, '100', true, 1e30])
    expect((await happen(code, guest, 'paid_service', { transaction_amount })).status).toBe(422)
  for (const body of [{}, '{', '[]', { user_id: 'x', referrer_type: 'patient' }, { user_id: 1, referrer_type: '' }])
    expect((await ask(admin.token, 'POST', 'create-code', body)).status).toBe(422)
  expect((await stats(guest)).total_referrals).toBe(0)
})

test('without a token there is nothing', async () => {
  for (const [method, path] of [
    ['POST', 'create-code'],
    ['GET', 'my-code'],
    ['POST', 'register-event'],
    ['GET', 'stats'],
    ['GET', 'rewards'],
  ]) {
    const refused = await ask(undefined, method!, path!, method === 'POST' ? {} : undefined)
    expect(refused.status, path).toBe(401)
    expect(refused.headers.get('www-authenticate')).toBe('Bearer')
  }
})

test('the statistics add up as documented, and are zeros without a code', async () => {
  const anna = await member()
  const none = {
    total_referrals: 0,
    successful_referrals: 0,
    pending_referrals: 0,
    total_revenue: 0,
    total_rewards: 0,
    conversion_rate: 0,
    referral_code: null,
  }
  expect(await stats(anna)).toEqual(none)
  const { code } = await mine(anna)
  expect(await stats(anna)).toEqual({ ...none, referral_code: code })
  const guests = [await member(), await member()]
  for (const guest of guests) await happen(code, guest, 'registration')
  await happen(code, guests[0]!, 'first_visit', { transaction_amount: 1500.5 })
  expect(await stats(anna)).toEqual({
    total_referrals: 3,
    successful_referrals: 1,
    pending_referrals: 1,
    total_revenue: 1500.5,
    total_rewards: 700,
    conversion_rate: 33.33,
    referral_code: code,
  })
})

test('rewards are a plain list, newest first, one’s own, in pages on request', async () => {
  const [anna, other] = [await member(), await member()]
  const { code } = await mine(anna)
  const events: number[] = []
  for (let n = 0; n < 3; n++) events.unshift((await happen(code, await member(), 'registration')).body.id)
  const { status, body } = await rewards(anna)
  expect(status).toBe(200)
  expect(body.map((one: any) => one.event_id)).toEqual(events)
  expect(body[0]).toEqual({
    id: expect.any(Number),
    event_id: events[0],
    recipient_user_id: anna.id,
    reward_type: 'points',
    reward_amount: 100,
    referral_level: 1,
    awarded_at: expect.stringMatching(/Z$/),
  })
  expect((await rewards(anna, '?limit=2&page=2')).body).toEqual(body.slice(2))
  expect((await rewards(anna, '?page=2')).body).toEqual([])
  expect((await rewards(other)).body).toEqual([])
  for (const query of ['?limit=0', '?limit=101', '?page=0', '?limit=x'])
    expect((await rewards(anna, query)).status).toBe(422)
})

test('none of this was a bug of ours', () => {
  expect(lines.filter(({ event }) => event !== 'request.answered')).toEqual([])
})
