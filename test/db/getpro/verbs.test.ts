import { describe, expect, test } from 'vitest'
import * as accounts from '../../../db/getpro/accounts.ts'
import * as balance from '../../../db/getpro/balance.ts'
import * as payments from '../../../db/getpro/payments.ts'
import * as promoCodes from '../../../db/getpro/promo-codes.ts'
import * as subscriptions from '../../../db/getpro/subscriptions.ts'
import type { Tx } from '../../../db/postgres/connect.ts'
import { testDb } from '../../postgres.ts'

const { db } = await testDb()
const zone = 'Europe/Moscow'
let made = 0
const customer = () => db.transaction((tx) => accounts.register(tx, null, { telegramId: 500_000_000 + ++made }))
const promo = (activationsMax: number, change: { validUntil?: Date } = {}) =>
  db.transaction((tx) =>
    promoCodes.create(tx, null, { code: `promo${++made}`, bonusDays: 7, activationsMax, validUntil: null, ...change }),
  )
/** How many of these could be done; the others say why not. */
async function atOnce(times: number, act: (tx: Tx, n: number) => Promise<unknown>) {
  const tried = await Promise.allSettled(Array.from({ length: times }, (_, n) => db.transaction((tx) => act(tx, n))))
  const refusals = tried.flatMap((one) =>
    one.status === 'rejected' ? [one.reason.about?.reason ?? one.reason.code] : [],
  )
  return { done: times - refusals.length, refusals: [...new Set(refusals)] }
}

describe('an account', () => {
  test('is one for each person at Telegram, however many ask at once', async () => {
    const telegramId = 499_000_001
    const tried = await atOnce(8, (tx) => accounts.register(tx, null, { telegramId }))
    expect(tried).toEqual({ done: 1, refusals: ['duplicate'] })
  })

  test('is invited by an account or by its code, and by nobody there is not', async () => {
    const inviter = await customer()
    const byCode = await db.transaction((tx) =>
      accounts.register(tx, null, {
        telegramId: 499_000_002,
        inviter: { referralCode: inviter.referralCode.toLowerCase() },
      }),
    )
    expect(byCode.inviterId).toBe(inviter.id)
    const nobodys = atOnce(1, (tx) =>
      accounts.register(tx, null, { telegramId: 499_000_003, inviter: { id: 987_654_321 } }),
    )
    expect((await nobodys).refusals).toEqual(['inviter_unknown'])
  })
})

describe('a promo code', () => {
  test('gives as often as it may, however many apply it at once', async () => {
    const code = await promo(5)
    const people = await Promise.all(Array.from({ length: 20 }, customer))
    const tried = await atOnce(20, (tx, n) =>
      promoCodes.apply(tx, null, { accountId: people[n]!.id, code: code.code }, zone),
    )
    expect(tried).toEqual({ done: 5, refusals: ['promo_used_up'] })
    expect((await promoCodes.find(db.sql, code.code))?.activations).toBe(5)
  })

  test('gives once to an account, in any spelling, however often it is asked', async () => {
    const code = await promo(100)
    const { id: accountId } = await customer()
    const tried = await atOnce(8, (tx, n) =>
      promoCodes.apply(tx, null, { accountId, code: n % 2 ? code.code.toLowerCase() : ` ${code.code} ` }, zone),
    )
    expect(tried).toEqual({ done: 1, refusals: ['promo_used'] })
    const { startedAt, endsAt, kind } = (await subscriptions.of(db.sql, accountId))!
    expect([Math.round((endsAt.getTime() - startedAt.getTime()) / 86_400_000), kind]).toEqual([7, 'bonus'])
  })

  test('that is over, switched off or not there gives nothing', async () => {
    const { id: accountId } = await customer()
    const over = await promo(1, { validUntil: new Date('2020-01-01') })
    const off = await promo(1)
    await db.sql`update promo_codes set is_active = false where id = ${off.id}`
    for (const code of [over.code, off.code, 'NOSUCH'])
      expect((await atOnce(1, (tx) => promoCodes.apply(tx, null, { accountId, code }, zone))).refusals).toEqual([
        'promo_unknown',
      ])
    expect(await subscriptions.of(db.sql, accountId)).toBeUndefined()
  })
})

