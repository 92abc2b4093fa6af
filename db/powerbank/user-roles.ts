import * as audit from '../messages/audit.ts'
import { record } from '../messages/events.ts'
import type { Actor } from '../platform/actor.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import * as authority from './permissions.ts'
import { Refused } from './refused.ts'
import { type Scope, within } from './scope.ts'

/** A role somebody holds on the power-bank surface (docs/contracts.md 4.14). */
export interface Role extends authority.Holding {
  id: number
  userId: number
  userFio: string
  orgUnitName: string | null
  createdAt: Date
}

/** What the list may be narrowed to; `page` is 1-based. */
export interface RoleFilter {
  scope: Scope
  userId?: number | undefined
  role?: authority.PowerbankRole | undefined
  page: number
  limit: number
}

const rows = (q: Queryable) => q`
  from user_roles r join users u on u.id = r.user_id and u.deleted_at is null
  left join org_units o on o.id = r.org_unit_id and o.deleted_at is null
  where r.surface = 'powerbank'`
const view = (q: Queryable) => q`
  select r.id, r.user_id, u.full_name as user_fio, r.role, r.org_unit_id, o.name as org_unit_name, r.created_at ${rows(q)}`

/** One page of the roles in these units, oldest first, and how many there are in all. */
export async function list(q: Queryable, filter: RoleFilter): Promise<{ rows: Role[]; total: number }> {
  const { scope, userId, role, page, limit } = filter
  const where = q`${within(q, scope, q`r.org_unit_id`)}
    ${userId ? q`and r.user_id = ${userId}` : q``} ${role ? q`and r.role = ${role}` : q``}`
  const [counted] = await q<{ total: number }[]>`select count(*) as total ${rows(q)} and ${where}`
  const found = await q<Role[]>`${view(q)} and ${where} order by r.id limit ${limit} offset ${(page - 1) * limit}`
  return { rows: found, total: counted!.total }
}

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

/**
 * Gives somebody a role, from their next request on.
 * @throws Refused invalid (no such user, unit), forbidden (above the own role, or oneself), not_yours, duplicate
 */
export async function grant(tx: Tx, actor: Actor, given: authority.Holding & { userId: number }): Promise<Role> {
  const { userId, role, orgUnitId } = given
  if (!(await lockUser(tx, userId)))
    throw new Refused('invalid', `user ${userId}`, { field: 'user_id', reason: 'user_unknown' })
  authority.assertNotSelf(actor, userId)
  await authority.assertMayGrant(tx, actor, given)
  await authority.assertMayTakeIn(tx, actor, userId)
  const [row] = await tx<{ id: number }[]>`
    insert into user_roles (user_id, surface, role, org_unit_id) values (${userId}, 'powerbank', ${role}, ${orgUnitId})
    on conflict do nothing returning id`
  if (!row) throw new Refused('duplicate', 'the role is held already', { field: 'role' })
  const [made] = await tx<Role[]>`${view(tx)} and r.id = ${row.id}`
  await tell(tx, actor, 'grant', made!)
  return made!
}

/**
 * Takes a role away, from the next request on.
 * @throws Refused not_found, forbidden (the own role, or one above), not_yours
 */
export async function revoke(tx: Tx, actor: Actor, id: number): Promise<void> {
  const unknown = new Refused('not_found', `role ${id}`, { reason: 'role_unknown' })
  const [seen] = await tx<Role[]>`${view(tx)} and r.id = ${id}`
  // The account first, then its roles: the order of every verb that changes them.
  if (!seen || !(await lockUser(tx, seen.userId))) throw unknown
  authority.assertNotSelf(actor, seen.userId)
  await authority.assertReaches(tx, actor, seen)
  if (seen.role === 'service_admin') await authority.holdServiceAdmins(tx, actor)
  const gone = await tx`delete from user_roles where id = ${id}`
  if (gone.count === 0) throw unknown
  await tell(tx, actor, 'revoke', seen)
}
