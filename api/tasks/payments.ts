import * as openPayments from '../../db/getpro/open-payments.ts'
import * as acts from '../../db/getpro/payment-acts.ts'
import { type PaymentProvider, paymentProviders } from '../../db/getpro/words.ts'
import { ask, type Desk } from '../providers/desk.ts'
import { act } from '../providers/desk-acts.ts'
import { startRounds } from './rounds.ts'

/** Taken at once by one process; the next look takes the next. */
const ROUND_ROWS = 20
/** Of one provider: while one is asked for, others are. */
const QUESTIONS_AT_ONCE = 4

/** Asks for these, so many at once, until it is told to end; those that are left are somebody's when the lease is over. */
async function askAll<T>(
  all: readonly T[],
  isClosed: () => boolean,
  one: (row: T) => Promise<unknown>,
  failed: (error: unknown) => void,
): Promise<number> {
  const rows = all.values()
  let asked = 0
  const work = async () => {
    for (const row of rows) {
      if (isClosed()) return
      // One that fails is asked for again when its lease is over; the others are due all the same.
      await one(row).catch(failed)
      asked++
    }
  }
  await Promise.all(Array.from({ length: QUESTIONS_AT_ONCE }, work))
  return asked
}

/**
 * Settles what notices lost: asks each provider for its open payments, and tells again what it was asked to do and has not
 * answered. Any number of processes may: a row is one asker's at a time, and what is heard twice counts once. Each provider has
 * rounds of its own: one that hangs delays no other.
 */
export async function startPayments(desk: Desk): Promise<{ close(): Promise<void> }> {
  const { db, log, leaseSeconds } = desk
  const at = { limit: ROUND_ROWS, leaseSeconds }
  async function round(provider: PaymentProvider, isClosed: () => boolean) {
    const failed = (error: unknown) => log('payments.failed', { provider, error })
    const due = await openPayments.claim(db.sql, provider, at)
    const asked = await askAll(due, isClosed, (asking) => ask(desk, asking), failed)
    const dueActs = await acts.claim(db.sql, provider, at)
    const told = await askAll(dueActs, isClosed, (acting) => act(desk, acting), failed)
    if (asked + told > 0) log('payments.polled', { provider, payments: asked, acts: told })
  }
  const known = paymentProviders.filter((provider) => desk.gateways[provider])
  const rounds = await Promise.all(
    known.map((provider) =>
      startRounds({
        db,
        round: (isClosed) => round(provider, isClosed),
        failed: (error) => log('payments.failed', { provider, error }),
      }),
    ),
  )
  return { close: async () => void (await Promise.all(rounds.map((one) => one.close()))) }
}
