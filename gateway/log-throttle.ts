import type { Log } from '../db/platform/log.ts'

/** A log that writes so many lines between two ticks, and then only counts. */
export interface LogThrottle {
  log: Log
  /** Begins anew; says how many lines were left out. */
  tick(): void
}

/** For events unauthorised devices can cause as often as they like: they must not be able to fill the disk. */
export function logThrottle(log: Log, linesMax: number): LogThrottle {
  let lines = 0
  return {
    log(event, about) {
      lines += 1
      if (lines <= linesMax) log(event, about)
    },
    tick() {
      if (lines > linesMax) log('lines.omitted', { lines: lines - linesMax })
      lines = 0
    },
  }
}
