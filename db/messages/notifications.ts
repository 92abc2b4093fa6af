import { NOTIFICATION_CHANNEL } from '../postgres/channels.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import { columnsOf, type Page, pageOf } from '../postgres/rows.ts'

/** What people are told, and what its words are made of. Never a secret. */
export interface NotificationData {
  'user.registered': Record<never, never>
  'user.approved': { orgUnitName: string | null }
  'user.rejected': { reason: string | null }
  'user.imported': Record<never, never>
  'loan.reminder': { orderId: number; serialNumber: string | null; hours: number }
  'loan.written_off': { orderId: number; serialNumber: string | null; hours: number }
  'account.locked': { minutes: number }
  'password.changed': Record<never, never>
  'biometric.enrolled': { type: string }
  'biometric.removed': { type: string }
  'transaction.completed': { transactionId: number; amountMinor: number }
  'transaction.failed': { transactionId: number; amountMinor: number }
  'transaction.cancelled': { transactionId: number; amountMinor: number }
  /** `amountMinor`: what has gone back in all. */
  'transaction.refunded': { transactionId: number; amountMinor: number }
  'getpro.payment_succeeded': { amountKopecks: number }
  'getpro.payment_failed': { amountKopecks: number }
  'getpro.payment_refunded': { amountKopecks: number }
  'getpro.subscription_activated': { endsAt: string }
  'getpro.subscription_extended': { endsAt: string }
  'getpro.subscription_shortened': { endsAt: string }
  'getpro.subscription_ending': { endsAt: string; autoRenews: boolean }
  'getpro.subscription_expired': { endsAt: string }
  'getpro.renewal_failed': { endsAt: string; amountKopecks: number; isLast: boolean }
  'getpro.promo_applied': { days: number; endsAt: string }
  'getpro.referral_bonus': { days: number; endsAt: string }
  'getpro.news': { title: string; body: string }
  'getpro.login_linked': Record<never, never>
}
export type NotificationKind = keyof NotificationData

export interface NotificationAbout {
  /** What makes it the same notification: said twice counts once. */
  key?: string
  /** A password is made when the letter is written, and only its hash is kept. */
  bringsPassword?: boolean
  /** Whose news it is; the power banks' unless said. */
  surface?: string
  /** `app`: shown where they are logged in, and nowhere sent. */
  channel?: 'email' | 'app'
}

/** How much of a surface's news, shown where they are logged in, somebody has not read. */
export async function countUnread(q: Queryable, userId: number, surface: string): Promise<number> {
  const [row] = await q<{ count: number }[]>`
    select count(*) as count from notifications
    where user_id = ${userId} and surface = ${surface} and channel = 'app' and read_at is null`
  return row!.count
}

/** Something that somebody was told where they are logged in. */
export interface Shown {
  id: number
  kind: NotificationKind
  data: Record<string, unknown>
  createdAt: Date
  readAt: Date | null
}
const SHOWN = ['id', 'kind', 'data', 'createdAt', 'readAt']

const shownTo = (q: Queryable, userId: number, surface: string) =>
  q`n.user_id = ${userId} and n.surface = ${surface} and n.channel = 'app'`

/** One page of a surface's news of somebody, newest first. */
export async function page(
  q: Queryable,
  userId: number,
  surface: string,
  at: { limit: number; offset: number },
): Promise<Page<Shown>> {
  const of = q`notifications n where ${shownTo(q, userId, surface)}`
  return await pageOf<Shown>(q, of, q`select ${columnsOf(q, 'n', SHOWN)} from ${of} order by n.id desc`, at)
}

/** All of it up to this one was read; said again it changes nothing. */
export async function read(tx: Tx, userId: number, surface: string, upTo: number): Promise<void> {
  await tx`
    update notifications n set read_at = now()
    where ${shownTo(tx, userId, surface)} and n.read_at is null and n.id <= ${upTo}`
}

/**
 * Tells people something, in the transaction that makes it true; a sender takes it from here (db/messages/outbox.ts). One
 * statement, however many people.
 */
export async function notify<K extends NotificationKind>(
  tx: Tx,
  kind: K,
  userIds: readonly number[],
  data: NotificationData[K],
  { key, bringsPassword = false, surface = 'powerbank', channel = 'email' }: NotificationAbout = {},
): Promise<void> {
  await tx`
    with written as (
      insert into notifications (user_id, surface, kind, data, brings_password, channel, status, sent_at, key)
      select i.id, ${surface}, ${kind}, ${tx.json(data)}, ${bringsPassword}, ${channel},
        ${channel === 'app' ? 'sent' : 'queued'}, case when ${channel === 'app'} then now() end,
        ${key ?? null}::text || ' ' || i.id
      from unnest(${[...userIds]}::bigint[]) as i (id)
      on conflict do nothing
    )
    select pg_notify(${NOTIFICATION_CHANNEL}, '')`
}
