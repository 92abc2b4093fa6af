import type { Log } from '../../db/platform/log.ts'
import type { Db } from '../../db/postgres/connect.ts'
import * as billing from '../../db/telecom/billing.ts'
import type { Work } from '../schedule.ts'

interface BillerOptions {
  db: Db
  log: Log
  /** Whose days periods begin on. */
  zone: string
}

/**
 * What the clock asks for again and again: charges each contract the periods that have begun. Any number of processes may run
 * it: one of them charges, the others leave it to that one.
 */
export const biller =
  ({ db, log, zone }: BillerOptions): Work =>
  async (signal) => {
    const failed = (error: unknown, runId: number) => log('billing.failed', { runId, error })
    const run = await billing.runByClock(db, zone, { signal, failed })
    if (!run?.endedAt) return
    const { id: runId, untilDay, contracts, charges, amountMinor, suspended, failures } = run
    log('billing.ended', { runId, untilDay, contracts, charges, amountMinor, suspended, failures })
  }
