import type { Queryable, Tx } from '../postgres/connect.ts'
import type { Order } from './acquirer.ts'
import type { ActResult } from './words.ts'

/** Whoever tells or asks the acquirer has so long, which is longer than it can take; then anybody goes on with it. */
export const LEASE_SECONDS = 45
/** Where it does not even say what it has, it is asked again after this, each time twice as long. */
const ASK_AGAIN_SECONDS = 30
const ASK_AGAIN_SECONDS_MAX = 3_600

/** Who wants a refund, why, and by which key. */
export interface Request {
  /** Null: a rule of ours. */
  requestedBy: number | null
  reason: string | null
  idempotencyKey: string | null
  requestHash: string | null
}

/** SQL: the end of the lease of whoever does it now. */
export const lease = (q: Queryable) => q`now() + make_interval(secs => ${LEASE_SECONDS})`

/** An act that is to be told, of a transaction. */
type NewAct = { id: number; act: string; amountMinor: number } & Partial<Request>

/** Acts are rows before the acquirer is told, one of a transaction. @returns their numbers, by their transactions */
export async function tell(tx: Tx, some: readonly NewAct[]): Promise<Map<number, number>> {
  if (some.length === 0) return new Map()
  const rows = await tx<{ id: number; transactionId: number }[]>`
    insert into acquirer_acts (transaction_id, act, amount_minor, due_at, requested_by, reason, idempotency_key, request_hash)
    select id, act, "amountMinor", ${lease(tx)}, "requestedBy", reason, "idempotencyKey", "requestHash"
    from jsonb_to_recordset(${tx.json(some)}) as i (id bigint, act text, "amountMinor" bigint, "requestedBy" bigint,
      reason text, "idempotencyKey" text, "requestHash" text)
    returning id, transaction_id`
  return new Map(rows.map(({ id, transactionId }) => [transactionId, id]))
}

/** It is told again, under its number. */
export const tellAgain = (tx: Tx, id: number) => tx`
  update acquirer_acts set result = null, attempts = attempts + 1, due_at = ${lease(tx)} where id = ${id}`

/** It is in doubt: the acquirer is asked now, or later where it has just been silent. */
export const ask = (tx: Tx, id: number, isLater: boolean) => tx`
  update acquirer_acts set result = 'silent', attempts = attempts + 1, due_at = now() + make_interval(secs =>
    case when ${isLater} then least(${ASK_AGAIN_SECONDS} * 2 ^ least(attempts, 20), ${ASK_AGAIN_SECONDS_MAX})
      else ${LEASE_SECONDS} end)
  where id = ${id}`

/** Nothing is to be done about them any more. */
export async function close(
  tx: Tx,
  some: readonly { id: number; result: ActResult; code: string | null }[],
): Promise<void> {
  if (some.length === 0) return
  await tx`
    update acquirer_acts a set result = i.result, code = i.code, due_at = null, answered_at = now()
    from jsonb_to_recordset(${tx.json(some)}) as i (id bigint, result text, code text) where a.id = i.id`
}

/** What the acquirer is told under these numbers, or asked for; where there is nothing to do about one it is missing. */
export const ordersOf = (q: Queryable, ids: readonly number[]) => q<(Order & { result: ActResult | null })[]>`
  select a.id as number, a.transaction_id, a.act, a.amount_minor, c.token as card_token, t.card_fingerprint, a.result
  from acquirer_acts a join transactions t on t.id = a.transaction_id left join payment_cards c on c.id = t.card_id
  where a.id = any(${[...ids]}::bigint[]) and a.due_at is not null`

/** Takes acts whose time is over, each for one worker only. `result` null: told or not, nobody knows. */
export const claim = (q: Queryable, limit: number) => q<
  { id: number; transactionId: number; result: ActResult | null }[]
>`
  update acquirer_acts set due_at = ${lease(q)} where id in (
    select id from acquirer_acts where due_at <= now() order by due_at, id limit ${limit} for update skip locked)
  returning id, transaction_id, result`
