import { type Role, roles } from '../identity/words.ts'
import { type Actor, hasRole } from '../platform/actor.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import * as org from './org-units.ts'
import { Refused } from './refused.ts'
import * as scope from './scope.ts'

/** Who may do what to whom on the power-bank surface (docs/contracts.md 4.7, 4.14): nobody beyond the own units, or above the own role. */

export type PowerbankRole = Role<'powerbank'>

/** A role as it is held. */
export interface Holding {
  role: PowerbankRole
  orgUnitId: number | null
}

/** The roles of those who look after others, with at least this weight. */
const atLeast = (role: PowerbankRole) =>
  roles.powerbank.slice(0, roles.powerbank.indexOf(role) + 1).filter((name) => name !== 'user')

/**
 * May the actor decide about this role of somebody else?
 * @throws Refused forbidden (a role above the own), not_yours
 */
export async function assertReaches(q: Queryable, actor: Actor, { role, orgUnitId }: Holding): Promise<void> {
  if (hasRole(actor, 'service_admin')) return
  const weighty = atLeast(role)
  if (!hasRole(actor, ...weighty)) throw new Refused('forbidden', `${role} is above the own role`)
  scope.assertInScope(await scope.of(q, actor, ...weighty), orgUnitId)
}

/**
 * May the actor give this role? Those over a unit need one, and it must exist.
 * @throws Refused invalid (no unit, or none that there is), forbidden (a role above the own), not_yours
 */
export async function assertMayGrant(tx: Tx, actor: Actor, held: Holding): Promise<void> {
  const { role, orgUnitId } = held
  if (orgUnitId === null && (role === 'group_admin' || role === 'subgroup_admin'))
    throw new Refused('invalid', `${role} needs a unit`, { field: 'org_unit_id', reason: 'role_needs_unit' })
  if (orgUnitId !== null) await org.mustExist(tx, orgUnitId)
  await assertReaches(tx, actor, held)
}

/** Somebody's roles on the surface, and whether they have any elsewhere in the house. */
async function standing(q: Queryable, userId: number): Promise<{ held: Holding[]; isKnownElsewhere: boolean }> {
  const rows = await q<(Holding & { surface: string })[]>`
    select surface, role, org_unit_id from user_roles where user_id = ${userId} order by id`
  const held = rows.filter(({ surface }) => surface === 'powerbank')
  return { held, isKnownElsewhere: held.length < rows.length }
}

/**
 * May the actor change or close this account? Only with every one of its roles inside the actor's reach: an account
 * that is also another unit's, or another surface's, is a service_admin's business.
 * @throws Refused forbidden (somebody above), not_yours
 */
export async function assertMayManage(q: Queryable, actor: Actor, userId: number): Promise<void> {
  if (hasRole(actor, 'service_admin')) return
  const { held, isKnownElsewhere } = await standing(q, userId)
  if (isKnownElsewhere || held.length === 0) throw new Refused('not_yours', `user ${userId} is not only theirs`)
  for (const one of held) await assertReaches(q, actor, one)
}

/**
 * May the actor take this person into a unit? Those who belong to the own units already, or to nobody.
 * @throws Refused not_yours
 */
export async function assertMayTakeIn(q: Queryable, actor: Actor, userId: number): Promise<void> {
  if (hasRole(actor, 'service_admin')) return
  const { held, isKnownElsewhere } = await standing(q, userId)
  if (held.length === 0 && !isKnownElsewhere) return
  const reach = await scope.of(q, actor, ...atLeast('user'))
  if (!held.some(({ role, orgUnitId }) => role !== 'service_admin' && scope.includes(reach, orgUnitId)))
    throw new Refused('not_yours', `user ${userId} is out of scope`)
}

/**
 * Nobody changes what they may do themselves: not up, and not down either, so that somebody with all rights is always
 * left (docs/contracts.md 4.7).
 * @throws Refused forbidden
 */
export function assertNotSelf(actor: Actor, userId: number): void {
  if (actor.userId === userId) throw new Refused('forbidden', 'nobody changes the own role', { reason: 'own_role' })
}

/**
 * Before a service_admin loses the role, all of them are held until the commit, and the actor must still be one: of two
 * who take it from each other at once, one stays.
 * @throws Refused forbidden
 */
export async function holdServiceAdmins(tx: Tx, actor: Actor): Promise<void> {
  await tx`
    select id from user_roles where surface = 'powerbank' and role = 'service_admin' order by id for update`
  // A statement of its own: it sees what whoever held them before has done.
  const [still] = await tx`
    select 1 from user_roles r join users u on u.id = r.user_id
    where r.user_id = ${actor.userId} and r.surface = 'powerbank' and r.role = 'service_admin'
      and u.status = 'active' and u.deleted_at is null`
  if (!still) throw new Refused('forbidden', 'no service_admin any more')
}
