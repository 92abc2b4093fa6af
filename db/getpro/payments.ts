import { randomUUID } from 'node:crypto'
import { type Actor, hasRole } from '../platform/actor.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import { columnsOf, type Page } from '../postgres/rows.ts'
import * as accounts from './accounts.ts'
import { Refused } from './refused.ts'
import type { subscriptionPayments } from './schema.ts'
import type { PaymentProvider, Purpose } from './words.ts'

type Row = typeof subscriptionPayments.$inferSelect
const COLUMNS = [
  'id',
  'accountId',
  'purpose',
  'planId',
  'months',
  'promoCodeId',
  'provider',
  'providerPaymentId',
  'reference',
  'amountKopecks',
  'chargedAmount',
  'chargedCurrency',
  'refundedKopecks',
  'status',
  'cancelReason',
  'description',
  'confirmationUrl',
  'savesMethod',
  'savedMethodId',
  'isRenewal',
  'isCaptured',
  'paidByTelegramId',
  'createdAt',
  'settledAt',
] as const satisfies (keyof Row)[]

/** What was asked of a provider, and how it stands. */
export type Payment = Pick<Row, (typeof COLUMNS)[number]>

/** What is to be paid for. */
export type Buying =
  | { purpose: 'subscription'; planId: number; promoCode?: string | null }
  | { purpose: 'balance'; amountKopecks: number }
  | { purpose: 'binding'; amountKopecks: number }

/** A payment as it is begun. */
export type NewPayment = Buying & {
  accountId: number
  provider: PaymentProvider
  /** What the provider is to take where it is not the price in roubles: whole stars, coins. */
  charge?: { amount: string; currency: string }
  savesMethod?: boolean
  savedMethodId?: number | null
  isRenewal?: boolean
  /** False: held until it is captured. */
  isCaptured?: boolean
  description?: string | null
  /** Said again by the same key, with the same hash, it is begun once. Null: it is never said again. */
  key?: string | null
  hash?: string | null
  /** How long nobody but who begins it asks the provider. */
  leaseSeconds?: number
}

/** Who began it with which key. */
const ofKey = (q: Queryable, actor: Actor | null, key: string) =>
  q`created_by is not distinct from ${actor?.userId ?? null} and idempotency_key = ${key}`

/** What was begun by a key before. @throws Refused idempotency_mismatch */
async function begunBy(tx: Tx, actor: Actor | null, { key, hash = null }: NewPayment): Promise<Payment | undefined> {
  if (!key) return undefined
  const [there] = await tx<(Payment & { requestHash: string | null })[]>`
    select ${tx(COLUMNS)}, request_hash from subscription_payments where ${ofKey(tx, actor, key)}`
  if (!there) return undefined
  const { requestHash, ...payment } = there
  if (requestHash === hash) return payment
  throw new Refused('idempotency_mismatch', 'the key was used for another payment')
}

const kopecksPerRouble = 100
/** `199.00` of 19900. */
export const roubles = (kopecks: number): string =>
  `${Math.floor(kopecks / kopecksPerRouble)}.${String(kopecks % kopecksPerRouble).padStart(2, '0')}`

interface Priced {
  planId: number | null
  months: number | null
  amountKopecks: number
  stars: number | null
}

/** @throws Refused not_found (plan_unknown) */
async function priceOf(tx: Tx, given: NewPayment): Promise<Priced> {
  if (given.purpose !== 'subscription') return { planId: null, months: null, stars: null, ...given }
  const [plan] = await tx<{ months: number; priceKopecks: number; priceStars: number | null }[]>`
    select months, price_kopecks, price_stars from plans
    where id = ${given.planId} and is_active and deleted_at is null`
  if (!plan) throw new Refused('not_found', 'there is no such plan', { reason: 'plan_unknown' })
  return { planId: given.planId, months: plan.months, amountKopecks: plan.priceKopecks, stars: plan.priceStars }
}

