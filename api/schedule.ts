import type { Db } from '../db/connect.ts'
import type { Log } from '../db/log.ts'
import * as overdue from '../db/overdue.ts'

/** How late the clock may be; hours are what it counts. */
const TICK_MS = 30_000

/** What happens by the clock: each returns how often it did. Any number of processes may run them; each thing happens once. */
const jobs = {
  remind: ({ db }: Ground) => overdue.remind(db),
  writeOff: async ({ db, log }: Ground) => {
    let count = 0
    for (const loan of await overdue.lost(db.sql)) {
      try {
        if (await db.transaction((tx) => overdue.writeOff(tx, loan))) count++
      } catch (error) {
        // The others are due all the same.
        log('clock.failed', { job: 'writeOff', orderId: loan.id, error })
      }
    }
    return count
  },
}

interface Ground {
  db: Db
  log: Log
}

/** Does what is due now. A job that fails is logged, and comes again at the next tick. */
export async function tick(ground: Ground): Promise<void> {
  for (const [job, act] of Object.entries(jobs)) {
    try {
      const count = await act(ground)
      if (count > 0) ground.log('clock.acted', { job, count })
    } catch (error) {
      ground.log('clock.failed', { job, error })
    }
  }
}

/** Runs the clock in this process, beginning now. */
export function startSchedule(ground: Ground): { close(): Promise<void> } {
  let running: Promise<void> | null = null
  const run = () => {
    running ??= tick(ground).finally(() => {
      running = null
    })
  }
  run()
  const timer = setInterval(run, TICK_MS)
  return {
    async close() {
      clearInterval(timer)
      await running
    },
  }
}
