/** How far a zone's clocks are ahead of UTC at an instant, in milliseconds. */
export function aheadMs(timeZone: string, at: number): number {
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

/**
 * The instant at which a zone's clocks show this, written as if they were UTC's. Asked twice, for the clocks may change
 * in between.
 */
export function atWall(wall: number, timeZone: string): Date {
  const guess = wall - aheadMs(timeZone, wall)
  return new Date(wall - aheadMs(timeZone, guess))
}
