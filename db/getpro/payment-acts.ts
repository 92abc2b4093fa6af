import { randomUUID } from 'node:crypto'
import * as audit from '../messages/audit.ts'
import type { Actor } from '../platform/actor.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import { columnsOf, type Fragment } from '../postgres/rows.ts'
import type { Payment } from './payments.ts'
import { Refused } from './refused.ts'
import type { getproAccounts, paymentActs, subscriptionPayments } from './schema.ts'
import type { PaymentActKind, PaymentProvider } from './words.ts'

type Row = typeof paymentActs.$inferSelect
const COLUMNS = [
  'id',
  'paymentId',
  'kind',
  'amountKopecks',
  'reason',
  'state',
  'providerActId',
  'providerKey',
  'attempts',
  'lastError',
  'createdAt',
  'endedAt',
] as const satisfies (keyof Row)[]

/** What a provider is to do with a payment, and what became of it. */
export type Act = Pick<Row, (typeof COLUMNS)[number]>

/** One that its asker has, with what has to be told. */
export type Acting = Act &
  Pick<
    typeof subscriptionPayments.$inferSelect,
    'provider' | 'providerPaymentId' | 'amountKopecks' | 'description' | 'paidByTelegramId'
  > &
  Pick<typeof getproAccounts.$inferSelect, 'telegramId' | 'email'> & { refundKopecks: number | null }

/** How it is asked for. Said again by the same key, with the same hash, it is asked for once. */
export interface NewAct {
  kind: PaymentActKind
  /** Of a refund; null: all that is left. */
  amountKopecks: number | null
  reason: string | null
  key: string | null
  hash: string | null
  leaseSeconds: number
}

/** Of its age: what is new is tried often. */
const PAUSE_SHARE = 0.25
const PAUSE_SECONDS_MAX = 21_600
const errorCharactersMax = 500

/** What was asked for by a key before. @throws Refused idempotency_mismatch */
async function askedBy(tx: Tx, actor: Actor | null, { key, hash }: NewAct): Promise<Act | undefined> {
  if (key === null) return undefined
  const [there] = await tx<(Act & { requestHash: string | null })[]>`
    select ${tx(COLUMNS)}, request_hash from payment_acts
    where created_by = ${actor?.userId ?? null} and idempotency_key = ${key}`
  if (!there) return undefined
  const { requestHash, ...act } = there
  if (requestHash === hash) return act
  throw new Refused('idempotency_mismatch', 'the key was used for something else')
}

/** What is left to give back, of which nothing is promised to another refund. */
async function leftOf(tx: Tx, { id, amountKopecks, refundedKopecks }: Payment): Promise<number> {
  const [promised] = await tx<{ kopecks: number }[]>`
    select coalesce(sum(amount_kopecks), 0)::bigint as kopecks from payment_acts
    where payment_id = ${id} and kind = 'refund' and state = 'asked'`
  return amountKopecks - refundedKopecks - promised!.kopecks
}

/** @throws Refused conflict (payment_not_paid, refund_too_much) */
async function refundOf(tx: Tx, payment: Payment, wanted: number | null): Promise<number> {
  if (payment.status !== 'succeeded')
    throw new Refused('conflict', `the payment is ${payment.status}`, { reason: 'payment_not_paid' })
  const left = await leftOf(tx, payment)
  const kopecks = wanted ?? left
  if (kopecks > 0 && kopecks <= left) return kopecks
  throw new Refused('conflict', `${left} kopecks are left`, { reason: 'refund_too_much', leftKopecks: left })
}

/**
 * Writes down what a provider is to do with a payment that is locked (`payments.hold`), before it is told.
 * @throws Refused conflict (payment_not_paid, refund_too_much, payment_not_held), idempotency_mismatch
 */