/** What the provider is told to take. @throws Refused conflict (plan_without_stars) */
function chargeOf({ provider, charge }: NewPayment, { amountKopecks, stars }: Priced) {
  if (charge) return charge
  if (provider !== 'stars') return { amount: roubles(amountKopecks), currency: 'RUB' }
  if (stars === null) throw new Refused('conflict', 'it has no price in stars', { reason: 'plan_without_stars' })
  return { amount: String(stars), currency: 'XTR' }
}

/** @throws Refused not_found (promo_unknown) */
async function promoOf(tx: Tx, given: NewPayment): Promise<number | null> {
  if (given.purpose !== 'subscription' || !given.promoCode) return null
  const [code] = await tx<{ id: number }[]>`
    select id from promo_codes where code = ${given.promoCode.trim().toUpperCase()} and is_active and deleted_at is null`
  if (!code) throw new Refused('not_found', 'there is no such code', { reason: 'promo_unknown' })
  return code.id
}

/** A payment that was begun, now or before by the same key. Whoever begins it now has the lease. */
export type Begun = Payment & { isNew: boolean }

/**
 * Begins a payment: its row is there, and committed, before any provider hears of it, for a notice may come before the
 * provider's answer to us.
 * @throws Refused not_found (account_unknown, plan_unknown, promo_unknown), conflict (plan_without_stars), idempotency_mismatch
 */
export async function begin(tx: Tx, actor: Actor | null, given: NewPayment): Promise<Begun> {
  await accounts.hold(tx, given.accountId)
  const there = await begunBy(tx, actor, given)
  // A price that changed meanwhile makes a repeat no other payment.
  if (there) return { ...there, isNew: false }
  const priced = await priceOf(tx, given)
  const charge = chargeOf(given, priced)
  const promoCodeId = await promoOf(tx, given)
  const { purpose, savesMethod = false, savedMethodId = null, isRenewal = false, description = null } = given
  const { isCaptured = true, key = null, hash = null, leaseSeconds = 0 } = given
  const [payment] = await tx<Payment[]>`
    insert into subscription_payments
      (account_id, purpose, plan_id, months, promo_code_id, provider, reference, amount_kopecks, charged_amount,
       charged_currency, saves_method, saved_method_id, is_renewal, is_captured, description, provider_key, created_by,
       idempotency_key, request_hash, leased_until, attempts)
    values (${given.accountId}, ${purpose}, ${priced.planId}, ${priced.months}, ${promoCodeId}, ${given.provider},
      ${randomUUID()}, ${priced.amountKopecks}, ${charge.amount}, ${charge.currency}, ${savesMethod}, ${savedMethodId},
      ${isRenewal}, ${isCaptured}, ${description}, ${randomUUID()}, ${actor?.userId ?? null}, ${key}, ${hash},
      now() + make_interval(secs => ${leaseSeconds}), ${leaseSeconds > 0 ? 1 : 0})
    on conflict do nothing returning ${tx(COLUMNS)}`
  if (payment) return { ...payment, isNew: true }
  // Somebody began it for another account meanwhile: by the same key something else.
  return { ...(await begunBy(tx, actor, given))!, isNew: false }
}

/** Keeps how a provider calls a payment, and where it is paid. One that is known already stays. */
export async function keepProvidersName(
  tx: Tx,
  id: number,
  given: { providerPaymentId: string | null; confirmationUrl?: string | null },
): Promise<void> {
  await tx`
    update subscription_payments set provider_payment_id = coalesce(provider_payment_id, ${given.providerPaymentId}),
      confirmation_url = coalesce(${given.confirmationUrl ?? null}, confirmation_url), updated_at = now()
    where id = ${id}`
}

export async function get(q: Queryable, id: number): Promise<Payment | undefined> {
  const [row] = await q<Payment[]>`select ${q(COLUMNS)} from subscription_payments where id = ${id}`
  return row
}

/** The payment that a payer comes back from, by our name for it there. */
export async function byReference(q: Queryable, reference: string): Promise<number | undefined> {
  const [row] = await q<{ id: number }[]>`select id from subscription_payments where reference = ${reference}`
  return row?.id
}

