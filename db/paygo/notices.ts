import { record } from '../messages/events.ts'
import { type NotificationData, type NotificationKind, notify } from '../messages/notifications.ts'
import { NOTIFICATION_CHANNEL } from '../postgres/channels.ts'
import type { Tx } from '../postgres/connect.ts'
import { find } from './notification-settings.ts'

/** What may be switched off: news of payments, news of the account's safety. */
export type Topic = 'transactionAlerts' | 'securityAlerts'

/**
 * Tells somebody something in the transaction that makes it true: where they are logged in always, for whoever took over
 * an account would switch that off first; by e-mail if they want such news that way.
 */
export async function tell<K extends NotificationKind>(
  tx: Tx,
  userId: number,
  kind: K,
  data: NotificationData[K],
  topic: Topic,
): Promise<void> {
  await notify(tx, kind, [userId], data, { surface: 'paygo', channel: 'app' })
  await record(tx, 'notification.added', { userId, data: { kind, ...data } })
  const settings = await find(tx, userId)
  if (settings?.emailNotifications && settings[topic]) await notify(tx, kind, [userId], data, { surface: 'paygo' })
}

/** What a payment may come to that its owner is told of. */
export const ends = ['completed', 'failed', 'cancelled', 'refunded'] as const

/** What a payment came to. `amountMinor`: what was paid, or has gone back in all. */
export interface PaymentNews {
  userId: number
  end: (typeof ends)[number]
  transactionId: number
  amountMinor: number
}

/**
 * Tells payers what their payments came to, in the transaction that makes it true: where they are logged in, and by e-mail if
 * they want it that way; who has switched it off hears nothing. One statement for all; each is told once.
 */
export async function tellOwners(tx: Tx, news: readonly PaymentNews[]): Promise<void> {
  if (news.length === 0) return
  await tx`
    with written as (
      insert into notifications (user_id, surface, kind, data, channel, status, sent_at, key)
      select i."userId", 'paygo', 'transaction.' || i."end",
        jsonb_build_object('transactionId', i."transactionId", 'amountMinor', i."amountMinor"), c.channel,
        case when c.channel = 'app' then 'sent' else 'queued' end, case when c.channel = 'app' then now() end,
        concat_ws(' ', 'paygo', i."transactionId", i."end", i."amountMinor", c.channel)
      from jsonb_to_recordset(${tx.json(news)}) as i ("userId" bigint, "end" text, "transactionId" bigint, "amountMinor" bigint)
        left join notification_settings s on s.user_id = i."userId" cross join (values ('app'), ('email')) as c (channel)
      where coalesce(s.transaction_alerts, true) and (c.channel = 'app' or coalesce(s.email_notifications, false))
      on conflict do nothing
    )
    select pg_notify(${NOTIFICATION_CHANNEL}, '')`
}
