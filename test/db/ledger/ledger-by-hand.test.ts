import { expect, test } from 'vitest'
import * as ledger from '../../../db/ledger/ledger.ts'
import { verify } from '../../../db/ledger/ledger-verify.ts'
import type { Tx } from '../../../db/postgres/connect.ts'
import { testDb } from '../../postgres.ts'
import { act, next } from '../world.ts'
import { purse } from './purse.ts'

const { db } = await testDb()
const refused = (constraint: string) => ({ code: '23514', constraint_name: constraint })
const appendOnly = { code: '23001' }

/** A book with one posting, and its accounts by name. */
async function book() {
  const mine = purse(db)
  const { id } = await mine.move(500)
  const rows = await db.sql<{ bookId: number; id: number; name: string }[]>`
    select a.book_id, a.id, a.name from ledger_accounts a join ledger_books b on b.id = a.book_id
    where b.owner_id = ${mine.owner.id}`
  const accounts = Object.fromEntries(rows.map((row) => [row.name, row.id])) as Record<ledger.AccountName, number>
  return { ...mine, postingId: id, bookId: rows[0]!.bookId, accounts }
}

/** A posting written by hand, with these entries, as the house's own statement would. */
const write = (tx: Tx, bookId: number, entries: [accountId: number, amount: number][]) => tx`
  with posting as (
    insert into ledger_postings (book_id, seq, key, kind, created_at, hash)
    values (${bookId}, 2, ${`by hand ${next()}`}, 'by hand', now(), '\\x00') returning id)
  insert into ledger_entries (posting_id, account_id, amount)
  select posting.id, (e->>0)::bigint, (e->>1)::bigint from posting, jsonb_array_elements(${tx.json(entries)}) e`

test('the database itself refuses a posting that does not balance', async () => {
  const { bookId, accounts, balance } = await book()
  const other = await book()
  const lop: [number, number][][] = [
    [[accounts.balance, 5]],
    [
      [accounts.balance, 5],
      [accounts.house, -4],
    ],
    [
      [accounts.balance, 5],
      [other.accounts.house, -5],
    ],
  ]
  for (const entries of lop)
    await expect(act(db, (tx) => write(tx, bookId, entries))).rejects.toMatchObject(refused('ledger_postings_balanced'))
  await expect(act(db, (tx) => write(tx, bookId, []))).rejects.toMatchObject(refused('ledger_postings_balanced'))
  const nothing: [number, number][] = [
    [accounts.balance, 0],
    [accounts.house, 0],
  ]
  await expect(act(db, (tx) => write(tx, bookId, nothing))).rejects.toMatchObject(refused('ledger_entries_amount'))
  // The same hand, and entries that do balance: what was refused was refused for that.
  const balanced: [number, number][] = [
    [accounts.balance, 5],
    [accounts.house, -5],
  ]
  const undo = new Error('as it was')
  const good = act(db, async (tx) => {
    await write(tx, bookId, balanced)
    await tx`set constraints all immediate`
    throw undo
  })
  await expect(good).rejects.toBe(undo)
  expect(await balance()).toBe(500)
})

test('the database itself refuses entries added to a posting that is there', async () => {
  const { postingId, accounts } = await book()
  const add = act(
    db,
    (tx) => tx`insert into ledger_entries (posting_id, account_id, amount) values (${postingId}, ${accounts.held}, 5)`,
  )
  await expect(add).rejects.toMatchObject(refused('ledger_postings_balanced'))
})

test('the database itself refuses a balance below its floor', async () => {
  const { accounts } = await book()
  const lower = act(db, (tx) => tx`update ledger_accounts set balance = -1 where id = ${accounts.balance}`)
  await expect(lower).rejects.toMatchObject(refused('ledger_accounts_floor'))
})

test.each(['ledger_postings', 'ledger_entries'])('%s is never changed, emptied or thinned out', async (table) => {
  await book()
  const column = table === 'ledger_postings' ? 'seq' : 'amount'
  const by = (work: (tx: Tx) => Promise<unknown>) => expect(act(db, work)).rejects.toMatchObject(appendOnly)
  await by((tx) => tx`update ${tx(table)} set ${tx(column)} = 7`)
  await by((tx) => tx`delete from ${tx(table)}`)
  await by((tx) => tx`truncate ${tx(table)} cascade`)
})

test('one number of a book, one key and one reversal are each there once, whoever writes', async () => {
  const { bookId, postingId } = await book()
  const insert = (tx: Tx, seq: number, key: string, reverses: number | null) => tx`
    insert into ledger_postings (book_id, seq, key, kind, reverses, created_at, hash)
    values (${bookId}, ${seq}, ${key}, 'by hand', ${reverses}, now(), '\\x00')`
  const [{ key } = { key: '' }] = await db.sql<
    { key: string }[]
  >`select key from ledger_postings where id = ${postingId}`
  const twice = (seq: number, said: string) => act(db, (tx) => insert(tx, seq, said, null))
  await expect(twice(1, 'new')).rejects.toMatchObject({ constraint_name: 'ledger_postings_seq' })
  await expect(twice(2, key)).rejects.toMatchObject({ constraint_name: 'ledger_postings_key' })
  await act(db, (tx) => ledger.reverse(tx, postingId, { key: `undo ${key}`, createdBy: null }))
  const again = act(db, (tx) => insert(tx, 3, 'new', postingId))
  await expect(again).rejects.toMatchObject({ constraint_name: 'ledger_postings_reverses' })
})

test('after all of this the books are whole', async () => {
  expect(await verify(db)).toMatchObject({ broken: null })
})
