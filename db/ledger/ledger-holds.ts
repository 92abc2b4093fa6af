import type { Queryable, Tx } from '../postgres/connect.ts'
import { columnsOf } from '../postgres/rows.ts'
import {
  type BookName,
  type Entries,
  KEY_CHARS_MAX,
  type Owner,
  type Posted,
  type Unit,
  write,
} from './ledger-write.ts'
import { Refused } from './refused.ts'
import type { ledgerHolds } from './schema.ts'

/** Money to be set aside. */
export interface NewHold extends BookName {
  /** The business key, unique among all holds: `deposit 512`. */
  key: string
  /** Minor units, more than 0. */
  amount: number
  createdBy: number | null
  about?: Record<string, unknown>
}

const COLUMNS = [
  'id',
  'key',
  'amount',
  'taken',
  'status',
  'createdAt',
  'endedAt',
] as const satisfies (keyof typeof ledgerHolds.$inferSelect)[]

/** Money that was set aside. Minor units; `taken`: what of it the house took, null while it is held. */
export interface Hold extends Pick<typeof ledgerHolds.$inferSelect, (typeof COLUMNS)[number]> {
  owner: Owner
  unit: Unit
}

/**
 * Sets money of a balance aside until `confirm` or `release`.
 * @throws Refused `insufficient_funds` {available}, `idempotency_mismatch`, `invalid`
 */
export async function hold(tx: Tx, { amount, key, ...of }: NewHold): Promise<Posted> {
  // It must end one day, under a longer key.
  if (endKey(key).length > KEY_CHARS_MAX) throw new Refused('invalid', 'the key is too long')
  if (!(amount > 0)) throw new Refused('invalid', `${amount} cannot be held`)
  const entries = { balance: -amount, held: amount }
  const { bookId, ...posted } = await write(tx, { ...of, key: `hold ${key}`, kind: 'hold', entries })
  if (!posted.repeated)
    await tx`
      insert into ledger_holds (book_id, key, amount, created_by) values (${bookId}, ${key}, ${amount}, ${of.createdBy})`
  return posted
}

/**
 * The house takes what was held, or `amount` of it, and the rest goes back. Said twice counts once.
 * @throws Refused `not_found`, `conflict` (released, or confirmed with another amount), `invalid` (more than is held)
 */
export async function confirm(
  tx: Tx,
  key: string,
  { amount, createdBy }: { amount?: number; createdBy: number | null },
): Promise<Posted> {
  const held = await known(tx, key)
  const taken = amount ?? held.amount
  if (!(taken > 0 && taken <= held.amount)) throw new Refused('invalid', `${taken} of ${held.amount} cannot be taken`)
  const rest = held.amount - taken
  const entries = { held: -held.amount, house: taken, ...(rest > 0 && { balance: rest }) }
  return await finish(tx, held, { kind: 'confirm', entries, taken, createdBy })
}

/**
 * Gives back what was held. Said twice counts once.
 * @throws Refused `not_found`, `conflict` (confirmed before)
 */
export async function release(tx: Tx, key: string, { createdBy }: { createdBy: number | null }): Promise<Posted> {
  const held = await known(tx, key)
  const entries = { held: -held.amount, balance: held.amount }
  return await finish(tx, held, { kind: 'release', entries, taken: 0, createdBy })
}

/** A hold, however it stands; null: there is none. */
export async function find(q: Queryable, key: string): Promise<Hold | null> {
  const [row] = await q<(Omit<Hold, 'owner'> & { ownerKind: Owner['kind']; ownerId: number })[]>`
    select ${columnsOf(q, 'h', COLUMNS)}, b.owner_kind, b.owner_id, b.unit
    from ledger_holds h join ledger_books b on b.id = h.book_id where h.key = ${key}`
  if (!row) return null
  const { ownerKind, ownerId, ...rest } = row
  return { ...rest, owner: { kind: ownerKind, id: ownerId } }
}

async function known(tx: Tx, key: string): Promise<Hold> {
  const found = await find(tx, key)
  if (!found) throw new Refused('not_found')
  return found
}

interface End {
  kind: 'confirm' | 'release'
  entries: Entries
  taken: number
  createdBy: number | null
}

const endKey = (key: string) => `hold end ${key}`

/** Confirming and releasing share one key, so that a hold has one end, whoever comes first. */
async function finish(tx: Tx, { id, owner, unit, key }: Hold, { taken, ...end }: End): Promise<Posted> {
  try {
    const { bookId: _, ...posted } = await write(tx, { ...end, owner, unit, key: endKey(key) })
    const status = end.kind === 'confirm' ? 'confirmed' : 'released'
    if (!posted.repeated)
      await tx`update ledger_holds set status = ${status}, taken = ${taken}, ended_at = now() where id = ${id}`
    return posted
  } catch (error) {
    if (error instanceof Refused && error.code === 'idempotency_mismatch')
      throw new Refused('conflict', 'the hold has ended otherwise')
    throw error
  }
}
