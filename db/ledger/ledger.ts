import type { Queryable, Tx } from '../postgres/connect.ts'
import {
  type AccountName,
  type BookName,
  type Entries,
  type Movement,
  type Owner,
  open,
  type Posted,
  type Unit,
  write,
} from './ledger-write.ts'
import { Refused } from './refused.ts'

export type { AccountName, BookName, Entries, Owner, Posted, Unit } from './ledger-write.ts'

/** One movement within a book. Said again with the same key it must say the same, `createdBy` excepted. */
export interface NewPosting extends BookName {
  /** The business key, unique among all postings: `accrual 1c:ORDER-5`. */
  key: string
  kind: string
  /** Account name to signed minor units; the sum is 0: `{ balance: 500, house: -500 }`. */
  entries: Entries
  /** The user who did it; null: the clock. */
  createdBy: number | null
  /** What an auditor should read beside it; never a secret. */
  about?: Record<string, unknown>
}

/** Accounts that have a meaning beyond their own book: only holds and transfers move them. */
const reserved: readonly AccountName[] = ['held', 'clearing']

/**
 * Moves money within one book: the only way any balance changes, beside holds (`ledger-holds.ts`) and what is built
 * on it below. Locks the book until the transaction ends; who moves several locks them first (`lock`).
 * @throws Refused `insufficient_funds` {available: minor units}, `idempotency_mismatch` (the key, but other content),
 *   `invalid` (no safe integer, too large a balance)
 */
export async function post(tx: Tx, posting: NewPosting): Promise<Posted> {
  assertPostable(posting)
  return bare(await write(tx, posting))
}

/** What moves what only holds and transfers may is a bug. */
export function assertPostable(posting: NewPosting): void {
  const taken = reserved.find((name) => name in posting.entries)
  if (taken) throw new RangeError(`${taken} is moved by holds and transfers only`)
}

const bare = ({ id, repeated, balances }: Posted): Posted => ({ id, repeated, balances })

/**
 * Locks books, opening those that are not there, in the one order in which they may be locked: by rising id, after
 * everything that `lock` in station-lock.ts names. For a transaction that moves more than one.
 */
export async function lock(tx: Tx, books: readonly BookName[]): Promise<void> {
  const named = new Map(books.map((book) => [`${book.owner.kind} ${book.owner.id} ${book.unit}`, book]))
  const said = [...named.values()].map(({ owner, unit }) => ({ kind: owner.kind, id: owner.id, unit }))
  const locked = async () => {
    const rows = await tx`
      with said as (select * from jsonb_to_recordset(${tx.json(said)}) as i (kind text, id bigint, unit text)),
      there as (
        select b.id from ledger_books b join said on b.owner_kind = said.kind and b.owner_id = said.id and b.unit = said.unit)
      select id from ledger_books
      where id in (select id from there) and (select count(*) from there) = (select count(*) from said)
      order by id for no key update`
    return rows.length === said.length
  }
  if (await locked()) return
  // All are opened before any is locked, and by name: who opens waits for nobody who is locking.
  await open(tx, [...named.values()])
  if (!(await locked())) throw new Error('a book that was opened is not there')
}

/** Money that changes its owner. `amount` in minor units, more than 0. */
export interface Transfer {
  from: Owner
  to: Owner
  unit: Unit
  amount: number
  key: string
  kind: string
  createdBy: number | null
  about?: Record<string, unknown>
}

/**
 * Moves money from one owner to another: a posting in each book, through their `clearing` accounts, whose total over
 * all books stays 0.
 * @returns the posting in the book of `from`, then that of `to`
 * @throws Refused as `post` does
 */
export async function transfer(tx: Tx, { from, to, amount, key, ...same }: Transfer): Promise<[Posted, Posted]> {
  if (amount <= 0) throw new Refused('invalid', `${amount} cannot be transferred`)
  if (from.kind === to.kind && from.id === to.id) throw new Refused('invalid', 'nothing moves from an owner to itself')
  await lock(
    tx,
    [from, to].map((owner) => ({ owner, unit: same.unit })),
  )
  const out = { ...same, owner: from, key: `${key} out`, entries: { balance: -amount, clearing: amount } }
  const back = { ...same, owner: to, key: `${key} in`, entries: { balance: amount, clearing: -amount } }
  return [bare(await write(tx, out)), bare(await write(tx, back))]
}

/**
 * Undoes a posting by another that says the opposite; a posting is undone once. What has been spent meanwhile is not
 * there to be taken back. Holds are released, not reversed; a transfer is undone by another transfer.
 * @throws Refused `not_found`, `conflict` (reversed before by another key, or itself a reversal, a hold, a transfer),
 *   and as `post` does
 */
export async function reverse(
  tx: Tx,
  postingId: number,
  by: { key: string; createdBy: number | null; about?: Record<string, unknown> },
): Promise<Posted> {
  const [of] = await tx<{ kind: Owner['kind']; id: number; unit: Unit; reverses: number | null; entries: Entries }[]>`
    select b.owner_kind as kind, b.owner_id as id, b.unit, p.reverses, (
      select jsonb_object_agg(a.name, -e.amount) from ledger_entries e join ledger_accounts a on a.id = e.account_id
      where e.posting_id = p.id) as entries
    from ledger_postings p join ledger_books b on b.id = p.book_id where p.id = ${postingId}`
  if (!of) throw new Refused('not_found')
  if (of.reverses !== null || reserved.some((name) => name in of.entries))
    throw new Refused('conflict', 'only a plain posting can be reversed')
  const { kind, id, unit, entries } = of
  const movement: Movement = { ...by, owner: { kind, id }, unit, kind: 'reversal', entries, reverses: postingId }
  return bare(await write(tx, movement))
}

/** What an account holds, in minor units; 0 where there is no book. Inside a transaction that locked it, exact. */
export async function balance(
  q: Queryable,
  { kind, id }: Owner,
  unit: Unit,
  account: AccountName = 'balance',
): Promise<number> {
  const [row] = await q<{ balance: number }[]>`
    select a.balance from ledger_books b join ledger_accounts a on a.book_id = b.id and a.name = ${account}
    where b.owner_kind = ${kind} and b.owner_id = ${id} and b.unit = ${unit}`
  return row?.balance ?? 0
}
