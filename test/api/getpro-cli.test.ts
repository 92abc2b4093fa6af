import { expect, test } from 'vitest'
import { commandOf, run } from '../../api/getpro-cli.ts'
import * as payments from '../../db/getpro/payments.ts'
import * as refunds from '../../db/getpro/refunds.ts'
import { act } from '../db/world.ts'
import { rest } from './getpro/rest-stage.ts'

const house = await rest()
const { db } = house
let telegramIds = 880_000

/** What the command prints, as somebody who typed it reads it. */
async function at(typed: string, options: Record<string, string> = {}): Promise<any> {
  const { command, ids } = commandOf(typed.split(' '))!
  const said = await run(command, { db, timeZone: 'Europe/Moscow', ids, values: options })
  return JSON.parse(JSON.stringify(said))
}
const failing = (work: Promise<unknown>) =>
  work.then(
    () => expect.unreachable(),
    (error) => error,
  )
const mistake = async (typed: string, options: Record<string, string> = {}) => {
  const error = await failing(at(typed, options))
  expect(error.name).toBe('BadSettings')
  return error.mistakes
}
const someone = async () => (await at('users create', { 'telegram-id': String(++telegramIds) })) as { id: number }

test('a user is made, found and shown in the words of the REST area', async () => {
  const inviter = await someone()
  const made = await at('users create', {
    'telegram-id': String(++telegramIds),
    username: 'ivan',
    inviter: String(inviter.id),
  })
  const { body } = await house.read(`/users/${made.id}`, house.admin.token)
  expect(made).toEqual(body.data)
  expect(await at(`users show ${made.id}`)).toEqual(made)
  expect(await at('users list', { 'telegram-id': String(telegramIds) })).toEqual({ users: [made], total: 1 })
  expect((await at('users list', { limit: '1', page: '2' })).users).toEqual([inviter])
  const again = await failing(at('users create', { 'telegram-id': String(telegramIds) }))
  expect(again).toMatchObject({ name: 'Refused', code: 'duplicate' })
})

test('a balance is given to and taken from, once by its key, and never below nothing', async () => {
  const { id } = await someone()
  const given = { kopecks: '5000', reason: 'за простой', key: 'k1' }
  const moved = await at(`balance add ${id}`, given)
  expect(moved).toEqual({ movement_id: expect.any(Number), user_id: id, balance_kopecks: 5_000, key: 'k1' })
  expect(await at(`balance add ${id}`, given)).toEqual(moved)
  expect(await failing(at(`balance add ${id}`, { ...given, kopecks: '1' }))).toMatchObject({
    code: 'idempotency_mismatch',
  })
  await at(`balance deduct ${id}`, { kopecks: '2000', reason: 'ошибка' })
  const poor = await failing(at(`balance deduct ${id}`, { kopecks: '3001', reason: 'ошибка' }))
  expect(poor).toMatchObject({ name: 'Refused', code: 'insufficient_funds' })
  expect(await at(`balance show ${id}`)).toEqual({ user_id: id, balance_kopecks: 3_000 })
  const { movements, total } = await at(`balance history ${id}`)
  expect([total, movements[0]]).toEqual([2, expect.objectContaining({ amount_kopecks: -2_000, reason: 'ошибка' })])
  const said = await db.sql`select action from audit_log where entity_id = ${id} order by id`
  expect(said.map(({ action }) => action)).toEqual(expect.arrayContaining(['balance.add', 'balance.deduct']))
})

test('time is granted where there is none, and extended only where there is some', async () => {
  const { id } = await someone()
  expect(await at(`subscription show ${id}`)).toEqual({ user_id: id, subscription: null })
  expect(await failing(at(`subscription extend ${id}`, { days: '3' }))).toMatchObject({ code: 'not_found' })
  const [first, twice] = await Promise.all([1, 2].map(() => at(`subscription grant ${id}`, { months: '1', key: 'g' })))
  expect(twice).toEqual(first)
  const longer = await at(`subscription extend ${id}`, { days: '3' })
  expect(Date.parse(longer.ends_at) - Date.parse(first.ends_at)).toBe(3 * 86_400_000)
  const { body } = await house.read(`/users/${id}/subscriptions`, house.admin.token)
  expect((await at(`subscription show ${id}`)).subscription).toEqual(body.data.items?.[0] ?? body.data[0])
})

