import * as ledgerHistory from '../ledger/ledger-history.ts'
import type { Actor } from '../platform/actor.ts'
import type { Tx } from '../postgres/connect.ts'
import * as accounts from './accounts.ts'
import * as balance from './balance.ts'
import * as plans from './plans.ts'
import * as promoCodes from './promo-codes.ts'
import { Refused } from './refused.ts'
import * as subscriptions from './subscriptions.ts'

/** What is bought from a balance. Said again by the same key, with the same hash, it is bought once. */
export interface Purchase {
  accountId: number
  planId: number
  promoCode: string | null
  key: string
  hash: string
}

/** The days of a code that was typed. @throws Refused not_found (promo_unknown), conflict (promo_used, promo_used_up) */
async function promoDays(tx: Tx, accountId: number, code: string | null): Promise<number> {
  if (code === null) return 0
  const found = await promoCodes.find(tx, code)
  if (!found) throw new Refused('not_found', 'there is no such code', { reason: 'promo_unknown' })
  return await promoCodes.take(tx, found.id, accountId, null)
}

/**
 * Buys a plan with what is on the balance: the money and the time move together, or neither does.
 * @throws Refused not_found (account_unknown, plan_unknown, promo_unknown), conflict (promo_used, promo_used_up),
 *   insufficient_funds, idempotency_mismatch
 */
export async function buy(
  tx: Tx,
  actor: Actor,
  given: Purchase,
  timeZone: string,
): Promise<subscriptions.Subscription> {
  const { accountId, planId, key, hash } = given
  await accounts.hold(tx, accountId)
  const there = await ledgerHistory.aboutOf(tx, `getpro buy ${key}`)
  if (there && there.hash !== hash) throw new Refused('idempotency_mismatch', 'the key was used for another purchase')
  // A price that changed meanwhile makes a repeat no other purchase.
  if (there) return (await subscriptions.of(tx, accountId))!
  const { months, priceKopecks } = await plans.onSale(tx, planId)
  const days = await promoDays(tx, accountId, given.promoCode)
  const about = { planId, months, hash }
  const spent = { key: `buy ${key}`, kind: 'subscription_purchase' as const, amount: -priceKopecks, about }
  const { id: postingId } = await balance.move(tx, actor, accountId, spent)
  const longer = { key: `balance ${postingId}`, period: 'balance' as const, kind: 'regular' as const, planId }
  const made = await subscriptions.change(tx, actor, accountId, { ...longer, by: { months, days } }, timeZone)
  return made!.subscription
}
