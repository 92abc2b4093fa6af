import type { Queryable, Tx } from '../postgres/connect.ts'
import * as points from './points.ts'
import { Refused } from './refused.ts'

/** What a finished rental earns, while the rule of event `rental` is on (it is off by default). Hundredths. */
interface Rule {
  rewardType: string
  value: number
  activatedAt: Date
}

/** Rentals at one tick of the clock; the rest come with the next. */
const rentalsMax = 200

async function ruleOf(q: Queryable): Promise<Rule | undefined> {
  const [rule] = await q<Rule[]>`
    select reward_type, value, activated_at from reward_rules
    where event_type = 'rental' and referrer_type is null and is_active`
  return rule
}

/**
 * Rentals that ended since the rule was switched on and that nobody has looked at, the oldest first: given back by
 * their customers. What an administrator ejected, or what was lost, is none.
 */
export async function due(q: Queryable): Promise<{ id: number }[]> {
  const rule = await ruleOf(q)
  if (!rule) return []
  return await q<{ id: number }[]>`
    select id from orders
    where status = 'return' and points_at is null and deleted_at is null and not is_admin_order
      and completed_at >= ${rule.activatedAt}
    order by completed_at limit ${rentalsMax}`
}

/**
 * Gives the customer of one finished rental what the rule says; once, whoever asks how often. Apart from the return
 * itself, which no reward may hold up or undo. Whoever has gone meanwhile, or has an account that is closed, gets
 * nothing, and the rental is not asked about again.
 * @returns whether something was given
 */
export async function reward(tx: Tx, orderId: number, rules: points.PointRules): Promise<boolean> {
  const rule = await ruleOf(tx)
  if (!rule) return false
  const [order] = await tx<{ userId: number }[]>`
    update orders set points_at = now()
    where id = ${orderId} and status = 'return' and points_at is null and deleted_at is null and not is_admin_order
      and completed_at >= ${rule.activatedAt}
    returning user_id`
  // A share of what? A rental has no price.
  if (!order || rule.rewardType === 'percentage' || rule.value === 0) return false
  try {
    await points.accrue(tx, null, {
      userId: order.userId,
      amount: rule.value,
      currency: rule.rewardType === 'points' ? 'points' : 'cashback',
      source: 'rental',
      sourceId: String(orderId),
      description: null,
      idempotencyKey: `rental:${orderId}`,
      rules,
    })
    return true
  } catch (error) {
    if (error instanceof Refused && ['not_found', 'conflict'].includes(error.code)) return false
    throw error
  }
}
