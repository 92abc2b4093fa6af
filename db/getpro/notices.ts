import * as audit from '../messages/audit.ts'
import * as events from '../messages/events.ts'
import type { NotificationData } from '../messages/notifications.ts'
import type { Actor } from '../platform/actor.ts'
import { NOTIFICATION_CHANNEL } from '../postgres/channels.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import { columnsOf, type Fragment, type Page, pageOf } from '../postgres/rows.ts'
import type { getproAccounts } from './schema.ts'

const SETTINGS = [
  'telegramNotices',
  'emailNotices',
  'paymentNotices',
  'subscriptionNotices',
  'bonusNotices',
  'newsNotices',
] as const satisfies (keyof typeof getproAccounts.$inferSelect)[]

/** By which ways somebody wants to hear, and of what. */
export type NoticeSettings = Pick<typeof getproAccounts.$inferSelect, (typeof SETTINGS)[number] | 'telegramBlockedAt'>

/** What customers of 2GETPRO are told. */
export type NoticeKind = Extract<keyof NotificationData, `getpro.${string}`>

/** What of it may be switched off; null: nothing, it is about safety. */
const topics = {
  'getpro.payment_succeeded': 'paymentNotices',
  'getpro.payment_failed': 'paymentNotices',
  'getpro.payment_refunded': 'paymentNotices',
  'getpro.subscription_activated': 'subscriptionNotices',
  'getpro.subscription_extended': 'subscriptionNotices',
  'getpro.subscription_shortened': 'subscriptionNotices',
  'getpro.subscription_ending': 'subscriptionNotices',
  'getpro.subscription_expired': 'subscriptionNotices',
  'getpro.renewal_failed': 'subscriptionNotices',
  'getpro.promo_applied': 'bonusNotices',
  'getpro.referral_bonus': 'bonusNotices',
  'getpro.news': 'newsNotices',
  'getpro.login_linked': null,
} as const satisfies Record<NoticeKind, (typeof SETTINGS)[number] | null>

interface About {
  kind: NoticeKind
  /** SQL: what its words are made of. */
  data: Fragment
  /** What makes it the same: said twice counts once. */
  key: string
  batchId?: number
}

/**
 * Writes what accounts are told, in the transaction that makes it true: where they are logged in always, by Telegram and e-mail as
 * they want it. One statement, however many. @param whom SQL: a condition on the accounts
 */
export async function write(tx: Tx, whom: Fragment, { kind, data, key, batchId }: About): Promise<void> {
  const topic = topics[kind]
  const isWanted = topic === null ? tx`true` : tx`a.${tx(topic)}`
  const written = await tx<{ userId: number | null; data: Record<string, unknown> }[]>`
    with written as (
      insert into notifications (user_id, surface, owner_id, kind, channel, data, language_code, recipient, status, sent_at, key, batch_id)
      select a.user_id, 'getpro', a.id, ${kind}, c.channel, ${data}, a.language_code, c.recipient,
        case when c.channel = 'app' then 'sent' else 'queued' end, case when c.channel = 'app' then now() end,
        'getpro ' || ${key} || ' ' || a.id || ' ' || c.channel, ${batchId ?? null}::bigint
      from getpro_accounts a left join users u on u.id = a.user_id and u.deleted_at is null
      cross join lateral (values ('app', null),
        ('telegram', case when ${isWanted} and a.telegram_notices and a.telegram_blocked_at is null then a.telegram_id::text end),
        ('email', case when ${isWanted} and a.email_notices then coalesce(a.email, u.email) end)) as c (channel, recipient)
      where ${whom} and a.deleted_at is null and (c.channel = 'app' or c.recipient is not null)
      on conflict do nothing returning user_id, channel, data
    ), rung as (select pg_notify(${NOTIFICATION_CHANNEL}, ''))
    select user_id, data from written, rung where channel = 'app' and user_id is not null`
  if (written.length > 0)
    await events.recordAll(
      tx,
      written.map(({ userId, data: about }) => ({ kind: 'getpro.notified', userId, data: { kind, ...about } })),
    )
}

/** Tells one account something, once by its key. */
export const tell = <K extends NoticeKind>(
  tx: Tx,
  accountId: number,
  kind: K,
  data: NotificationData[K],
  key: string,
): Promise<void> => write(tx, tx`a.id = ${accountId}`, { kind, data: tx`${tx.json(data as object)}::jsonb`, key })

/** How somebody wants to hear. */
export async function settings(q: Queryable, accountId: number): Promise<NoticeSettings> {
  const [row] = await q<NoticeSettings[]>`
    select ${q([...SETTINGS, 'telegramBlockedAt'])} from getpro_accounts where id = ${accountId}`
  return row!
}

/** What is changed of that; what is undefined stays. */
export type NoticeChange = { [K in (typeof SETTINGS)[number]]?: boolean | undefined }

/** Changes how somebody wants to hear. Who wants Telegram again is tried again. */
export async function change(tx: Tx, actor: Actor, accountId: number, given: NoticeChange): Promise<void> {
  const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  if (Object.keys(set).length === 0) return
  const isTried = given.telegramNotices ? tx`, telegram_blocked_at = null` : tx``
  await tx`update getpro_accounts set ${tx(set)}, updated_at = now() ${isTried} where id = ${accountId}`
  await audit.record(tx, actor, 'getpro', {
    action: 'notices.update',
    entityType: 'getpro_account',
    entityId: accountId,
    newValues: set,
  })
}

/** Something that somebody was told, as it is shown where they are logged in. */
export interface Notice {
  id: number
  kind: NoticeKind
  data: Record<string, unknown>
  languageCode: string | null
  createdAt: Date
  readAt: Date | null
}
const NOTICE = ['id', 'kind', 'data', 'languageCode', 'createdAt', 'readAt']

const mine = (q: Queryable, accountId: number) =>
  q`n.surface = 'getpro' and n.owner_id = ${accountId} and n.channel = 'app'`

/** One page of what an account was told, newest first. */
export async function list(
  q: Queryable,
  accountId: number,
  at: { limit: number; offset: number },
): Promise<Page<Notice>> {
  const of = q`notifications n where ${mine(q, accountId)}`
  return await pageOf<Notice>(q, of, q`select ${columnsOf(q, 'n', NOTICE)} from ${of} order by n.id desc`, at)
}

/** How much of it was not read. */
export async function countUnread(q: Queryable, accountId: number): Promise<number> {
  const [row] = await q<{ count: number }[]>`
    select count(*) as count from notifications n where ${mine(q, accountId)} and n.read_at is null`
  return row!.count
}

/** The same of whoever's login it is. */
export async function countUnreadOf(q: Queryable, userId: number): Promise<number> {
  const [row] = await q<{ id: number }[]>`
    select id from getpro_accounts where user_id = ${userId} and deleted_at is null`
  return row ? await countUnread(q, row.id) : 0
}

/** All up to this one was read; said again it changes nothing. */
export async function read(tx: Tx, accountId: number, upTo: number): Promise<void> {
  await tx`
    update notifications n set read_at = now()
    where ${mine(tx, accountId)} and n.read_at is null and n.id <= ${upTo}`
}

/** Telegram takes nothing for them: nothing more is sent until they want it again. */
export async function block(tx: Tx, accountId: number): Promise<void> {
  await tx`update getpro_accounts set telegram_blocked_at = coalesce(telegram_blocked_at, now()) where id = ${accountId}`
}
