import type { Db } from '../../db/postgres/connect.ts'

/** What a missed bell costs, and how late postponed work may be. */
const POLL_MS = 5_000

export interface RoundsOptions {
  db: Db
  /** Rings when there is work; none: it is looked for now and then. */
  bell?: string
  /** Works off what is due, and stops early once `isClosed`. */
  round(isClosed: () => boolean): Promise<void>
  /** Hears of a round that failed; the next one comes by itself. */
  failed(error: unknown): void
}

/** Works in rounds, one at a time, at every bell and now and then; bells that ring meanwhile are one more round. */
export async function startRounds({ db, bell, round, failed }: RoundsOptions): Promise<{ close(): Promise<void> }> {
  let working: Promise<void> | null = null
  let again = false
  let closed = false

  async function work(): Promise<void> {
    do {
      again = false
      await round(() => closed)
    } while (again && !closed)
  }

  const wake = () => {
    again = true
    if (closed) return
    working ??= work()
      .catch(failed)
      .finally(() => {
        working = null
      })
  }
  const unlisten = bell === undefined ? null : await db.listen(bell, wake, wake)
  if (!unlisten) wake()
  const poll = setInterval(wake, POLL_MS)
  return {
    /** Resolves when no round is under way. */
    async close() {
      closed = true
      clearInterval(poll)
      await unlisten?.()
      await working
    },
  }
}
