import { expect, test } from 'vitest'
import * as ledger from '../../../db/ledger/ledger.ts'
import * as loyalty from '../../../db/loyalty/loyalty.ts'
import * as points from '../../../db/loyalty/points.ts'
import { testDb } from '../../postgres.ts'
import { act, person } from '../world.ts'
import { desk, rules } from './points.ts'

const { db } = await testDb()
const { customer, accrue, deduct, expire, lapse, lots, key, cashier, witnesses } = await desk(db)
const balance = async (userId: number) => (await points.balance(db.sql, userId))!
const account = async (userId: number) => (await loyalty.accountOf(db.sql, userId))!

test('points come and go, and the account remembers how many ever did', async () => {
  const { userId, accountId } = await customer()
  await accrue(accountId, 5_050)
  await accrue(accountId, 300, { currency: 'cashback' })
  await deduct(accountId, 50)
  await deduct(accountId, 100, { currency: 'cashback' })
  expect(await balance(userId)).toEqual({
    pointsBalance: 5_000,
    cashbackBalance: 200,
    cardTier: 'gold',
    transactionsCount: 4,
  })
  expect(await account(userId)).toMatchObject({
    totalPointsEarned: 5_050,
    totalPointsSpent: 50,
    totalCashbackEarned: 300,
    totalCashbackSpent: 100,
  })
})

test('an accrual said twice is the first one, whoever says it', async () => {
  const { userId, accountId } = await customer()
  const idempotencyKey = key()
  const first = await accrue(accountId, 100, { idempotencyKey })
  const again = await act(db, (tx) =>
    points.accrue(tx, null, {
      ...{ userId, amount: 100, currency: 'points', source: 'visit', sourceId: null },
      description: null,
      idempotencyKey,
      rules,
    }),
  )
  expect(again).toEqual(first)
  expect(await balance(userId)).toMatchObject({ pointsBalance: 100, transactionsCount: 1 })
})

test('a deduction said twice is the first one, even when nothing is left', async () => {
  const { userId, accountId } = await customer()
  await accrue(accountId, 100)
  const idempotencyKey = key()
  const first = await deduct(accountId, 100, { idempotencyKey })
  expect(await deduct(accountId, 100, { idempotencyKey })).toEqual(first)
  expect(await balance(userId)).toMatchObject({ pointsBalance: 0, transactionsCount: 2 })
})

test.each([
  ['amount', { amount: 101 }],
  ['currency', { currency: 'cashback' }],
  ['source', { source: 'other' }],
  ['document', { sourceId: 'DOC-2' }],
  ['description', { description: 'other' }],
] as const)('the same key for another %s is refused', async (_, change) => {
  const { userId, accountId } = await customer()
  const idempotencyKey = key()
  await accrue(accountId, 100, { idempotencyKey, sourceId: 'DOC-1' })
  const other = accrue(accountId, 100, { sourceId: 'DOC-1', ...change, idempotencyKey })
  await expect(other).rejects.toMatchObject({ code: 'idempotency_mismatch' })
  expect(await balance(userId)).toMatchObject({ pointsBalance: 100, cashbackBalance: 0, transactionsCount: 1 })
})

test('the same key for another account or another act is refused', async () => {
  const [one, other] = [await customer(), await customer()]
  const idempotencyKey = key()
  await accrue(one.accountId, 100, { idempotencyKey })
  await expect(accrue(other.accountId, 100, { idempotencyKey })).rejects.toMatchObject({ code: 'idempotency_mismatch' })
  await expect(deduct(one.accountId, 100, { idempotencyKey })).rejects.toMatchObject({ code: 'idempotency_mismatch' })
  expect([await balance(one.userId), await balance(other.userId)]).toMatchObject([
    { pointsBalance: 100 },
    { pointsBalance: 0 },
  ])
})

test('more than there is cannot be taken, and the refusal says what there is', async () => {
  const { userId, accountId } = await customer()
  await accrue(accountId, 1_050)
  await expect(deduct(accountId, 1_051)).rejects.toMatchObject({
    code: 'insufficient_funds',
    about: { available: 1_050 },
  })
  await expect(deduct(accountId, 1, { currency: 'cashback' })).rejects.toMatchObject({ code: 'insufficient_funds' })
  expect(await balance(userId)).toMatchObject({ pointsBalance: 1_050, transactionsCount: 1 })
})

test('an account that is not there, or is closed, moves nothing', async () => {
  await expect(accrue(999_999_999, 1)).rejects.toMatchObject({ code: 'not_found' })
  await expect(deduct(999_999_999, 1)).rejects.toMatchObject({ code: 'not_found' })
  const { accountId, userId } = await customer()
  await accrue(accountId, 100)
  await db.sql`update loyalty_accounts set is_active = false where id = ${accountId}`
  await expect(accrue(accountId, 1)).rejects.toMatchObject({ code: 'conflict' })
  await expect(deduct(accountId, 1)).rejects.toMatchObject({ code: 'conflict' })
  expect(await ledger.balance(db.sql, { kind: 'user', id: userId }, 'points')).toBe(100)
})

