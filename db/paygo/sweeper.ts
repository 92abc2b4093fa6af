import { within } from '../platform/patience.ts'
import type { Db } from '../postgres/connect.ts'
import type { Acquirer } from './acquirer.ts'
import type { Answered } from './answers.ts'
import { sweep } from './settle.ts'

/** How late an act may be gone on with after its time is over. */
const LOOK_MS = 1_000
/** Acts that are gone on with at once, and how many such rounds, at most: each may wait for the acquirer. */
const DUE_MAX = 20
const ROUNDS_MAX = 4
/** How long rounds under way may take when we stop: whoever comes after us goes on with the others. */
const GOODBYE_MS = 2_000

export interface SweeperOptions {
  db: Db
  acquirer: Acquirer
  /** Hears of a round that failed: its acts are rows still, and due again. */
  failed(error: unknown): void
  /** Hears what terminals are answered by it. */
  answered?(answers: readonly Answered[]): void
}

/**
 * Looks now and then for acts that nobody goes on with. Every process that asks the acquirer does, so that it is done whichever
 * of them is up; each act is claimed by one.
 */
export function startSweeper({ db, acquirer, failed, answered = () => {} }: SweeperOptions): {
  close(): Promise<void>
} {
  const rounds = new Set<Promise<void>>()
  const timer = setInterval(() => {
    if (rounds.size >= ROUNDS_MAX) return
    const round = sweep(db, acquirer, DUE_MAX)
      .then(answered)
      .catch(failed)
      .finally(() => rounds.delete(round))
    rounds.add(round)
  }, LOOK_MS)
  return {
    async close() {
      clearInterval(timer)
      await within(GOODBYE_MS, Promise.all(rounds))
    },
  }
}
