import * as ending from '../../db/getpro/ending.ts'
import type { Payment } from '../../db/getpro/payments.ts'
import { Refused } from '../../db/getpro/refused.ts'
import * as attempts from '../../db/getpro/renewal-attempts.ts'
import type { Log } from '../../db/platform/log.ts'
import type { Db, Tx } from '../../db/postgres/connect.ts'

const BATCH = 100
const CHARGES_AT_ONCE = 4

export interface RenewerOptions {
  db: Db
  log: Log
  /**
   * Charges a saved method for one more term; said again by the same key it is charged once.
   * @throws Refused nothing can be charged
   */
  charge(asked: Pick<attempts.Charge, 'subscriptionId' | 'key'>): Promise<Payment>
  timeZone: string
  renewalHours: readonly number[]
  endingHours: number
}

/**
 * What the clock asks for again and again: renews what is due, goes on with charges of which nobody knows what they came to, and
 * tells whose access ends. Any number of processes may; each attempt is made once.
 */
export function renewer(options: RenewerOptions): (signal: AbortSignal) => Promise<void> {
  const { db, log, charge, timeZone, renewalHours, endingHours } = options
  const rules = { timeZone, stepHours: renewalHours }

  /** Nothing that is charged is done within a transaction; what became of it is asked for by the same key. */
  async function settle({ renewalId, ...asked }: attempts.Charge): Promise<void> {
    const came = await charge(asked).catch((error: unknown) => {
      if (!(error instanceof Refused)) throw error
      return { refused: error.about.reason ?? error.code }
    })
    await db.transaction((tx) => attempts.end(tx, renewalId, came, rules))
    log('renewal.charged', { renewalId, ...('refused' in came ? came : { paymentId: came.id, status: came.status }) })
  }

  async function each<T>(list: readonly T[], signal: AbortSignal, act: (one: T) => Promise<void>): Promise<void> {
    const left = list.values()
    const work = async () => {
      for (const one of left) {
        if (signal.aborted) return
        await act(one).catch((error: unknown) => log('renewal.failed', { about: one, error }))
      }
    }
    await Promise.all(Array.from({ length: CHARGES_AT_ONCE }, work))
  }

  const renew = (signal: AbortSignal) => async (): Promise<number> => {
    const due = await attempts.due(db.sql, rules, BATCH)
    let count = 0
    await each(due, signal, async ({ id }) => {
      const is = await db.transaction((tx) => attempts.attempt(tx, id, rules))
      if (is === 'nothing') return
      count++
      log('renewal.attempted', { subscriptionId: id, is })
    })
    return count
  }
  const tell = (act: (tx: Tx) => Promise<number>) => () => db.transaction(act)

  return async (signal) => {
    // Whoever is asked comes last: one who hangs keeps nobody waiting who pays from the balance, or is to be told.
    for (const round of [
      renew(signal),
      tell((tx) => ending.tellEnding(tx, endingHours)),
      tell((tx) => ending.tellExpired(tx)),
    ])
      while (!signal.aborted && (await round()) >= BATCH);
    await each(await attempts.pending(db.sql, BATCH), signal, settle)
  }
}
