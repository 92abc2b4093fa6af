import { record } from '../messages/events.ts'
import { notify } from '../messages/notifications.ts'
import type { Actor } from '../platform/actor.ts'
import { Refused } from '../platform/refused.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import { columnsOf, unlessTaken } from '../postgres/rows.ts'
import type { users } from './schema.ts'
import type { Surface } from './words.ts'

/** A role as it is granted. */
export interface Grant {
  surface: Surface
  role: string
  orgUnitId?: number | null
}

type User = typeof users.$inferSelect
const COLUMNS = [
  'id',
  'email',
  'phone',
  'username',
  'fullName',
  'status',
  'powerbankLimit',
  'createdAt',
  'lastLoginAt',
] as const satisfies (keyof User)[]

/** Who a person is, without the password. */
export type Person = Pick<User, (typeof COLUMNS)[number]>

/** What `register` and `createWithRoles` need. `passwordHash` comes from db/identity/password.ts. */
export interface NewPerson {
  phone?: string | null
  email?: string | null
  username?: string | null
  fullName: string
  passwordHash: string | null
  powerbankLimit?: number | null
}

/** The unique constraints of `users`, for `unlessTaken`. */
export const userFields = { users_phone: 'phone', users_email: 'email', users_username: 'username' }

/** A person, and nothing else: no role, no word of it. Throws `Refused('duplicate')` with `about.field`. */
export async function add(tx: Tx, person: NewPerson, status: Person['status']): Promise<number> {
  const { phone = null, email = null, username = null, fullName, passwordHash, powerbankLimit = null } = person
  const [row] = await unlessTaken(
    tx<{ id: number }[]>`
      insert into users (phone, email, username, full_name, password_hash, status, powerbank_limit)
      values (${phone}, ${email}, ${username}, ${fullName}, ${passwordHash}, ${status}, ${powerbankLimit}) returning id`,
    userFields,
  )
  return row!.id
}

/**
 * A newcomer who waits for approval and cannot log in before, and is told so; without a password the letter brings one.
 * Throws `Refused('duplicate')` with `about.field`.
 */
export async function register(tx: Tx, person: NewPerson): Promise<number> {
  const id = await add(tx, person, 'pending')
  await notify(tx, 'user.registered', [id], {}, { bringsPassword: person.passwordHash === null })
  return id
}

/** An active account with its roles. Throws `Refused('duplicate')`. */
export async function createWithRoles(tx: Tx, person: NewPerson & { roles: readonly Grant[] }): Promise<number> {
  const id = await add(tx, person, 'active')
  for (const role of person.roles) await grant(tx, id, role)
  return id
}

/** Gives a role; one already given stays as it is. */
export async function grant(tx: Tx, userId: number, { surface, role, orgUnitId = null }: Grant): Promise<void> {
  await tx`
    insert into user_roles (user_id, surface, role, org_unit_id) values (${userId}, ${surface}, ${role}, ${orgUnitId})
    on conflict do nothing`
}

/** Has somebody any role on a surface? */
export async function hasPlace(q: Queryable, userId: number, surface: Surface): Promise<boolean> {
  const rows = await q`select 1 from user_roles where user_id = ${userId} and surface = ${surface} limit 1`
  return rows.length > 0
}

/** SQL: the columns of a `Person`, of `users u`. */
export const person = (q: Queryable) => columnsOf(q, 'u', COLUMNS)

/** A person who is not deleted. */
export async function get(q: Queryable, id: number): Promise<Person | undefined> {
  const [row] = await q<Person[]>`select ${person(q)} from users u where u.id = ${id} and u.deleted_at is null`
  return row
}

