import { aheadMs, atWall } from '../../platform/zones.ts'

const dayMs = 86_400_000

/**
 * So many calendar months later by the clocks of a zone: the same day, or the month's last where it has no such day. Always
 * counted from the first day: 31 January, 28 February, **31** March.
 */
export function addMonths(at: Date, months: number, timeZone: string): Date {
  const wall = new Date(at.getTime() + aheadMs(timeZone, at.getTime()))
  const first = Date.UTC(wall.getUTCFullYear(), wall.getUTCMonth() + months, 1)
  const { year, month } = { year: new Date(first).getUTCFullYear(), month: new Date(first).getUTCMonth() }
  const lastDay = new Date(Date.UTC(year, month + 1, 0)).getUTCDate()
  const day = Math.min(wall.getUTCDate(), lastDay)
  return atWall(first + (day - 1) * dayMs + (wall.getTime() % dayMs), timeZone)
}

/** So many days later, at the same time by the clocks of a zone. */
export const addDays = (at: Date, days: number, timeZone: string): Date =>
  atWall(at.getTime() + aheadMs(timeZone, at.getTime()) + days * dayMs, timeZone)
