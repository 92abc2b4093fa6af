import type { Tx } from '../postgres/connect.ts'
import { assertPostable, lock, type NewPosting, type Posted, post } from './ledger.ts'
import { hashOf, INSTANT_FORMAT } from './ledger-hash.ts'
import { type AccountName, look, MINOR_MAX } from './ledger-write.ts'

/** What a posting needs of its book and of the database, as it stands before the first of them. */
interface Head {
  bookId: number
  lastSeq: number
  lastHash: Buffer
  postingId: number
  at: string
  aboutText: string
  isSaid: boolean
}

interface Account {
  id: number
  bookId: number
  name: AccountName
  balance: number
  floor: number | null
}

/** A book as it is moved on. */
interface Book {
  seq: number
  hash: Buffer
  accounts: Map<string, Account>
}

/** One statement each, sent at once: what is behind the head of every posting's book, and the accounts of them all. */
async function stand(tx: Tx, postings: readonly NewPosting[]) {
  const said = postings.map(({ owner, unit, key, about = {} }) => ({
    kind: owner.kind,
    id: owner.id,
    unit,
    key,
    about,
  }))
  const fields = tx`as i (kind text, id bigint, unit text, key text, about jsonb)`
  const ofBook = tx`b.owner_kind = i.kind and b.owner_id = i.id and b.unit = i.unit`
  return await Promise.all([
    tx<Head[]>`
      select b.id as book_id, b.last_seq, b.last_hash, i.posting_id, i.about::text as about_text,
        to_char(clock_timestamp() at time zone 'UTC', ${INSTANT_FORMAT}) as at,
        exists (select from ledger_postings where key = i.key) as is_said
      from (select *, nextval('ledger_postings_id_seq') as posting_id from jsonb_to_recordset(${tx.json(said)}) ${fields}) i
      join ledger_books b on ${ofBook} order by i.posting_id`,
    tx<Account[]>`
      select id, book_id, name, balance, floor from ledger_accounts where book_id in (
        select b.id from jsonb_to_recordset(${tx.json(said)}) ${fields} join ledger_books b on ${ofBook})`,
  ])
}

/** Moves the books on in memory. @returns the rows to be written; null: one of them cannot be written as it is */
function moved(postings: readonly NewPosting[], heads: readonly Head[], accounts: readonly Account[]) {
  const books = new Map<number, Book>()
  for (const { bookId, lastSeq, lastHash } of heads)
    books.set(bookId, { seq: lastSeq, hash: lastHash, accounts: new Map() })
  for (const account of accounts) books.get(account.bookId)!.accounts.set(account.name, { ...account })
  const entries: { posting: number; account: number; amount: number }[] = []
  const rows = []
  const posted: Posted[] = []
  for (const [n, { owner, unit, key, kind, createdBy, about = {}, ...posting }] of postings.entries()) {
    const { bookId, postingId, at, aboutText, isSaid } = heads[n]!
    const book = books.get(bookId)!
    if (isSaid) return null
    const left: Posted['balances'] = {}
    for (const [name, amount] of Object.entries(posting.entries)) {
      const account = book.accounts.get(name)!
      account.balance += amount
      if (account.balance < (account.floor ?? -MINOR_MAX) || account.balance > MINOR_MAX) return null
      entries.push({ posting: postingId, account: account.id, amount })
      left[name] = account.balance
    }
    const seq = book.seq + 1
    const hash = hashOf(book.hash, {
      ...{
        bookId: `${bookId}`,
        ownerKind: owner.kind,
        ownerId: `${owner.id}`,
        unit,
        seq: `${seq}`,
        id: `${postingId}`,
      },
      ...{ key, kind, reverses: null, createdBy: createdBy === null ? null : `${createdBy}`, createdAt: at },
      about: aboutText,
      entries: Object.entries(posting.entries)
        .map(([name, amount]) => [name, String(amount)] as const)
        .sort(([one], [other]) => (one < other ? -1 : 1)),
    })
    Object.assign(book, { seq, hash })
    posted.push({ id: postingId, repeated: false, balances: left })
    rows.push({ id: postingId, book: bookId, seq, key, kind, by: createdBy, about, at, hash: hash.toString('hex') })
  }
  const ends = [...books].map(([id, { seq, hash }]) => ({ id, seq, hash: hash.toString('hex') }))
  const balances = [...books.values()].flatMap((book) =>
    [...book.accounts.values()].map(({ id, balance }) => ({ id, balance })),
  )
  const touched = new Set(entries.map(({ account }) => account))
  return { posted, rows, entries, ends, balances: balances.filter(({ id }) => touched.has(id)) }
}

async function write(tx: Tx, { rows, entries, balances, ends }: NonNullable<ReturnType<typeof moved>>): Promise<void> {
  await tx`
    with posting as (
      insert into ledger_postings (id, book_id, seq, key, kind, created_by, about, created_at, hash)
      select id, book, seq, key, kind, by, about, at, decode(hash, 'hex') from jsonb_to_recordset(${tx.json(rows)}) as i
        (id bigint, book bigint, seq bigint, key text, kind text, by bigint, about jsonb, at timestamptz, hash text)),
    entry as (
      insert into ledger_entries (posting_id, account_id, amount)
      select posting, account, amount
      from jsonb_to_recordset(${tx.json(entries)}) as i (posting bigint, account bigint, amount bigint)),
    moved as (
      update ledger_accounts a set balance = i.balance
      from jsonb_to_recordset(${tx.json(balances)}) as i (id bigint, balance bigint) where a.id = i.id)
    update ledger_books b set last_seq = i.seq, last_hash = decode(i.hash, 'hex')
    from jsonb_to_recordset(${tx.json(ends)}) as i (id bigint, seq bigint, hash text) where b.id = i.id`
}

/**
 * Writes many postings as `post` writes each, whosever books they are in: four statements for all of them. Locks the books in
 * the one order. Those of one book follow each other as they are given. Nothing is written when it throws.
 * @returns what `post` returns of each
 * @throws Refused as `post` does
 */
export async function postAll(tx: Tx, postings: readonly NewPosting[]): Promise<Posted[]> {
  if (postings.length === 0) return []
  for (const posting of postings) {
    assertPostable(posting)
    look(posting)
  }
  const [, first] = await Promise.all([lock(tx, postings), stand(tx, postings)])
  // A book that was opened just now could not be seen yet.
  const [heads, accounts] = first[0].length === postings.length ? first : await stand(tx, postings)
  const next = moved(postings, heads, accounts)
  if (next) {
    await write(tx, next)
    return next.posted
  }
  // Said before, or not enough: what that means is known where one is written.
  const posted = []
  for (const posting of postings) posted.push(await post(tx, posting))
  return posted
}
