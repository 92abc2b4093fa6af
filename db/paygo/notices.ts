import { record } from '../messages/events.ts'
import { type NotificationData, type NotificationKind, notify } from '../messages/notifications.ts'
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
