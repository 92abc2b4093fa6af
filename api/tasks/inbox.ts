import * as inbox from '../../db/messages/inbox.ts'
import type { Log } from '../../db/platform/log.ts'
import { INBOX_CHANNEL } from '../../db/postgres/channels.ts'
import type { Db } from '../../db/postgres/connect.ts'
import * as webhookEvents from '../providers/webhook-events.ts'
import { startRounds } from './rounds.ts'

/** Looked up at once; the next look takes the next. */
const ROUND_NOTICES = 20
/** Of one provider: while one is asked about, others are worked. */
const ATTEMPTS_AT_ONCE = 4

export interface InboxOptions {
  db: Db
  log: Log
  providers: webhookEvents.Providers
}

/**
 * Works the webhook events nobody waits for: those answered before they were worked, those whose first attempt failed, and
 * those that named somebody unknown. Any number of processes may: what a webhook event causes, it causes once. Each provider has
 * rounds of its own: one that cannot be asked delays no other.
 */
export async function startInbox({ db, log, providers }: InboxOptions): Promise<{ close(): Promise<void> }> {
  async function attempt(id: number): Promise<void> {
    try {
      const { webhookEvent, isWorked } = await webhookEvents.work(db, providers, id)
      if (isWorked)
        log('webhook.worked', { provider: webhookEvent.provider, webhookEventId: id, state: webhookEvent.state })
    } catch (error) {
      // Counted in its row, and due again later.
      log('webhook.failed', { webhookEventId: id, error })
    }
  }

  const roundsOf = (provider: string) =>
    startRounds({
      db,
      bell: INBOX_CHANNEL,
      async round(isClosed) {
        for (;;) {
          const due = await inbox.due(db.sql, provider, ROUND_NOTICES)
          const ids = due.values()
          const work = async () => {
            for (const id of ids) {
              if (isClosed()) return
              await attempt(id)
            }
          }
          await Promise.all(Array.from({ length: ATTEMPTS_AT_ONCE }, work))
          // No bell rings for what is left of a crowd.
          if (due.length < ROUND_NOTICES || isClosed()) return
        }
      },
      failed: (error) => log('inbox.failed', { provider, error }),
    })
  const rounds = await Promise.all(Object.keys(providers).map(roundsOf))
  return { close: async () => void (await Promise.all(rounds.map((one) => one.close()))) }
}
