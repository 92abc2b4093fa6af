import { expect, test } from 'vitest'
import * as ledger from '../../../db/ledger/ledger.ts'
import type { Tx } from '../../../db/postgres/connect.ts'
import { testDb } from '../../postgres.ts'
import { act } from '../world.ts'
import { purse } from './purse.ts'

const { db } = await testDb()
const most = Number.MAX_SAFE_INTEGER

const owner = () => purse(db).owner
const moving = (to: ledger.Owner, amount: number, change: Partial<ledger.NewPosting> = {}) =>
  purse(db).moving(amount, { owner: to, ...change })
const post = (posting: ledger.NewPosting) => act(db, (tx) => ledger.post(tx, posting))
const balance = (of: ledger.Owner, account?: ledger.AccountName) => ledger.balance(db.sql, of, 'points', account)
const postings = async (of: ledger.Owner) =>
  await db.sql<{ seq: number; key: string }[]>`
    select p.seq, p.key from ledger_postings p join ledger_books b on b.id = p.book_id
    where b.owner_id = ${of.id} order by p.book_id, p.seq`

test('a posting moves both sides, and says what is there now', async () => {
  const one = owner()
  const posted = await post(moving(one, 500))
  expect(posted).toEqual({ id: expect.any(Number), repeated: false, balances: { balance: 500, house: -500 } })
  expect((await post(moving(one, -200))).balances).toEqual({ balance: 300, house: -300 })
  expect([await balance(one), await balance(one, 'house'), await balance(owner())]).toEqual([300, -300, 0])
})

test('a posting said twice counts once', async () => {
  const posting = moving(owner(), 500, { about: { document: 'A-1', lines: [1, 2] } })
  const first = await post(posting)
  await post(moving(posting.owner, -100))
  const again = await post({ ...posting, createdBy: 7, about: { lines: [1, 2], document: 'A-1' } })
  expect(again).toEqual({ id: first.id, repeated: true, balances: { balance: 400, house: -400 } })
  expect(await balance(posting.owner)).toBe(400)
})

test('a spend that emptied the balance is still the same spend when it is said again', async () => {
  const one = owner()
  await post(moving(one, 500))
  const spend = moving(one, -500)
  const { id } = await post(spend)
  expect(await post(spend)).toEqual({ id, repeated: true, balances: { balance: 0, house: 0 } })
})

test.each([
  ['amount', (said: ledger.NewPosting) => ({ ...said, entries: { balance: 501, house: -501 } })],
  ['owner', (said: ledger.NewPosting) => ({ ...said, owner: owner() })],
  ['kind of owner', (said: ledger.NewPosting) => ({ ...said, owner: { ...said.owner, kind: 'certificate' as const } })],
  ['unit', (said: ledger.NewPosting) => ({ ...said, unit: 'cashback' as const })],
  ['kind', (said: ledger.NewPosting) => ({ ...said, kind: 'other' })],
  ['about', (said: ledger.NewPosting) => ({ ...said, about: { document: 'A-2' } })],
])('the same key with another %s is refused', async (_, change) => {
  const posting = moving(owner(), 500)
  await post(posting)
  await expect(post(change(posting))).rejects.toMatchObject({ code: 'idempotency_mismatch' })
  expect(await balance(posting.owner)).toBe(500)
})

test('more than there is cannot be spent, and the refusal says what there is', async () => {
  const one = owner()
  await post(moving(one, 500))
  await expect(post(moving(one, -501))).rejects.toMatchObject({ code: 'insufficient_funds', about: { available: 500 } })
  await expect(post(moving(owner(), -1))).rejects.toMatchObject({ code: 'insufficient_funds', about: { available: 0 } })
  expect(await balance(one)).toBe(500)
})

test('a refused posting leaves its transaction usable', async () => {
  const one = owner()
  const both = async (tx: Tx) => {
    await expect(ledger.post(tx, moving(one, -1))).rejects.toMatchObject({ code: 'insufficient_funds' })
    return await ledger.post(tx, moving(one, 5))
  }
  expect((await act(db, both)).balances.balance).toBe(5)
})

test.each([[0.5], [Number.NaN], [Number.POSITIVE_INFINITY], [2 ** 53], [0]])('%d is no amount', async (amount) => {
  await expect(post(moving(owner(), amount))).rejects.toMatchObject({ code: 'invalid' })
})

