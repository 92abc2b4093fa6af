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
