import { randomBytes } from 'node:crypto'
import * as identity from '../identity/identity.ts'
import * as audit from '../messages/audit.ts'
import { type Actor, hasRole } from '../platform/actor.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import { type Page, unlessTaken } from '../postgres/rows.ts'
import { Refused } from './refused.ts'
import type { getproAccounts } from './schema.ts'
import type { PanelStatus } from './words.ts'

type Row = typeof getproAccounts.$inferSelect
const COLUMNS = [
  'id',
  'telegramId',
  'userId',
  'username',
  'firstName',
  'languageCode',
  'referralCode',
  'inviterId',
  'panelUserId',
  'panelStatus',
  'panelSaidAt',
  'createdAt',
] as const satisfies (keyof Row)[]

/** A customer of 2GETPRO. */
export type Account = Pick<Row, (typeof COLUMNS)[number]>

/** Somebody at Telegram, as they become a customer. */
export interface NewAccount {
  telegramId: number
  username?: string | null
  firstName?: string | null
  languageCode?: string
  email?: string | null
  /** Who invited them; told by the account, or by the code. */
  inviter?: { id: number } | { referralCode: string } | null
}

const referralBytes = 8

/** @throws Refused not_found (inviter_unknown) */
async function inviterOf(tx: Tx, inviter: NewAccount['inviter']): Promise<number | null> {
  if (!inviter) return null
  const by = 'id' in inviter ? tx`id = ${inviter.id}` : tx`referral_code = ${inviter.referralCode.toUpperCase()}`
  const [found] = await tx<{ id: number }[]>`select id from getpro_accounts where ${by} and deleted_at is null`
  if (found) return found.id
  throw new Refused('not_found', 'nobody invites by that', { reason: 'inviter_unknown' })
}

/**
 * Makes somebody a customer.
 * @throws Refused duplicate (`telegram_id`), not_found (inviter_unknown)
 */
export async function register(tx: Tx, actor: Actor | null, given: NewAccount): Promise<Account> {
  const { telegramId, username = null, firstName = null, languageCode = 'ru', email = null } = given
  const inviterId = await inviterOf(tx, given.inviter)
  const referralCode = randomBytes(referralBytes).toString('hex').toUpperCase()
  const [account] = await unlessTaken(
    tx<Account[]>`
      insert into getpro_accounts (telegram_id, username, first_name, language_code, email, referral_code, inviter_id)
      values (${telegramId}, ${username}, ${firstName}, ${languageCode}, ${email}, ${referralCode}, ${inviterId})
      returning ${tx(COLUMNS)}`,
    { getpro_accounts_telegram: 'telegram_id' },
  )
  const newValues = { telegramId, inviterId }
  await audit.record(tx, actor, 'getpro', {
    action: 'account.create',
    entityType: 'getpro_account',
    entityId: account!.id,
    newValues,
  })
  return account!
}

export async function get(q: Queryable, id: number): Promise<Account | undefined> {
  const [row] = await q<Account[]>`select ${q(COLUMNS)} from getpro_accounts where id = ${id} and deleted_at is null`
  return row
}

export async function byTelegramId(q: Queryable, telegramId: number): Promise<Account | undefined> {
  const [row] = await q<Account[]>`
    select ${q(COLUMNS)} from getpro_accounts where telegram_id = ${telegramId} and deleted_at is null`
  return row
}

/**
 * Locks accounts until the transaction ends, by rising id: before their subscriptions and books, behind a payment. What
 * changes a subscription, a balance or a promo code of somebody holds them. Those that are deleted too: money comes all the same.
 */
export async function lock(tx: Tx, ...ids: readonly number[]): Promise<Account[]> {
  return await tx<Account[]>`
    select ${tx(COLUMNS)} from getpro_accounts where id = any(${[...ids]}::bigint[]) order by id for no key update`
}

/** Locks an account that is there. @throws Refused not_found (account_unknown) */
export async function hold(tx: Tx, id: number): Promise<Account> {
  const [row] = await tx<Account[]>`
    select ${tx(COLUMNS)} from getpro_accounts where id = ${id} and deleted_at is null for no key update`
  if (row) return row
  throw new Refused('not_found', 'there is no such account', { reason: 'account_unknown' })
}

/** How the panel has somebody. */
export interface PanelUser {
  /** Null: it has them no more. */
  panelUserId: string | null
  status: PanelStatus | null
}

/** Keeps what the panel says of somebody; false where something newer was kept before. */
export async function keepPanelUser(tx: Tx, id: number, user: PanelUser, saidAt: Date | null): Promise<boolean> {
  const kept = await tx`
    update getpro_accounts set panel_user_id = ${user.panelUserId}, panel_status = ${user.status},
      panel_said_at = coalesce(${saidAt}, panel_said_at), updated_at = now()
    where id = ${id} and (panel_said_at is null or ${saidAt}::timestamptz is null or panel_said_at <= ${saidAt})`
  return kept.count > 0
}

/** The accounts there are, newest first. */
export async function list(
  q: Queryable,
  { telegramId = null, limit, offset }: { telegramId?: number | null | undefined; limit: number; offset: number },
): Promise<Page<Account>> {
  const asked = q`deleted_at is null and (${telegramId}::bigint is null or telegram_id = ${telegramId})`
  const [counted] = await q<{ total: number }[]>`select count(*) as total from getpro_accounts where ${asked}`
  const rows = await q<Account[]>`
    select ${q(COLUMNS)} from getpro_accounts where ${asked} order by id desc limit ${limit} offset ${offset}`
  return { rows, total: counted!.total }
}

/**
 * An account that the actor may see and act for: an admin any, everybody else their own, which needs not be named. That another
 * account is there is told to admins only.
 * @throws Refused not_yours, not_found (account_unknown)
 */
export async function reach(q: Queryable, actor: Actor, id: number | null): Promise<Account> {
  const unknown = () => new Refused('not_found', 'there is no such account', { reason: 'account_unknown' })
  if (id !== null && hasRole(actor, 'admin')) {
    const account = await get(q, id)
    if (account) return account
    throw unknown()
  }
  const [own] = await q<Account[]>`
    select ${q(COLUMNS)} from getpro_accounts where user_id = ${actor.userId} and deleted_at is null`
  if (id !== null && own?.id !== id) throw new Refused('not_yours', 'the account of somebody else')
  if (own) return own
  throw unknown()
}

/**
 * Says whose login an account is, and lets it in; null: nobody's.
 * @throws Refused not_found (account_unknown, login_unknown), duplicate (`login_id`)
 */
export async function link(tx: Tx, actor: Actor, id: number, userId: number | null): Promise<Account> {
  const before = await hold(tx, id)
  if (userId !== null) {
    if (!(await identity.get(tx, userId))) throw new Refused('not_found', 'no login', { reason: 'login_unknown' })
    await identity.grant(tx, userId, { surface: 'getpro', role: 'user' })
  }
  const [account] = await unlessTaken(
    tx<Account[]>`
      update getpro_accounts set user_id = ${userId}, updated_at = now() where id = ${id} returning ${tx(COLUMNS)}`,
    { getpro_accounts_user: 'login_id' },
  )
  await audit.record(tx, actor, 'getpro', {
    action: 'account.link',
    entityType: 'getpro_account',
    entityId: id,
    oldValues: { userId: before.userId },
    newValues: { userId },
  })
  return account!
}