describe('a trial', () => {
  test('is given once, to who never had a subscription', async () => {
    const { id } = await customer()
    expect(await atOnce(8, (tx) => subscriptions.trial(tx, null, id, zone))).toEqual({
      done: 1,
      refusals: ['trial_used'],
    })
    const unknown = await atOnce(1, (tx) => subscriptions.trial(tx, null, 987_654_321, zone))
    expect(unknown.refusals).toEqual(['account_unknown'])
  })
})

describe('a gift', () => {
  test('is given once by its key, and leaves who pays as they are', async () => {
    const { id: accountId } = await customer()
    const give = (key: string) => (tx: Tx) =>
      subscriptions.gift(tx, null, { accountId, by: { months: 1, days: 0 }, key }, zone)
    expect(await atOnce(8, give('birthday'))).toEqual({ done: 8, refusals: [] })
    const once = (await subscriptions.of(db.sql, accountId))!
    expect([once.kind, once.anchorMonths]).toEqual(['gift', 1])
    await db.sql`update subscriptions set kind = 'regular' where account_id = ${accountId}`
    await atOnce(1, give('new year'))
    expect(await subscriptions.of(db.sql, accountId)).toMatchObject({ kind: 'regular', anchorMonths: 2 })
  })
})

describe('a balance', () => {
  test('is never less than nothing, however many take from it at once', async () => {
    const { id: accountId } = await customer()
    await db.transaction((tx) =>
      balance.change(tx, null, { accountId, amountKopecks: 1_000, key: `in ${accountId}`, reason: 'test' }),
    )
    const tried = await atOnce(20, (tx, n) =>
      balance.change(tx, null, { accountId, amountKopecks: -300, key: `out ${accountId} ${n}`, reason: 'test' }),
    )
    expect(tried).toEqual({ done: 3, refusals: ['insufficient_funds'] })
    expect(await balance.get(db.sql, accountId)).toBe(100)
  })

  test('is moved once by a key; the key for something else is refused', async () => {
    const { id: accountId } = await customer()
    const give = (amountKopecks: number) => (tx: Tx) =>
      balance.change(tx, null, { accountId, amountKopecks, key: `same ${accountId}`, reason: 'test' })
    expect(await atOnce(8, give(500))).toEqual({ done: 8, refusals: [] })
    expect(await balance.get(db.sql, accountId)).toBe(500)
    expect((await atOnce(1, give(600))).refusals).toEqual(['idempotency_mismatch'])
    const [audited] =
      await db.sql`select count(*) as n from audit_log where action = 'balance.add' and entity_id = ${accountId}`
    expect(audited!.n).toBe(1)
  })
})

test('a payment is begun for what is sold, at its price', async () => {
  const { id: accountId } = await customer()
  const [plan] = await db.sql<{ id: number }[]>`
    insert into plans (name, months, price_kopecks) values ('Полгода', 6, 89905) returning id`
  const begin = (change: object) => (tx: Tx) =>
    payments.begin(tx, null, { accountId, provider: 'yookassa', purpose: 'subscription', planId: plan!.id, ...change })
  const begun = await db.transaction(begin({}))
  expect(begun).toMatchObject({ chargedAmount: '899.05', chargedCurrency: 'RUB', months: 6, status: 'pending' })
  expect(begun.reference).not.toBe((await db.transaction(begin({}))).reference)
  expect((await atOnce(1, begin({ provider: 'stars' }))).refusals).toEqual(['plan_without_stars'])
  expect((await atOnce(1, begin({ planId: 987_654_321 }))).refusals).toEqual(['plan_unknown'])
  expect((await atOnce(1, begin({ accountId: 987_654_321 }))).refusals).toEqual(['account_unknown'])
  expect((await atOnce(1, begin({ promoCode: 'nosuch' }))).refusals).toEqual(['promo_unknown'])
})