/** Who logs in with this phone, email (any case) or name, and the stored hash to check the password against. */
export async function credentials(
  q: Queryable,
  by: { phone: string } | { email: string } | { username: string },
): Promise<(Person & { passwordHash: string | null }) | undefined> {
  const condition =
    'phone' in by
      ? q`u.phone = ${by.phone}`
      : 'email' in by
        ? q`lower(u.email) = lower(${by.email})`
        : q`lower(u.username) = lower(${by.username})`
  const [row] = await q<(Person & { passwordHash: string | null })[]>`
    select ${person(q)}, u.password_hash from users u where ${condition} and u.deleted_at is null`
  return row
}

/** What a session's row remembers of the login. */
export interface LoginAbout {
  surface: Surface
  hours: number
  ip: string | null
  userAgent: string | null
  /** Of the session's refresh token, where the surface has any. */
  refreshHash?: string
  /** It was no password that let them in. */
  isWithoutPassword?: boolean
}

const userAgentCharactersMax = 300

/**
 * Opens a session for somebody whose password was right, and notes the login. Throws `Refused('unauthenticated')` when
 * the account is not active (any more).
 */
export async function login(
  tx: Tx,
  userId: number,
  about: LoginAbout,
): Promise<{ sessionId: string; expiresAt: Date }> {
  const { surface, hours, ip, userAgent, refreshHash = null, isWithoutPassword = false } = about
  const active = await tx`
    update users set last_login_at = now() where id = ${userId} and status = 'active' and deleted_at is null returning id`
  if (active.length === 0) throw new Refused('unauthenticated', `user ${userId} is not active`)
  const [session] = await tx<{ sessionId: string; expiresAt: Date }[]>`
    insert into sessions (user_id, surface, expires_at, ip, user_agent, refresh_hash, hours, password_at)
    values (${userId}, ${surface}, date_trunc('second', now()) + make_interval(secs => ${hours * 3600}), ${ip},
      ${userAgent?.slice(0, userAgentCharactersMax) ?? null}, ${refreshHash}, ${hours},
      ${isWithoutPassword ? null : tx`now()`})
    returning id as session_id, expires_at`
  return session!
}

/** So many of a session's last trades are remembered; who is further behind is no other tab. */
export const TRADES_MAX = 8

/** A refresh token that came, as its session knows it. */
export interface Refresh {
  userId: number
  sessionId: string
  /**
   * Hashes of the token, of the one it is traded for, of the one that is traded for, …: as many as `TRADES_MAX` says, and
   * the token's own.
   */
  hashes: readonly string[]
  /** How long a session lives on of which that is not known. */
  hours: number
  /** How long after its trade a token still stands for what it was traded for. */
  graceSeconds: number
}

/** What a refresh came to: the session's new end, and which of `hashes` is that of the token that is good now. */
export interface Refreshed {
  expiresAt: Date
  steps: number
}

/**
 * Trades a session's refresh token for the next one; the session lives on from now. One that was traded a moment ago is
 * another tab's, and is given what it was traded for. An older one is a stolen one, or its next was stolen: the session
 * ends, and with it every token of it. Throws nothing, for that must be committed.
 * @returns `reused` when that ended the session; null when it is over, or its user blocked or deleted
 */
export async function refresh(tx: Tx, given: Refresh): Promise<Refreshed | 'reused' | null> {
  const { userId, sessionId, hashes, hours, graceSeconds } = given
  const [session] = await tx<{ expiresAt: Date; steps: number | null; isSpared: boolean | null }[]>`
    select s.expires_at, known.steps,
      s.refreshed_at[known.steps] > now() - make_interval(secs => ${graceSeconds}) as is_spared
    from sessions s join users u on u.id = s.user_id,
      lateral (select array_position(${[...hashes]}::text[], s.refresh_hash) - 1 as steps) known
    where s.id = ${sessionId} and u.id = ${userId} and s.refresh_hash is not null and s.revoked_at is null
      and s.expires_at > now() and u.status = 'active' and u.deleted_at is null for no key update of s`
  if (!session) return null
  const { steps, isSpared } = session
  if (steps !== null && steps > 0 && isSpared) return { expiresAt: session.expiresAt, steps }
  if (steps !== 0) {
    await revoke(tx, userId, sessionId)
    return 'reused'
  }
  const [renewed] = await tx<{ expiresAt: Date }[]>`
    update sessions set refresh_hash = ${hashes[1]!}, refreshed_at = (array[now()] || refreshed_at)[:${TRADES_MAX}],
      expires_at = date_trunc('second', now()) + make_interval(secs => coalesce(hours, ${hours}) * 3600)
    where id = ${sessionId} returning expires_at`
  return { expiresAt: renewed!.expiresAt, steps: 1 }
}

