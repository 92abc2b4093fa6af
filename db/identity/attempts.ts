import { record } from '../messages/events.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'

// Who guesses at one account waits, from wherever they guess. What is open of the account stays open.

/** Wrong in a row, and the account is locked. */
export const FAILURES_MAX = 5
export const LOCK_MINUTES = 15

/** Until when an account is locked; null: it is not. */
export async function lockedUntil(q: Queryable, userId: number): Promise<Date | null> {
  const [row] = await q<{ until: Date | null }[]>`
    select case when locked_until > now() then locked_until end as until from users where id = ${userId}`
  return row?.until ?? null
}

/**
 * Counts one that was wrong; the last one allowed locks. While it is locked nothing is counted, so that it ends.
 * @returns until when it is locked now, or null
 */
export async function fail(tx: Tx, userId: number): Promise<{ until: Date | null; isNew: boolean }> {
  const [row] = await tx<{ failures: number; until: Date | null }[]>`
    select case when locked_until <= now() then 0 else failed_login_attempts end as failures,
      case when locked_until > now() then locked_until end as until
    from users where id = ${userId} for no key update`
  if (!row || row.until) return { until: row?.until ?? null, isNew: false }
  const failures = row.failures + 1
  const isNew = failures >= FAILURES_MAX
  const [locked] = await tx<{ until: Date | null }[]>`
    update users set failed_login_attempts = ${failures},
      locked_until = case when ${isNew} then now() + make_interval(mins => ${LOCK_MINUTES}) end
    where id = ${userId} returning locked_until as until`
  if (isNew) await record(tx, 'user.locked', { userId })
  return { until: locked!.until, isNew }
}

/**
 * One that was right begins the count anew. Of those that are guessed at once it may come too late.
 * @returns until when the account is locked all the same, or null
 */
export async function pass(tx: Tx, userId: number): Promise<Date | null> {
  const until = await lockedUntil(tx, userId)
  if (until) return until
  const passed = await tx`
    update users set failed_login_attempts = 0, locked_until = null
    where id = ${userId} and (locked_until is null or locked_until <= now())`
  return passed.count > 0 ? null : await lockedUntil(tx, userId)
}
