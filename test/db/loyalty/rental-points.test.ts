import { beforeEach, expect, test } from 'vitest'
import * as points from '../../../db/loyalty/points.ts'
import * as rentals from '../../../db/loyalty/rental-points.ts'
import * as orders from '../../../db/powerbank/orders.ts'
import type { OrderStatus } from '../../../db/powerbank/words.ts'
import { testDb } from '../../postgres.ts'
import { act, bank, cabinet, person } from '../world.ts'
import { rules } from './points.ts'

const { db } = await testDb()
const rule = (change: { isActive?: boolean; rewardType?: string; value?: number }) => db.sql`
  update reward_rules set is_active = ${change.isActive ?? true}, reward_type = ${change.rewardType ?? 'points'},
    value = ${change.value ?? 1_000}, activated_at = now() where event_type = 'rental'`

/** A rental under way. */
async function rental() {
  const [userId, stationId, { id: bankId }] = [await person(db), await cabinet(db), await bank(db)]
  const [order] = await db.sql<{ id: number }[]>`
    insert into orders (station_id, user_id, powerbank_id, slot_number, status, borrowed_at)
    values (${stationId}, ${userId}, ${bankId}, 1, 'borrow', now()) returning id`
  return { userId, orderId: order!.id }
}
const finish = (id: number, to: OrderStatus = 'return') =>
  act(db, (tx) => orders.move(tx, id, { to, evidence: 'test' }))
const reward = (orderId: number) => act(db, (tx) => rentals.reward(tx, orderId, rules))
const dueIds = async () => (await rentals.due(db.sql)).map(({ id }) => id)
const balance = async (userId: number) => (await points.balance(db.sql, userId))?.pointsBalance

beforeEach(async () => void (await rule({})))

test('nothing is earned by a rental as long as nobody has switched the rule on', async () => {
  await rule({ isActive: false })
  const { orderId, userId } = await rental()
  await finish(orderId)
  expect([await dueIds(), await reward(orderId), await balance(userId)]).toEqual([[], false, undefined])
})

test('a finished rental earns what the rule says, once, and opens the account', async () => {
  const { orderId, userId } = await rental()
  expect(await dueIds()).not.toContain(orderId)
  expect(await reward(orderId)).toBe(false)
  await finish(orderId)
  expect(await dueIds()).toContain(orderId)
  expect([await reward(orderId), await reward(orderId)]).toEqual([true, false])
  expect(await dueIds()).not.toContain(orderId)
  expect(await points.balance(db.sql, userId)).toMatchObject({ pointsBalance: 1_000, transactionsCount: 1 })
  const { rows } = await points.transactions(db.sql, userId, { limit: 1, offset: 0 })
  expect(rows).toMatchObject([{ source: 'rental', sourceId: String(orderId), transactionType: 'accrual' }])
})

test('ten processes at once give it once', async () => {
  const { orderId, userId } = await rental()
  await finish(orderId)
  const given = await Promise.all(Array.from({ length: 10 }, () => reward(orderId)))
  expect(given.filter(Boolean)).toHaveLength(1)
  expect(await balance(userId)).toBe(1_000)
})

test('a rental that ended before the rule was switched on earns nothing', async () => {
  await rule({ isActive: false })
  const { orderId, userId } = await rental()
  await finish(orderId)
  await rule({})
  expect(await dueIds()).not.toContain(orderId)
  expect([await reward(orderId), await balance(userId)]).toEqual([false, undefined])
})

test('what was cancelled, written off or ejected by an administrator is no rental', async () => {
  const made = await Promise.all([rental(), rental(), rental(), rental()])
  const [ejected, deleted, staff, open] = made.map(({ orderId }) => orderId) as [number, number, number, number]
  await finish(ejected, 'force_eject')
  await finish(deleted)
  await finish(staff)
  await db.sql`update orders set deleted_at = now() where id = ${deleted}`
  await db.sql`update orders set is_admin_order = true where id = ${staff}`
  const ids = await dueIds()
  for (const id of [ejected, deleted, staff, open]) {
    expect(ids).not.toContain(id)
    expect(await reward(id)).toBe(false)
  }
  for (const { userId } of made) expect(await balance(userId)).toBeUndefined()
})

test('whoever is gone, or whose account is closed, holds nobody up', async () => {
  const [gone, closed] = [await rental(), await rental()]
  await finish(gone.orderId)
  await finish(closed.orderId)
  await db.sql`update users set deleted_at = now() where id = ${gone.userId}`
  await db.sql`insert into loyalty_accounts (user_id, card_number, is_active) values (${closed.userId}, 'ML00000000', false)`
  for (const { orderId } of [gone, closed]) {
    expect(await reward(orderId)).toBe(false)
    expect(await dueIds()).not.toContain(orderId)
  }
})

test('a rule may give cashback; a share of a rental is nothing', async () => {
  await rule({ rewardType: 'fixed', value: 500 })
  const one = await rental()
  await finish(one.orderId)
  await reward(one.orderId)
  expect(await points.balance(db.sql, one.userId)).toMatchObject({ pointsBalance: 0, cashbackBalance: 500 })
  await rule({ rewardType: 'percentage' })
  const other = await rental()
  await finish(other.orderId)
  expect([await reward(other.orderId), await balance(other.userId)]).toEqual([false, undefined])
})
