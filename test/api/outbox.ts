import { onTestFinished } from 'vitest'
import { startMail } from '../../api/tasks/mail.ts'
import type { Smtp } from '../../api/tasks/mailer.ts'
import { notify } from '../../db/messages/notifications.ts'
import { NOTIFICATION_CHANNEL } from '../../db/postgres/channels.ts'
import type { Db } from '../../db/postgres/connect.ts'
import { journal } from './journal.ts'

interface Row {
  id: number
  kind: string
  status: string
  attempts: number
  body: string | null
  lastError: string | null
  recipient: string | null
}

/** The outbox of a test's database, and senders that work it. */
export const outboxOf = (db: Db) => ({
  /** The sender of one process, closed with the test; several may write one journal. */
  async sender(smtp: Smtp | null, own = journal()) {
    const mail = await startMail({ db, log: own.log, smtp, timeZone: 'Europe/Moscow' })
    onTestFinished(mail.close)
    return { ...own, close: mail.close }
  },
  /** What somebody was told, oldest first. */
  rowsOf: (userId: number) => db.sql<Row[]>`
    select id, kind, status, attempts, body, last_error, recipient from notifications
    where user_id = ${userId} order by id`,
  /** Letters of earlier tests are out of the way, and the service is as new. */
  async clean() {
    await db.sql`delete from notifications`
    await db.sql`
      update mail_service set is_enabled = true, failures_in_row = 0, last_error = null, switched_off_at = null`
  },
  /** What waits for later is due now. */
  comeDue: () =>
    db.transaction(async (tx) => {
      await tx`update notifications set due_at = now() where status in ('queued', 'sending')`
      await tx`select pg_notify(${NOTIFICATION_CHANNEL}, '')`
    }),
  tell: (userIds: number[]) =>
    db.transaction((tx) => notify(tx, 'user.rejected', userIds, { reason: 'Неверные данные' })),
})
