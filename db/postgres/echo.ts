import { randomUUID } from 'node:crypto'
import { within } from '../platform/patience.ts'
import { ECHO_CHANNEL } from './channels.ts'
import type { Db } from './connect.ts'

/**
 * Rings a bell and hears it itself: what a process hears through this, it hears of all others.
 * @returns what does it. False: not heard in time. Rejects where the database fails.
 */
export function echoes(db: Db): (milliseconds: number) => Promise<boolean> {
  const waiting = new Map<string, () => void>()
  let listening: Promise<unknown> | undefined

  async function ring(word: string, heard: Promise<void>): Promise<void> {
    // Once, when it is first asked; where the database is away just now, it listens when that is back.
    listening ??= db.listen(ECHO_CHANNEL, (payload) => waiting.get(payload)?.())
    await listening
    await db.sql`select pg_notify(${ECHO_CHANNEL}, ${word})`
    await heard
  }

  return async (milliseconds) => {
    const word = randomUUID()
    const { promise: heard, resolve } = Promise.withResolvers<void>()
    waiting.set(word, resolve)
    return await within(milliseconds, ring(word, heard)).finally(() => waiting.delete(word))
  }
}
