import { z } from 'zod'
import { isNumeral } from './provider.ts'

const numeralPattern = /^(-?)(\d{1,20})(?:\.(\d{1,20}))?(?:[eE]([+-]?\d{1,2}))?$/
const minorDigits = 2
/** Ten thousand million roubles or points: nobody's visit. */
const minorMax = 1_000_000_000_000n

/** Hundredths of a decimal number as it was written, exactly; null when it is none or has more than two decimals. */
export function minorOf(text: string): number | null {
  const [, sign, whole = '', fraction = '', exponent = '0'] = numeralPattern.exec(text) ?? []
  if (sign === undefined) return null
  const scale = minorDigits - fraction.length + Number(exponent)
  const digits = BigInt(whole + fraction)
  const divisor = scale < 0 ? 10n ** BigInt(-scale) : 1n
  if (digits % divisor !== 0n) return null
  const minor = scale < 0 ? digits / divisor : digits * 10n ** BigInt(scale)
  return minor > minorMax ? null : Number(sign ? -minor : minor)
}

/** Half a surrogate pair is no text that could be stored as it was said. */
const isNoText = /[\p{Cc}\p{Cs}]/u

const refused = (context: z.core.$RefinementCtx, type: string, message: string): never => {
  context.addIssue({ code: 'custom', params: { type }, message })
  return z.NEVER
}

/** A name or number of the other side's: a text, or a number that is meant as one. */
export const reference = (charactersMax: number) =>
  z.unknown().transform((value, context): string => {
    if (value == null) return refused(context, 'missing', 'Обязательное поле')
    if (typeof value !== 'string' && !isNumeral(value)) return refused(context, 'string_type', 'ожидается строка')
    const text = (typeof value === 'string' ? value : value.numeral).trim()
    if (text.length > charactersMax) return refused(context, 'string_too_long', `не длиннее ${charactersMax} символов`)
    return text === '' || isNoText.test(text) ? refused(context, 'value_error', 'недопустимое значение') : text
  })

/** A text that may be missing, null or empty: then null. Control characters become blanks. */
export const words = (charactersMax: number) =>
  z
    .string('ожидается строка')
    .max(charactersMax, 'слишком длинное значение')
    .nullish()
    .transform((text) => text?.replaceAll(/\p{Cc}+/gu, ' ').trim() || null)

/** An amount of money or points, at least 0, in hundredths; missing or null: 0. */
export const amount = z
  .unknown()
  .optional()
  .transform((value, context): number => {
    if (value == null) return 0
    if (typeof value !== 'string' && !isNumeral(value)) return refused(context, 'float_type', 'ожидается число')
    const minor = minorOf(typeof value === 'string' ? value.trim() : value.numeral)
    if (minor !== null && minor >= 0) return minor
    return refused(context, 'value_error', 'ожидается число не меньше 0, не более двух знаков после запятой')
  })

const instantPattern = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.\d{1,9})?)?(Z|[+-]\d\d(?::?\d\d)?)?)?$/
const minuteMs = 60_000
/** No zone is further from UTC than Kiritimati. */
const zoneMinutesMax = 14 * 60
const yearMin = 1900
const yearMax = 2200

/** How far a zone's clocks are ahead of UTC at an instant, in milliseconds. */
function offsetMs(timeZone: string, at: number): number {
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
  return Date.UTC(part.year!, part.month! - 1, part.day!, part.hour!, part.minute!, part.second!) - at
}

/**
 * The instant of an ISO date as 1C writes it: without a zone it is the clinic's (docs/providers.md 7). Its empty date,
 * `0001-01-01T00:00:00`, and an empty text are null; what is no date is undefined.
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
  // The zone's offset at the instant we look for: guessed, and corrected where the clocks changed in between.
  const guess = local - offsetMs(timeZone, local)
  return new Date(local - offsetMs(timeZone, guess))
}
