import { at, createdAt, id, oneOf, ref } from '../postgres/columns.ts'
import {
  bigint,
  check,
  customType,
  date,
  index,
  jsonb,
  pgTable,
  primaryKey,
  sql,
  text,
  unique,
} from '../postgres/drizzle.ts'
import { holdStatuses } from './words.ts'

const bytea = customType<{ data: Buffer }>({ dataType: () => 'bytea' })

/** Integer minor units; 2^53 of any currency is out of reach. */

const minor = () => bigint({ mode: 'number' })

/**
 * The money of one owner in one unit. Each book is balanced in itself and has a hash chain of its own, so that
 * postings of different owners wait for nothing of each other's; the row is the lock and the head of the chain.
 */

export const ledgerBooks = pgTable(
  'ledger_books',
  {
    id: id(),
    /** `user`, `certificate`, …: whose book; `ownerId` is that table's id. */
    ownerKind: text().notNull(),
    ownerId: ref().notNull(),
    /** `points`, `cashback`, `RUB`, `KGS`, `XTR` …; minor units are hundredths of it unless its name says otherwise. */
    unit: text().notNull(),
    lastSeq: bigint({ mode: 'number' }).notNull().default(0),
    lastHash: bytea().notNull().default(sql`'\\x'`),
    createdAt: createdAt(),
  },
  (t) => [unique('ledger_books_owner').on(t.ownerKind, t.ownerId, t.unit)],
)

/** What a book is divided into: `balance`, `held`, the other side, `house`, and `clearing` on the way to another book. */

export const ledgerAccounts = pgTable(
  'ledger_accounts',
  {
    id: id(),
    bookId: ref()
      .notNull()
      .references(() => ledgerBooks.id),
    name: text().notNull(),
    /** The sum of its entries, kept beside them. */
    balance: minor().notNull().default(0),
    /** The balance never falls below; null: it may. */
    floor: minor(),
  },
  (t) => [
    unique('ledger_accounts_name').on(t.bookId, t.name),
    check('ledger_accounts_floor', sql`${t.floor} is null or ${t.balance} >= ${t.floor}`),
  ],
)

/** One movement of money, once for ever: never changed, never deleted, undone by another. */

export const ledgerPostings = pgTable(
  'ledger_postings',
  {
    id: id(),
    bookId: ref()
      .notNull()
      .references(() => ledgerBooks.id),
    /** 1, 2, 3 … in its book. */
    seq: bigint({ mode: 'number' }).notNull(),
    /** The business key: said twice counts once. */
    key: text().notNull().unique('ledger_postings_key'),
    kind: text().notNull(),
    reverses: ref().unique('ledger_postings_reverses'),
    /** Who did it; null: the clock. */
    createdBy: ref(),
    about: jsonb().$type<Record<string, unknown>>().notNull().default({}),
    createdAt: at().notNull(),
    /** SHA-256 of the hash before it and of all that this posting says. */
    hash: bytea().notNull(),
  },
  (t) => [unique('ledger_postings_seq').on(t.bookId, t.seq), index('ledger_postings_kind').on(t.kind, t.id)],
)

export const ledgerEntries = pgTable(
  'ledger_entries',
  {
    postingId: ref()
      .notNull()
      .references(() => ledgerPostings.id),
    accountId: ref()
      .notNull()
      .references(() => ledgerAccounts.id),
    amount: minor().notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.postingId, t.accountId] }),
    index('ledger_entries_account').on(t.accountId, t.postingId),
    check('ledger_entries_amount', sql`${t.amount} <> 0`),
  ],
)

/** Money set aside for a purpose: a deposit while a power bank is out. */

export const ledgerHolds = pgTable(
  'ledger_holds',
  {
    id: id(),
    bookId: ref()
      .notNull()
      .references(() => ledgerBooks.id),
    key: text().notNull().unique('ledger_holds_key'),
    amount: minor().notNull(),
    /** What of it was taken when it was confirmed. */
    taken: minor(),
    status: text({ enum: holdStatuses }).notNull().default('held'),
    createdBy: ref(),
    createdAt: createdAt(),
    endedAt: at(),
  },
  (t) => [
    index('ledger_holds_book').on(t.bookId, t.id),
    check('ledger_holds_status', oneOf(t.status, holdStatuses)),
    check('ledger_holds_amount', sql`${t.amount} > 0 and ${t.taken} between 0 and ${t.amount}`),
    check('ledger_holds_ended', sql`(${t.status} = 'held') = (${t.endedAt} is null)`),
  ],
)

/** The nightly proof of the books: one row a night, whichever process did it. */

export const ledgerProofs = pgTable('ledger_proofs', {
  /** The day, in UTC, on which the night ended. */
  night: date().primaryKey(),
  startedAt: at().notNull(),
  /** Null: under way, or its process died of it. */
  endedAt: at(),
  postings: bigint({ mode: 'number' }),
  /** The first break, in words; null: none. */
  broken: text(),
})