/** Until when the session of a refresh token lasts that is not traded for another; null when it is over, or its user blocked. */
export async function standing(
  q: Queryable,
  {
    userId,
    sessionId,
    surface,
    refreshHash,
  }: { userId: number; sessionId: string; surface: Surface; refreshHash: string },
): Promise<Date | null> {
  const [session] = await q<{ expiresAt: Date }[]>`
    select s.expires_at from sessions s join users u on u.id = s.user_id
    where s.id = ${sessionId} and u.id = ${userId} and s.surface = ${surface} and s.refresh_hash = ${refreshHash}
      and s.revoked_at is null and s.expires_at > now() and u.status = 'active' and u.deleted_at is null`
  return session?.expiresAt ?? null
}

/** Whether this session was opened with a password, and no longer ago than so. */
export async function isFreshlyOpened(q: Queryable, sessionId: string, minutes: number): Promise<boolean> {
  const [row] = await q`
    select 1 from sessions where id = ${sessionId} and password_at > now() - make_interval(mins => ${minutes})`
  return row !== undefined
}

/** Ends one session of a user, if it is theirs and not over. */
export async function revoke(tx: Tx, userId: number, sessionId: string): Promise<void> {
  const ended = await tx`
    update sessions set revoked_at = now() where id = ${sessionId} and user_id = ${userId} and revoked_at is null`
  if (ended.count > 0) await record(tx, 'user.signed_out', { userId })
}

/**
 * Whom a token's session speaks for, with the roles on one surface; null when the session is over or revoked, or the
 * user blocked or deleted. One statement: it runs before every request.
 */
export async function actor(
  q: Queryable,
  session: { userId: number; sessionId: string; surface: Surface },
): Promise<Actor | null> {
  const [row] = await q<Actor[]>`
    select u.id as user_id, coalesce((
      select jsonb_agg(jsonb_build_object('role', r.role, 'orgUnitId', r.org_unit_id) order by r.id)
      from user_roles r where r.user_id = u.id and r.surface = ${session.surface}), '[]') as roles
    from sessions s join users u on u.id = s.user_id
    where s.id = ${session.sessionId} and u.id = ${session.userId} and s.revoked_at is null and s.expires_at > now()
      and u.status = 'active' and u.deleted_at is null`
  return row ?? null
}

/** Ends every session of a user at once, but the one that is kept; the event ends the streams that are open. */
export async function revokeSessions(tx: Tx, userId: number, keptId: string | null = null): Promise<void> {
  await tx`
    update sessions set revoked_at = now()
    where user_id = ${userId} and revoked_at is null and id is distinct from ${keptId}::uuid`
  await record(tx, 'user.signed_out', { userId })
}

/** Changes the own name or email. Throws `Refused('duplicate')`, `Refused('not_found')`. */
export async function changeProfile(
  tx: Tx,
  actor: Actor,
  change: { fullName?: string | undefined; email?: string | undefined },
): Promise<Person> {
  const [row] = await unlessTaken(
    tx<Person[]>`
      update users u set full_name = coalesce(${change.fullName ?? null}, u.full_name),
        email = coalesce(${change.email ?? null}, u.email), updated_at = now()
      where u.id = ${actor.userId} and u.deleted_at is null returning ${person(tx)}`,
    userFields,
  )
  if (!row) throw new Refused('not_found', `user ${actor.userId}`)
  return row
}
