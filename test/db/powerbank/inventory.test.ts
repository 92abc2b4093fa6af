import { expect, test } from 'vitest'
import { answer } from '../../../db/powerbank/answers.ts'
import { inventory, returned } from '../../../db/powerbank/cabinet-reports.ts'
import type { SeenBank } from '../../../db/powerbank/decide/snapshot.ts'
import { askInventory } from '../../../db/powerbank/looks.ts'
import * as orders from '../../../db/powerbank/orders.ts'
import { testDb } from '../../postgres.ts'
import {
  act,
  ask,
  asked,
  cabinet,
  happened,
  later,
  lists,
  lookDue,
  orderOf,
  says,
  scene,
  seen,
  send,
  travel,
} from '../world.ts'

const { db } = await testDb()

const comesBack = (station: number, what: SeenBank) => act(db, (tx) => returned(tx, station, what))
const holds = async (station: number) =>
  (
    await db.sql<{ slotNumber: number; powerbankId: number }[]>`
    select slot_number, powerbank_id from station_powerbanks where station_id = ${station} order by 1`
  ).map((row) => [row.slotNumber, row.powerbankId])
/** A bank that has been on loan for a minute. */
async function loaned(options = {}) {
  const it = await scene(db, options)
  const { orderId } = await asked(db, it)
  await says(db, it.station, 1, it.bank.bankId)
  await travel(db, 60)
  return { ...it, orderId }
}
/** The cabinet has just dialled in. */
const dialledIn = (station: number, secondsAgo = 0) =>
  db.sql`update device_sessions set connected_at = now() - make_interval(secs => ${secondsAgo}) where device_id = ${station}`

test.for(['inventory', 'login'] as const)('a bank that an %s lists closes its loan', async (source) => {
  const it = await loaned()
  await lists(db, it.station, [seen(4, it.bank)], source)
  expect(await orders.get(db.sql, it.orderId)).toMatchObject({
    status: 'return',
    returnStationId: it.station,
    returnSlot: 4,
    evidence: source,
  })
  expect(await holds(it.station)).toEqual([[4, it.bank.id]])
})

test('a bank may come back to any cabinet', async () => {
  const it = await loaned()
  const other = await cabinet(db)
  await comesBack(other, seen(2, it.bank))
  expect(await orders.get(db.sql, it.orderId)).toMatchObject({
    status: 'return',
    returnStationId: other,
    returnSlot: 2,
    evidence: 'return frame',
  })
  expect(await holds(other)).toEqual([[2, it.bank.id]])
  expect(await lookDue(db, other)).toBe(6)
})

test('a bank that stays in the slot it left is a slow customer’s, and after a minute was not taken', async () => {
  const it = await scene(db)
  const { orderId } = await asked(db, it)
  await says(db, it.station, 1, it.bank.bankId)
  await lists(db, it.station, [seen(1, it.bank)])
  expect((await orderOf(db, orderId)).status).toBe('borrow')
  expect(await holds(it.station)).toEqual([])
  expect(await lookDue(db, it.station)).toBe(6)
  await travel(db, 12)
  await lists(db, it.station, [seen(1, it.bank)])
  expect((await orderOf(db, orderId)).status).toBe('borrow')
  expect(await lookDue(db, it.station)).toBe(48)
  await travel(db, 48)
  await lists(db, it.station, [seen(1, it.bank)])
  expect(await orderOf(db, orderId)).toMatchObject({
    status: 'cancelled',
    evidence: 'inventory: the bank was not taken',
  })
  expect(await holds(it.station)).toEqual([[1, it.bank.id]])
  await lists(db, it.station, [])
  expect(await orderOf(db, orderId)).toMatchObject({
    status: 'borrow',
    evidence: 'inventory: the bank was taken after all',
  })
})

test('a bank that its slot was without came back', async () => {
  const it = await scene(db)
  const { orderId } = await asked(db, it)
  await says(db, it.station, 1, it.bank.bankId)
  await lists(db, it.station, [])
  await lists(db, it.station, [seen(1, it.bank)])
  expect((await orderOf(db, orderId)).status).toBe('return')
})

