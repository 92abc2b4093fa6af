import * as events from '../messages/events.ts'
import type { Outcome } from '../messages/inbox.ts'
import { Refused } from '../platform/refused.ts'
import type { Tx } from '../postgres/connect.ts'
import * as accounts from './accounts.ts'
import * as balance from './balance.ts'
import { judge, type Said } from './decide/payment.ts'
import * as methods from './methods.ts'
import * as notices from './notices.ts'
import type { Payment } from './payments.ts'
import * as payments from './payments.ts'
import * as promoCodes from './promo-codes.ts'
import * as referrals from './referrals.ts'
import * as subscriptions from './subscriptions.ts'

/** What the settings say of payments. */
export interface PaymentRules {
  /** IANA name of the zone by whose clocks months are counted. */
  timeZone: string
  /** Play money counts: a house for trying. */
  isTestAllowed: boolean
}

/** What a provider says of a payment, and beside it. */
export interface Notice extends Said {
  /** A method of payment that the provider keeps from now on. */
  method: methods.NewMethod | null
  /** Why it was not paid. */
  reason: string | null
  /** Who paid, where that is told. */
  payerTelegramId: number | null
}

/** Of a notice about a payment that is locked: what is said to whom stored it. */
const outcome = (payment: Payment, state: Outcome['state'], status: string, why?: string): Outcome => ({
  state,
  result: { status, paymentId: payment.id, accountId: payment.accountId },
  ...(why === undefined ? {} : { why }),
})

/** No payment is known by the names that a notice gives. */
export const unmatched = (why = 'PAYMENT_NOT_FOUND'): Outcome => ({
  state: 'unmatched',
  result: { status: 'unmatched' },
  why,
})

/** Does what a provider's word about a payment means. The payment is locked (`payments.find`, `payments.hold`). */
export async function hear(tx: Tx, rules: PaymentRules, payment: Payment, notice: Notice): Promise<Outcome> {
  const verdict = judge(payment, notice, rules.isTestAllowed)
  if (verdict.do === 'refuse') return outcome(payment, 'failed', 'refused', verdict.why)
  if (verdict.do === 'nothing') return outcome(payment, 'ignored', 'nothing', verdict.why)
  if (verdict.do === 'cancel') return await cancel(tx, payment, notice)
  if (verdict.do === 'hold') return await wait(tx, payment, notice)
  return await settle(tx, rules, payment, notice)
}

async function move(tx: Tx, { id }: Payment, status: Payment['status'], notice: Notice): Promise<void> {
  const { providerPaymentId, reason } = notice
  await tx`
    update subscription_payments set status = ${status}, cancel_reason = ${reason},
      provider_payment_id = coalesce(provider_payment_id, ${providerPaymentId}),
      settled_at = case when ${status} in ('succeeded', 'canceled') then now() end, updated_at = now()
    where id = ${id}`
}

const tell = (tx: Tx, payment: Payment, kind: string, about: object = {}) =>
  events.record(tx, kind, { data: { accountId: payment.accountId, paymentId: payment.id, ...about } })

/** Who is to pay is told what came of it; a card that is only to be known pays for nothing. */
export async function tellPayer(tx: Tx, payment: Payment, kind: 'getpro.payment_succeeded' | 'getpro.payment_failed') {
  const { id, accountId, purpose, amountKopecks } = payment
  if (purpose !== 'binding' && amountKopecks > 0)
    await notices.tell(tx, accountId, kind, { amountKopecks }, `${kind} ${id}`)
}

async function cancel(tx: Tx, payment: Payment, notice: Notice): Promise<Outcome> {
  const [account] = await accounts.lock(tx, payment.accountId)
  await move(tx, payment, 'canceled', notice)
  // A method that will never be charged again renews nothing: there is no use in trying.
  if (payment.savedMethodId !== null && (await methods.giveUp(tx, payment.savedMethodId, notice.reason)))
    if (await subscriptions.of(tx, account!.id)) await subscriptions.setRenewal(tx, null, account!.id, false)
  await tell(tx, payment, 'payment.canceled', { reason: notice.reason, isRenewal: payment.isRenewal })
  // Of a renewal it is told by whoever wanted it.
  if (!payment.isRenewal) await tellPayer(tx, payment, 'getpro.payment_failed')
  return outcome(payment, 'done', 'canceled')
}

