import { expect, test } from 'vitest'
import { startSchedule, tick } from '../../api/schedule.ts'
import * as points from '../../db/loyalty/points.ts'
import { connect } from '../../db/postgres/connect.ts'
import * as orders from '../../db/powerbank/orders.ts'
import * as overdue from '../../db/powerbank/overdue.ts'
import { act, bank, cabinet, person, travel, unit } from '../db/world.ts'
import { testDb } from '../postgres.ts'
import { journal } from './journal.ts'
import { config } from './server.ts'

const { db, url } = await testDb()
const hour = 3_600
const { rules } = config.loyalty

/** A loan of a unit's bank that began so many hours ago. */
async function loan(hours: number, { reminder = 24, writeOff = 48 } = {}) {
  const unitId = await unit(db)
  await db.sql`update org_units set reminder_hours = ${reminder}, write_off_hours = ${writeOff} where id = ${unitId}`
  const [userId, stationId, { id: bankId }] = [
    await person(db, { unitId }),
    await cabinet(db, { unitId }),
    await bank(db),
  ]
  const [order] = await db.sql<{ id: number }[]>`
    insert into orders (station_id, user_id, powerbank_id, slot_number, status, borrowed_at, created_at)
    values (${stationId}, ${userId}, ${bankId}, 1, 'borrow', now() - make_interval(hours => ${hours}), now() - make_interval(hours => ${hours}))
    returning id`
  return { orderId: order!.id, userId, stationId, bankId, unitId }
}
const told = async (userId: number) =>
  (
    await db.sql<
      { kind: string; data: any }[]
    >`select kind, data from notifications where user_id = ${userId} order by id`
  ).map(({ kind, data }) => ({ kind, ...data }))
const kindsOf = async (orderId: number) =>
  (await db.sql`select kind from events where order_id = ${orderId} order by id`).map(({ kind }) => kind)
const statusOf = async (orderId: number) => (await orders.get(db.sql, orderId))!.status
const bankOf = async (id: number) =>
  (await db.sql`select status, write_off_reason as reason from powerbanks where id = ${id}`)[0]!
const { log, lines, until } = journal()
const now = () => tick({ db, log, rules })

test('a loan older than reminder_hours is reminded of once, and not before', async () => {
  const { orderId, userId } = await loan(0, { reminder: 5, writeOff: 100 })
  await travel(db, 5 * hour - 60)
  await now()
  expect(await told(userId)).toEqual([])
  await travel(db, 120)
  await now()
  await now()
  expect(await told(userId)).toMatchObject([
    { kind: 'loan.reminder', orderId, hours: 5, serialNumber: expect.any(String) },
  ])
  expect(await kindsOf(orderId)).toEqual(['order.reminded'])
  expect(await statusOf(orderId)).toBe('borrow')
})

test('a loan older than write_off_hours is given up: order closed, bank lost, audit without an actor, user told', async () => {
  const { orderId, userId, bankId } = await loan(49)
  await now()
  await now()
  expect(await statusOf(orderId)).not.toBe('borrow')
  expect(await bankOf(bankId)).toEqual({ status: 'written_off', reason: 'lost' })
  const audits = await db.sql`
    select user_id, description from audit_log where entity_type = 'powerbank' and entity_id = ${bankId}`
  expect([...audits]).toEqual([{ userId: null, description: 'not returned within 48 hours' }])
  expect((await told(userId)).map(({ kind }) => kind)).toEqual(['loan.reminder', 'loan.written_off'])
  const [event] = await db.sql`select data from events where order_id = ${orderId} and kind = 'powerbank.written_off'`
  expect(event!.data).toMatchObject({ powerbankId: bankId })
})

test('the unit of the bank decides, else that of the station, else the standard hours', async () => {
  const strict = await unit(db)
  await db.sql`update org_units set reminder_hours = 2 where id = ${strict}`
  const [byBank, byStation, byNobody] = [await loan(3), await loan(3), await loan(25)]
  await db.sql`update powerbanks set org_unit_id = ${strict} where id = ${byBank.bankId}`
  await db.sql`update stations set org_unit_id = ${strict} where id = ${byStation.stationId}`
  await db.sql`update stations set org_unit_id = null where id = ${byNobody.stationId}`
  await now()
  const hours = async ({ userId }: { userId: number }) => (await told(userId)).map((one) => one.hours)
  expect([await hours(byBank), await hours(byStation), await hours(byNobody)]).toEqual([[2], [2], [24]])
})

