import * as events from '../messages/events.ts'
import type { Outcome } from '../messages/inbox.ts'
import type { Tx } from '../postgres/connect.ts'
import type * as accounts from './accounts.ts'
import * as payments from './payments.ts'
import * as referrals from './referrals.ts'
import { book, holdBoth, type PaymentRules, tellPayer } from './settlement.ts'
import * as subscriptions from './subscriptions.ts'

/** What Tribute says of somebody's subscription there (docs/providers.md 4). */
export interface TributeNotice {
  event: 'new' | 'renewed' | 'cancelled'
  /** Once for ever. */
  key: string
  subscriptionId: string
  type: 'regular' | 'gift' | 'trial'
  /** Minor units of the currency; null: it does not say. */
  priceMinor: number | null
  /** Upper case. */
  currency: string
  months: number
  expiresAt: Date | null
  saidAt: Date | null
}

const provider = 'tribute' as const

/** A charge that Tribute made of its own accord; what is not in roubles is written down and not booked. */
async function charge(tx: Tx, accountId: number, said: TributeNotice): Promise<payments.Payment> {
  const minor = said.priceMinor ?? 0
  const payment = await payments.record(tx, {
    accountId,
    provider,
    providerPaymentId: said.key,
    purpose: 'subscription',
    months: said.months,
    amountKopecks: said.currency === 'RUB' ? minor : 0,
    chargedAmount: payments.roubles(minor),
    chargedCurrency: said.currency,
    isRenewal: said.event === 'renewed',
  })
  await tx`update subscription_payments set status = 'succeeded', settled_at = now() where id = ${payment.id}`
  await book(tx, payment)
  await tellPayer(tx, payment, 'getpro.payment_succeeded')
  const { id: paymentId, amountKopecks } = payment
  const data = { accountId, paymentId, purpose: 'subscription', amountKopecks }
  await events.record(tx, 'payment.succeeded', { data })
  return payment
}

/**
 * Does what Tribute's word means for an account: a charge lasts until the day that Tribute says, and never makes access
 * shorter; a cancellation ends the renewals and takes nothing away.
 */
export async function hear(tx: Tx, rules: PaymentRules, accountId: number, said: TributeNotice): Promise<Outcome> {
  const account = await holdBoth(tx, accountId)
  const before = await subscriptions.of(tx, accountId)
  const result = { accountId }
  const isOld =
    before?.provider === provider && said.saidAt && before.providerSaidAt && said.saidAt < before.providerSaidAt
  if (isOld)
    return { state: 'ignored', result: { status: 'nothing', ...result }, why: 'something newer was said before' }
  if (said.event === 'cancelled') return await cancel(tx, account, before, said)
  if (await isCharged(tx, said.key))
    return { state: 'ignored', result: { status: 'nothing', ...result }, why: 'it was charged before' }

  const isFirst = await referrals.isFirst(tx, { id: 0, accountId })
  const isTrial = said.type === 'trial' && said.event === 'new'
  const payment = isTrial ? null : await charge(tx, accountId, said)
  const kind = said.event === 'renewed' ? ('regular' as const) : said.type
  const by = said.expiresAt ? { until: said.expiresAt, months: said.months } : { months: said.months, days: 0 }
  const paymentId = payment?.id ?? null
  const about = { key: `tribute ${said.key}`, period: 'provider' as const, kind, by, paymentId }
  await subscriptions.change(tx, null, accountId, about, rules.timeZone)
  const { subscriptionId: providerSubscriptionId, saidAt } = said
  await subscriptions.bind(tx, accountId, { provider, providerSubscriptionId, kind, saidAt })
  if (payment && isFirst) await referrals.reward(tx, account, payment, rules.timeZone)
  return { state: 'done', result: { status: payment ? 'succeeded' : 'trial', paymentId, ...result } }
}

/** Has this charge been counted? */
async function isCharged(tx: Tx, key: string): Promise<boolean> {
  const rows = await tx`
    select 1 from subscription_payments where provider = ${provider} and provider_payment_id = ${key}`
  return rows.length > 0
}

async function cancel(
  tx: Tx,
  { id: accountId }: accounts.Account,
  before: subscriptions.Subscription | undefined,
  { saidAt, subscriptionId }: TributeNotice,
): Promise<Outcome> {
  if (before?.provider !== provider || before.providerSubscriptionId !== subscriptionId)
    return { state: 'ignored', result: { status: 'nothing', accountId }, why: 'it renews nothing here' }
  await subscriptions.setRenewal(tx, null, accountId, false, { saidAt })
  await events.record(tx, 'subscription.cancelled', { data: { accountId, endsAt: before.endsAt.toISOString() } })
  return { state: 'done', result: { status: 'cancelled', accountId } }
}
