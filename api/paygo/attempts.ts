import type { Context } from 'hono'
import * as attempts from '../../db/identity/attempts.ts'
import * as password from '../../db/identity/password.ts'
import { wrong } from '../../db/paygo/lockout.ts'
import { passwordHash } from '../../db/paygo/people.ts'
import { Refused } from '../../db/paygo/refused.ts'
import type { Env } from '../context.ts'

const secondMs = 1_000

/** Throws 423 with the seconds to wait, if an account is locked until then. */
export function unlessLocked(c: Context<Env>, until: Date | null): void {
  if (until === null) return
  c.header('Retry-After', String(Math.max(1, Math.ceil((until.getTime() - Date.now()) / secondMs))))
  throw new Refused('account_locked')
}

/** The same, of an account as it stands. */
export const assertOpen = async (c: Context<Env>, userId: number): Promise<void> =>
  unlessLocked(c, await attempts.lockedUntil(c.var.db.sql, userId))

/** Counts a wrong password or template of somebody (null: of nobody we know), and refuses with 423 once it locks, else so. */
export async function refuse(c: Context<Env>, userId: number | null, refusal: Error): Promise<never> {
  if (userId !== null) unlessLocked(c, await c.var.db.transaction((tx) => wrong(tx, userId)))
  throw refusal
}

/**
 * The stored hash that somebody's password is right for.
 * @throws what `refusal` makes, counted; Refused account_locked
 */
export async function prove(c: Context<Env>, userId: number, plain: string, refusal: () => Error): Promise<string> {
  await assertOpen(c, userId)
  const stored = await passwordHash(c.var.db.sql, userId)
  if (!(await password.verify(plain, stored)) || stored === null) return await refuse(c, userId, refusal())
  unlessLocked(c, await c.var.db.transaction((tx) => attempts.pass(tx, userId)))
  return stored
}
