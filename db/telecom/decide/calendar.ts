import { aheadMs, atWall } from '../../platform/zones.ts'
import type { DayKind } from '../words.ts'
import { plusDays } from './periods.ts'

/** When there is work on a weekday (ISO: 1 is Monday): minutes of the day by the clocks of the schedule's zone. */
export interface Hours {
  weekday: number
  fromMinute: number
  toMinute: number
}

/** When the operator works: by weekdays, and by the days of the years of which somebody has said which are free. */
export interface Schedule {
  timeZone: string
  /** ISO 3166, for what is told. */
  country: string
  hours: readonly Hours[]
  years: ReadonlySet<number>
  days: ReadonlyMap<string, DayKind>
}

/** A year of which nobody has said which days are free. */
export interface MissingYear {
  missing: { country: string; year: number }
}

/** Some time of work. */
export interface Span {
  from: Date
  to: Date
}

const minuteMs = 60_000
const dayLength = '2026-01-31'.length

/** Which day it is in a zone. */
export const dayAt = (at: Date, timeZone: string): string =>
  new Date(at.getTime() + aheadMs(timeZone, at.getTime())).toISOString().slice(0, dayLength)

/** ISO: 1 is Monday. */
const weekdayOf = (day: string) => new Date(`${day}T00:00:00Z`).getUTCDay() || 7

/** The hours of a day: none of a free one; of a weekend that is worked, those of the week's first working day. */
function hoursOf({ hours, days }: Schedule, day: string): Hours[] {
  const kind = days.get(day)
  if (kind === 'holiday' || kind === 'day_off') return []
  const own = hours.filter(({ weekday }) => weekday === weekdayOf(day))
  if (own.length > 0 || kind !== 'workday') return own
  const first = Math.min(...hours.map(({ weekday }) => weekday))
  return hours.filter(({ weekday }) => weekday === first)
}

/** When there is work on a day, in order; where clocks change that day they are those of the zone. */
export function workOf(schedule: Schedule, day: string): Span[] | MissingYear {
  const year = Number(day.slice(0, 4))
  if (!schedule.years.has(year)) return { missing: { country: schedule.country, year } }
  const midnight = Date.parse(`${day}T00:00:00Z`)
  const at = (minute: number) => atWall(midnight + minute * minuteMs, schedule.timeZone)
  return hoursOf(schedule, day)
    .toSorted((one, other) => one.fromMinute - other.fromMinute)
    .map(({ fromMinute, toMinute }) => ({ from: at(fromMinute), to: at(toMinute) }))
}

/** All work from an instant on, day by day, until the caller has enough or a year is missing. */
export function* workFrom(schedule: Schedule, from: Date): Generator<Span | MissingYear> {
  for (let day = dayAt(from, schedule.timeZone); ; day = plusDays(day, 1)) {
    const work = workOf(schedule, day)
    if ('missing' in work) return yield work
    for (const span of work) if (span.to > from) yield { from: span.from > from ? span.from : from, to: span.to }
  }
}
