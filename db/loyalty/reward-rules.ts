import * as audit from '../messages/audit.ts'
import type { Actor } from '../platform/actor.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import { Refused } from './refused.ts'
import type { rewardRules } from './schema.ts'
import type { RewardType } from './words.ts'

/** Hundredths of a percent in the whole. */
const wholeMinor = 10_000

type Row = typeof rewardRules.$inferSelect
const COLUMNS = [
  'id',
  'eventType',
  'referrerType',
  'rewardType',
  'value',
  'isActive',
  'activatedAt',
] as const satisfies (keyof Row)[]

/** What an event earns (docs/contracts.md 3.4). */
export type RewardRule = Pick<Row, (typeof COLUMNS)[number]>

export interface RuleChange {
  rewardType?: RewardType | undefined
  value?: number | undefined
  isActive?: boolean | undefined
}

/** Every rule there is. */
export const list = async (q: Queryable): Promise<RewardRule[]> =>
  await q<RewardRule[]>`select ${q(COLUMNS)} from reward_rules order by id`

/**
 * Changes a rule. Switched on or worth something else, it holds for what happens from now on; said again, it changes
 * nothing and holds since then.
 * @throws Refused not_found (`reason` rule_unknown), invalid (a percentage of more than the whole)
 */
export async function change(tx: Tx, actor: Actor, id: number, to: RuleChange): Promise<RewardRule> {
  const [before] = await tx<RewardRule[]>`select ${tx(COLUMNS)} from reward_rules where id = ${id} for no key update`
  if (!before) throw new Refused('not_found', `rule ${id}`, { reason: 'rule_unknown' })
  const rewardType = to.rewardType ?? before.rewardType
  const value = to.value ?? before.value
  const isActive = to.isActive ?? before.isActive
  if (rewardType === 'percentage' && value > wholeMinor) throw new Refused('invalid', '', { reason: 'rule_percentage' })
  const isSame = rewardType === before.rewardType && value === before.value && isActive === before.isActive
  if (isSame) return before
  const [after] = await tx<RewardRule[]>`
    update reward_rules set reward_type = ${rewardType}, value = ${value}, is_active = ${isActive}, activated_at = now()
    where id = ${id} returning ${tx(COLUMNS)}`
  await audit.record(tx, actor, 'loyalty', {
    action: 'reward_rule.update',
    entityType: 'reward_rule',
    entityId: id,
    oldValues: { rewardType: before.rewardType, value: before.value, isActive: before.isActive },
    newValues: { rewardType, value, isActive },
  })
  return after!
}
