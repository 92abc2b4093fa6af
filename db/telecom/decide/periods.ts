const dayMs = 86_400_000
const dayLength = '2026-01-31'.length

/** A day of the calendar, `2026-01-31`, as a count of days; days have no zone here. */
const toCount = (day: string) => Date.parse(`${day}T00:00:00Z`) / dayMs
const fromCount = (count: number) => new Date(count * dayMs).toISOString().slice(0, dayLength)

/** So many days later. */
export const plusDays = (day: string, days: number): string => fromCount(toCount(day) + days)

/** How many days there are from one day to before another. */
export const daysBetween = (from: string, before: string): number => toCount(before) - toCount(from)

/**
 * The first day of period n of a contract: so many months after its first day, the month's last where it has no such day.
 * Counted from the first day, never from the period before: 31 January, 28 February, **31** March.
 */
export function periodStart(anchor: string, n: number): string {
  const [year, month, day] = anchor.split('-').map(Number)
  const lastDay = new Date(Date.UTC(year!, month! + n, 0)).getUTCDate()
  return fromCount(Date.UTC(year!, month! - 1 + n, Math.min(day!, lastDay)) / dayMs)
}

/** The first day of the period after the one that this day is in. */
export function nextStart(anchor: string, day: string): string {
  const monthOf = (of: string) => Number(of.slice(0, 4)) * 12 + Number(of.slice(5, 7))
  const n = monthOf(day) - monthOf(anchor)
  const inThisMonth = periodStart(anchor, n)
  return inThisMonth > day ? inThisMonth : periodStart(anchor, n + 1)
}
