import { type Actor, hasRole } from '../platform/actor.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import { unlessTaken } from '../postgres/rows.ts'
import { type Asked, type Change, type New, type ReadBy, tableOf } from '../table.ts'
import { Refused } from './refused.ts'
import { plans } from './schema.ts'

const table = tableOf(plans, {
  deletes: 'soft',
  audit: { surface: 'getpro', as: 'plan', values: 'all' },
  unknown: () => new Refused('not_found', 'there is no such plan', { reason: 'plan_unknown' }),
})
/** What can be bought. */
export type Plan = ReadBy<typeof table>

const names = { plans_name: 'name' }

/** The plans, oldest first; those that are not sold any more for admins only. */
export const list = (q: Queryable, actor: Actor, asked: Asked<typeof plans.$inferSelect>) =>
  table.list(q, actor, hasRole(actor, 'admin') ? asked : { ...asked, filter: { ...asked.filter, isActive: true } })

/** @throws Refused duplicate (`name`) */
export const create = (tx: Tx, actor: Actor, given: New<typeof plans>): Promise<Plan> =>
  unlessTaken(table.create(tx, actor, given), names)

/** What it costs holds for what is begun from now on. @throws Refused not_found (plan_unknown), duplicate (`name`) */
export const change = (tx: Tx, actor: Actor, id: number, given: Change<typeof plans>): Promise<Plan> =>
  unlessTaken(table.change(tx, actor, id, given), names)

/** A plan that is sold. @throws Refused not_found (plan_unknown) */
export async function onSale(q: Queryable, id: number): Promise<Plan> {
  const plan = await table.find(q, id)
  if (plan?.isActive) return plan
  throw new Refused('not_found', 'there is no such plan on sale', { reason: 'plan_unknown' })
}
