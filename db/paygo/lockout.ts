import * as attempts from '../identity/attempts.ts'
import type { Tx } from '../postgres/connect.ts'
import { tell } from './notices.ts'

/** Counts a wrong password or template; whoever is locked by it is told so. @returns until when it is locked, or null */
export async function wrong(tx: Tx, userId: number): Promise<Date | null> {
  const { until, isNew } = await attempts.fail(tx, userId)
  if (isNew) await tell(tx, userId, 'account.locked', { minutes: attempts.LOCK_MINUTES }, 'securityAlerts')
  return until
}
