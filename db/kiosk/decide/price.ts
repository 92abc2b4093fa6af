/** What a rental costs, in kopecks. */
export interface Tariff {
  freeMinutes: number
  periodMinutes: number
  periodMinor: number
  /** The most that a day of 24 hours costs. */
  dayMinor: number
  /** The most that is ever taken. */
  depositMinor: number
  lostMinor: number
}

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS

/**
 * What a rental of so long costs: behind the free minutes each period that has begun, a day at most its cap, all of it at most
 * the deposit. Days are 24 hours of the rental, which no clock and no zone can move.
 */
export function priceOf(tariff: Tariff, durationMs: number): number {
  const { freeMinutes, periodMinutes, periodMinor, dayMinor, depositMinor } = tariff
  const paidMs = Math.max(0, durationMs - freeMinutes * MINUTE_MS)
  const dayOf = (ms: number) => Math.min(dayMinor, Math.ceil(ms / (periodMinutes * MINUTE_MS)) * periodMinor)
  const days = Math.floor(paidMs / DAY_MS)
  return Math.min(depositMinor, days * dayOf(DAY_MS) + dayOf(paidMs % DAY_MS))
}