test('only open loans are overdue: not what was returned, cancelled, deleted or not confirmed', async () => {
  const late = [await loan(60), await loan(60), await loan(60), await loan(60)]
  const [returned, cancelled, deleted, pending] = late.map(({ orderId }) => orderId)
  await db.sql`update orders set status = 'return', completed_at = now() where id = ${returned!}`
  await db.sql`update orders set status = 'cancelled', completed_at = now() where id = ${cancelled!}`
  await db.sql`update orders set deleted_at = now() where id = ${deleted!}`
  await db.sql`update orders set status = 'pending' where id = ${pending!}`
  await now()
  for (const { userId } of late) expect(await told(userId)).toEqual([])
})

test('four schedulers in two processes at once do each thing once', async () => {
  const other = connect(url, { max: 5 })
  const loans = []
  for (let n = 0; n < 30; n++) loans.push(await loan(60))
  const since = lines.length
  await Promise.all([db, other, db, other].map((one) => tick({ db: one, log, rules })))
  const acted = lines.slice(since)
  expect(acted.every(({ event }) => event === 'clock.acted')).toBe(true)
  const count = (job: string) =>
    acted.filter(({ about }) => about.job === job).reduce((sum, { about }) => sum + about.count, 0)
  expect([count('remind'), count('writeOff')]).toEqual([30, 30])
  for (const { orderId, userId, bankId } of loans) {
    expect((await told(userId)).map(({ kind }) => kind)).toEqual(['loan.reminder', 'loan.written_off'])
    expect((await kindsOf(orderId)).filter((kind) => kind === 'order.reminded')).toHaveLength(1)
    expect(
      await db.sql`select 1 from audit_log where entity_id = ${bankId} and action = 'powerbank.write_off'`,
    ).toHaveLength(1)
  }
  await other.close()
})

test('a bank that comes back while it is written off is either lost or returned, never both', async () => {
  for (let round = 0; round < 10; round++) {
    const { orderId, userId, stationId, bankId } = await loan(60)
    const [late] = (await overdue.lost(db.sql)).filter(({ id }) => id === orderId)
    const [isReturned, isLost] = await Promise.all([
      act(db, (tx) =>
        orders.move(tx, orderId, { to: 'return', evidence: 'test', returnStationId: stationId, returnSlot: 1 }),
      ),
      act(db, (tx) => overdue.writeOff(tx, late!)),
    ])
    expect([isReturned, isLost].filter(Boolean)).toHaveLength(1)
    expect((await bankOf(bankId)).status).toBe(isLost ? 'written_off' : 'active')
    expect((await told(userId)).map(({ kind }) => kind)).toEqual(isLost ? ['loan.written_off'] : [])
  }
})

test('the clock runs by itself, begins at once, and stops when asked', async () => {
  const { userId } = await loan(30)
  const own = journal()
  const schedule = startSchedule({ db, log: own.log, rules })
  expect((await own.until('clock.acted')).about).toEqual({ job: 'remind', count: 1 })
  await schedule.close()
  expect((await told(userId)).map(({ kind }) => kind)).toEqual(['loan.reminder'])
})

test('a job that fails is told, and the other goes on', async () => {
  const { userId } = await loan(60)
  await db.sql`alter table orders rename column reminded_at to hidden`
  const failed = until('clock.failed')
  await now()
  await db.sql`alter table orders rename column hidden to reminded_at`
  expect((await failed).about).toMatchObject({ job: 'remind', error: expect.any(Error) })
  expect((await told(userId)).map(({ kind }) => kind)).toEqual(['loan.written_off'])
})

test('the clock takes away points that have expired and pays for rentals, once for all processes', async () => {
  const { orderId, userId } = await loan(1)
  await db.sql`update reward_rules set is_active = true where event_type = 'rental'`
  await act(db, (tx) => orders.move(tx, orderId, { to: 'return', evidence: 'test' }))
  const other = connect(url, { max: 2 })
  const together = () => Promise.all([db, other, db].map((one) => tick({ db: one, log, rules })))
  await together()
  expect(await points.balance(db.sql, userId)).toMatchObject({ pointsBalance: 1_000, transactionsCount: 1 })
  await db.sql`update loyalty_transactions set expires_at = now()`
  await together()
  await other.close()
  expect(await points.balance(db.sql, userId)).toMatchObject({ pointsBalance: 0, transactionsCount: 2 })
})
