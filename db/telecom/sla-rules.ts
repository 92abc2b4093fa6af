import type { Db, Tx } from '../postgres/connect.ts'
import type { Hours } from './decide/calendar.ts'
import type { DayKind, TicketPriority } from './words.ts'

/** A day that differs from what its weekday is. */
export interface SpecialDay {
  day: string
  kind: DayKind
  name: string | null
}

/** Says which days of a year are free in a country, in place of what was said before. */
export async function setCalendar(tx: Tx, country: string, year: number, days: readonly SpecialDay[]): Promise<void> {
  await tx`
    insert into work_calendars (country, year) values (${country}, ${year})
    on conflict (country, year) do update set updated_at = now()`
  await tx`delete from work_calendar_days where country = ${country} and extract(year from day) = ${year}`
  await tx`
    insert into work_calendar_days (country, day, kind, name)
    select ${country}, day, kind, name from jsonb_to_recordset(${tx.json([...days])}) as d (day date, kind text, name text)`
}

/** Says when the operator works, in place of what was said before; without any: round the clock. */
export async function setHours(tx: Tx, hours: readonly Hours[]): Promise<void> {
  await tx`delete from sla_hours`
  await tx`
    insert into sla_hours (weekday, from_minute, to_minute)
    select weekday, "fromMinute", "toMinute"
    from jsonb_to_recordset(${tx.json([...hours])}) as h (weekday int, "fromMinute" int, "toMinute" int)`
}

/** Says how long a ticket of a priority may take. */
export const setTarget = (tx: Tx, priority: TicketPriority, minutes: number) => tx`
  insert into sla_targets (priority, minutes) values (${priority}, ${minutes})
  on conflict (priority) do update set minutes = excluded.minutes`

/** What was said of all that. */
export async function rules({ sql }: Db) {
  const [said] = await sql<
    { calendars: string[] | null; hours: Hours[] | null; targets: Record<string, number> | null }[]
  >`
    select (select jsonb_agg(country || ' ' || year order by country, year) from work_calendars) as calendars,
      (select jsonb_agg(jsonb_build_object('weekday', weekday, 'fromMinute', from_minute, 'toMinute', to_minute)
        order by weekday, from_minute) from sla_hours) as hours,
      (select jsonb_object_agg(priority, minutes) from sla_targets) as targets`
  return { calendars: said!.calendars ?? [], hours: said!.hours ?? [], targets: said!.targets ?? {} }
}
