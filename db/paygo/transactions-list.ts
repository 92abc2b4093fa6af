import { type Actor, hasRole } from '../platform/actor.ts'
import type { Queryable } from '../postgres/connect.ts'
import { columnsOf, type Page, pageOf } from '../postgres/rows.ts'
import { Refused } from './refused.ts'
import type { transactions } from './schema.ts'
import type { TransactionStatus } from './words.ts'

/** A hold is nothing that clients of the document know: they see it as pending. */
export const shownStatuses = ['pending', 'completed', 'failed', 'cancelled', 'refunded'] as const
export type ShownStatus = (typeof shownStatuses)[number]

const COLUMNS = [
  'id',
  'userId',
  'terminalId',
  'amountMinor',
  'refundedMinor',
  'currency',
  'paymentMethod',
  'cardMasked',
  'rrn',
  'description',
  'createdAt',
  'completedAt',
] as const satisfies (keyof typeof transactions.$inferSelect)[]

/** A payment as somebody sees it. Amounts in minor units. */
export type Payment = Pick<typeof transactions.$inferSelect, (typeof COLUMNS)[number]> & {
  status: ShownStatus
  /** Of the cards that the viewer has. */
  cardId: number | null
}

/** Who sees everybody's payments, and gives any of them back. */
export const seesAll = (actor: Actor) => hasRole(actor, 'admin', 'finance_manager')

const status = (q: Queryable) => q`case t.status when 'authorised' then 'pending' else t.status end`
const stored = (shown: ShownStatus): TransactionStatus[] => (shown === 'pending' ? ['pending', 'authorised'] : [shown])

/**
 * Somebody's own: theirs, and what was paid with the number of a card that they kept then. Who keeps a found card later
 * sees nothing of it, and who takes a card away keeps its history.
 */
const mine = (q: Queryable, { userId }: Actor) => q`(t.user_id = ${userId} or (
  t.card_fingerprint = any(array(select c.fingerprint from payment_cards c where c.user_id = ${userId}))
  and exists (
    select 1 from payment_cards c where c.user_id = ${userId} and c.fingerprint = t.card_fingerprint
      and c.created_at <= t.created_at and (c.deleted_at is null or c.deleted_at > t.created_at))))`

/** Two people may keep the same card: everybody is told of their own. */
const cardId = (q: Queryable, actor: Actor) =>
  seesAll(actor)
    ? q`t.card_id`
    : q`(select c.id from payment_cards c
        where c.user_id = ${actor.userId} and (c.id = t.card_id or c.fingerprint = t.card_fingerprint)
        order by c.id = t.card_id desc nulls last, c.deleted_at desc nulls first, c.id limit 1)`

const visible = (q: Queryable, actor: Actor) => (seesAll(actor) ? q`true` : mine(q, actor))
const view = (q: Queryable, actor: Actor) =>
  q`select ${columnsOf(q, 't', COLUMNS)}, ${status(q)} as status, ${cardId(q, actor)} as card_id`

export interface PaymentFilter {
  from: Date | null
  before: Date | null
  status?: ShownStatus | undefined
  limit: number
  offset: number
}

/**
 * One page of the payments that the actor may see, newest first, and how many there are.
 * @throws Refused conflict (dates_reversed)
 */
export async function list(
  q: Queryable,
  actor: Actor,
  { from, before, status: wanted, ...at }: PaymentFilter,
): Promise<Page<Payment>> {
  if (from && before && from >= before) throw new Refused('conflict', '', { reason: 'dates_reversed' })
  const of = q`transactions t where ${visible(q, actor)}
    ${from ? q`and t.created_at >= ${from}` : q``} ${before ? q`and t.created_at < ${before}` : q``}
    ${wanted ? q`and t.status = any(${stored(wanted)}::text[])` : q``}`
  return await pageOf(q, of, q`${view(q, actor)} from ${of} order by t.id desc`, at)
}

/** @throws Refused not_found (transaction_unknown: there is none, or it is somebody else's) */
export async function get(q: Queryable, actor: Actor, id: number): Promise<Payment> {
  const [row] = await q<Payment[]>`
    ${view(q, actor)} from transactions t where t.id = ${id} and ${visible(q, actor)}`
  if (!row) throw new Refused('not_found', `transaction ${id}`, { reason: 'transaction_unknown' })
  return row
}