test('a promo code is made, listed, and there once', async () => {
  const made = await at('promo create', { code: 'summer', days: '7', activations: '2', until: '2036-12-31' })
  expect(made).toMatchObject({ code: 'SUMMER', bonus_days: 7, activations_max: 2, activations: 0, is_active: true })
  // The day is over when it is over in Moscow.
  expect(made.valid_until).toMatch(/^2036-12-31T21:00:00/)
  expect(await at('promo list')).toEqual({ promo_codes: [made], total: 1 })
  const again = await failing(at('promo create', { code: 'Summer', days: '1', activations: '1' }))
  expect(again).toMatchObject({ name: 'Refused', code: 'duplicate' })
})

test('payments are listed and shown, with what went back of them', async () => {
  const { id: accountId } = await someone()
  const { id } = await act(db, (tx) =>
    payments.begin(tx, null, { accountId, provider: 'yookassa', purpose: 'balance', amountKopecks: 19_900 }),
  )
  await db.sql`
    insert into subscription_refunds (payment_id, provider, provider_refund_id, amount_kopecks, taken_kopecks)
    values (${id}, 'yookassa', 'r-1', 900, 900)`
  expect(await refunds.of(db.sql, id)).toHaveLength(1)
  const { body } = await house.read(`/payments/${id}`, house.admin.token)
  const refunded = [
    { provider_refund_id: 'r-1', amount_kopecks: 900, taken_kopecks: 900, created_at: expect.any(String) },
  ]
  expect(await at(`payments show ${id}`)).toEqual({ ...body.data, refunds: refunded })
  const asked = { user: String(accountId), status: 'pending', provider: 'yookassa' }
  expect(await at('payments list', asked)).toEqual({ payments: [body.data], total: 1 })
  expect(await at('payments list', { ...asked, status: 'failed' })).toEqual({ payments: [], total: 0 })
})

test('the inbox is counted', async () => {
  await db.sql`
    insert into inbox (provider, dedup_key, content_hash, raw, state, received_at, worked_at)
    values ('stars', 'a', '', '', 'unmatched', now(), now()), ('stars', 'b', '', '', 'done', now(), now()),
      ('tribute', 'c', '', '', 'received', now() - interval '1 minute', null)`
  const { oldest_due_seconds: seconds, ...counted } = await at('inbox')
  expect(counted).toEqual({
    open: [
      { provider: 'stars', state: 'unmatched', count: 1 },
      { provider: 'tribute', state: 'received', count: 1 },
    ],
    due: 1,
  })
  expect(seconds).toBeGreaterThanOrEqual(60)
})

test('what is typed wrongly is told, all of it, and nothing is done', async () => {
  const { id } = await someone()
  expect(commandOf(['balance'])).toBeNull()
  expect(commandOf(['toString'])).toBeNull()
  expect(commandOf([])).toBeNull()
  expect(await mistake(`balance add ${id}`)).toEqual(['--kopecks is required', '--reason is required'])
  expect(await mistake('balance show')).toEqual(['one ID is required'])
  expect(await mistake('balance show one')).toEqual(['one ID is required'])
  expect(await mistake(`users show ${id}`, { days: '1' })).toEqual(['--days is not for this command'])
  expect(await mistake('users list me')).toEqual(['there is nothing to be done with me'])
  expect(await mistake(`subscription grant ${id}`)).toEqual(['--months or --days is required'])
  expect(await mistake('promo create', { code: 'x', days: '0', activations: 'many', until: 'never' })).toHaveLength(4)
  expect(await mistake('payments list', { status: 'nope' })).toEqual([
    expect.stringContaining('--status must be one of'),
  ])
  expect(await failing(at('users show 999999'))).toMatchObject({ name: 'Refused', code: 'not_found' })
  expect(await at(`balance show ${id}`)).toEqual({ user_id: id, balance_kopecks: 0 })
})