test('a return said within seconds of the loan is asked about at once, and the list ends it', async () => {
  const it = await scene(db)
  const { orderId } = await asked(db, it)
  await says(db, it.station, 1, it.bank.bankId)
  await comesBack(it.station, seen(1, it.bank))
  expect((await orderOf(db, orderId)).status).toBe('borrow')
  expect(
    await db.sql`select kind, status from device_commands where device_id = ${it.station} and kind = 'inventory'`,
  ).toEqual([{ kind: 'inventory', status: 'queued' }])
  await lists(db, it.station, [seen(1, it.bank)])
  expect((await orderOf(db, orderId)).status).toBe('return')
})

test('a return said twice closes one loan, once', async () => {
  const it = await loaned()
  await Promise.all([1, 2, 3].map(() => comesBack(it.station, seen(2, it.bank))))
  expect((await orderOf(db, it.orderId)).status).toBe('return')
  expect((await happened(db, it.station, 'order.returned')).length).toBe(1)
  expect((await happened(db, it.station, 'powerbank.returned')).length).toBe(1)
  expect(await holds(it.station)).toEqual([[2, it.bank.id]])
})

test('a return said again does not close the loan that began after it; an inventory would', async () => {
  const it = await loaned()
  await comesBack(it.station, seen(2, it.bank))
  const again = await asked(db, it, 2)
  await says(db, it.station, 2, it.bank.bankId)
  await travel(db, 60)
  await comesBack(it.station, seen(2, it.bank))
  expect((await orderOf(db, again.orderId)).status).toBe('borrow')
  expect(await holds(it.station)).toEqual([])
  expect(await lookDue(db, it.station)).toBeLessThanOrEqual(6)
  await lists(db, it.station, [])
  expect((await orderOf(db, again.orderId)).status).toBe('borrow')
  await lists(db, it.station, [seen(2, it.bank)])
  expect((await orderOf(db, again.orderId)).status).toBe('return')
})

test('a bank that was asked for anew belongs to none of those who did not take it before', async () => {
  const it = await scene(db)
  const refused = await asked(db, it)
  await says(db, it.station, 1, it.bank.bankId, { ok: false })
  await lists(db, it.station, [seen(1, it.bank)])
  const lent = await asked(db, it)
  await says(db, it.station, 1, it.bank.bankId)
  await lists(db, it.station, [])
  await travel(db, 6)
  await comesBack(it.station, seen(3, it.bank))
  await lists(db, it.station, [])
  expect((await orderOf(db, refused.orderId)).status).toBe('cancelled')
  expect((await orderOf(db, lent.orderId)).status).toBe('return')
})

test('a return of a bank whose eject is under way is an old one', async () => {
  const it = await scene(db)
  const { orderId } = await asked(db, it)
  await comesBack(it.station, seen(1, it.bank))
  expect((await orderOf(db, orderId)).status).toBe('pending')
  await says(db, it.station, 1, it.bank.bankId)
  expect((await orderOf(db, orderId)).status).toBe('borrow')
  await comesBack(it.station, seen(1, it.bank))
  expect((await orderOf(db, orderId)).status).toBe('borrow')
})

test('an eject nobody answered is a loan when the slot no longer lists the bank', async () => {
  const it = await scene(db)
  const { orderId } = await asked(db, it)
  await later(db, 16)
  await lists(db, it.station, [])
  expect(await orderOf(db, orderId)).toMatchObject({
    status: 'borrow',
    evidence: 'inventory: the slot no longer lists the bank',
  })
  expect((await happened(db, it.station, 'powerbank.missing')).length).toBe(0)
})

test('an eject nobody answered is void when the bank is still there', async () => {
  const it = await scene(db)
  const { orderId } = await asked(db, it)
  await later(db, 16)
  await lists(db, it.station, [seen(1, it.bank)])
  expect(await orderOf(db, orderId)).toMatchObject({ status: 'cancelled', evidence: 'inventory: the bank stayed' })
  expect(await holds(it.station)).toEqual([[1, it.bank.id]])
})

