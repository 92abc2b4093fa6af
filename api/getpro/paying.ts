import { setTimeout as pause } from 'node:timers/promises'
import type { Context } from 'hono'
import * as openPayments from '../../db/getpro/open-payments.ts'
import * as acts from '../../db/getpro/payment-acts.ts'
import * as verbs from '../../db/getpro/payments.ts'
import { Refused } from '../../db/getpro/refused.ts'
import type { PaymentProvider } from '../../db/getpro/words.ts'
import type { Env } from '../context.ts'
import { idempotencyOf } from '../idempotency.ts'
import { ask, type Desk, gatewayOf } from '../providers/desk.ts'
import { act, canDo } from '../providers/desk-acts.ts'
import { reached } from './rights.ts'

/** How often somebody who waits for another's question looks whether it is answered. */
const lookMs = 100
const millisecondsPerSecond = 1_000

/** What is to be paid, as a body says it. */
export type Wanted = { user_id?: number | undefined; provider: PaymentProvider } & verbs.Buying & {
    savesMethod?: boolean | undefined
    isCaptured?: boolean | undefined
  }

/** Whether anything is known of it at its provider. */
const isMade = ({
  status,
  confirmationUrl,
  providerPaymentId,
}: Pick<verbs.Payment, 'status' | 'confirmationUrl' | 'providerPaymentId'>) =>
  status !== 'pending' || confirmationUrl !== null || providerPaymentId !== null

/** Asks for one whose making nobody knows about; somebody else may be doing so, and is waited for, but not for ever. */
async function makeAgain(desk: Desk, { id }: verbs.Payment): Promise<void> {
  const { db, leaseSeconds } = desk
  const deadline = Date.now() + leaseSeconds * millisecondsPerSecond
  while (Date.now() < deadline) {
    const asking = await openPayments.claimOne(db.sql, id, leaseSeconds)
    if (asking && !isMade(asking)) return void (await ask(desk, asking))
    if (asking) return await openPayments.release(db.sql, asking, {}, desk.pollSeconds)
    if (isMade((await verbs.get(db.sql, id))!)) return
    await pause(lookMs)
  }
}

/**
 * Begins a payment for the caller, or for whom an admin names, and makes it at its provider: committed first, then told.
 * @throws Refused as `payments.begin`; unavailable (provider_off, provider_unreachable: it stays, and is asked for again), conflict
 *   (provider_cannot, provider_refused)
 */
export async function pay(c: Context<Env>, body: object, wanted: Wanted): Promise<verbs.Payment> {
  const { db, actor, desk } = c.var
  const { user_id: userId, savesMethod = false, isCaptured = true, ...what } = wanted
  const { id: accountId } = await reached(c, userId)
  const gateway = gatewayOf(desk, what.provider)
  if ((savesMethod && !gateway.savesMethods) || (!isCaptured && !gateway.capture))
    throw new Refused('conflict', `not at ${what.provider}`, { reason: 'provider_cannot' })
  const { key = null, hash = null } = idempotencyOf(c, body) ?? {}
  const begun = await db.transaction((tx) =>
    verbs.begin(tx, actor, { ...what, accountId, savesMethod, isCaptured, key, hash, leaseSeconds: desk.leaseSeconds }),
  )
  if (begun.isNew) await ask(desk, await openPayments.begun(db.sql, begun.id))
  else if (!isMade(begun)) await makeAgain(desk, begun)
  const payment = (await verbs.get(db.sql, begun.id))!
  const about = { paymentId: payment.id }
  if (payment.status === 'failed')
    throw new Refused('conflict', `refused: ${payment.cancelReason}`, { reason: 'provider_refused', ...about })
  if (!isMade(payment)) throw new Refused('unavailable', 'no answer', { reason: 'provider_unreachable', ...about })
  return payment
}

/**
 * Has a provider do something with a payment that the caller may see: written down and committed first, then told.
 * @returns the act as it is by then; `asked`: the provider has not said, and is told again by itself
 * @throws Refused as `acts.ask`, not_yours, not_found (payment_unknown), unavailable (provider_off), conflict (provider_cannot)
 */
export async function told(
  c: Context<Env>,
  id: number,
  wanted: Pick<acts.NewAct, 'kind' | 'amountKopecks' | 'reason'>,
  body: object,
): Promise<acts.Act> {
  const { db, actor, desk } = c.var
  const { leaseSeconds } = desk
  const { provider, amountKopecks } = await verbs.reach(db.sql, actor, id)
  const isPart = wanted.amountKopecks !== null && wanted.amountKopecks < amountKopecks
  if (!canDo(gatewayOf(desk, provider), wanted.kind, isPart))
    throw new Refused('conflict', `not at ${provider}`, { reason: 'provider_cannot' })
  const { key = null, hash = null } = idempotencyOf(c, body) ?? {}
  const asked = await db.transaction(async (tx) =>
    acts.ask(tx, actor, await verbs.hold(tx, id), { ...wanted, key, hash, leaseSeconds }),
  )
  if (asked.isNew) await act(desk, await acts.asked(db.sql, asked.id))
  return await acts.get(db.sql, asked.id)
}
