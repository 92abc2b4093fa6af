import * as events from '../messages/events.ts'
import type { Outcome } from '../messages/inbox.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import * as accounts from './accounts.ts'
import * as balance from './balance.ts'
import { judgeRefund, type SaidRefund } from './decide/payment.ts'
import * as notices from './notices.ts'
import * as payments from './payments.ts'
import type { subscriptionRefunds } from './schema.ts'
import { held, type PaymentRules, unmatched } from './settlement.ts'
import * as subscriptions from './subscriptions.ts'

/** Money that went back, as a provider says it. */
export interface RefundNotice extends SaidRefund {
  /** The provider's name for it: said twice counts once. */
  providerRefundId: string
}

/** What went back of a payment, the oldest first. */
export const of = (q: Queryable, paymentId: number) => q<
  Pick<typeof subscriptionRefunds.$inferSelect, 'providerRefundId' | 'amountKopecks' | 'takenKopecks' | 'createdAt'>[]
>`
  select provider_refund_id, amount_kopecks, taken_kopecks, created_at from subscription_refunds
  where payment_id = ${paymentId} order by id`

/** Has this been counted? */
async function isCounted(tx: Tx, provider: string, providerRefundId: string): Promise<boolean> {
  const rows = await tx`
    select 1 from subscription_refunds where provider = ${provider} and provider_refund_id = ${providerRefundId}`
  return rows.length > 0
}

/**
 * Books money that went back to who paid: what was bought by it is undone first. Of a balance only what is left can be
 * taken; the rest was spent, and the row says how much.
 * @returns what was taken
 */
async function book(tx: Tx, payment: payments.Payment, refundId: string, kopecks: number): Promise<number> {
  const { id: paymentId, accountId, purpose } = payment
  const key = `refund ${payment.provider} ${refundId}`
  const about = { paymentId }
  if (purpose === 'subscription')
    await balance.move(tx, null, accountId, { key: `${key} undone`, kind: 'refund', amount: kopecks, about })
  const taken = purpose === 'subscription' ? kopecks : Math.min(kopecks, await balance.get(tx, accountId))
  if (taken > 0) await balance.move(tx, null, accountId, { key, kind: 'payment_refund', amount: -taken, about })
  return taken
}

/**
 * Does what a provider's word about a refund means: the books, the payment, and, when all of it went back, the time it had
 * bought. One that comes before its payment was settled is looked at again later.
 */
export async function hear(
  tx: Tx,
  rules: PaymentRules,
  named: payments.Named,
  notice: RefundNotice,
  matched?: number,
): Promise<Outcome> {
  const payment = matched === undefined ? await payments.find(tx, named) : await held(tx, named.provider, matched)
  if (!payment) return unmatched()
  const { id: paymentId, accountId, provider } = payment
  await accounts.lock(tx, accountId)
  const result = { paymentId, accountId }
  const { providerRefundId } = notice
  if (await isCounted(tx, provider, providerRefundId))
    return { state: 'ignored', result: { status: 'nothing', ...result }, why: 'the refund is counted' }
  const verdict = judgeRefund(payment, notice)
  if (verdict === 'later')
    return { ...unmatched(`the payment is ${payment.status}`), result: { status: 'unmatched', ...result } }
  if (verdict === 'nothing')
    return { state: 'ignored', result: { status: 'nothing', ...result }, why: 'all of it went back before' }
  if ('refuse' in verdict) return { state: 'failed', result: { status: 'refused', ...result }, why: verdict.refuse }
  const { kopecks, isWhole } = verdict
  const taken = kopecks === 0 ? 0 : await book(tx, payment, providerRefundId, kopecks)
  await tx`
    insert into subscription_refunds (payment_id, provider, provider_refund_id, amount_kopecks, taken_kopecks)
    values (${paymentId}, ${provider}, ${providerRefundId}, ${kopecks}, ${taken})`
  await tx`
    update subscription_payments set refunded_kopecks = refunded_kopecks + ${kopecks},
      status = case when ${isWhole} then 'refunded' else status end, updated_at = now()
    where id = ${paymentId}`
  if (kopecks > 0)
    await notices.tell(
      tx,
      accountId,
      'getpro.payment_refunded',
      { amountKopecks: kopecks },
      `refund ${provider} ${providerRefundId}`,
    )
  if (isWhole) await subscriptions.takeBack(tx, accountId, paymentId, rules.timeZone)
  const shortKopecks = kopecks - taken
  await events.record(tx, 'payment.refunded', { data: { ...result, amountKopecks: kopecks, isWhole, shortKopecks } })
  return { state: 'done', result: { status: 'refunded', ...result, amountKopecks: kopecks, shortKopecks } }
}
