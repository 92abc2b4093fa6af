import * as audit from '../messages/audit.ts'
import type { Actor } from '../platform/actor.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import { columnsOf } from '../postgres/rows.ts'
import type { notificationSettings } from './schema.ts'

const COLUMNS = [
  'pushNotifications',
  'smsNotifications',
  'emailNotifications',
  'transactionAlerts',
  'securityAlerts',
] as const satisfies (keyof typeof notificationSettings.$inferSelect)[]

/** By which ways somebody wants to hear, and of what. */
export type NotificationSettings = Pick<typeof notificationSettings.$inferSelect, (typeof COLUMNS)[number]>

/** Somebody's settings, with the columns' defaults written down when they are first asked for. */
export async function get(tx: Tx, userId: number): Promise<NotificationSettings> {
  await tx`insert into notification_settings (user_id) values (${userId}) on conflict do nothing`
  return (await find(tx, userId))!
}

/** The same if it is written down. */
export async function find(q: Queryable, userId: number): Promise<NotificationSettings | undefined> {
  const [row] = await q<NotificationSettings[]>`
    select ${columnsOf(q, 's', COLUMNS)} from notification_settings s where s.user_id = ${userId}`
  return row
}

/** Changes what is given of the actor's settings. */
export async function change(
  tx: Tx,
  actor: Actor,
  given: { [K in keyof NotificationSettings]?: boolean | undefined },
): Promise<NotificationSettings> {
  const before = await get(tx, actor.userId)
  const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  if (Object.keys(set).length === 0) return before
  await tx`update notification_settings set ${tx(set)}, updated_at = now() where user_id = ${actor.userId}`
  await audit.record(tx, actor, 'paygo', {
    action: 'notification_settings.update',
    entityType: 'user',
    entityId: actor.userId,
    oldValues: Object.fromEntries(Object.keys(set).map((name) => [name, before[name as keyof NotificationSettings]])),
    newValues: set,
  })
  return { ...before, ...set }
}
