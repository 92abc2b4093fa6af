import type { Outcome } from '../messages/inbox.ts'
import type { Tx } from '../postgres/connect.ts'
import { isSameAmount } from './decide/payment.ts'
import * as payments from './payments.ts'
import { hear, held, type PaymentRules, unmatched } from './settlement.ts'
import * as subscriptions from './subscriptions.ts'

/** What somebody is about to pay. Whole stars. */
export interface Checkout {
  ours: string | null
  amount: string
  currency: string
}

/** What somebody paid. */
export interface Paid extends Checkout {
  chargeId: string
  payerTelegramId: number | null
  /** Telegram charged a subscription again: another payment for what the first one named. */
  isRenewal: boolean
  /** Of a subscription at Telegram: until when it is paid. */
  expiresAt: Date | null
}

const provider = 'stars' as const

/**
 * Whether a checkout may go on: the order is there, open, and of this price. It is no payment, and changes nothing. Anybody
 * may pay for an order; it stays its owner's.
 */
export async function checkout(tx: Tx, { ours, amount, currency }: Checkout): Promise<Outcome> {
  const payment = await payments.find(tx, { provider, providerPaymentId: null, ours })
  const refusal = !payment
    ? 'unknown'
    : payment.status !== 'pending'
      ? 'closed'
      : isSameAmount(amount, payment.chargedAmount) && currency === payment.chargedCurrency
        ? null
        : 'price'
  return { state: 'done', result: { status: 'checkout', isAllowed: refusal === null, refusal } }
}

/** Does what a payment in Stars means. */
export async function paid(tx: Tx, rules: PaymentRules, said: Paid, matched?: number): Promise<Outcome> {
  const { chargeId: providerPaymentId, ours, amount, currency, payerTelegramId } = said
  const named = { provider, providerPaymentId, ours }
  const first = matched === undefined ? await payments.find(tx, named) : await held(tx, provider, matched)
  const payment = first ?? (said.isRenewal ? await renew(tx, said) : undefined)
  if (!payment) return unmatched()
  const beside = { isTest: false, method: null, reason: null, payerTelegramId }
  const notice = { status: 'succeeded' as const, providerPaymentId, amount, currency, ...beside }
  const outcome = await hear(tx, rules, payment, notice)
  // Telegram renews it by itself from now on.
  if (outcome.state === 'done' && said.expiresAt) {
    const renewed = {
      provider,
      providerSubscriptionId: ours ?? providerPaymentId,
      kind: 'regular' as const,
      saidAt: null,
    }
    await subscriptions.bind(tx, payment.accountId, renewed)
  }
  return outcome
}

/** The payment of a renewal: as the one that began it, which is known by our name. */
async function renew(tx: Tx, { ours, chargeId }: Paid): Promise<payments.Payment | undefined> {
  const origin = await payments.find(tx, { provider, providerPaymentId: null, ours })
  if (origin?.status !== 'succeeded') return undefined
  return await payments.record(tx, { ...origin, providerPaymentId: chargeId, isRenewal: true })
}

/** Does what Telegram's word about a subscription's renewals means. */
export async function renewal(
  tx: Tx,
  { ours, state }: { ours: string | null; state: string },
  matched?: number,
): Promise<Outcome> {
  const named = { provider, providerPaymentId: null, ours }
  const payment = matched === undefined ? await payments.find(tx, named) : await held(tx, provider, matched)
  if (!payment) return unmatched()
  const result = { accountId: payment.accountId, paymentId: payment.id }
  if (state !== 'canceled' && state !== 'active')
    return { state: 'ignored', result: { status: 'ignored', ...result }, why: `the renewal is ${state}` }
  if (!(await subscriptions.of(tx, payment.accountId)))
    return { state: 'ignored', result: { status: 'nothing', ...result }, why: 'there is no subscription' }
  await subscriptions.setRenewal(tx, null, payment.accountId, state === 'active')
  return { state: 'done', result: { status: state, ...result } }
}
