import { expect, test } from 'vitest'
import { history } from '../../../db/ledger/ledger-history.ts'
import * as holds from '../../../db/ledger/ledger-holds.ts'
import { testDb } from '../../postgres.ts'
import { act, next } from '../world.ts'
import { purse } from './purse.ts'

const { db } = await testDb()

/** Somebody with 500, and a deposit of 300 that can be held, confirmed and released. */
async function deposit(amount = 300) {
  const mine = purse(db)
  await mine.move(500)
  const key = `deposit ${next()}`
  return {
    ...mine,
    key,
    hold: (change = {}) =>
      act(db, (tx) => holds.hold(tx, { owner: mine.owner, unit: mine.unit, key, amount, createdBy: 1, ...change })),
    confirm: (taken?: number) =>
      act(db, (tx) => holds.confirm(tx, key, { createdBy: 1, ...(taken === undefined ? {} : { amount: taken }) })),
    release: () => act(db, (tx) => holds.release(tx, key, { createdBy: 1 })),
    find: () => holds.find(db.sql, key),
    state: async () => [await mine.balance(), await mine.balance('held'), await mine.balance('house')],
  }
}

test('what is held cannot be spent, and comes back whole when it is released', async () => {
  const { hold, move, release, find, state } = await deposit()
  expect((await hold()).balances).toEqual({ balance: 200, held: 300 })
  await expect(move(-201)).rejects.toMatchObject({ code: 'insufficient_funds', about: { available: 200 } })
  expect(await find()).toMatchObject({ amount: 300, status: 'held', taken: null, endedAt: null })
  await release()
  expect(await state()).toEqual([500, 0, -500])
  expect(await find()).toMatchObject({ status: 'released', taken: 0, endedAt: expect.any(Date) })
})

test('the house takes what was held', async () => {
  const { hold, confirm, find, state } = await deposit()
  await hold()
  expect((await confirm()).balances).toEqual({ held: 0, house: -200 })
  expect(await state()).toEqual([200, 0, -200])
  expect(await find()).toMatchObject({ status: 'confirmed', taken: 300 })
})

test('what the house does not take of a hold goes back', async () => {
  const { hold, confirm, state } = await deposit()
  await hold()
  await confirm(100)
  expect(await state()).toEqual([400, 0, -400])
})

test('holding, confirming and releasing said twice count once', async () => {
  const taken = await deposit()
  const held = await taken.hold()
  expect(await taken.hold()).toEqual({ ...held, repeated: true })
  await expect(taken.hold({ amount: 299 })).rejects.toMatchObject({ code: 'idempotency_mismatch' })
  const confirmed = await taken.confirm(100)
  expect(await taken.confirm(100)).toEqual({ ...confirmed, repeated: true })
  await expect(taken.confirm(101)).rejects.toMatchObject({ code: 'conflict' })
  await expect(taken.confirm()).rejects.toMatchObject({ code: 'conflict' })
  await expect(taken.release()).rejects.toMatchObject({ code: 'conflict' })
  // Even now: it was held once.
  expect((await taken.hold()).repeated).toBe(true)
  expect(await taken.state()).toEqual([400, 0, -400])

  const given = await deposit()
  await given.hold()
  await given.release()
  expect((await given.release()).repeated).toBe(true)
  await expect(given.confirm()).rejects.toMatchObject({ code: 'conflict' })
  expect(await given.state()).toEqual([500, 0, -500])
})

test('a hold that is confirmed and released at once has one end', async () => {
  for (let round = 0; round < 10; round++) {
    const { hold, confirm, release, find, state } = await deposit()
    await hold()
    const ends = await Promise.allSettled([confirm(), release(), confirm(), release()])
    const done = ends.filter(({ status }) => status === 'fulfilled')
    for (const end of ends) if (end.status === 'rejected') expect(end.reason).toMatchObject({ code: 'conflict' })
    expect(done).toHaveLength(2)
    const { status } = (await find())!
    expect(await state()).toEqual(status === 'confirmed' ? [200, 0, -200] : [500, 0, -500])
  }
})

test('a hold said twenty times at once is held once', async () => {
  const { hold, state } = await deposit()
  const said = await Promise.all(Array.from({ length: 20 }, () => hold()))
  expect(said.filter(({ repeated }) => !repeated)).toHaveLength(1)
  expect(await state()).toEqual([200, 300, -500])
})

test('holds at once never hold more than there is', async () => {
  const mine = purse(db)
  await mine.move(500)
  const held = await Promise.allSettled(
    Array.from({ length: 20 }, () =>
      act(db, (tx) => holds.hold(tx, { ...mine, key: `deposit ${next()}`, amount: 60, createdBy: null })),
    ),
  )
  expect(held.filter(({ status }) => status === 'fulfilled')).toHaveLength(8)
  expect([await mine.balance(), await mine.balance('held')]).toEqual([20, 480])
})

test.each([[0], [-1], [301], [0.5], [Number.NaN]])('of 300 that are held %d cannot be taken', async (taken) => {
  const { hold, confirm, state } = await deposit()
  await hold()
  await expect(confirm(taken)).rejects.toMatchObject({ code: 'invalid' })
  expect(await state()).toEqual([200, 300, -500])
})

test.each([[0], [-1], [0.5]])('%d cannot be held', async (amount) => {
  const { hold, state } = await deposit()
  await expect(hold({ amount })).rejects.toMatchObject({ code: 'invalid' })
  expect(await state()).toEqual([500, 0, -500])
})

test('a hold whose key would be too long to end it is not made', async () => {
  const { hold, state } = await deposit()
  await expect(hold({ key: 'x'.repeat(292) })).rejects.toMatchObject({ code: 'invalid' })
  expect(await state()).toEqual([500, 0, -500])
  const key = 'x'.repeat(291)
  await hold({ key })
  await act(db, (tx) => holds.release(tx, key, { createdBy: 1 }))
  expect(await state()).toEqual([500, 0, -500])
})

test('more than there is cannot be held, and a hold nobody made cannot end', async () => {
  const { hold, confirm, release, find } = await deposit(501)
  await expect(hold()).rejects.toMatchObject({ code: 'insufficient_funds', about: { available: 500 } })
  expect(await find()).toBe(null)
  await expect(confirm()).rejects.toMatchObject({ code: 'not_found' })
  await expect(release()).rejects.toMatchObject({ code: 'not_found' })
})

test('a book tells its history from the newest on, page after page', async () => {
  const mine = await deposit()
  await mine.hold()
  await mine.confirm(100)
  await mine.move(7, { kind: 'gift', createdBy: 9, about: { why: 'a birthday' } })
  const whole = await history(db.sql, mine)
  expect(whole.map(({ seq, kind }) => [seq, kind])).toEqual([
    [4, 'gift'],
    [3, 'confirm'],
    [2, 'hold'],
    [1, 'test'],
  ])
  expect(whole[0]).toMatchObject({ entries: { balance: 7, house: -7 }, createdBy: 9, about: { why: 'a birthday' } })
  expect(whole[1]!.entries).toEqual({ balance: 200, held: -300, house: 100 })
  const first = await history(db.sql, mine, { limit: 3 })
  const second = await history(db.sql, mine, { limit: 3, before: first.at(-1)!.seq })
  expect([...first, ...second]).toEqual(whole)
  expect(await history(db.sql, purse(db))).toEqual([])
})
