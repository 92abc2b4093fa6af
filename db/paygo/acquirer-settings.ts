import { whole } from '../platform/config.ts'
import type { Db } from '../postgres/connect.ts'
import type { Acquirer } from './acquirer.ts'
import { answered } from './settle.ts'
import { simulatedAcquirer } from './simulated-acquirer.ts'

/** What every process may be told that asks the acquirer. Shorter than the lease of an act (`LEASE_SECONDS`). */
export const acquirerSettings = {
  ACQUIRER_SECONDS: whole(1, 40)
    .default(30)
    .describe('how long the acquirer may take to answer; then a terminal hears 68 and the purchase is reversed'),
  ACQUIRER_LATE_SECONDS: whole(1, 300)
    .default(35)
    .describe('when the simulated acquirer answers amounts that end in 69'),
}

export interface AcquirerSettings {
  ACQUIRER_SECONDS: number
  ACQUIRER_LATE_SECONDS: number
}

/** The acquirer of this house. `failed` hears of what it said unasked and could not be written. */
export function acquirerOf(
  db: Db,
  { ACQUIRER_SECONDS, ACQUIRER_LATE_SECONDS }: AcquirerSettings,
  failed: (error: unknown) => void,
): Acquirer {
  const acquirer = simulatedAcquirer(db, {
    limitMs: ACQUIRER_SECONDS * 1_000,
    lateMs: ACQUIRER_LATE_SECONDS * 1_000,
    unasked: (number, reply) => void answered(db, acquirer, number, reply).catch(failed),
  })
  return acquirer
}
