import type { Queryable } from '../postgres/connect.ts'
import type { Hours, Schedule } from './decide/calendar.ts'
import { dueAt, resume, type Term, type Work } from './decide/sla.ts'
import { Refused } from './refused.ts'
import type { DayKind, TicketPriority } from './words.ts'

/** Where the operator works: whose days and clocks, and whose holidays. */
export interface Place {
  timeZone: string
  /** ISO 3166. */
  country: string
}

/** A ticket's term where nothing else is said: a day. */
const standardMinutes = 1_440

/** When the operator works; null: round the clock, for nobody has said any hours. */
async function workOf(q: Queryable, { timeZone, country }: Place): Promise<Work> {
  const [said] = await q<{ hours: Hours[] | null; years: number[] | null; days: Record<string, DayKind> | null }[]>`
    select
      (select jsonb_agg(jsonb_build_object('weekday', weekday, 'fromMinute', from_minute, 'toMinute', to_minute)) from sla_hours)
        as hours,
      (select jsonb_agg(year) from work_calendars where country = ${country}) as years,
      (select jsonb_object_agg(day, kind) from work_calendar_days where country = ${country}) as days`
  const { hours, years, days } = said!
  if (hours === null) return null
  const schedule: Schedule = {
    ...{ timeZone, country, hours },
    years: new Set(years),
    days: new Map(Object.entries(days ?? {})),
  }
  return schedule
}

/** @throws Refused conflict (calendar_missing) {country, year} */
function sure(term: Term): Date {
  if ('missing' in term) throw new Refused('conflict', 'no calendar', { reason: 'calendar_missing', ...term.missing })
  return term.dueAt
}

/** When a ticket of a priority that is made at an instant is overdue. @throws Refused conflict (calendar_missing) */
export async function dueOf(q: Queryable, place: Place, from: Date, priority: TicketPriority): Promise<Date> {
  const [target] = await q<{ minutes: number }[]>`select minutes from sla_targets where priority = ${priority}`
  return sure(dueAt(await workOf(q, place), from, target?.minutes ?? standardMinutes))
}

/**
 * When a ticket whose clock goes on now is overdue: what was left of its term is left of it still.
 * @throws Refused conflict (calendar_missing)
 */
export async function resumedOf(
  q: Queryable,
  place: Place,
  { dueAt: due, pausedAt }: { dueAt: Date | null; pausedAt: Date | null },
): Promise<Date | null> {
  if (due === null || pausedAt === null) return due
  const [at] = await q<{ now: Date }[]>`select now() as now`
  return sure(resume(await workOf(q, place), { dueAt: due, pausedAt }, at!.now))
}
