import { reopen } from '../db/kiosk/rentals.ts'
import * as certificates from '../db/loyalty/certificates.ts'
import { expire } from '../db/loyalty/certificates-changes.ts'
import * as points from '../db/loyalty/points.ts'
import * as rentals from '../db/loyalty/rental-points.ts'
import type { Log } from '../db/platform/log.ts'
import type { Db, Queryable, Tx } from '../db/postgres/connect.ts'
import * as overdue from '../db/powerbank/overdue.ts'

/** How late the clock may be; hours are what it counts. */
const TICK_MS = 30_000

interface Clock {
  db: Db
  log: Log
  rules: points.PointRules
}

/** Returns how often it acted. */
type Job = (clock: Clock, name: string) => Promise<number>

/** Does what is due to each, in a transaction each. What fails is logged: the others are due all the same. */
const each =
  <T extends { id: number }>(
    due: (q: Queryable) => Promise<readonly T[]>,
    act: (tx: Tx, one: T, rules: points.PointRules) => Promise<boolean>,
  ): Job =>
  async ({ db, log, rules }, job) => {
    let count = 0
    for (const one of await due(db.sql)) {
      try {
        if (await db.transaction((tx) => act(tx, one, rules))) count++
      } catch (error) {
        log('clock.failed', { job, id: one.id, error })
      }
    }
    return count
  }

/** What happens by the clock. Any number of processes may run them; each thing happens once. */
const jobs: Record<string, Job> = {
  remind: ({ db }) => overdue.remind(db),
  writeOff: each(overdue.lost, overdue.writeOff),
  reopenRentals: ({ db }) => reopen(db),
  expirePoints: each(points.expired, async (tx, { id }) => (await points.expire(tx, id)) > 0),
  rewardRentals: each(rentals.due, (tx, { id }, rules) => rentals.reward(tx, id, rules)),
  expireCertificates: each(certificates.due, (tx, { id }) => expire(tx, id)),
}

/** Does what is due now. A job that fails is logged, and comes again at the next tick. */
export async function tick(clock: Clock): Promise<void> {
  for (const [job, act] of Object.entries(jobs)) {
    try {
      const count = await act(clock, job)
      if (count > 0) clock.log('clock.acted', { job, count })
    } catch (error) {
      clock.log('clock.failed', { job, error })
    }
  }
}

/** Long work that the clock asks for at every tick; it knows itself when it is due. Ends early when it is told. */
export type Work = (signal: AbortSignal) => Promise<void>

/**
 * Runs the clock in this process, beginning now: the jobs in turn, and each long work beside them. Closing waits for
 * what runs.
 */
export function startSchedule(clock: Clock, works: readonly Work[] = []): { close(): Promise<void> } {
  const end = new AbortController()
  const lines = [() => tick(clock), ...works.map((work) => () => work(end.signal))]
  const running = new Map<() => Promise<void>, Promise<void>>()
  const run = () => {
    for (const line of lines) {
      if (running.has(line)) continue
      const done = line()
        .catch((error: unknown) => clock.log('clock.failed', { error }))
        .finally(() => running.delete(line))
      running.set(line, done)
    }
  }
  run()
  const timer = setInterval(run, TICK_MS)
  return {
    async close() {
      clearInterval(timer)
      end.abort()
      await Promise.all(running.values())
    },
  }
}
