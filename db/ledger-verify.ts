import type { Db, Tx } from './connect.ts'
import { hashOf, INSTANT_FORMAT, type Said } from './ledger-hash.ts'

/** What a proof went through. */
export interface Counts {
  books: number
  postings: number
  entries: number
}

/** What came of a proof. */
export interface Proof extends Counts {
  /** The first break, in words that name its place; null: the books are whole. */
  broken: string | null
}

export interface VerifyOptions {
  /** Called every thousand postings; `of` is how many postings there are. */
  progress?: (done: Counts, of: number) => void
  /** Given up between two pages, with the signal's reason. */
  signal?: AbortSignal
}

interface Posting extends Omit<Said, 'entries' | 'ownerKind' | 'ownerId' | 'unit'> {
  hash: Buffer
  /** The third: the book of the entry's account. */
  entries: [name: string, amount: string, bookId: string][] | null
}

interface Book {
  id: string
  ownerKind: string
  ownerId: string
  unit: string
  lastSeq: string
  lastHash: Buffer
  accounts: [name: string, balance: string, floor: string | null][] | null
  /** The sum of the holds that have not ended. */
  held: string
}

const PAGE_ROWS = 1_000

/** The proof ends here. */
class BrokenError extends Error {}

const postings = `
  select p.book_id::text, p.seq::text, p.id::text, p.key, p.kind, p.reverses::text, p.created_by::text, p.about::text,
    to_char(p.created_at at time zone 'UTC', '${INSTANT_FORMAT}') as created_at, p.hash, (
    select json_agg(json_build_array(a.name, e.amount::text, a.book_id::text) order by a.name collate "C")
    from ledger_entries e join ledger_accounts a on a.id = e.account_id where e.posting_id = p.id) as entries
  from ledger_postings p order by p.book_id, p.seq`
const books = `
  select b.id::text, b.owner_kind, b.owner_id::text, b.unit, b.last_seq::text, b.last_hash, (
    select json_agg(json_build_array(name, balance::text, floor::text)) from ledger_accounts where book_id = b.id) as accounts, (
    select coalesce(sum(amount), 0)::text from ledger_holds where book_id = b.id and status = 'held') as held
  from ledger_books b order by b.id`

/**
 * Proves the books from their rows alone, as they are at one moment, beside whatever runs: in each book the postings
 * are numbered without a gap, each hash is that of what is said and of the hash before it, the last is the book's
 * head, each posting balances within its book, every balance is the sum of its entries and not below its floor, and
 * what is held is the sum of the open holds; then, over all books, nothing was left out, each unit and all clearing
 * accounts sum to zero, and reversals undo what they name. Memory does not grow with the ledger.
 */
export async function verify(db: Db, { progress = () => {}, signal }: VerifyOptions = {}): Promise<Proof> {
  const counts: Counts = { books: 0, postings: 0, entries: 0 }
  const prove = async (tx: Tx) => {
    await tx`set transaction isolation level repeatable read, read only`
    await tx`set local statement_timeout = 0`
    const [{ total } = { total: 0 }] = await tx<{ total: number }[]>`select count(*) as total from ledger_postings`
    const said = rows<Posting>(tx, 'said', postings, signal)
    let posting = await said.next()
    for await (const book of rows<Book>(tx, 'books', books, signal)) {
      const chain = chainOf(book)
      for (; !posting.done && posting.value.bookId === book.id; posting = await said.next()) {
        counts.entries += chain.add(posting.value)
        if (++counts.postings % PAGE_ROWS === 0) progress(counts, total)
      }
      chain.end()
      counts.books++
    }
    if (!posting.done) throw new BrokenError(`posting ${posting.value.id}: there is no book ${posting.value.bookId}`)
    await proveWhole(tx, counts)
  }
  try {
    await db.transaction(prove, 1)
    return { ...counts, broken: null }
  } catch (error) {
    if (error instanceof BrokenError) return { ...counts, broken: error.message }
    throw error
  }
}

/** The rows of a query without parameters, a page at a time. Several may be read in turn. */
async function* rows<T extends object>(
  tx: Tx,
  name: string,
  query: string,
  signal?: AbortSignal,
): AsyncGenerator<T, undefined> {
  await tx.unsafe(`declare ${name} no scroll cursor for ${query}`)
  for (;;) {
    signal?.throwIfAborted()
    const page = await tx.unsafe<T[]>(`fetch ${PAGE_ROWS} from ${name}`)
    yield* page
    if (page.length < PAGE_ROWS) return
  }
}

