import { orgUnits, userRoles, users } from '../identity/schema.ts'
import * as audit from '../messages/audit.ts'
import { record } from '../messages/events.ts'
import type { Actor } from '../platform/actor.ts'
import type { Tx } from '../postgres/connect.ts'
import { and, eq, isNull, sql } from '../postgres/drizzle.ts'
import { type ReadBy, tableOf } from '../table.ts'
import * as authority from './permissions.ts'
import { Refused } from './refused.ts'
import { looksAfter } from './scope.ts'

const table = tableOf(userRoles, {
  deletes: 'hard',
  scope: { by: 'orgUnitId', seen: looksAfter, changed: looksAfter },
  joins: [
    [users, eq(users.id, userRoles.userId)],
    [orgUnits, and(eq(orgUnits.id, userRoles.orgUnitId), isNull(orgUnits.deletedAt))!],
  ],
  beside: {
    /** Of this surface. */
    role: sql<authority.PowerbankRole>`${userRoles.role}`,
    userFio: sql<string>`${users.fullName}`,
    orgUnitName: sql<string | null>`${orgUnits.name}`,
  },
  only: and(eq(userRoles.surface, 'powerbank'), isNull(users.deletedAt))!,
})
export const { list } = table
/** A role somebody holds on the power-bank surface (docs/contracts.md 4.14). */
export type Role = ReadBy<typeof table>

/** Locks an account whose roles are about to change. @returns whether there is one */
async function lockUser(tx: Tx, id: number): Promise<boolean> {
  const [user] = await tx`select id from users where id = ${id} and deleted_at is null for no key update`
  return user !== undefined
}

async function tell(tx: Tx, actor: Actor, act: 'grant' | 'revoke', { userId, role, orgUnitId }: Role): Promise<void> {
  const values = { role, orgUnitId }
  await audit.record(tx, actor, 'powerbank', {
    action: `user_role.${act}`,
    entityType: 'user',
    entityId: userId,
    ...(act === 'grant' ? { newValues: values } : { oldValues: values }),
  })
  await record(tx, act === 'grant' ? 'user.role_granted' : 'user.role_revoked', { userId, data: values })
}

interface Given {
  userId: number
  role: authority.PowerbankRole
  orgUnitId?: number | null | undefined
}

/**
 * Gives somebody a role, from their next request on.
 * @throws Refused invalid (no such user, unit), forbidden (above the own role, or oneself), not_yours, duplicate
 */
export async function grant(tx: Tx, actor: Actor, given: Given): Promise<Role> {
  const { userId, role, orgUnitId = null } = given
  if (!(await lockUser(tx, userId)))
    throw new Refused('invalid', `user ${userId}`, { field: 'user_id', reason: 'user_unknown' })
  authority.assertNotSelf(actor, userId)
  await authority.assertMayGrant(tx, actor, { role, orgUnitId })
  await authority.assertMayTakeIn(tx, actor, userId)
  const [row] = await tx<{ id: number }[]>`
    insert into user_roles (user_id, surface, role, org_unit_id) values (${userId}, 'powerbank', ${role}, ${orgUnitId})
    on conflict do nothing returning id`
  if (!row) throw new Refused('duplicate', 'the role is held already', { field: 'role' })
  const made = (await table.find(tx, row.id))!
  await tell(tx, actor, 'grant', made)
  return made
}

/**
 * Takes a role away, from the next request on.
 * @throws Refused not_found, forbidden (the own role, or one above), not_yours
 */
export async function revoke(tx: Tx, actor: Actor, id: number): Promise<void> {
  const unknown = new Refused('not_found', `role ${id}`, { reason: 'role_unknown' })
  const seen = await table.find(tx, id)
  // The account first, then its roles: the order of every verb that changes them.
  if (!seen || !(await lockUser(tx, seen.userId))) throw unknown
  authority.assertNotSelf(actor, seen.userId)
  await authority.assertReaches(tx, actor, seen)
  if (seen.role === 'service_admin') await authority.holdServiceAdmins(tx, actor)
  const gone = await tx`delete from user_roles where id = ${id}`
  if (gone.count === 0) throw unknown
  await tell(tx, actor, 'revoke', seen)
}
