import { isOnline } from '../devices/connections.ts'
import * as audit from '../messages/audit.ts'
import type { Actor } from '../platform/actor.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import * as acts from './acts.ts'
import { BEGUN, tellBegun, write } from './change-writer.ts'
import { decide } from './decide/decide.ts'
import { Refused } from './refused.ts'
import { about, transactionAtHand } from './snapshot-loader.ts'
import type { ActResult, PaymentMethod } from './words.ts'

/** What makes a request the same when it comes again. For ever; of one person and one operation. */
interface Keyed {
  idempotencyKey: string | null
  /** Of all that it asks for: the same key for something else is refused. */
  requestHash: string | null
}

/** What somebody wants to pay with a card that is kept, at a terminal that is signed on. */
export interface NewPayment extends Keyed {
  terminalId: number
  /** Null: the primary one. */
  cardId: number | null
  amountMinor: number
  paymentMethod: PaymentMethod
  description: string | null
}

export interface Begun {
  transactionId: number
  /** For `settle`, after the commit. */
  told: number[]
  /** It was asked for before, and nothing was done now. */
  isRepeat: boolean
}

/** @throws Refused idempotency_mismatch */
async function paidBefore(
  q: Queryable,
  userId: number,
  { idempotencyKey, requestHash }: NewPayment,
): Promise<Begun | null> {
  if (idempotencyKey === null) return null
  const [before] = await q<{ id: number; requestHash: string | null }[]>`
    select id, request_hash from transactions where created_by = ${userId} and idempotency_key = ${idempotencyKey}`
  if (!before) return null
  if (before.requestHash !== requestHash) throw new Refused('idempotency_mismatch')
  return { transactionId: before.id, told: [], isRepeat: true }
}

/** Locks the terminal. @throws Refused not_found, terminal_unavailable, invalid (its methods) */
async function lockReady(tx: Tx, { terminalId, paymentMethod }: NewPayment): Promise<void> {
  const [terminal] = await tx<{ isReady: boolean; takes: boolean }[]>`
    select t.condition = 'working' and ${isOnline(tx)} as is_ready, ${paymentMethod} = any(t.supported_payment_methods) as takes
    from terminals t left join device_sessions ds on ds.device_id = t.id
    where t.id = ${terminalId} and t.is_active and t.deleted_at is null for no key update of t`
  if (!terminal) throw new Refused('not_found', '', { reason: 'terminal_unknown' })
  if (!terminal.isReady) throw new Refused('terminal_unavailable')
  if (!terminal.takes) throw new Refused('conflict', '', { reason: 'method_unsupported' })
}

/** @throws Refused not_found (of somebody else, too), conflict (none is kept) */
async function cardOf(tx: Tx, userId: number, cardId: number | null) {
  const [card] = await tx<{ id: number; maskedNumber: string; fingerprint: string }[]>`
    select id, masked_number, fingerprint from payment_cards
    where user_id = ${userId} and deleted_at is null and ${cardId === null ? tx`is_primary` : tx`id = ${cardId}`}`
  if (card) return card
  if (cardId === null) throw new Refused('conflict', '', { reason: 'card_needed' })
  throw new Refused('not_found', '', { reason: 'card_unknown' })
}

/**
 * Begins a payment: pending until `settle` says what the acquirer made of it. Said again under its key it is the same.
 * @throws Refused not_found (terminal, card), terminal_unavailable, conflict (method, no card), idempotency_mismatch
 */
export async function pay(tx: Tx, { userId }: Actor, payment: NewPayment): Promise<Begun> {
  const before = await paidBefore(tx, userId, payment)
  if (before) return before
  await lockReady(tx, payment)
  const card = await cardOf(tx, userId, payment.cardId)
  const { terminalId, amountMinor, paymentMethod, description, idempotencyKey, requestHash } = payment
  const [row] = await tx<{ transactionId: number; actId: number }[]>`
    with t as (
      insert into transactions (terminal_id, user_id, card_id, kind, status, said_minor, amount_minor, act, act_minor,
        payment_method, card_masked, card_fingerprint, description, created_by, idempotency_key, request_hash)
      values (${terminalId}, ${userId}, ${card.id}, 'stored', 'pending', ${amountMinor}, ${amountMinor}, 'purchase',
        ${amountMinor}, ${paymentMethod}, ${card.maskedNumber}, ${card.fingerprint}, ${description}, ${userId},
        ${idempotencyKey}, ${requestHash})
      on conflict (created_by, idempotency_key) where idempotency_key is not null do nothing
      returning ${tx(BEGUN)}),
    a as (
      insert into acquirer_acts (transaction_id, act, amount_minor, due_at)
      select id, 'purchase', ${amountMinor}, ${acts.lease(tx)} from t returning id, transaction_id),
    told as (${tellBegun(tx)})
    select id as act_id, transaction_id from a`
  if (row) return { transactionId: row.transactionId, told: [row.actId], isRepeat: false }
  // The same key at once, at another terminal: whoever was first has committed by now.
  const first = await paidBefore(tx, userId, payment)
  if (!first) throw new Error('a payment is there and cannot be seen')
  return first
}