async function wait(tx: Tx, payment: Payment, notice: Notice): Promise<Outcome> {
  await accounts.lock(tx, payment.accountId)
  await move(tx, payment, 'waiting_for_capture', notice)
  // Of a card that is only to be known, nothing is taken: that the money is held proves it.
  if (payment.purpose === 'binding' && notice.method)
    await methods.keep(tx, payment.accountId, payment.provider, notice.method)
  await tell(tx, payment, 'payment.waiting')
  return outcome(payment, 'done', 'waiting_for_capture')
}

/** The days of a payment's promo code; a code that is used up by now gives none, and the payment stands. */
async function promoDays(tx: Tx, payment: Payment): Promise<number> {
  if (payment.promoCodeId === null) return 0
  try {
    return await promoCodes.take(tx, payment.promoCodeId, payment.accountId, payment.id)
  } catch (error) {
    if (error instanceof Refused) return 0
    throw error
  }
}

/** Books what came, and, of a subscription, what it was spent on at once. */
export async function book(tx: Tx, { id, accountId, purpose, amountKopecks, provider }: Payment): Promise<void> {
  if (amountKopecks === 0) return
  const about = { paymentId: id, provider }
  await balance.move(tx, null, accountId, { key: `payment ${id}`, kind: 'balance_add', amount: amountKopecks, about })
  if (purpose === 'subscription')
    await balance.move(tx, null, accountId, {
      key: `purchase ${id}`,
      kind: 'subscription_purchase',
      amount: -amountKopecks,
      about,
    })
}

/** The account, and whoever invited it, by rising id: an inviter was there before, always. */
export async function holdBoth(tx: Tx, accountId: number) {
  const known = await accounts.get(tx, accountId)
  const held = await accounts.lock(tx, accountId, ...(known?.inviterId ? [known.inviterId] : []))
  return held.find(({ id }) => id === accountId)!
}

async function settle(tx: Tx, rules: PaymentRules, payment: Payment, notice: Notice): Promise<Outcome> {
  const account = await holdBoth(tx, payment.accountId)
  await tellPayer(tx, payment, 'getpro.payment_succeeded')
  const before = await subscriptions.of(tx, account.id)
  const hadAccess = before !== undefined && before.endsAt > (await subscriptions.nowOf(tx))
  const isFirst = await referrals.isFirst(tx, payment)
  await move(tx, payment, 'succeeded', { ...notice, reason: null })
  await book(tx, payment)
  if (notice.method) await methods.keep(tx, account.id, payment.provider, notice.method)
  if (payment.purpose === 'subscription') {
    const by = { months: payment.months!, days: await promoDays(tx, payment) }
    const { id: paymentId, planId } = payment
    const about = {
      key: `payment ${paymentId}`,
      period: 'payment' as const,
      kind: 'regular' as const,
      paymentId,
      planId,
    }
    const renews = notice.method ? { autoRenews: true } : {}
    await subscriptions.change(tx, null, account.id, { ...about, by, ...renews }, rules.timeZone)
    if (isFirst && !hadAccess) await referrals.reward(tx, account, payment, rules.timeZone)
  }
  await markPayer(tx, payment, account, notice.payerTelegramId)
  await tell(tx, payment, 'payment.succeeded', { purpose: payment.purpose, amountKopecks: payment.amountKopecks })
  return outcome(payment, 'done', 'succeeded')
}

/** Somebody else may pay: what they pay for is its owner's, and it is written down who it was. */
async function markPayer(tx: Tx, { id }: Payment, account: accounts.Account, payer: number | null): Promise<void> {
  if (payer === null || payer === account.telegramId) return
  await tx`update subscription_payments set paid_by_telegram_id = ${payer} where id = ${id}`
}

/** The payment that a notice means, and what its word means for it; `matched`: an operator says which it is. */
export async function hearNamed(
  tx: Tx,
  rules: PaymentRules,
  named: payments.Named,
  notice: Notice,
  matched?: number,
): Promise<Outcome> {
  const payment = matched === undefined ? await payments.find(tx, named) : await held(tx, named.provider, matched)
  return payment ? await hear(tx, rules, payment, notice) : unmatched()
}

/** A payment that an operator says a notice is about: it must be that provider's. @throws Refused not_found, conflict */
export async function held(tx: Tx, provider: payments.Named['provider'], id: number): Promise<Payment> {
  const payment = await payments.hold(tx, id)
  if (payment.provider === provider) return payment
  throw new Refused('conflict', `payment ${id} is of ${payment.provider}`)
}