/** What of the payments is asked for; what is not given is any. */
export interface AskedPayments {
  accountId: number | null
  status?: Payment['status'] | undefined
  provider?: PaymentProvider | undefined
  limit: number
  offset: number
}

/** One page of the payments, newest first. */
export async function list(q: Queryable, given: AskedPayments): Promise<Page<Payment>> {
  const { accountId, status = null, provider = null, limit, offset } = given
  const asked = q`${accountId === null ? q`true` : q`account_id = ${accountId}`}
    and ${status ? q`status = ${status}` : q`true`} and ${provider ? q`provider = ${provider}` : q`true`}`
  const [counted] = await q<{ total: number }[]>`select count(*) as total from subscription_payments where ${asked}`
  const rows = await q<Payment[]>`
    select ${q(COLUMNS)} from subscription_payments where ${asked} order by id desc limit ${limit} offset ${offset}`
  return { rows, total: counted!.total }
}

/**
 * A payment that the actor may see; that there is another's is told to admins only.
 * @throws Refused not_yours, not_found (payment_unknown)
 */
export async function reach(q: Queryable, actor: Actor, id: number): Promise<Payment> {
  const found = await get(q, id)
  if (found) await accounts.reach(q, actor, found.accountId)
  else if (hasRole(actor, 'admin'))
    throw new Refused('not_found', 'there is no such payment', { reason: 'payment_unknown' })
  else throw new Refused('not_yours', 'the payment of somebody else')
  return found
}

/** How a notice names its payment (docs/providers.md 0 rule 12). */
export interface Named {
  provider: PaymentProvider
  providerPaymentId: string | null
  /** Our reference, or our id, as the provider was told and gives it back. */
  ours: string | null
}

/**
 * The payment that a notice means, locked until the transaction ends: by the provider's name for it, else by ours, but then only
 * while it is not known by another name of the provider's.
 */
export async function find(tx: Tx, { provider, providerPaymentId, ours }: Named): Promise<Payment | undefined> {
  const [byTheirs] = await tx<Payment[]>`
    select ${columnsOf(tx, 'p', COLUMNS)} from subscription_payments p
    where provider = ${provider} and provider_payment_id = ${providerPaymentId} for update`
  if (byTheirs || ours === null) return byTheirs
  const id = /^\d{1,15}$/.test(ours) ? Number(ours) : 0
  const [byOurs] = await tx<Payment[]>`
    select ${columnsOf(tx, 'p', COLUMNS)} from subscription_payments p
    where provider = ${provider} and (reference = ${ours} or id = ${id})
      and (provider_payment_id is null or ${providerPaymentId}::text is null) for update`
  return byOurs
}

/** A payment that an operator named, locked. @throws Refused not_found (payment_unknown) */
export async function hold(tx: Tx, id: number): Promise<Payment> {
  const [row] = await tx<Payment[]>`select ${tx(COLUMNS)} from subscription_payments where id = ${id} for update`
  if (row) return row
  throw new Refused('not_found', 'there is no such payment', { reason: 'payment_unknown' })
}

/** A payment that a provider made of its own accord: nobody asked for it here. The account is held. */
export async function record(
  tx: Tx,
  given: Pick<Payment, 'accountId' | 'provider' | 'amountKopecks' | 'chargedAmount' | 'chargedCurrency' | 'months'> & {
    purpose: Purpose
    planId?: number | null
    providerPaymentId: string
    isRenewal: boolean
  },
): Promise<Payment> {
  const [payment] = await tx<Payment[]>`
    insert into subscription_payments
      (account_id, purpose, plan_id, months, provider, provider_payment_id, reference, amount_kopecks, charged_amount,
       charged_currency, is_renewal)
    values (${given.accountId}, ${given.purpose}, ${given.planId ?? null}, ${given.months}, ${given.provider}, ${given.providerPaymentId},
      ${randomUUID()}, ${given.amountKopecks}, ${given.chargedAmount}, ${given.chargedCurrency}, ${given.isRenewal})
    returning ${tx(COLUMNS)}`
  return payment!
}
