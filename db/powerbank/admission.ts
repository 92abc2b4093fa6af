import { grant, type Person, person } from '../identity/identity.ts'
import { type Role, roles, type Surface } from '../identity/words.ts'
import * as audit from '../messages/audit.ts'
import * as events from '../messages/events.ts'
import { notify } from '../messages/notifications.ts'
import type { Actor } from '../platform/actor.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import { type Page, pageOf } from '../postgres/rows.ts'
import { assertMayGrant, assertMayTakeIn } from './permissions.ts'
import { Refused } from './refused.ts'
import { type Scope, within } from './scope.ts'

const surface: Surface = 'powerbank'

/**
 * Who waits for approval, oldest first: newcomers of no unit, whom every admin sees and takes into the own one, and
 * those whom somebody put into a unit of this scope already (docs/contracts.md 4.2).
 */
export async function pending(
  q: Queryable,
  scope: Scope,
  at: { limit: number; offset: number },
): Promise<Page<Person>> {
  const of = q`users u where u.status = 'pending' and u.deleted_at is null and (${scope === 'all'}
    or not exists (select 1 from user_roles r where r.user_id = u.id)
    or exists (select 1 from user_roles r where r.user_id = u.id and r.surface = ${surface}
      and ${within(q, scope, q`r.org_unit_id`)}))`
  return await pageOf(q, of, q`select ${person(q)} from ${of} order by u.id`, at)
}

/**
 * Locks a person who is still waiting, and is the actor's to decide about. Throws `not_found`, `not_yours`, and
 * `conflict` when somebody decided already.
 */
async function waiting(tx: Tx, actor: Actor, userId: number): Promise<void> {
  const [user] = await tx<{ status: string }[]>`
    select status from users where id = ${userId} and deleted_at is null for no key update`
  if (!user) throw new Refused('not_found', `user ${userId}`, { reason: 'user_unknown' })
  if (user.status !== 'pending')
    throw new Refused('conflict', `user ${userId} is ${user.status}`, { reason: 'user_not_pending' })
  await assertMayTakeIn(tx, actor, userId)
}

export interface Approval {
  userId: number
  role: Role<'powerbank'>
  orgUnitId: number | null
}

/**
 * Lets a newcomer in, with a role in a unit. A group_admin may take somebody into the own units only, and make nobody
 * a service_admin (docs/contracts.md 4.2, 4.7). Throws `not_found`, `conflict`, `invalid`, `forbidden`, `not_yours`.
 */
export async function approve(tx: Tx, actor: Actor, { userId, role, orgUnitId }: Approval): Promise<void> {
  await waiting(tx, actor, userId)
  await assertMayGrant(tx, actor, { role, orgUnitId })
  await tx`update users set status = 'active', updated_at = now() where id = ${userId}`
  await grant(tx, userId, { surface, role, orgUnitId })
  await audit.record(tx, actor, surface, {
    action: 'user.approve',
    entityType: 'user',
    entityId: userId,
    oldValues: { status: 'pending' },
    newValues: { status: 'active', role, orgUnitId },
  })
  await events.record(tx, 'user.approved', { userId, data: { role, orgUnitId } })
  await tellApproved(tx, userId)
}

/** Somebody may log in from now on: tells them, and which unit they are in. */
export async function tellApproved(tx: Tx, userId: number): Promise<void> {
  const { orgUnitName } = await place(tx, userId)
  await notify(tx, 'user.approved', [userId], { orgUnitName })
}

/**
 * Turns a newcomer away and says why; the reason stays on the row and in the audit log. Throws `not_found`, `conflict`, `not_yours`.
 */
export async function reject(tx: Tx, actor: Actor, userId: number, reason: string | null): Promise<void> {
  await waiting(tx, actor, userId)
  await tx`update users set status = 'blocked', reject_reason = ${reason}, updated_at = now() where id = ${userId}`
  await audit.record(tx, actor, surface, {
    action: 'user.reject',
    entityType: 'user',
    entityId: userId,
    oldValues: { status: 'pending' },
    newValues: { status: 'blocked' },
    description: reason,
  })
  await events.record(tx, 'user.rejected', { userId })
  await notify(tx, 'user.rejected', [userId], { reason })
}

/** What `login` and `profile` say of somebody's place on the surface: the weightiest role and its unit. */
export async function place(
  q: Queryable,
  userId: number,
): Promise<{ role: Role<'powerbank'>; orgUnitId: number | null; orgUnitName: string | null }> {
  const [row] = await q<{ role: Role<'powerbank'>; orgUnitId: number | null; orgUnitName: string | null }[]>`
    select r.role, r.org_unit_id, o.name as org_unit_name
    from user_roles r left join org_units o on o.id = r.org_unit_id and o.deleted_at is null
    where r.user_id = ${userId} and r.surface = ${surface}
    order by array_position(${[...roles.powerbank]}::text[], r.role), r.id limit 1`
  // Without a row: a user of no unit, who may borrow nothing (docs/contracts.md B1).
  return row ?? { role: 'user', orgUnitId: null, orgUnitName: null }
}
