import type { Db, Tx } from '../postgres/connect.ts'
import { hashOf, INSTANT_FORMAT, type Said } from './ledger-hash.ts'
import { BrokenError, PAGE_ROWS, rows } from './ledger-pages.ts'
import { proveWitnesses } from './ledger-witnesses.ts'
import { type AccountName, floors, floorsOf } from './ledger-write.ts'

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
  entries: Line[] | null
  /** The entries of the earlier posting of this book that it undoes. */
  undone: Line[] | null
}

/** An entry; the book is that of its account. */
type Line = [name: string, amount: string, bookId: string]

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

/** What one statement adds up. */
const SUM_ENTRIES = 200_000

const linesOf = (posting: string) => `
  select json_agg(json_build_array(a.name, e.amount::text, a.book_id::text) order by a.name collate "C")
  from ledger_entries e join ledger_accounts a on a.id = e.account_id where e.posting_id = ${posting}`
const postings = `
  select p.book_id::text, p.seq::text, p.id::text, p.key, p.kind, p.reverses::text, p.created_by::text, p.about::text,
    to_char(p.created_at at time zone 'UTC', '${INSTANT_FORMAT}') as created_at, p.hash, (${linesOf('p.id')}) as entries,
    case when p.reverses is not null then (
      select (${linesOf('o.id')}) from ledger_postings o where o.id = p.reverses and o.book_id = p.book_id and o.seq < p.seq
    ) end as undone
  from ledger_postings p order by p.book_id, p.seq`
const books = `
  select b.id::text, b.owner_kind, b.owner_id::text, b.unit, b.last_seq::text, b.last_hash, (
    select json_agg(json_build_array(name, balance::text, floor::text)) from ledger_accounts where book_id = b.id) as accounts, (
    select coalesce(sum(amount), 0)::text from ledger_holds where book_id = b.id and status = 'held') as held
  from ledger_books b order by b.id`

/**
 * Proves the books from their rows alone, as they are at one moment, beside whatever runs: in each book the postings
 * are numbered without a gap, each hash is that of what is said and of the hash before it, the last is the book's
 * head, each posting balances within its book, a reversal says the opposite of what it names, every balance is the
 * sum of its entries, has the floor that is its due and is not below it, and what is held is the sum of the open
 * holds, each as its postings say; over all books no entry was left out, and each unit and its clearing accounts sum
 * to zero; what people are shown of points and certificates is what the ledger says (db/ledger/ledger-witnesses.ts). Memory
 * does not grow with the ledger, nor does any statement.
 */
export async function verify(db: Db, { progress = () => {}, signal }: VerifyOptions = {}): Promise<Proof> {
  const counts: Counts = { books: 0, postings: 0, entries: 0 }
  const prove = async (tx: Tx) => {
    await tx`set transaction isolation level repeatable read, read only`
    // Along the index: the first page comes at once, however many follow.
    await tx`set local enable_sort = off`
    const [{ total } = { total: '0' }] = await tx<{ total: string }[]>`
      select coalesce(sum(last_seq), 0)::text as total from ledger_books`
    const clearing = new Map<string, bigint>()
    const said = rows<Posting>(tx, 'said', postings, signal)
    let posting = await said.next()
    for await (const book of rows<Book>(tx, 'books', books, signal)) {
      if (!posting.done && BigInt(posting.value.bookId) < BigInt(book.id)) throw bookless(posting.value)
      const chain = chainOf(book)
      for (; !posting.done && posting.value.bookId === book.id; posting = await said.next()) {
        counts.entries += chain.add(posting.value)
        if (++counts.postings % PAGE_ROWS === 0) progress(counts, Number(total))
      }
      clearing.set(book.unit, (clearing.get(book.unit) ?? 0n) + chain.end())
      counts.books++
    }
    if (!posting.done) throw bookless(posting.value)
    for (const [unit, sum] of clearing)
      if (sum !== 0n) throw new BrokenError(`the clearing accounts in ${unit} sum to ${sum}, not 0`)
    await proveWhole(tx, counts, signal)
    await proveHolds(tx, signal)
    await proveWitnesses(tx, signal)
  }
  try {
    await db.transaction(prove, 1)
    return { ...counts, broken: null }
  } catch (error) {
    if (error instanceof BrokenError) return { ...counts, broken: error.message }
    throw error
  }
}

const bookless = ({ id, bookId }: Posting) => new BrokenError(`posting ${id}: there is no book ${bookId}`)

const accountNames = Object.keys(floors).sort()

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
  function add({ hash: told, entries, undone, ...posting }: Posting): number {
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
    if (posting.reverses !== null && !isOpposite(lines, undone ?? []))
      throw broken(`it does not undo posting ${posting.reverses}, which it names`, seq)
    return lines.length
  }

  /** @returns what is on its way to or from other books */
  function end(): bigint {
    if (book.lastSeq !== String(seq)) throw broken(`its head is posting ${book.lastSeq}, its last posting is ${seq}`)
    if (!hash.equals(book.lastHash)) throw broken('its head has not the hash of its last posting')
    proveAccounts(book, sums, broken)
    return sums.get('clearing') ?? 0n
  }

  return { add, end }
}

