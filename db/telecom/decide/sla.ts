import { type MissingYear, type Schedule, workFrom } from './calendar.ts'

const minuteMs = 60_000

/** When the operator works; null: always. */
export type Work = Schedule | null

/** When a term ends, or why nobody can say. */
export type Term = { dueAt: Date } | MissingYear

/** When so many milliseconds of work from an instant on are over. */
function after(work: Work, from: Date, ms: number): Term {
  if (work === null) return { dueAt: new Date(from.getTime() + ms) }
  let left = ms
  for (const span of workFrom(work, from)) {
    if ('missing' in span) return span
    const length = span.to.getTime() - span.from.getTime()
    if (length >= left) return { dueAt: new Date(span.from.getTime() + left) }
    left -= length
  }
  throw new RangeError('work never ends')
}

/** When a term of so many minutes of work that begins at an instant ends. */
export const dueAt = (work: Work, from: Date, minutes: number): Term => after(work, from, minutes * minuteMs)

/** How many milliseconds of work there are between two instants; none where the second is not later. */
export function workBetween(work: Work, from: Date, to: Date): number | MissingYear {
  if (to <= from) return 0
  if (work === null) return to.getTime() - from.getTime()
  let sum = 0
  for (const span of workFrom(work, from)) {
    if ('missing' in span) return span
    if (span.from >= to) break
    sum += Math.min(span.to.getTime(), to.getTime()) - span.from.getTime()
  }
  return sum
}

/**
 * When the term of a ticket ends whose clock stood still since `pausedAt` and goes on now: it has the work that was left of it
 * then. One that was over then stays so.
 */
export function resume(work: Work, { dueAt: before, pausedAt }: { dueAt: Date; pausedAt: Date }, now: Date): Term {
  if (before <= pausedAt) return { dueAt: before }
  const left = workBetween(work, pausedAt, before)
  return typeof left === 'number' ? after(work, now, left) : left
}
