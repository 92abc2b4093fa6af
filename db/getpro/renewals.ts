import { type Actor, hasRole } from '../platform/actor.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import * as accounts from './accounts.ts'
import * as balance from './balance.ts'
import * as methods from './methods.ts'
import { Refused } from './refused.ts'
import * as subscriptions from './subscriptions.ts'

/**
 * A subscription that the actor may change; that there is another's is told to admins only.
 * @throws Refused not_yours, not_found (subscription_unknown)
 */
export async function reach(q: Queryable, actor: Actor, id: number): Promise<subscriptions.Subscription> {
  const found = await subscriptions.find(q, id)
  if (found) await accounts.reach(q, actor, found.accountId)
  else if (hasRole(actor, 'admin'))
    throw new Refused('not_found', 'there is no such subscription', { reason: 'subscription_unknown' })
  else throw new Refused('not_yours', 'the subscription of somebody else')
  return found
}

/**
 * Switches the renewal of a subscription, by hand: on only where there is something to charge.
 * @throws Refused not_yours, not_found (subscription_unknown), conflict (no_saved_method, renewed_elsewhere)
 */
export async function set(tx: Tx, actor: Actor, id: number, autoRenews: boolean): Promise<subscriptions.Subscription> {
  const { accountId } = await reach(tx, actor, id)
  await accounts.hold(tx, accountId)
  const before = (await subscriptions.find(tx, id))!
  if (before.provider !== null)
    throw new Refused('conflict', `${before.provider} renews it`, { reason: 'renewed_elsewhere' })
  if (before.autoRenews === autoRenews) return before
  if (autoRenews && (await methods.list(tx, accountId)).length === 0 && (await balance.get(tx, accountId)) === 0)
    throw new Refused('conflict', 'nothing to charge', { reason: 'no_saved_method' })
  return await subscriptions.setRenewal(tx, actor, accountId, autoRenews)
}
