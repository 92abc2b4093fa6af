import { INBOX_BELL } from '../../db/bell.ts'
import type { Db } from '../../db/connect.ts'
import * as inbox from '../../db/inbox.ts'
import type { Log } from '../../db/log.ts'
import * as notices from '../providers/notices.ts'

/** What a missed bell costs, and how late a postponed notice may be. */
const POLL_MS = 5_000
/** Looked up at once; the next look takes the next. */
const ROUND_NOTICES = 20

export interface InboxOptions {
  db: Db
  log: Log
  providers: notices.Providers
}

/**
 * Works the notices nobody waits for: those answered before they were worked, those whose first attempt failed, and
 * those that named somebody unknown. Any number of processes may: what a notice causes, it causes once.
 */
export async function startInbox({ db, log, providers }: InboxOptions): Promise<{ close(): Promise<void> }> {
  let working: Promise<void> | null = null
  let again = false
  let closed = false

  async function attempt(id: number): Promise<void> {
    try {
      const { notice, isWorked } = await notices.work(db, providers, id)
      if (isWorked) log('notice.worked', { provider: notice.provider, noticeId: id, state: notice.state })
    } catch (error) {
      // Counted in its row, and due again later.
      log('notice.failed', { noticeId: id, error })
    }
  }

  async function work(): Promise<void> {
    do {
      again = false
      for (const id of await inbox.due(db.sql, ROUND_NOTICES)) {
        if (closed) return
        await attempt(id)
      }
    } while (again && !closed)
  }

  const wake = () => {
    again = true
    if (closed) return
    working ??= work()
      .catch((error: unknown) => log('inbox.failed', { error }))
      .finally(() => {
        working = null
      })
  }
  const unlisten = await db.listen(INBOX_BELL, wake, wake)
  const poll = setInterval(wake, POLL_MS)
  return {
    async close() {
      closed = true
      clearInterval(poll)
      await unlisten()
      await working
    },
  }
}