/** Money that somebody wants given back. */
export interface NewRefund extends Keyed {
  transactionId: number
  /** Null: all that is left. */
  amountMinor: number | null
  reason: string | null
}

export interface BegunRefund {
  refundId: number
  told: number[]
  isRepeat: boolean
}

/** @throws Refused idempotency_mismatch */
async function refundedBefore(tx: Tx, userId: number | null, refund: NewRefund): Promise<BegunRefund | null> {
  if (refund.idempotencyKey === null) return null
  const [before] = await tx<{ id: number; requestHash: string | null }[]>`
    select id, request_hash from acquirer_acts where transaction_id = ${refund.transactionId}
      and requested_by = ${userId} and idempotency_key = ${refund.idempotencyKey}`
  if (!before) return null
  if (before.requestHash !== refund.requestHash) throw new Refused('idempotency_mismatch')
  return { refundId: before.id, told: [], isRepeat: true }
}

/**
 * Begins a refund: who may, the caller has found out; null: a rule of ours. Said again under its key it is the same; beside a reversal, or
 * another refund under way, it is refused, so that money never goes back twice.
 * @throws Refused not_found, conflict (refund_reversed, refund_under_way, refund_not_completed, refund_too_much),
 *   idempotency_mismatch
 */
export async function refund(tx: Tx, actor: Actor | null, wanted: NewRefund): Promise<BegunRefund> {
  const transaction = await transactionAtHand(tx, wanted.transactionId)
  if (!transaction) throw new Refused('not_found', '', { reason: 'transaction_unknown' })
  const requestedBy = actor?.userId ?? null
  const before = await refundedBefore(tx, requestedBy, wanted)
  if (before) return before
  const amountMinor = wanted.amountMinor ?? transaction.amountMinor - transaction.refundedMinor
  const changes = decide(about(transaction), { kind: 'refund', amountMinor })
  const refused = changes.find((change) => change.kind === 'refused')
  if (refused) throw new Refused('conflict', '', { reason: `refund_${refused.reason}` })
  const { reason, idempotencyKey, requestHash } = wanted
  const request = { requestedBy, reason, idempotencyKey, requestHash }
  const { terminalId } = transaction
  const { told } = await write(tx, { terminalId, transaction, outcome: null, request }, changes)
  await audit.record(tx, actor, 'paygo', {
    action: 'transaction.refund',
    entityType: 'transaction',
    entityId: transaction.id,
    newValues: { amountMinor, reason },
  })
  return { refundId: told[0]!, told, isRepeat: false }
}

/**
 * The house takes what is due of a hold, or lets it go (`amountMinor` 0); what is held no more stays as it is.
 * @returns what the acquirer is to be told, for `settle`, after the commit
 */
export async function endHold(tx: Tx, transactionId: number, amountMinor: number): Promise<number[]> {
  const transaction = await transactionAtHand(tx, transactionId)
  if (!transaction) throw new Error(`there is no transaction ${transactionId}`)
  const report = amountMinor > 0 ? ({ kind: 'capture', amountMinor } as const) : ({ kind: 'release' } as const)
  const { terminalId } = transaction
  const { told } = await write(tx, { terminalId, transaction, outcome: null }, decide(about(transaction), report))
  return told
}

/** A refund as it stands. */
export interface Refund {
  id: number
  transactionId: number
  amountMinor: number
  reason: string | null
  /** `silent`, null: the acquirer has not said yet. */
  result: ActResult | null
  createdAt: Date
  answeredAt: Date | null
}

/** The refunds of a transaction, the oldest first. */
export const refundsOf = (q: Queryable, transactionId: number) => q<Refund[]>`
  select id, transaction_id, amount_minor, reason, result, created_at, answered_at from acquirer_acts
  where transaction_id = ${transactionId} and act = 'refund' order by id`
