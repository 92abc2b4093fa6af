import type { Log } from '../../db/platform/log.ts'

/** A line of the log. */
export interface Line {
  event: string
  about: Record<string, any>
}

/** A log that can be waited for. */
export function journal() {
  const lines: Line[] = []
  const waiting = new Set<() => void>()
  const log: Log = (event, about = {}) => {
    lines.push({ event, about })
    for (const look of waiting) look()
  }
  const said = (event: string) => lines.filter((line) => line.event === event)
  /** Resolves once there are so many lines of an event, with the last of them; those before the call count. */
  const until = (event: string, count = 1): Promise<Line> =>
    new Promise((done) => {
      const look = () => {
        const line = said(event)[count - 1]
        if (!line) return
        waiting.delete(look)
        done(line)
      }
      waiting.add(look)
      look()
    })
  return { log, lines, said, until }
}
