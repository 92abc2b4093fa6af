import { EVENT_CHANNEL } from '../../db/postgres/channels.ts'
import type { Db } from '../../db/postgres/connect.ts'

/** Not everything that may change rings the bell. */
const lookAgainMs = 250

/**
 * Looks, again at every event of the house, until nothing is wrong.
 * @returns what is still wrong when the time is up; nothing if all is well
 */
export async function settles(db: Db, secondsMax: number, look: () => Promise<string[]>): Promise<string[]> {
  const deadline = performance.now() + secondsMax * 1000
  let bell = Promise.withResolvers<void>()
  const unlisten = await db.listen(EVENT_CHANNEL, () => bell.resolve())
  try {
    for (;;) {
      bell = Promise.withResolvers()
      // A database that is just coming back is looked at again, too.
      const wrong = await look().catch((error: Error) => [`cannot look: ${error.message}`])
      if (wrong.length === 0 || performance.now() > deadline) return wrong
      const timer = setTimeout(bell.resolve, lookAgainMs)
      await bell.promise
      clearTimeout(timer)
    }
  } finally {
    await unlisten()
  }
}
