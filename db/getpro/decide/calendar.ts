const dayMs = 86_400_000

/** How far a zone's clocks are ahead of UTC at an instant, in milliseconds. */
function aheadMs(timeZone: string, at: number): number {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  })
  const part = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]))
  const wall = Date.UTC(part.year!, part.month! - 1, part.day!, part.hour!, part.minute!, part.second!)
  return wall - Math.floor(at / 1_000) * 1_000
}

/** The instant at which a zone's clocks show this; twice asked, for the clocks may change in between. */
function instantOf(wall: number, timeZone: string): Date {
  const guess = wall - aheadMs(timeZone, wall)
  return new Date(wall - aheadMs(timeZone, guess))
}

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
  return instantOf(first + (day - 1) * dayMs + (wall.getTime() % dayMs), timeZone)
}

/** So many days later, at the same time by the clocks of a zone. */
export const addDays = (at: Date, days: number, timeZone: string): Date =>
  instantOf(at.getTime() + aheadMs(timeZone, at.getTime()) + days * dayMs, timeZone)
