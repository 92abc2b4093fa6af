import type { Tx } from '../postgres/connect.ts'
import { hashOf, INSTANT_FORMAT } from './ledger-hash.ts'
import { Refused } from './refused.ts'

/** What is counted. Minor units: hundredths of RUB, KGS, points and cashback; XTR has none. */
export type Unit = 'points' | 'cashback' | 'RUB' | 'KGS' | 'XTR'

/**
 * Whose money it is: `id` is that of the user, the certificate, the 2GETPRO account, the terminal where it was paid, or the
 * telecom contract.
 */
export interface Owner {
  kind: 'user' | 'certificate' | 'getpro' | 'terminal' | 'telecom'
  id: number
}

/** The money of one owner in one unit. */
export interface BookName {
  owner: Owner
  unit: Unit
}

/**
 * What a book is divided into, and below what each never falls; null: it may fall. `balance` is what the owner has,
 * `held` what is set aside, `house` the other side, `clearing` what is on its way to or from another book.
 */
export const floors = { balance: 0, held: 0, house: null, clearing: null } as const
export type AccountName = keyof typeof floors

/** The floors of a book. What a contract has may fall below 0: its monthly fee is charged whether it can pay or not. */
export const floorsOf = (ownerKind: string): Readonly<Record<AccountName, number | null>> =>
  ownerKind === 'telecom' ? { ...floors, balance: null } : floors

/** Account name to signed minor units; the sum is 0. */
export type Entries = Partial<Record<AccountName, number>>

/** A posting to be written. All of it but `createdBy` must be the same when the same key is said again. */
export interface Movement extends BookName {
  /** The business key, unique among all postings: `accrual 1c:ORDER-5`. */
  key: string
  kind: string
  entries: Entries
  /** The user who did it; null: the clock. */
  createdBy: number | null
  about?: Record<string, unknown>
  reverses?: number | null
}

/** A posting that is there. */
export interface Posted {
  id: number
  /** True: it was there already, and nothing was changed. */
  repeated: boolean
  /** What the accounts that it moved hold now, in minor units. */
  balances: Record<string, number>
}

/** What can be counted. */
export const MINOR_MAX = Number.MAX_SAFE_INTEGER
/** Of a posting's key; in characters. */
export const KEY_CHARS_MAX = 300

interface Head {
  bookId: number
  lastSeq: number
  lastHash: Buffer
  postingId: number
  at: string
  aboutText: string
}

/** Locks a book until the transaction ends, opening it where there was none, and takes what its next posting needs. */
async function head(tx: Tx, { owner, unit }: BookName, about: object): Promise<Head> {
  const lock = () => tx<Head[]>`
    select id as book_id, last_seq, last_hash, nextval('ledger_postings_id_seq') as posting_id,
      to_char(clock_timestamp() at time zone 'UTC', ${INSTANT_FORMAT}) as at, ${tx.json(about)}::jsonb::text as about_text
    from ledger_books where owner_kind = ${owner.kind} and owner_id = ${owner.id} and unit = ${unit} for no key update`
  const [there] = await lock()
  if (there) return there
  await open(tx, [{ owner, unit }])
  return (await lock())[0]!
}

/** Opens books with all their accounts, in the order of their names; those that are open stay as they are. */
export async function open(tx: Tx, books: readonly BookName[]): Promise<void> {
  const said = books.map(({ owner: { kind, id }, unit }) => ({ kind, id, unit, floors: floorsOf(kind) }))
  await tx`
    with said as (
      select * from jsonb_to_recordset(${tx.json(said)}) as i (kind text, id bigint, unit text, floors jsonb)),
    book as (
      insert into ledger_books (owner_kind, owner_id, unit) select kind, id, unit from said order by kind, id, unit
      on conflict do nothing returning id, owner_kind)
    insert into ledger_accounts (book_id, name, floor)
    select book.id, a.key, a.value::bigint
    from book join (select distinct kind, floors from said) f on f.kind = book.owner_kind, jsonb_each_text(f.floors) a`
}

/** @throws Refused `invalid` an amount or key that cannot be kept. Entries that do not balance are a bug. */
export function look({ key, kind, entries }: Movement): void {
  const amounts = Object.entries(entries)
  for (const [name, amount] of amounts) {
    if (!(name in floors)) throw new RangeError(`no account is called ${name}`)
    if (!Number.isSafeInteger(amount) || amount === 0) throw new Refused('invalid', `${amount} cannot be an amount`)
  }
  const sum = amounts.reduce((total, [, amount]) => total + BigInt(amount), 0n)
  if (amounts.length < 2 || sum !== 0n) throw new RangeError(`entries of ${kind} do not balance: the sum is ${sum}`)
  // Half a surrogate pair would be stored as something else than what was hashed.
  if (key.length === 0 || key.length > KEY_CHARS_MAX || !key.isWellFormed())
    throw new Refused('invalid', 'the key is too long, empty or no text')
}

