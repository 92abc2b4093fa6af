import * as certificates from '../db/loyalty/certificates.ts'
import { expire } from '../db/loyalty/certificates-changes.ts'
import * as points from '../db/loyalty/points.ts'
import * as rentals from '../db/loyalty/rental-points.ts'
import type { Log } from '../db/platform/log.ts'
import type { Db, Tx } from '../db/postgres/connect.ts'
import * as overdue from '../db/powerbank/overdue.ts'

/** How late the clock may be; hours are what it counts. */
const TICK_MS = 30_000

/** What happens by the clock: each returns how often it did. Any number of processes may run them; each thing happens once. */
const jobs = {
  remind: ({ db }: AppContext) => overdue.remind(db),
  writeOff: async (ground: AppContext) =>
    each(ground, 'writeOff', await overdue.lost(ground.db.sql), (tx, loan) => overdue.writeOff(tx, loan)),
  expirePoints: async (ground: AppContext) =>
    each(
      ground,
      'expirePoints',
      await points.expired(ground.db.sql),
      async (tx, { id }) => (await points.expire(tx, id)) > 0,
    ),
  rewardRentals: async ({ rules, ...ground }: AppContext) =>
    each(ground, 'rewardRentals', await rentals.due(ground.db.sql), (tx, { id }) => rentals.reward(tx, id, rules)),
  expireCertificates: async (ground: AppContext) =>
    each(ground, 'expireCertificates', await certificates.due(ground.db.sql), (tx, { id }) => expire(tx, id)),
}

interface AppContext {
  db: Db
  log: Log
  rules: points.PointRules
}

/** Does what is due to each, in a transaction each; returns to how many. What fails is logged: the others are due all the same. */
async function each<T extends { id: number }>(
  { db, log }: Omit<AppContext, 'rules'>,
  job: string,
  due: readonly T[],
  act: (tx: Tx, one: T) => Promise<boolean>,
): Promise<number> {
  let count = 0
  for (const one of due) {
    try {
      if (await db.transaction((tx) => act(tx, one))) count++
    } catch (error) {
      log('clock.failed', { job, id: one.id, error })
    }
  }
  return count
}

/** Does what is due now. A job that fails is logged, and comes again at the next tick. */
export async function tick(ground: AppContext): Promise<void> {
  for (const [job, act] of Object.entries(jobs)) {
    try {
      const count = await act(ground)
      if (count > 0) ground.log('clock.acted', { job, count })
    } catch (error) {
      ground.log('clock.failed', { job, error })
    }
  }
}

/** Long work that the clock asks for at every tick; it knows itself when it is due. Ends early when it is told. */
export type Work = (signal: AbortSignal) => Promise<void>

/**
 * Runs the clock in this process, beginning now: the jobs in turn, and each long work beside them. Closing waits for
 * what runs.
 */
export function startSchedule(ground: AppContext, works: readonly Work[] = []): { close(): Promise<void> } {
  const end = new AbortController()
  const lines = [() => tick(ground), ...works.map((work) => () => work(end.signal))]
  const running = new Map<() => Promise<void>, Promise<void>>()
  const run = () => {
    for (const line of lines) {
      if (running.has(line)) continue
      const done = line()
        .catch((error: unknown) => ground.log('clock.failed', { error }))
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
