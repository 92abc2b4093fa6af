import * as identity from '../identity/identity.ts'
import { roles } from '../identity/words.ts'
import * as audit from '../messages/audit.ts'
import { record } from '../messages/events.ts'
import type { Actor } from '../platform/actor.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import { type Page, pageOf, unlessTaken } from '../postgres/rows.ts'
import { tellApproved } from './admission.ts'
import * as authority from './permissions.ts'
import { Refused } from './refused.ts'
import { type Scope, within } from './scope.ts'

type Status = identity.Person['status']

/** A person with their place on the surface: the weightiest role and its unit, and where the limit comes from. */
export interface Account extends identity.Person {
  role: authority.PowerbankRole
  orgUnitId: number | null
  orgUnitName: string | null
  groupDefaultLimit: number | null
  groupName: string | null
}

/** What the list may be narrowed to; `page` is 1-based. */
export interface AccountFilter {
  scope: Scope
  status?: Status | undefined
  role?: authority.PowerbankRole | undefined
  page: number
  limit: number
}

/** The weightiest role of each `u`. Without a row: a user of no unit (docs/contracts.md B1). */
const place = (q: Queryable) => q`
  left join lateral (
    select r.role, r.org_unit_id, o.name as org_unit_name
    from user_roles r left join org_units o on o.id = r.org_unit_id and o.deleted_at is null
    where r.user_id = u.id and r.surface = 'powerbank'
    order by array_position(${[...roles.powerbank]}::text[], r.role), r.id limit 1
  ) place on true`

/** The unit whose limit counts for each `u` (docs/contracts.md 4.8; db/powerbank/limits.ts). */
const group = (q: Queryable) => q`
  left join lateral (
    select o.name, o.default_powerbank_limit from user_roles r join org_units o on o.id = r.org_unit_id
    where r.user_id = u.id and r.surface = 'powerbank' and o.deleted_at is null
    order by o.default_powerbank_limit desc, o.id limit 1
  ) g on true`

const view = (q: Queryable) => q`
  select ${identity.person(q)},
    coalesce(place.role, 'user') as role, place.org_unit_id, place.org_unit_name,
    g.default_powerbank_limit as group_default_limit, g.name as group_name
  from users u ${place(q)} ${group(q)}
  where u.deleted_at is null`

/** People of these units; of no unit: those who see all only. */
const inside = (q: Queryable, scope: Scope) =>
  scope === 'all'
    ? q`true`
    : q`exists (select 1 from user_roles m where m.user_id = u.id and m.surface = 'powerbank'
        and ${within(q, scope, q`m.org_unit_id`)})`

/** People whose weightiest role is this one; without any, `user`. */
function weighing(q: Queryable, role: authority.PowerbankRole) {
  const have = (names: readonly string[]) =>
    q`exists (select 1 from user_roles m where m.user_id = u.id and m.surface = 'powerbank' and m.role = any(${[...names]}))`
  const heavier = roles.powerbank.slice(0, roles.powerbank.indexOf(role))
  return role === 'user' ? q`not ${have(heavier)}` : q`${have([role])} and not ${have(heavier)}`
}

/** One page of the people in scope, oldest first, and how many there are in all. */
export async function list(q: Queryable, filter: AccountFilter): Promise<Page<Account>> {
  const { scope, status, role } = filter
  const where = q`${inside(q, scope)}
    ${status ? q`and u.status = ${status}` : q``} ${role ? q`and ${weighing(q, role)}` : q``}`
  return await pageOf(
    q,
    q`users u where u.deleted_at is null and ${where}`,
    q`${view(q)} and ${where} order by u.id`,
    filter,
  )
}

/** Somebody who is not deleted, or undefined. */
export async function get(q: Queryable, id: number): Promise<Account | undefined> {
  const [account] = await q<Account[]>`${view(q)} and u.id = ${id}`
  return account
}

/** Whether somebody is among the people of these units. */
export async function isInside(q: Queryable, scope: Scope, id: number): Promise<boolean> {
  const [found] = await q`select 1 from users u where u.id = ${id} and ${inside(q, scope)}`
  return found !== undefined
}

/** What an auditor may read of an account. */
const audited = ({ id, createdAt, lastLoginAt, groupDefaultLimit, groupName, orgUnitName, ...values }: Account) =>
  values

export interface NewAccount {
  person: identity.NewPerson
  status: Status
  role: authority.PowerbankRole
  /** Null: the own unit of a unit's admin; for a service_admin none. */
  orgUnitId: number | null
}

/**
 * An account made by staff, with its first role.
 * @throws Refused duplicate, forbidden (a role above the own), invalid (unit), not_yours
 */
export async function create(tx: Tx, actor: Actor, given: NewAccount): Promise<Account> {
  const { person, status, role } = given
  const isService = actor.roles.some((own) => own.role === 'service_admin')
  const home = actor.roles.find((own) => own.role !== 'user')?.orgUnitId ?? null
  const orgUnitId = given.orgUnitId ?? (isService ? null : home)
  await authority.assertMayGrant(tx, actor, { role, orgUnitId })
  const id = await identity.add(tx, person, status)
  await identity.grant(tx, id, { surface: 'powerbank', role, orgUnitId })
  const made = (await get(tx, id))!
  const about = { entityType: 'user', entityId: id, newValues: audited(made) }
  await audit.record(tx, actor, 'powerbank', { action: 'user.create', ...about })
  await record(tx, 'user.created', { userId: id, data: { role, orgUnitId } })
  return made
}

