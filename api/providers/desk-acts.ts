import * as acts from '../../db/getpro/payment-acts.ts'
import * as payments from '../../db/getpro/payments.ts'
import * as refunds from '../../db/getpro/refunds.ts'
import * as settlement from '../../db/getpro/settlement.ts'
import type { PaymentActKind } from '../../db/getpro/words.ts'
import type { Reply } from './call.ts'
import { type Desk, gatewayOf, isFinal } from './desk.ts'
import type { Gateway, Gone, There } from './gateway.ts'

/** Which acts a provider knows at all. */
export const canDo = (gateway: Gateway, kind: PaymentActKind, isPart: boolean): boolean =>
  kind === 'refund' ? gateway.refund !== undefined && !(isPart && gateway.refundsWhole) : gateway[kind] !== undefined

/** Money that went back is booked as its notice would be: by the provider's name for it, once. */
async function giveBack(desk: Desk, acting: acts.Acting, { refundId, status }: Gone) {
  const { db, timeZone, pollSeconds } = desk
  const { provider, providerPaymentId, refundKopecks } = acting
  return await db.transaction(async (tx) => {
    const payment = await payments.hold(tx, acting.paymentId)
    const isOver = status === 'succeeded'
    const named = { provider, providerPaymentId, ours: null }
    const isAll = refundKopecks === payment.amountKopecks
    const sum = isAll ? { amount: null, currency: null } : { amount: payments.roubles(refundKopecks!), currency: 'RUB' }
    const rules = { timeZone, isTestAllowed: true }
    const outcome = isOver
      ? await refunds.hear(tx, rules, named, { providerRefundId: refundId, ...sum }, payment.id)
      : null
    const state = isOver ? 'done' : status === 'canceled' ? 'refused' : 'asked'
    await acts.end(tx, acting, { state, providerActId: refundId }, pollSeconds)
    return outcome?.state ?? state
  })
}

async function settle(desk: Desk, acting: acts.Acting, { notice }: There, isTestAllowed: boolean) {
  const { db, timeZone, pollSeconds } = desk
  return await db.transaction(async (tx) => {
    const payment = await payments.hold(tx, acting.paymentId)
    const outcome = notice && (await settlement.hear(tx, { timeZone, isTestAllowed }, payment, notice))
    await acts.end(tx, acting, { state: 'done' }, pollSeconds)
    return outcome?.state ?? 'done'
  })
}

/** Tells a provider what it is to do, and does what its answer means. */
async function say(desk: Desk, gateway: Gateway, acting: acts.Acting): Promise<Reply<unknown>> {
  if (acting.kind === 'refund') {
    const reply = await gateway.refund!(acting)
    if (reply.kind === 'done') await giveBack(desk, acting, reply.value)
    return reply
  }
  const reply = await gateway[acting.kind]!(acting)
  if (reply.kind === 'done') await settle(desk, acting, reply.value, gateway.isTestAllowed)
  return reply
}

/**
 * Has a provider do what was asked for, where it is ours to tell it (`payment-acts.ts`). Commits by itself; it does not reject for
 * anything that a provider does. After no answer the act stays, and is told again by the same key.
 */
export async function act(desk: Desk, acting: acts.Acting): Promise<Reply<unknown>> {
  const { db, log, pollSeconds } = desk
  const { id: actId, paymentId, provider, kind } = acting
  const reply = await say(desk, gatewayOf(desk, provider), acting)
  const about = { provider, paymentId, actId, kind }
  if (reply.kind === 'done') {
    log('payment_act.told', about)
    return reply
  }
  const seconds = reply.kind === 'later' ? Math.max(reply.seconds, 1) : null
  const state = isFinal(reply) ? 'refused' : 'asked'
  await acts.end(db.sql, acting, { state, error: reply.why, seconds }, pollSeconds)
  log('payment_act.untold', { ...about, is: reply.kind, why: reply.why })
  return reply
}
