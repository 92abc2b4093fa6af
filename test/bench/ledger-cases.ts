import { type NewPosting, post } from '../../db/ledger/ledger.ts'
import type { Db } from '../../db/postgres/connect.ts'
import { watching } from './statements.ts'

/** One posting of the benchmark. */
export type Posting = NewPosting & { owner: { id: number } }

type NameOf = 'ownerId' | 'key' | 'bookId' | 'postingId' | 'at' | 'seq' | 'hash'

/** A parameter: said as it is, or another in each posting. */
export type Place = { value: any } | { of: NameOf }

/** Large and far apart, so that a recorded parameter tells by its value what it is. */
const firstOf = { ownerId: 2_000_000, bookId: 3_000_000, postingId: 4_000_000, seq: 5_000_000 }

/** The posting of the nth owner, from 0 on. */
export const caseOf = (owner: number, key: string): Posting => ({
  owner: { kind: 'user', id: firstOf.ownerId + owner },
  unit: 'points',
  key: `bench ${key}`,
  kind: 'accrual',
  entries: { balance: 500, house: -500 },
  createdBy: 1,
  about: { source: 'onec', document: 'A-1' },
})

/** Opens the books of so many owners. */
export async function prepareBooks(db: Db, owners: number): Promise<void> {
  await db.sql`select setval('ledger_books_id_seq', ${firstOf.bookId}), setval('ledger_postings_id_seq', ${firstOf.postingId})`
  await db.sql`
    insert into ledger_books (owner_kind, owner_id, unit)
    select 'user', ${firstOf.ownerId}::bigint + n, 'points' from generate_series(0, ${owners}::int) n`
  await db.sql`
    insert into ledger_accounts (book_id, name, floor)
    select b.id, a.name, a.floor from ledger_books b,
      (values ('balance', 0), ('held', 0), ('house', null), ('clearing', null)) a (name, floor)`
  // Not the others: of a table known to be empty the sessions would never use an index again.
  await db.sql`vacuum analyze ledger_books, ledger_accounts`
}

/** The two statements of one real posting, for the last owner of `prepareBooks`, and what their parameters are. */
export async function recordPosting(db: Db, owners: number) {
  const given = caseOf(owners, 'recorded')
  const ownerId = given.owner.id
  await db.sql`update ledger_books set last_seq = ${firstOf.seq} where owner_id = ${ownerId}`
  const { sent } = await db.transaction(async (tx) => {
    const watched = watching(tx)
    await post(watched.tx, given)
    return watched
  })
  const [row] = await db.sql<{ id: number; bookId: number; seq: number; hash: Buffer; aboutText: string }[]>`
    select id, book_id, seq, hash, about::text as about_text from ledger_postings where key = ${given.key}`
  const { aboutText } = row!
  // As texts, which is what the driver makes of them.
  const known: Record<string, NameOf> = {
    [ownerId]: 'ownerId',
    [given.key]: 'key',
    [row!.bookId]: 'bookId',
    [row!.id]: 'postingId',
    [row!.seq]: 'seq',
    [`\\x${row!.hash.toString('hex')}`]: 'hash',
  }
  const place = (value: unknown): Place => {
    const text = String(value)
    if (/^\d{4}-\d\d-\d\dT/.test(text)) return { of: 'at' }
    const of = known[text]
    if (of) return { of }
    // The driver would quote a JSON text once more.
    return { value: text.startsWith('{') && text !== aboutText ? JSON.parse(text) : value }
  }
  const [lock, write, ...more] = sent()
  if (!lock || !write || more.length > 0) throw new Error('a posting is not two statements any more')
  return {
    texts: [lock.text, write.text] as [string, string],
    statements: [lock.parameters.map(place), write.parameters.map(place)] as [Place[], Place[]],
  }
}

/** How many postings there are. */
export async function countPostings(db: Db): Promise<number> {
  const [row] = await db.sql<{ count: number }[]>`select count(*) from ledger_postings`
  return row!.count
}