test('a balance that could not be counted exactly is refused', async () => {
  const one = owner()
  await post(moving(one, most))
  await expect(post(moving(one, 1))).rejects.toMatchObject({ code: 'invalid' })
  expect([await balance(one), await balance(one, 'house')]).toEqual([most, -most])
  await post(moving(one, -most))
  expect(await balance(one)).toBe(0)
})

test.each([[''], ['x'.repeat(301)], ['half a pair \ud800']])(
  'a key that is empty, endless or no text is refused',
  async (key) => {
    await expect(post(moving(owner(), 1, { key }))).rejects.toMatchObject({ code: 'invalid' })
  },
)

test.each([
  ['one-sided', { balance: 5 }],
  ['unbalanced', { balance: 5, house: -4 }],
  ['of a hold', { balance: -5, held: 5 }],
  ['of a transfer', { balance: -5, clearing: 5 }],
  ['of an account nobody knows', { balance: 5, hous: -5 } as ledger.Entries],
])('entries that are %s are a bug, and nothing is written', async (_, entries) => {
  const one = owner()
  await expect(post(moving(one, 5, { entries }))).rejects.toThrow(RangeError)
  expect(await postings(one)).toEqual([])
})

test('units of one owner do not mix', async () => {
  const one = owner()
  await post(moving(one, 500))
  await expect(post(moving(one, -1, { unit: 'cashback' }))).rejects.toMatchObject({ code: 'insufficient_funds' })
})

test('a reversal takes back what was posted, once', async () => {
  const one = owner()
  const { id } = await post(moving(one, 500))
  const undo = (key: string) => act(db, (tx) => ledger.reverse(tx, id, { key, createdBy: 1 }))
  const key = `undo ${id}`
  const undone = await undo(key)
  expect(undone.balances).toEqual({ balance: 0, house: 0 })
  expect(await undo(key)).toEqual({ ...undone, repeated: true })
  await expect(undo('another')).rejects.toMatchObject({ code: 'conflict' })
  const again = act(db, (tx) => ledger.reverse(tx, undone.id, { key: 'back', createdBy: 1 }))
  await expect(again).rejects.toMatchObject({ code: 'conflict' })
  const nothing = act(db, (tx) => ledger.reverse(tx, 0, { key: 'nothing', createdBy: 1 }))
  await expect(nothing).rejects.toMatchObject({ code: 'not_found' })
  expect(await postings(one)).toHaveLength(2)
})

test('what was spent meanwhile cannot be taken back', async () => {
  const one = owner()
  const { id } = await post(moving(one, 500))
  await post(moving(one, -100))
  const undo = act(db, (tx) => ledger.reverse(tx, id, { key: `undo ${id}`, createdBy: 1 }))
  await expect(undo).rejects.toMatchObject({ code: 'insufficient_funds', about: { available: 400 } })
})

test('money that changes its owner leaves one book and enters the other', async () => {
  const [from, to] = [owner(), owner()]
  await post(moving(from, 500))
  const given = { from, to, unit: 'points', amount: 200, key: `gift ${from.id}`, kind: 'gift', createdBy: 1 } as const
  const give = (change = {}) => act(db, (tx) => ledger.transfer(tx, { ...given, ...change }))
  const [out, back] = await give()
  expect(await give()).toEqual([
    { ...out, repeated: true },
    { ...back, repeated: true },
  ])
  expect([await balance(from), await balance(to)]).toEqual([300, 200])
  expect([await balance(from, 'clearing'), await balance(to, 'clearing')]).toEqual([200, -200])
  await expect(give({ amount: 100 })).rejects.toMatchObject({ code: 'idempotency_mismatch' })
  await expect(give({ amount: 301, key: 'more' })).rejects.toMatchObject({ code: 'insufficient_funds' })
  await expect(give({ amount: -5, key: 'less' })).rejects.toMatchObject({ code: 'invalid' })
  await expect(give({ to: from, key: 'self' })).rejects.toMatchObject({ code: 'invalid' })
  const undo = act(db, (tx) => ledger.reverse(tx, back.id, { key: 'half a transfer', createdBy: 1 }))
  await expect(undo).rejects.toMatchObject({ code: 'conflict' })
  expect(await balance(to)).toBe(200)
})
