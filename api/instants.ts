import { z } from '@hono/zod-openapi'
import { atWall } from '../db/platform/zones.ts'

const instantPattern = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.\d{1,9})?)?(Z|[+-]\d\d(?::?\d\d)?)?)?$/
const minuteMs = 60_000
/** No zone is further from UTC than Kiritimati. */
const zoneMinutesMax = 14 * 60
const yearMin = 1900
const yearMax = 2200

/**
 * The instant of an ISO date as a client writes it: without a zone it is of this one. The empty date of 1C,
 * `0001-01-01T00:00:00` (docs/providers.md 7), and an empty text are null; what is no date is undefined.
 */
export function instantOf(text: string, timeZone: string): Date | null | undefined {
  if (text === '' || text.startsWith('0001-01-01')) return null
  const [found, ...parts] = instantPattern.exec(text) ?? []
  if (found === undefined) return undefined
  const [year, month, day, hour, minute, second] = parts.slice(0, 6).map((part) => Number(part ?? 0))
  const local = Date.UTC(year!, month! - 1, day!, hour!, minute!, second!)
  const wall = new Date(local)
  const isReal = wall.getUTCMonth() === month! - 1 && wall.getUTCDate() === day && wall.getUTCHours() === hour
  if (!isReal || minute! > 59 || second! > 59 || year! < yearMin || year! > yearMax) return undefined
  const zone = parts[6]
  if (zone === 'Z') return wall
  if (zone) {
    const past = Number(zone.slice(3).replace(':', '') || 0)
    const minutes = Number(zone.slice(1, 3)) * 60 + past
    if (past > 59 || minutes > zoneMinutesMax) return undefined
    return new Date(local - (zone[0] === '-' ? -minutes : minutes) * minuteMs)
  }
  return atWall(local, timeZone)
}

const dayLength = '2026-01-31'.length
const dayMs = 86_400_000

/** In a query `+` is a blank to whoever reads it by the book; nobody means one before a zone. */
const unblanked = (text: string) => (text.includes('T') ? text.replace(/ (?=\d\d:?\d\d$)/, '+') : text)

/** A bound of a period in a query: a date, or an instant. What it means, `period` says. */
export const Bound = z
  .string()
  .trim()
  .transform(unblanked)
  .refine((text) => instantOf(text, 'UTC') instanceof Date, 'ожидается дата ГГГГ-ММ-ДД или момент времени ISO 8601')
  .openapi({ type: 'string', example: '2023-08-15' })

/**
 * From when, and before when, two bounds mean, both included: a date is the whole day in this zone, an instant without a
 * zone is of it (docs/contracts.md C7).
 */
export function period(from: string | undefined, to: string | undefined, timeZone: string) {
  return {
    from: from === undefined ? null : instantOf(from, timeZone)!,
    before: to === undefined ? null : after(to, timeZone),
  }
}

function after(to: string, timeZone: string): Date {
  if (to.length > dayLength) return new Date(instantOf(to, timeZone)!.getTime() + 1)
  const next = new Date(Date.parse(`${to}T00:00:00Z`) + dayMs).toISOString().slice(0, dayLength)
  return instantOf(next, timeZone)!
}