/** Locks an account that the actor may change. The row lock makes the count of its open orders true until the commit. */
async function lock(tx: Tx, actor: Actor, id: number): Promise<Account> {
  const [row] = await tx`select id from users where id = ${id} and deleted_at is null for no key update`
  if (!row) throw new Refused('not_found', `user ${id}`, { reason: 'user_unknown' })
  await authority.assertMayManage(tx, actor, id)
  return (await get(tx, id))!
}

/** Only what is given changes. */
export interface AccountChange {
  fullName?: string | undefined
  phone?: string | undefined
  email?: string | undefined
  passwordHash?: string | undefined
  powerbankLimit?: number | null | undefined
  status?: Status | undefined
  role?: authority.PowerbankRole | undefined
  orgUnitId?: number | null | undefined
}

/** A decided newcomer does not wait again. */
const MOVES: Record<Status, readonly Status[]> = {
  pending: ['active', 'blocked'],
  active: ['blocked'],
  blocked: ['active'],
}

/** Gives the account another weightiest role, or the same one in another unit. */
async function moveRole(tx: Tx, actor: Actor, before: Account, to: authority.Holding): Promise<void> {
  authority.assertNotSelf(actor, before.id)
  await authority.assertMayGrant(tx, actor, to)
  await tx`
    delete from user_roles where user_id = ${before.id} and surface = 'powerbank' and role = ${before.role}
      and org_unit_id is not distinct from ${before.orgUnitId}`
  await identity.grant(tx, before.id, { surface: 'powerbank', ...to })
}

/** What follows from a new status: a blocked account has no session left, a newcomer hears of it. */
async function moveStatus(tx: Tx, actor: Actor, before: Account, to: Status): Promise<void> {
  authority.assertNotSelf(actor, before.id)
  if (!MOVES[before.status].includes(to))
    throw new Refused('conflict', `no way from ${before.status} to ${to}`, {
      reason: 'user_status',
      from: before.status,
    })
  if (to === 'blocked') {
    await identity.revokeSessions(tx, before.id)
    await record(tx, 'user.blocked', { userId: before.id })
  }
  if (to === 'active') {
    await record(tx, before.status === 'pending' ? 'user.approved' : 'user.unblocked', { userId: before.id })
    if (before.status === 'pending') await tellApproved(tx, before.id)
  }
}

/**
 * Changes an account. Nobody changes the own role or status (docs/contracts.md 4.7); a new password ends every session.
 * @throws Refused not_found, not_yours, forbidden, invalid (unit), conflict (status), duplicate (phone, email)
 */
export async function change(tx: Tx, actor: Actor, id: number, given: AccountChange): Promise<Account> {
  const before = await lock(tx, actor, id)
  const { status = before.status, role = before.role, orgUnitId = before.orgUnitId } = given
  const movesRole = role !== before.role || orgUnitId !== before.orgUnitId
  const blocks = status === 'blocked' && before.status !== 'blocked'
  if (before.role === 'service_admin' && (blocks || role !== before.role)) await authority.holdServiceAdmins(tx, actor)
  if (movesRole) await moveRole(tx, actor, before, { role, orgUnitId })
  await unlessTaken(
    tx`
    update users set full_name = ${given.fullName ?? before.fullName}, phone = ${given.phone ?? before.phone},
      email = ${given.email ?? before.email}, status = ${status},
      password_hash = coalesce(${given.passwordHash ?? null}, password_hash),
      powerbank_limit = ${given.powerbankLimit === undefined ? before.powerbankLimit : given.powerbankLimit},
      reject_reason = case when ${status}::text = 'active' then null else reject_reason end, updated_at = now()
    where id = ${id}`,
    identity.userFields,
  )
  if (status !== before.status) await moveStatus(tx, actor, before, status)
  if (given.passwordHash !== undefined) await identity.revokeSessions(tx, id)
  const after = (await get(tx, id))!
  await audit.record(tx, actor, 'powerbank', {
    action: 'user.update',
    entityType: 'user',
    entityId: id,
    oldValues: audited(before),
    newValues: { ...audited(after), ...(given.passwordHash === undefined ? {} : { passwordChanged: true }) },
  })
  await record(tx, 'user.changed', { userId: id })
  return after
}

/**
 * Closes an account, softly: its sessions end, its phone and email are free again.
 * @throws Refused not_found, not_yours, forbidden (oneself, somebody above), conflict (power banks still out)
 */
export async function remove(tx: Tx, actor: Actor, id: number): Promise<void> {
  const before = await lock(tx, actor, id)
  authority.assertNotSelf(actor, id)
  if (before.role === 'service_admin') await authority.holdServiceAdmins(tx, actor)
  const [open] = await tx<{ count: number }[]>`
    select count(*) as count from orders
    where user_id = ${id} and status in ('pending', 'borrow') and deleted_at is null`
  if (open!.count > 0)
    throw new Refused('conflict', `user ${id} has loans`, { reason: 'user_has_loans', activeOrders: open!.count })
  await tx`update users set deleted_at = now(), updated_at = now() where id = ${id}`
  await identity.revokeSessions(tx, id)
  await audit.record(tx, actor, 'powerbank', {
    action: 'user.delete',
    entityType: 'user',
    entityId: id,
    oldValues: audited(before),
  })
  await record(tx, 'user.deleted', { userId: id })
}
