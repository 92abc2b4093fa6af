import * as methods from '../../db/getpro/methods.ts'
import * as openPayments from '../../db/getpro/open-payments.ts'
import * as payments from '../../db/getpro/payments.ts'
import { Refused } from '../../db/getpro/refused.ts'
import * as settlement from '../../db/getpro/settlement.ts'
import * as subscriptions from '../../db/getpro/subscriptions.ts'
import type { Log } from '../../db/platform/log.ts'
import type { Db } from '../../db/postgres/connect.ts'
import type { ApiConfig } from '../config.ts'
import type { Reply } from './call.ts'
import type { Gateway, There } from './gateway.ts'
import { type Gateways, gatewaysOf, type PayingConfig } from './gateways.ts'
import type { PaymentApis } from './payment-apis.ts'

/** Where payments are made and asked for. Made once for a process, on its one `paymentApis`. */
export interface Desk {
  db: Db
  log: Log
  gateways: Gateways
  timeZone: string
  /** How often an open payment is asked for at first. */
  pollSeconds: number
  /** How long a payment is its asker's: longer than all the calls of one question. */
  leaseSeconds: number
}

/** Calls that one question may take one after the other: the pages of a search, and one before it. */
const callsMax = 12

export function deskOf(
  { db, log }: Pick<Desk, 'db' | 'log'>,
  config: PayingConfig & Pick<ApiConfig, 'timeZone'>,
  apis: PaymentApis,
): Desk {
  const { pollSeconds, timeoutSeconds } = config.providers.payments
  const leaseSeconds = timeoutSeconds * callsMax
  return { db, log, gateways: gatewaysOf(db, config, apis), timeZone: config.timeZone, pollSeconds, leaseSeconds }
}

/** @throws Refused unavailable: nobody can pay there */
export function gatewayOf({ gateways }: Desk, provider: openPayments.Asking['provider']): Gateway {
  const gateway = gateways[provider]
  if (gateway) return gateway
  throw new Refused('unavailable', `${provider} is not configured`, { reason: 'provider_off' })
}

/** Nobody has heard that it was made: it has no name there, and no link to pay by. */
const isUnmade = ({ providerPaymentId, confirmationUrl }: openPayments.Asking) =>
  providerPaymentId === null && confirmationUrl === null

/** What its provider says of a payment that is ours to ask about. */
const say = (gateway: Gateway, asking: openPayments.Asking): Promise<Reply<There | null>> =>
  isUnmade(asking) ? gateway.open(asking) : gateway.look(asking)

const unauthorized = 401
/** Whether a provider refused what was asked; that it did not take our credentials says nothing of it. */
export const isFinal = (reply: Reply<unknown>): reply is Extract<Reply<unknown>, { kind: 'refused' }> =>
  reply.kind === 'refused' && reply.status !== unauthorized

/** What is known now is written down, and done; then the payment is anybody's again. */
async function learn(desk: Desk, asking: openPayments.Asking, there: There, isTestAllowed: boolean) {
  const { timeZone, pollSeconds } = desk
  return await desk.db.transaction(async (tx) => {
    const { providerPaymentId, confirmationUrl, notice } = there
    await payments.keepProvidersName(tx, asking.id, { providerPaymentId, confirmationUrl })
    const payment = await payments.hold(tx, asking.id)
    const outcome = notice && (await settlement.hear(tx, { timeZone, isTestAllowed }, payment, notice))
    const why = outcome?.state === 'failed' ? (outcome.why ?? null) : null
    await openPayments.release(tx, asking, { error: why }, pollSeconds)
    return { state: outcome?.state ?? 'open', why }
  })
}

/**
 * Asks a provider for a payment that is ours to ask about, makes it there where it is not yet, and does what that means. Commits
 * by itself; it does not reject for anything that a provider does.
 * @returns the reply, whose meaning is written down
 */
export async function ask(desk: Desk, asking: openPayments.Asking): Promise<Reply<There | null>> {
  const { db, log, pollSeconds } = desk
  const { id: paymentId, provider } = asking
  const gateway = gatewayOf(desk, provider)
  const reply = await say(gateway, asking)
  if (reply.kind === 'done' && reply.value) {
    const learnt = await learn(desk, asking, reply.value, gateway.isTestAllowed)
    if (learnt.state !== 'open') log('payment.heard', { provider, paymentId, ...learnt })
    return reply
  }
  if (isFinal(reply) && isUnmade(asking) && (await db.transaction((tx) => openPayments.fail(tx, asking, reply.code)))) {
    log('payment.failed', { provider, paymentId, code: reply.code, why: reply.why })
    return reply
  }
  const error = reply.kind === 'done' ? 'nothing is known of it there' : reply.why
  const seconds = reply.kind === 'later' ? Math.max(reply.seconds, 1) : null
  await openPayments.release(db.sql, asking, { error, seconds }, pollSeconds)
  if (reply.kind !== 'done') log('payment.unheard', { provider, paymentId, is: reply.kind, why: error })
  return reply
}

/** A renewal that nobody is there to pay. */
export interface Renewal {
  subscriptionId: number
  /** Once for each period and attempt, for ever: `renewal 12 2026-04-01 1`. */
  key: string
}

/**
 * Charges the method that its owner saved for one more term of a subscription's plan. Said again by the same key it is charged
 * once, and answered with the payment as it is by then: `pending` while the provider has not said (it is asked again by itself),
 * `succeeded` or `canceled` with its reason (`insufficient_funds`; after a reason that lasts the method is given up), `failed`
 * when the provider refused to take it. Commits by itself.
 * @throws Refused not_found (subscription_unknown, plan_unknown), conflict (no_saved_method, renewed_elsewhere), unavailable
 */
export async function chargeSavedMethod(desk: Desk, { subscriptionId, key }: Renewal): Promise<payments.Payment> {
  const { db, leaseSeconds } = desk
  const begun = await db.transaction(async (tx) => {
    const { accountId, planId, provider } = await subscriptions.demand(tx, subscriptionId)
    if (provider !== null) throw new Refused('conflict', `${provider} renews it`, { reason: 'renewed_elsewhere' })
    const method = await methods.chargeable(tx, accountId)
    if (!method) throw new Refused('conflict', 'nothing to charge', { reason: 'no_saved_method' })
    if (planId === null) throw new Refused('not_found', 'it is of no plan', { reason: 'plan_unknown' })
    gatewayOf(desk, method.provider)
    const what = { purpose: 'subscription' as const, planId, savedMethodId: method.id, isRenewal: true }
    const about = { description: 'Продление подписки', key: `renewal ${key}`, leaseSeconds }
    return await payments.begin(tx, null, { ...what, ...about, accountId, provider: method.provider })
  })
  if (begun.isNew) await ask(desk, await openPayments.begun(db.sql, begun.id))
  return (await payments.get(db.sql, begun.id))!
}
