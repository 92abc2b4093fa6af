import { expect, test } from 'vitest'
import type * as ledger from '../../../db/ledger/ledger.ts'
import { postAll } from '../../../db/ledger/ledger-set.ts'
import { verify } from '../../../db/ledger/ledger-verify.ts'
import { testDb } from '../../postgres.ts'
import { act } from '../world.ts'
import { purse } from './purse.ts'

const { db } = await testDb()
const all = (postings: readonly ledger.NewPosting[]) => act(db, (tx) => postAll(tx, postings))
const balances = (purses: readonly ReturnType<typeof purse>[]) => Promise.all(purses.map((one) => one.balance()))

test('a set is written as each of it would be: books that are there, books that are not, one book twice', async () => {
  const [known, fresh, other] = [purse(db), purse(db), purse(db)]
  await known.move(100)
  await all([known.moving(500), fresh.moving(300), known.moving(-200, { about: { order: 1 } }), other.moving(7)])
  expect(await balances([known, fresh, other])).toEqual([400, 300, 7])
  expect(await known.balance('house')).toBe(-400)
  // The chains are whole, and whoever posts next goes on where the set ended.
  await known.move(1)
  expect((await verify(db)).broken).toBe(null)
})

test('said again, alone or among others that are new, each counts once', async () => {
  const [one, other] = [purse(db), purse(db)]
  const set = [one.moving(500), other.moving(300)]
  await all(set)
  await all(set)
  await all([one.moving(1), ...set, other.moving(2)])
  expect(await balances([one, other])).toEqual([501, 302])
  expect((await verify(db)).broken).toBe(null)
})

test('said otherwise under its key it is refused, and the others of its set with it', async () => {
  const [one, other] = [purse(db), purse(db)]
  const said = one.moving(500)
  await all([said])
  await expect(all([other.moving(300), one.moving(501, { key: said.key })])).rejects.toMatchObject({
    code: 'idempotency_mismatch',
  })
  expect(await balances([one, other])).toEqual([500, 0])
})

test('what is not there cannot be spent, not even before it comes in the same set', async () => {
  const [one, other] = [purse(db), purse(db)]
  await expect(all([other.moving(300), one.moving(-500), one.moving(500)])).rejects.toMatchObject({
    code: 'insufficient_funds',
  })
  expect(await balances([one, other])).toEqual([0, 0])
  await all([one.moving(500), one.moving(-500)])
  expect(await balances([one])).toEqual([0])
})

test('what only holds and transfers move, and what does not balance, is a bug here as well', async () => {
  const one = purse(db)
  await expect(all([one.moving(1, { entries: { held: 1, house: -1 } })])).rejects.toThrow(RangeError)
  await expect(all([one.moving(1, { entries: { balance: 1, house: -2 } })])).rejects.toThrow(RangeError)
  await expect(all([one.moving(0)])).rejects.toMatchObject({ code: 'invalid' })
})

test('twenty sets at once over the same books, each in an order of its own, wait for each other and end', async () => {
  const purses = Array.from({ length: 5 }, () => purse(db))
  const sets = Array.from({ length: 20 }, (_, n) => purses.map((__, at) => purses[(at * 2 + n) % 5]!.moving(10)))
  await Promise.all([...sets.map(all), ...purses.map((one) => one.move(1))])
  expect(await balances(purses)).toEqual(purses.map(() => 201))
  expect((await verify(db)).broken).toBe(null)
})