test('a card rises with what was ever earned, at once as far as it goes, and never falls', async () => {
  const { userId, accountId } = await customer()
  const tier = async () => (await balance(userId)).cardTier
  const tiers = []
  for (const amount of [999, 1, 3_999, 1, 5_000]) {
    await accrue(accountId, amount)
    tiers.push(await tier())
  }
  expect(tiers).toEqual(['bronze', 'silver', 'silver', 'gold', 'platinum'])
  await deduct(accountId, 9_000)
  expect(await tier()).toBe('platinum')
  // The settings ask for more now: a card that was given stays.
  await accrue(accountId, 1, {}, { ...rules, silverMinor: 900_000, goldMinor: 900_000, platinumMinor: 900_000 })
  expect(await tier()).toBe('platinum')
  const other = await customer()
  await accrue(other.accountId, 1_000_000, { currency: 'cashback' })
  expect((await balance(other.userId)).cardTier).toBe('bronze')
  await accrue(other.accountId, 10_000)
  expect((await balance(other.userId)).cardTier).toBe('platinum')
})

test('what expires first is spent first, and what never expires last', async () => {
  const { accountId } = await customer()
  await accrue(accountId, 100, {}, { ...rules, pointsDays: null })
  await accrue(accountId, 100, {}, { ...rules, pointsDays: 20 })
  await accrue(accountId, 100, {}, { ...rules, pointsDays: 10 })
  await deduct(accountId, 150)
  expect(await lots(accountId)).toEqual([100, 50, 0])
  await deduct(accountId, 100)
  expect(await lots(accountId)).toEqual([50, 0, 0])
})

test('what has expired is taken away, once, each accrual by a transaction of its own', async () => {
  const { userId, accountId } = await customer()
  const first = await accrue(accountId, 100)
  const second = await accrue(accountId, 200)
  await accrue(accountId, 400)
  await deduct(accountId, 30)
  await lapse(first.id, second.id)
  expect((await points.expired(db.sql)).map(({ id }) => id)).toContain(accountId)
  expect([await expire(accountId), await expire(accountId)]).toEqual([2, 0])
  expect((await points.expired(db.sql)).map(({ id }) => id)).not.toContain(accountId)
  expect(await balance(userId)).toMatchObject({ pointsBalance: 400, transactionsCount: 6 })
  const { rows } = await points.transactions(db.sql, userId, { limit: 2, offset: 0 })
  expect(rows).toMatchObject([
    { transactionType: 'expiration', amount: 200, source: 'expiration', sourceId: String(second.id) },
    { transactionType: 'expiration', amount: 70, source: 'expiration', sourceId: String(first.id) },
  ])
  // Not spent: nobody got anything for it.
  expect(await account(userId)).toMatchObject({ totalPointsEarned: 700, totalPointsSpent: 30 })
})

test('what has expired cannot be spent, though the clock has not come round yet', async () => {
  const { userId, accountId } = await customer()
  const { id } = await accrue(accountId, 100)
  await accrue(accountId, 10)
  await lapse(id)
  await expect(deduct(accountId, 50)).rejects.toMatchObject({ code: 'insufficient_funds', about: { available: 10 } })
  await deduct(accountId, 10)
  expect(await balance(userId)).toMatchObject({ pointsBalance: 0 })
})

test('points last as long as the settings say, cashback for ever', async () => {
  const { accountId } = await customer()
  await accrue(accountId, 1)
  await accrue(accountId, 1, { currency: 'cashback' })
  await accrue(accountId, 1, {}, { ...rules, pointsDays: null })
  const rows = await db.sql`
    select round(extract(epoch from expires_at - created_at) / 86400)::int as days
    from loyalty_transactions where account_id = ${accountId} order by id`
  expect(rows.map(({ days }) => days)).toEqual([30, null, null])
})

test('each movement is audited: who, what, before and after', async () => {
  const { accountId } = await customer()
  const { id } = await accrue(accountId, 100)
  await deduct(accountId, 40)
  const rows = await db.sql`
    select user_id, action, entity_type, old_values, new_values from audit_log
    where entity_type = 'loyalty_account' and entity_id = ${accountId} order by id`
  expect(rows).toMatchObject([
    {
      userId: cashier.userId,
      action: 'loyalty.accrual',
      oldValues: { currency: 'points', balanceMinor: 0 },
      newValues: { balanceMinor: 100, amountMinor: 100, transactionId: id },
    },
    { action: 'loyalty.deduction', oldValues: { balanceMinor: 100 }, newValues: { balanceMinor: 60, amountMinor: 40 } },
  ])
})