test('a look too soon after the eject decides nothing and is repeated', async () => {
  const it = await scene(db)
  const { orderId } = await asked(db, it)
  await db.sql`update device_commands set status = 'unknown', sent_at = now() - interval '2 seconds' where device_id = ${it.station}`
  await lists(db, it.station, [seen(1, it.bank)])
  expect((await orderOf(db, orderId)).status).toBe('pending')
  expect(await lookDue(db, it.station)).toBe(7)
})

test('a list that was asked for before the eject and came after its time ran out decides nothing', async () => {
  const it = await scene(db)
  const question = await act(db, async (tx) => {
    await askInventory(tx, it.station, 'janitor')
    const [row] = await tx<{ id: number }[]>`select id from device_commands where device_id = ${it.station}`
    return row!.id
  })
  await send(db, question)
  const { orderId } = await asked(db, it)
  await later(db, 16)
  await act(db, async (tx) => {
    await answer(tx, it.station, { kind: 'inventory' }, 'FF')
    await inventory(tx, it.station, { banks: [seen(1, it.bank)] }, 'inventory')
  })
  expect((await orderOf(db, orderId)).status).toBe('pending')
  expect(await lookDue(db, it.station)).toBe(7)
})

test('an eject nobody answered was a short loan when the bank sits in another slot or cabinet', async () => {
  const [one, two] = [await scene(db), await scene(db)]
  const first = await asked(db, one)
  const second = await asked(db, two)
  await later(db, 16)
  await lists(db, one.station, [seen(5, one.bank)])
  expect(await orders.get(db.sql, first.orderId)).toMatchObject({ status: 'return', returnSlot: 5 })
  const elsewhere = await cabinet(db)
  await lists(db, elsewhere, [seen(1, two.bank)])
  expect(await orders.get(db.sql, second.orderId)).toMatchObject({ status: 'return', returnStationId: elsewhere })
})

test('a list decides nothing about an eject that is still under way', async () => {
  const it = await scene(db)
  const { orderId } = await asked(db, it)
  await lists(db, it.station, [seen(1, it.bank)])
  await lists(db, it.station, [])
  const elsewhere = await cabinet(db)
  await lists(db, elsewhere, [seen(1, it.bank)])
  expect((await orderOf(db, orderId)).status).toBe('pending')
  await says(db, it.station, 1, it.bank.bankId)
  expect((await orderOf(db, orderId)).status).toBe('borrow')
})

test('nobody pays for a bank that was gone before the eject was sent', async () => {
  const [here, there] = [await scene(db), await scene(db)]
  const stolen = await ask(db, here)
  const moved = await ask(db, there)
  await lists(db, here.station, [])
  await lists(db, await cabinet(db), [seen(1, there.bank)])
  for (const { orderId, commandId } of [stolen, moved]) {
    expect(await orderOf(db, orderId)).toMatchObject({
      status: 'cancelled',
      evidence: expect.stringMatching(/before the eject was sent/),
    })
    expect((await db.sql`select status from device_commands where id = ${commandId}`)[0]!.status).toBe('expired')
  }
})

test('for seven seconds after a login a missing bank proves nothing; then it does', async () => {
  const it = await scene(db)
  const { orderId } = await asked(db, it)
  await later(db, 16)
  await dialledIn(it.station)
  await lists(db, it.station, [], 'login')
  expect((await orderOf(db, orderId)).status).toBe('pending')
  expect(await holds(it.station)).toEqual([[1, it.bank.id]])
  expect(await lookDue(db, it.station)).toBe(7)
  await dialledIn(it.station, 8)
  await lists(db, it.station, [])
  expect((await orderOf(db, orderId)).status).toBe('borrow')
  expect(await holds(it.station)).toEqual([])
})

test('a bank listed right after a login is there', async () => {
  const it = await loaned()
  await lists(db, it.station, [])
  await dialledIn(it.station)
  await lists(db, it.station, [seen(1, it.bank)], 'login')
  expect((await orderOf(db, it.orderId)).status).toBe('return')
})
