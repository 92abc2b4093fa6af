import { type Actor, hasRole } from '../platform/actor.ts'
import type { Queryable } from '../postgres/connect.ts'
import { Refused } from './refused.ts'

/** The organisation units an actor may see: all of them, or these ids. */
export type Scope = 'all' | readonly number[]

/**
 * The units of the actor's roles and the units below them; a service_admin has all (docs/contracts.md 4.6). With
 * `roles`, only through those: what somebody may change as `group_admin` is less than what they see as a `user`.
 */
export async function of(q: Queryable, actor: Actor, ...roles: string[]): Promise<Scope> {
  if (hasRole(actor, 'service_admin')) return 'all'
  const own = actor.roles
    .filter(({ role }) => roles.length === 0 || roles.includes(role))
    .flatMap(({ orgUnitId }) => orgUnitId ?? [])
  if (own.length === 0) return []
  const units = await q<{ id: number }[]>`
    select id from org_units where (id = any(${own}) or parent_id = any(${own})) and deleted_at is null order by id`
  return units.map(({ id }) => id)
}

/** What an admin may change: the units of its `service_admin` and `group_admin` roles. */
export const administered = (q: Queryable, actor: Actor) => of(q, actor, 'group_admin')

/** What staff look after day by day: the units of an admin of any kind. */
export const looksAfter = (q: Queryable, actor: Actor) => of(q, actor, 'group_admin', 'subgroup_admin')

/** Whether a unit is inside; an object of no unit is inside `all` only. */
export const includes = (scope: Scope, unitId: number | null) =>
  scope === 'all' || (unitId !== null && scope.includes(unitId))

/** Throws `Refused('not_yours')` when an object's unit is outside. */
export function assertInScope(scope: Scope, unitId: number | null): void {
  if (!includes(scope, unitId)) throw new Refused('not_yours', `unit ${unitId} is out of scope`)
}

/** The same as a condition of a query: ``where ${within(q, scope, q`s.org_unit_id`)}``. */
export const within = (q: Queryable, scope: Scope, column: ReturnType<Queryable>) =>
  scope === 'all' ? q`true` : q`${column} = any(${[...scope]})`
