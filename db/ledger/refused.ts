import { refusals } from '../platform/refused.ts'

/** What the books refuse; `about.available` says how much there is, in minor units. */
export type LedgerCode = 'insufficient_funds'

export const Refused = refusals<LedgerCode, never>()