export async function ask(
  tx: Tx,
  actor: Actor | null,
  payment: Payment,
  given: NewAct,
): Promise<Act & { isNew: boolean }> {
  const there = await askedBy(tx, actor, given)
  if (there) return { ...there, isNew: false }
  const { kind, reason, key, hash, leaseSeconds } = given
  const kopecks = kind === 'refund' ? await refundOf(tx, payment, given.amountKopecks) : null
  if (
    kind !== 'refund' &&
    payment.status !== 'waiting_for_capture' &&
    !(kind === 'cancel' && payment.status === 'pending')
  )
    throw new Refused('conflict', `the payment is ${payment.status}`, { reason: 'payment_not_held' })
  const [act] = await tx<Act[]>`
    insert into payment_acts (payment_id, kind, amount_kopecks, reason, provider_key, created_by, idempotency_key, request_hash,
      leased_until, attempts)
    values (${payment.id}, ${kind}, ${kopecks}, ${reason}, ${randomUUID()}, ${actor?.userId ?? null}, ${key}, ${hash},
      now() + make_interval(secs => ${leaseSeconds}), ${leaseSeconds > 0 ? 1 : 0})
    on conflict do nothing returning ${tx(COLUMNS)}`
  if (!act) {
    const meanwhile = await askedBy(tx, actor, given)
    if (meanwhile) return { ...meanwhile, isNew: false }
    throw new Refused('conflict', 'it is being captured or let go', { reason: 'payment_busy' })
  }
  await audit.record(tx, actor, 'getpro', {
    action: `payment.${kind}`,
    entityType: 'subscription_payment',
    entityId: payment.id,
    newValues: { actId: act.id, amountKopecks: kopecks, reason },
  })
  return { ...act, isNew: true }
}

const joined = (q: Queryable) => q`${columnsOf(
  q,
  'c',
  COLUMNS.filter((name) => name !== 'amountKopecks'),
)}, c.amount_kopecks as refund_kopecks, p.provider, p.provider_payment_id, p.amount_kopecks, p.description, p.paid_by_telegram_id, a.telegram_id,
  a.email`

/** One that its asker has from asking for it. */
export async function asked(q: Queryable, id: number): Promise<Acting> {
  const [row] = await q<Acting[]>`
    select ${joined(q)} from payment_acts c join subscription_payments p on p.id = c.payment_id
      join getpro_accounts a on a.id = p.account_id
    where c.id = ${id}`
  return row!
}

const lease = (q: Queryable, ids: Fragment, leaseSeconds: number) => q<Acting[]>`
  update payment_acts c set attempts = c.attempts + 1, leased_until = now() + make_interval(secs => ${leaseSeconds})
  from subscription_payments p, getpro_accounts a, (${ids}) as taken
  where c.id = taken.id and p.id = c.payment_id and a.id = p.account_id
  returning ${joined(q)}`

/** Takes acts of a provider that are due, each for one asker only. */
export async function claim(
  q: Queryable,
  provider: PaymentProvider,
  { limit, leaseSeconds }: { limit: number; leaseSeconds: number },
): Promise<Acting[]> {
  const due = q`
    select c.id from payment_acts c join subscription_payments p on p.id = c.payment_id
    where p.provider = ${provider} and c.state = 'asked' and c.due_at <= now()
      and (c.leased_until is null or c.leased_until <= now())
    order by c.due_at, c.id limit ${limit} for update of c skip locked`
  return await lease(q, due, leaseSeconds)
}

/** What became of an act: `asked` is not over, and tried again later. */
export interface Ended {
  state: Act['state']
  providerActId?: string | null
  error?: string | null
  seconds?: number | null
}

/** Writes down what became of an act, and gives it back. Somebody else's by now, it stays theirs unless it is over. */
export async function end(
  q: Queryable,
  { id, attempts }: Pick<Act, 'id' | 'attempts'>,
  { state, providerActId = null, error = null, seconds = null }: Ended,
  pollSeconds: number,
): Promise<void> {
  await q`
    update payment_acts set state = ${state}, provider_act_id = coalesce(${providerActId}, provider_act_id),
      last_error = ${error?.slice(0, errorCharactersMax) ?? null}, leased_until = null,
      ended_at = case when ${state} = 'asked' then null else now() end,
      due_at = now() + coalesce(make_interval(secs => ${seconds}),
        least(greatest((now() - created_at) * ${PAUSE_SHARE}, make_interval(secs => ${pollSeconds})),
          make_interval(secs => ${PAUSE_SECONDS_MAX})))
    where id = ${id} and state = 'asked' and (${state} <> 'asked' or attempts = ${attempts})`
}

export async function get(q: Queryable, id: number): Promise<Act> {
  const [row] = await q<Act[]>`select ${q(COLUMNS)} from payment_acts where id = ${id}`
  return row!
}