test('an account is opened once, however many ask at once, and for nobody who is gone', async () => {
  const userId = await person(db)
  const made = await Promise.all(Array.from({ length: 20 }, () => act(db, (tx) => loyalty.openAccount(tx, userId))))
  expect(new Set(made.map(({ id }) => id)).size).toBe(1)
  await db.sql`update users set deleted_at = now() where id = ${userId}`
  const gone = await person(db)
  await db.sql`update users set deleted_at = now() where id = ${gone}`
  await expect(act(db, (tx) => loyalty.openAccount(tx, gone))).rejects.toMatchObject({ code: 'not_found' })
})

test('twenty accruals at once all count, and the card is what they earned together', async () => {
  const { userId, accountId } = await customer()
  await Promise.all(Array.from({ length: 20 }, () => accrue(accountId, 250)))
  expect(await balance(userId)).toMatchObject({ pointsBalance: 5_000, cardTier: 'gold', transactionsCount: 20 })
})

test('twenty spends of the whole at once: one is served, and nothing falls below zero', async () => {
  const { userId, accountId } = await customer()
  await accrue(accountId, 60)
  await accrue(accountId, 40)
  const spends = await Promise.allSettled(Array.from({ length: 20 }, () => deduct(accountId, 100)))
  expect(spends.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  for (const spend of spends) if (spend.status === 'rejected') expect(spend.reason.code).toBe('insufficient_funds')
  expect(await balance(userId)).toMatchObject({ pointsBalance: 0, transactionsCount: 3 })
  expect(await witnesses(accountId, 'points')).toEqual({ kept: 0, entries: 0, rows: 0, lots: 0 })
})

test('one key twenty times at once is one accrual', async () => {
  const { userId, accountId } = await customer()
  const idempotencyKey = key()
  const made = await Promise.all(Array.from({ length: 20 }, () => accrue(accountId, 100, { idempotencyKey })))
  expect(new Set(made.map(({ id }) => id)).size).toBe(1)
  expect(await balance(userId)).toMatchObject({ pointsBalance: 100, transactionsCount: 1 })
})

test('one key for twenty accounts at once is an accrual on one of them', async () => {
  const idempotencyKey = key()
  const customers = await Promise.all(Array.from({ length: 20 }, customer))
  const made = await Promise.allSettled(customers.map(({ accountId }) => accrue(accountId, 100, { idempotencyKey })))
  expect(made.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  for (const one of made) if (one.status === 'rejected') expect(one.reason.code).toBe('idempotency_mismatch')
  const balances = await Promise.all(customers.map(({ userId }) => balance(userId)))
  expect(balances.reduce((sum, { pointsBalance }) => sum + pointsBalance, 0)).toBe(100)
})

test('however many accruals have expired, none of them can be spent', async () => {
  const { accountId } = await customer()
  for (let n = 0; n < 520; n += 40) await Promise.all(Array.from({ length: 40 }, () => accrue(accountId, 10)))
  await db.sql`update loyalty_transactions set expires_at = now() where account_id = ${accountId}`
  await accrue(accountId, 10)
  await expect(deduct(accountId, 11)).rejects.toMatchObject({ code: 'insufficient_funds', about: { available: 10 } })
  await deduct(accountId, 10)
  expect((await lots(accountId)).every((left) => left === 0)).toBe(true)
})

test('nobody gives to or takes from somebody who is deleted, but the clock takes away what has expired', async () => {
  const { userId, accountId } = await customer()
  const { id } = await accrue(accountId, 100)
  await db.sql`update users set deleted_at = now() where id = ${userId}`
  const gone = { code: 'not_found', about: { reason: 'account_unknown' } }
  await expect(accrue(accountId, 10)).rejects.toMatchObject(gone)
  await expect(deduct(accountId, 10)).rejects.toMatchObject(gone)
  const reward = { userId, amount: 1, currency: 'points', source: 'rental', sourceId: null } as const
  const given = { ...reward, description: null, idempotencyKey: null, rules }
  await expect(act(db, (tx) => points.accrue(tx, null, given))).rejects.toMatchObject(gone)
  await lapse(id)
  expect(await expire(accountId)).toBe(1)
})

test('the clock of ten processes and a spend at once take what has expired away once', async () => {
  const { userId, accountId } = await customer()
  const { id } = await accrue(accountId, 100)
  await accrue(accountId, 50)
  await lapse(id)
  await Promise.all([...Array.from({ length: 10 }, () => expire(accountId)), deduct(accountId, 50)])
  expect(await balance(userId)).toMatchObject({ pointsBalance: 0, transactionsCount: 4 })
})