/** Follows one book from its first posting to its head. */
function chainOf(book: Book) {
  const { id, ownerKind, ownerId, unit } = book
  const sums = new Map<string, bigint>()
  let seq = 0n
  let hash: Buffer = Buffer.alloc(0)
  const broken = (what: string, at?: bigint | string) => {
    const place = at === undefined ? '' : `, posting ${at}`
    return new BrokenError(`book ${id} (${ownerKind} ${ownerId}, ${unit})${place}: ${what}`)
  }

  /** @returns how many entries it has */
  function add({ hash: told, entries, ...posting }: Posting): number {
    seq++
    if (posting.seq !== String(seq)) throw broken(`it is missing, ${posting.seq} follows`, seq)
    const lines = entries ?? []
    const said = {
      ...posting,
      ownerKind,
      ownerId,
      unit,
      entries: lines.map(([name, amount]) => [name, amount] as const),
    }
    hash = hashOf(hash, said)
    if (!hash.equals(told)) throw broken('its hash is not that of what it says and of the hash before it', seq)
    const total = lines.reduce((sum, [, amount]) => sum + BigInt(amount), 0n)
    if (lines.length < 2 || total !== 0n) throw broken(`${lines.length} entries that sum to ${total}, not 0`, seq)
    for (const [name, amount, bookId] of lines) {
      if (bookId !== id) throw broken(`an entry in book ${bookId}`, seq)
      sums.set(name, (sums.get(name) ?? 0n) + BigInt(amount))
    }
    return lines.length
  }

  function end() {
    if (book.lastSeq !== String(seq)) throw broken(`its head is posting ${book.lastSeq}, its last posting is ${seq}`)
    if (!hash.equals(book.lastHash)) throw broken('its head has not the hash of its last posting')
    for (const [name, balance, floor] of book.accounts ?? []) {
      const sum = sums.get(name) ?? 0n
      if (BigInt(balance) !== sum) throw broken(`${name} is ${balance}, its entries sum to ${sum}`)
      if (floor !== null && sum < BigInt(floor)) throw broken(`${name} is ${balance}, below its floor of ${floor}`)
    }
    const held = sums.get('held') ?? 0n
    if (held !== BigInt(book.held)) throw broken(`held is ${held}, the open holds sum to ${book.held}`)
  }

  return { add, end }
}

/** What can only be seen over all books. */
async function proveWhole(tx: Tx, seen: Counts): Promise<void> {
  const [counted] = await tx<{ postings: number; entries: number }[]>`
    select (select count(*) from ledger_postings) as postings, (select count(*) from ledger_entries) as entries`
  const stray = counted!.entries - seen.entries || counted!.postings - seen.postings
  if (stray) throw new BrokenError(`${stray} entries or postings belong to no posting of a book`)
  const [unit] = await tx<{ unit: string; total: string }[]>`
    select b.unit, sum(e.amount)::text as total
    from ledger_entries e join ledger_accounts a on a.id = e.account_id join ledger_books b on b.id = a.book_id
    group by b.unit having sum(e.amount) <> 0 order by b.unit limit 1`
  if (unit) throw new BrokenError(`all entries in ${unit.unit} sum to ${unit.total}, not 0`)
  const [clearing] = await tx<{ unit: string; total: string }[]>`
    select b.unit, sum(a.balance)::text as total
    from ledger_accounts a join ledger_books b on b.id = a.book_id where a.name = 'clearing'
    group by b.unit having sum(a.balance) <> 0 order by b.unit limit 1`
  if (clearing) throw new BrokenError(`the clearing accounts in ${clearing.unit} sum to ${clearing.total}, not 0`)
  const [reversal] = await tx<{ id: string; reverses: string }[]>`
    select r.id::text, r.reverses::text from ledger_postings r
      left join ledger_postings p on p.id = r.reverses and p.book_id = r.book_id and p.seq < r.seq
      left join lateral (select jsonb_object_agg(account_id, amount) as amounts from ledger_entries where posting_id = p.id) o on true,
      lateral (select jsonb_object_agg(account_id, -amount) as amounts from ledger_entries where posting_id = r.id) u
    where r.reverses is not null and o.amounts is distinct from u.amounts order by r.id limit 1`
  if (reversal)
    throw new BrokenError(`posting ${reversal.id} does not undo posting ${reversal.reverses}, which it names`)
}