/** What the accounts of a book hold is the sum of their entries, with the floors that are due. */
function proveAccounts(
  { ownerKind, accounts, held: open }: Book,
  sums: ReadonlyMap<string, bigint>,
  broken: (what: string) => BrokenError,
): void {
  const names = (accounts ?? []).map(([name]) => name).sort()
  if (names.join() !== accountNames.join()) throw broken(`it has the accounts ${names.join(', ')}`)
  for (const [name, balance, floor] of accounts ?? []) {
    const sum = sums.get(name) ?? 0n
    if (BigInt(balance) !== sum) throw broken(`${name} is ${balance}, its entries sum to ${sum}`)
    const due = floorsOf(ownerKind)[name as AccountName]
    if (floor !== (due === null ? null : String(due))) {
      const has = floor === null ? 'no floor' : `the floor ${floor}`
      throw broken(`${name} has ${has}, where ${due ?? 'none'} is due`)
    }
    if (floor !== null && sum < BigInt(floor)) throw broken(`${name} is ${balance}, below its floor of ${floor}`)
  }
  const held = sums.get('held') ?? 0n
  if (held !== BigInt(open)) throw broken(`held is ${held}, the open holds sum to ${open}`)
}

/** Do two postings, by rising name, move the same by the opposite? */
const isOpposite = (lines: readonly Line[], undone: readonly Line[]) =>
  lines.length === undone.length &&
  lines.every(([name, amount], n) => name === undone[n]![0] && BigInt(amount) === -BigInt(undone[n]![1]))

const holds = `
  select h.id::text, h.key, coalesce(exists (
      select from ledger_postings p join ledger_entries e on e.posting_id = p.id
        join ledger_accounts a on a.id = e.account_id and a.name = 'held'
      where p.key = 'hold ' || h.key and p.book_id = h.book_id and p.kind = 'hold' and e.amount = h.amount)
    and case h.status when 'held' then o.id is null
      when 'confirmed' then o.kind = 'confirm' and h.taken = o.house and h.taken > 0
      else o.kind = 'release' and h.taken = 0 end, false) as is_whole
  from ledger_holds h left join lateral (
    select p.id, p.kind, (
      select e.amount from ledger_entries e join ledger_accounts a on a.id = e.account_id and a.name = 'house'
      where e.posting_id = p.id) as house
    from ledger_postings p where p.key = 'hold end ' || h.key and p.book_id = h.book_id) o on true
  order by h.id`

/** Each hold began and ended by the posting that its row tells of. */
async function proveHolds(tx: Tx, signal?: AbortSignal): Promise<void> {
  for await (const { key, isWhole } of rows<{ key: string; isWhole: boolean }>(tx, 'holds', holds, signal))
    if (!isWhole) throw new BrokenError(`the hold ${key} is not what its postings say`)
}

/** Adds all entries up once more, without the books: none may be there that was not seen, and each unit sums to zero. */
async function proveWhole(tx: Tx, seen: Counts, signal?: AbortSignal): Promise<void> {
  const totals = new Map<string, bigint>()
  let entries = 0
  // As text, and from one that is there to the next: an id may be anything, and far from the one before it.
  const [first] = await tx<{ id: string | null }[]>`select min(posting_id)::text as id from ledger_entries`
  for (let from = first!.id; from !== null; ) {
    signal?.throwIfAborted()
    const [next] = await tx<{ id: string }[]>`
      select posting_id::text as id from ledger_entries where posting_id > ${from}::text::bigint
      order by posting_id offset ${SUM_ENTRIES} limit 1`
    const to: string | null = next?.id ?? null
    const units = await tx<{ unit: string | null; entries: number; total: string }[]>`
      select b.unit, count(*) as entries, sum(e.amount)::text as total
      from ledger_entries e left join ledger_accounts a on a.id = e.account_id left join ledger_books b on b.id = a.book_id
      where e.posting_id >= ${from}::text::bigint and (${to}::text is null or e.posting_id < ${to}::text::bigint)
      group by b.unit`
    for (const row of units) {
      const unit = row.unit ?? 'no unit'
      entries += row.entries
      totals.set(unit, (totals.get(unit) ?? 0n) + BigInt(row.total))
    }
    from = to
  }
  if (entries !== seen.entries)
    throw new BrokenError(`${entries - seen.entries} entries belong to no posting of a book`)
  for (const [unit, total] of totals)
    if (total !== 0n) throw new BrokenError(`all entries in ${unit} sum to ${total}, not 0`)
}
