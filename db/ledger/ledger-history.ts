import type { Queryable } from '../postgres/connect.ts'
import type { BookName, Entries } from './ledger-write.ts'

/** One posting as its owner's history tells it. */
export interface Entry {
  id: number
  /** 1, 2, 3 … in its book. */
  seq: number
  key: string
  kind: string
  /** Account name to signed minor units. */
  entries: Entries
  about: Record<string, unknown>
  /** The posting that this one undoes; the one that undid this. */
  reverses: number | null
  reversedBy: number | null
  createdBy: number | null
  createdAt: Date
}

const PAGE_ROWS_MAX = 200

/** A book's postings, the newest first: those before `before` (a `seq`), or the last ones. At most 200 at a time. */
export async function history(
  q: Queryable,
  { owner, unit }: BookName,
  { before = null, limit = PAGE_ROWS_MAX }: { before?: number | null; limit?: number } = {},
): Promise<Entry[]> {
  return await q<Entry[]>`
    select p.id, p.seq, p.key, p.kind, e.entries, p.about, p.reverses, r.id as reversed_by, p.created_by, p.created_at
    from ledger_books b join ledger_postings p on p.book_id = b.id left join ledger_postings r on r.reverses = p.id,
      lateral (select jsonb_object_agg(a.name, e.amount) as entries
        from ledger_entries e join ledger_accounts a on a.id = e.account_id where e.posting_id = p.id) e
    where b.owner_kind = ${owner.kind} and b.owner_id = ${owner.id} and b.unit = ${unit}
      and (${before}::bigint is null or p.seq < ${before}::bigint)
    order by p.seq desc limit ${Math.min(limit, PAGE_ROWS_MAX)}`
}

/** One page of the same, and how many postings there are in all. */
export async function page(q: Queryable, book: BookName, { limit, offset }: { limit: number; offset: number }) {
  const { owner, unit } = book
  const [known] = await q<{ lastSeq: number }[]>`
    select last_seq from ledger_books where owner_kind = ${owner.kind} and owner_id = ${owner.id} and unit = ${unit}`
  const total = known?.lastSeq ?? 0
  // Without a gap: a book's postings are numbered one by one, so a page begins where its number says.
  const rows = offset < total ? await history(q, book, { before: total - offset + 1, limit }) : []
  return { rows, total }
}

/** What was said of the posting with this key, if there is one. */
export async function aboutOf(q: Queryable, key: string): Promise<Record<string, unknown> | undefined> {
  const [row] = await q<{ about: Record<string, unknown> }[]>`select about from ledger_postings where key = ${key}`
  return row?.about
}
