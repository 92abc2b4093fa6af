import { grant, revokeSessions, userFields } from '../identity/identity.ts'
import type { users } from '../identity/schema.ts'
import { type Role, roles } from '../identity/words.ts'
import * as audit from '../messages/audit.ts'
import { record } from '../messages/events.ts'
import type { Actor } from '../platform/actor.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import { columnsOf, type Page, pageOf, unlessTaken } from '../postgres/rows.ts'
import { tell } from './notices.ts'
import { Refused } from './refused.ts'

const surface = 'paygo'
const COLUMNS = [
  'id',
  'email',
  'phone',
  'fullName',
  'status',
  'isVerified',
  'dateOfBirth',
  'avatarUrl',
  'createdAt',
  'updatedAt',
  'lastLoginAt',
] as const satisfies (keyof typeof users.$inferSelect)[]

/** Somebody with their place on the surface. */
export type Member = Pick<typeof users.$inferSelect, (typeof COLUMNS)[number]> & {
  role: Role<'paygo'>
  isLocked: boolean
}

/** Who has several is shown as the first of these. */
const weights: readonly Role<'paygo'>[] = ['admin', 'finance_manager', 'terminal_operator', 'user']

const role = (q: Queryable) => q`coalesce((
  select r.role from user_roles r where r.user_id = u.id and r.surface = ${surface}
  order by array_position(${[...weights]}::text[], r.role) limit 1), 'user')`

const view = (q: Queryable) =>
  q`select ${columnsOf(q, 'u', COLUMNS)}, ${role(q)} as role, coalesce(u.locked_until > now(), false) as is_locked`

/** Who takes part: people of other surfaces who never came here are nobody's business here. */
export const isMember = (q: Queryable) => q`u.deleted_at is null and (
  exists (select 1 from user_roles r where r.user_id = u.id and r.surface = ${surface})
  or exists (select 1 from payment_cards c where c.user_id = u.id and c.deleted_at is null))`

/** Somebody who is not deleted, as this surface shows them. */
export async function member(q: Queryable, userId: number): Promise<Member | undefined> {
  const [row] = await q<Member[]>`${view(q)} from users u where u.id = ${userId} and u.deleted_at is null`
  return row
}

/** Who comes in for the first time takes part from now on. */
export async function join(tx: Tx, userId: number): Promise<void> {
  const [there] = await tx`select 1 from user_roles where user_id = ${userId} and surface = ${surface} limit 1`
  if (!there) await grant(tx, userId, { surface, role: 'user' })
}

export interface MemberFilter {
  role?: Role<'paygo'> | undefined
  /** Part of a name, an e-mail or a phone number. */
  search?: string | undefined
  limit: number
  offset: number
}

const like = (text: string) => `%${text.replace(/[\\%_]/g, '\\$&')}%`

/** One page of who takes part, newest first, and how many there are. */
export async function list(q: Queryable, { role: wanted, search, ...at }: MemberFilter): Promise<Page<Member>> {
  const found = search === undefined ? null : like(search)
  const of = q`users u where ${isMember(q)}
    ${wanted ? q`and ${role(q)} = ${wanted}` : q``}
    ${found ? q`and (u.full_name ilike ${found} or u.email ilike ${found} or u.phone ilike ${found})` : q``}`
  return await pageOf(q, of, q`${view(q)} from ${of} order by u.id desc`, at)
}

/** What people may change of themselves. */
export interface Profile {
  fullName?: string | undefined
  email?: string | undefined
  phone?: string | undefined
  dateOfBirth?: string | null | undefined
  avatarUrl?: string | null | undefined
}

/**
 * Changes what is given of the actor's own profile. Another address or number is not verified yet.
 * @throws Refused duplicate (`about.field`: email, phone)
 */
export async function change(tx: Tx, actor: Actor, given: Profile): Promise<Member> {
  const { userId } = actor
  await tx`select 1 from users where id = ${userId} for no key update`
  const before = (await member(tx, userId))!
  const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Partial<Member>
  const names = Object.keys(set) as (keyof Member)[]
  if (names.length === 0) return before
  const isOther = (set.email ?? before.email) !== before.email || (set.phone ?? before.phone) !== before.phone
  const more = isOther ? { isVerified: false } : {}
  await unlessTaken(
    tx`update users set ${tx({ ...set, ...more })}, updated_at = now() where id = ${userId}`,
    userFields,
  )
  await audit.record(tx, actor, surface, {
    action: 'user.update',
    entityType: 'user',
    entityId: userId,
    oldValues: Object.fromEntries(names.map((name) => [name, before[name]])),
    newValues: set,
  })
  await record(tx, 'user.changed', { userId })
  return (await member(tx, userId))!
}

/** A password that is to be another one: hashes (db/identity/password.ts). */
export interface PasswordChange {
  from: string
  to: string
  /** The session that does it, and lives on; the others end. */
  sessionId: string
}

/**
 * Changes the actor's own password, and ends their other sessions.
 * @throws Refused conflict (password_wrong: it has been changed meanwhile)
 */
export async function changePassword(tx: Tx, actor: Actor, { from, to, sessionId }: PasswordChange): Promise<void> {
  const { userId } = actor
  const changed = await tx`
    update users set password_hash = ${to}, updated_at = now() where id = ${userId} and password_hash = ${from}`
  if (changed.count === 0) throw new Refused('conflict', 'it is another one', { reason: 'password_wrong' })
  await revokeSessions(tx, userId, sessionId)
  await audit.record(tx, actor, surface, { action: 'user.change_password', entityType: 'user', entityId: userId })
  await tell(tx, userId, 'password.changed', {}, 'securityAlerts')
}

/** The stored hash of somebody's password; null: they have none. */
export async function passwordHash(q: Queryable, userId: number): Promise<string | null> {
  const [row] = await q<{ passwordHash: string | null }[]>`
    select password_hash from users where id = ${userId} and deleted_at is null`
  return row?.passwordHash ?? null
}

export const memberRoles = roles.paygo