interface Moved {
  name: AccountName
  balance: number
  floor: number | null
  amount: number
  written: boolean
}

/**
 * Writes one posting with its entries, moves the balances and the head of the chain: two statements. The book is
 * locked by the first, so the second reads balances that nobody else can move.
 * @throws Refused `insufficient_funds` {available}, `idempotency_mismatch`, `invalid`, `conflict` (reversed before)
 */
export async function write(tx: Tx, movement: Movement): Promise<Posted & { bookId: number }> {
  look(movement)
  const { owner, unit, key, kind, entries, createdBy, about = {}, reverses = null } = movement
  const { bookId, lastSeq, lastHash, postingId, at, aboutText } = await head(tx, movement, about)
  const seq = lastSeq + 1
  const text = (id: number | null) => (id === null ? null : String(id))
  const hash = hashOf(lastHash, {
    ...{ bookId: `${bookId}`, ownerKind: owner.kind, ownerId: `${owner.id}`, unit, seq: `${seq}`, id: `${postingId}` },
    ...{ key, kind, reverses: text(reverses), createdBy: text(createdBy), createdAt: at, about: aboutText },
    entries: Object.keys(entries)
      .sort()
      .map((name) => [name, String(entries[name as AccountName])]),
  })
  // The instant goes as text: as an instant the driver would cut its microseconds off.
  const rows = await tx<Moved[]>`
    with wanted as (
      select a.id, a.name, a.balance, a.floor, e.value::bigint as amount
      from jsonb_each_text(${tx.json(entries)}) e join ledger_accounts a on a.book_id = ${bookId} and a.name = e.key),
    posting as (
      insert into ledger_postings (id, book_id, seq, key, kind, reverses, created_by, about, created_at, hash)
      select ${postingId}::bigint, ${bookId}::bigint, ${seq}::bigint, ${key}, ${kind}, ${reverses}::bigint,
        ${createdBy}::bigint, ${aboutText}::text::jsonb, ${at}::text::timestamptz, ${hash}::bytea
      where not exists (select from wanted
        where balance + amount not between coalesce(floor, ${-MINOR_MAX}::bigint) and ${MINOR_MAX}::bigint)
      on conflict do nothing returning id),
    moved as (update ledger_accounts a set balance = a.balance + w.amount from wanted w, posting where a.id = w.id),
    written as (
      insert into ledger_entries (posting_id, account_id, amount) select posting.id, w.id, w.amount from posting, wanted w),
    chained as (
      update ledger_books set last_seq = ${seq}, last_hash = ${hash} from posting where ledger_books.id = ${bookId})
    select name, balance, floor, amount, exists (select from posting) as written from wanted`
  if (!rows[0]!.written) return { bookId, ...(await repeated(tx, movement, rows)) }
  const balances = Object.fromEntries(rows.map(({ name, balance, amount }) => [name, balance + amount]))
  return { id: postingId, bookId, repeated: false, balances }
}

/**
 * Nothing was written: it is there already, or there is not enough. In this order, for a spend said again may find
 * nothing left but what it has spent itself.
 */
async function repeated(tx: Tx, movement: Movement, rows: readonly Moved[]): Promise<Posted> {
  const { owner, unit, key, kind, entries, about = {}, reverses = null } = movement
  const [there] = await tx<{ id: number; isSame: boolean; balances: Record<string, number> }[]>`
    select p.id, (b.owner_kind, b.owner_id, b.unit, p.kind) = (${owner.kind}, ${owner.id}, ${unit}, ${kind})
      and p.reverses is not distinct from ${reverses}::bigint and p.about = ${tx.json(about)}::jsonb
      and e.amounts = ${tx.json(entries)}::jsonb as is_same, e.balances
    from ledger_postings p join ledger_books b on b.id = p.book_id, lateral (
      select jsonb_object_agg(a.name, e.amount) as amounts, jsonb_object_agg(a.name, a.balance) as balances
      from ledger_entries e join ledger_accounts a on a.id = e.account_id where e.posting_id = p.id) e
    where p.key = ${key}`
  if (there?.isSame) return { id: there.id, repeated: true, balances: there.balances }
  if (there) throw new Refused('idempotency_mismatch', 'the key was used for another posting')
  const [reversal] = await tx`select id from ledger_postings where reverses = ${reverses}`
  if (reversal) throw new Refused('conflict', 'the posting is reversed already')
  const short = rows.find(({ balance, floor, amount }) => floor !== null && balance + amount < floor)
  if (short) throw new Refused('insufficient_funds', '', { available: short.balance - short.floor! })
  if (rows.some(({ balance, amount }) => Math.abs(balance + amount) > MINOR_MAX))
    throw new Refused('invalid', 'the balance would be too large to be counted')
  throw new Error(`posting ${key} does not fit behind the head of its book`)
}
