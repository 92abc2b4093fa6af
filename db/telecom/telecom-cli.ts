import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { BadSettings, databaseSettings, readSettings, startOrExit } from '../platform/config.ts'
import { jsonLog } from '../platform/log.ts'
import type { Db } from '../postgres/connect.ts'
import { open } from '../postgres/open.ts'
import type { Hours } from './decide/calendar.ts'
import { rules, type SpecialDay, setCalendar, setHours, setTarget } from './sla-rules.ts'
import { dayKinds, ticketPriorities } from './words.ts'

const usage = `npm run telecom -- calendar KG 2027 FILE|-
npm run telecom -- hours 1-5 09:00-18:00 [6 10:00-14:00]…|none
npm run telecom -- target PRIORITY MINUTES
npm run telecom -- show

What the terms of tickets are counted by. Without hours it is round the clock, and no calendar is asked for.

calendar  the days of a year that differ from their weekday, in place of what was said before. A line each:
            2027-01-01 holiday New Year
            2027-01-02 workday       (a day of the weekend that is worked)
            2027-12-31 day_off
hours     when there is work, by weekdays (1 is Monday), by the clocks of TIME_ZONE
target    how long a ticket of a priority (low, medium, high, critical) may take; 1440 unless told
`

const linesMax = 400
const minutesInHour = 60

const bad = (what: string) => new BadSettings([what])

/** @throws BadSettings a line per mistake */
export function readCalendar(year: number, content: string): SpecialDay[] {
  const lines = content.split(/\r?\n/).filter((line) => line.trim() !== '' && !line.startsWith('#'))
  if (lines.length > linesMax) throw bad(`a year has no ${lines.length} special days`)
  const days = lines.map((line): SpecialDay | string => {
    const [, day, kind, name] = /^(\d{4}-\d\d-\d\d)\s+(\w+)(?:\s+(.*\S))?\s*$/.exec(line) ?? []
    const known = dayKinds.find((one) => one === kind)
    if (!known || !z.iso.date().safeParse(day).success || !day!.startsWith(`${year}-`))
      return `not a day of ${year} and one of ${dayKinds.join(', ')}: ${line}`
    return { day: day!, kind: known, name: name ?? null }
  })
  const mistakes = days.filter((one) => typeof one === 'string')
  const read = days.filter((one) => typeof one !== 'string')
  const twice = read.filter(({ day }, at) => read.findIndex((one) => one.day === day) !== at)
  mistakes.push(...twice.map(({ day }) => `said twice: ${day}`))
  if (mistakes.length > 0) throw new BadSettings(mistakes)
  return read
}

const minuteOf = (clock: string) => Number(clock.slice(0, 2)) * minutesInHour + Number(clock.slice(3))

/** Pairs of weekdays and a span: `1-5 09:00-18:00`. @throws BadSettings */
export function readHours(words: readonly string[]): Hours[] {
  if (words.join() === 'none') return []
  const pairs = Array.from({ length: Math.ceil(words.length / 2) }, (_, n) => words.slice(2 * n, 2 * n + 2).join(' '))
  const hours = pairs.flatMap((pair) => {
    const [, first, last, from, to] =
      /^([1-7])(?:-([1-7]))? ((?:[01]\d|2[0-3]):[0-5]\d)-((?:[01]\d|2[0-3]):[0-5]\d|24:00)$/.exec(pair) ?? []
    if (!first || minuteOf(from!) >= minuteOf(to!) || Number(last ?? first) < Number(first))
      throw bad(`hours must look like 1-5 09:00-18:00, not ${pair}`)
    const count = Number(last ?? first) - Number(first) + 1
    return Array.from({ length: count }, (_, n) => ({
      ...{ weekday: Number(first) + n, fromMinute: minuteOf(from!), toMinute: minuteOf(to!) },
    }))
  })
  const overlaps = hours.some((one, at) =>
    hours.some(
      (other, n) =>
        n < at && one.weekday === other.weekday && one.fromMinute < other.toMinute && other.fromMinute < one.toMinute,
    ),
  )
  if (hours.length === 0 || overlaps) throw bad('hours are missing, or overlap')
  return hours
}

/** Does what the words say. @returns what to print @throws BadSettings */
export async function command(db: Db, words: readonly string[], read: (file: string) => Promise<string>) {
  const [verb, ...rest] = words
  if (verb === 'calendar' && rest.length === 3 && /^[A-Z]{2}$/.test(rest[0]!) && /^(19|20|21)\d\d$/.test(rest[1]!)) {
    const [country, year] = [rest[0]!, Number(rest[1])]
    const days = readCalendar(year, await read(rest[2]!))
    await db.transaction((tx) => setCalendar(tx, country, year, days))
  } else if (verb === 'hours' && rest.length > 0) {
    const hours = readHours(rest)
    await db.transaction((tx) => setHours(tx, hours))
  } else if (verb === 'target' && rest.length === 2) {
    const priority = ticketPriorities.find((one) => one === rest[0])
    if (!priority || !/^[1-9]\d{0,5}$/.test(rest[1]!)) throw bad(`target PRIORITY MINUTES, not ${rest.join(' ')}`)
    await db.transaction(async (tx) => void (await setTarget(tx, priority, Number(rest[1]))))
  } else if (words.join() !== 'show') throw bad(usage)
  return await rules(db)
}

/** `npm run telecom`. */
async function main() {
  const { positionals, values } = parseArgs({ options: { help: { type: 'boolean' } }, allowPositionals: true })
  if (values.help || positionals.length === 0) {
    ;(values.help ? process.stdout : process.stderr).write(usage)
    process.exitCode = values.help ? 0 : 2
    return
  }
  const { DATABASE_URL: databaseUrl, DATA_DIR: dataDir } = await readSettings(z.object(databaseSettings))
  const { db, stop } = await open({ databaseUrl, dataDir, log: jsonLog({ level: 'error' }) })
  const read = (file: string) => (file === '-' ? text(process.stdin) : readFile(file, 'utf8'))
  try {
    process.stdout.write(`${JSON.stringify(await command(db, positionals, read))}\n`)
  } finally {
    await stop()
  }
}

if (import.meta.main) await startOrExit(main)
