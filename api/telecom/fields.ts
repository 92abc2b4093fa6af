import { z } from '@hono/zod-openapi'
import { parsePhoneNumberFromString } from 'libphonenumber-js/min'
import { iccidOf } from '../../protocol/iccid.ts'
import { toMinor, toUnitsText } from '../money.ts'
import { Email, FullName } from '../user-fields.ts'

// What an operator's numbers are, and how they are spelt.

const textCharactersMax = 2_000
const yearMin = 1900
const yearMax = 2200
/** A hundred million in one go. */
const minorMax = 10_000_000_000

/** Spaces, brackets, dashes and what is not seen of a text that was copied from somewhere. */
const bare = (text: string) => text.normalize('NFKC').replace(/[\p{Cf}\p{Zs}\s().\-\u2010-\u2015\u2212]/gu, '')

/**
 * A phone in E.164, however it is written; without a country's code it is of `country`. A number of Kyrgyzstan or Russia
 * is judged by its length: operators get ranges before any list knows of them (docs/decisions.md). Null: it is none.
 */
export function phoneOf(text: string, country: 'KG' | 'RU' = 'KG'): string | null {
  const digits = bare(text)
  if (!/^\+?\d{6,16}$/.test(digits)) return null
  const number = parsePhoneNumberFromString(digits, country)
  if (!number) return null
  if (number.number.startsWith('+996')) return /^\+996\d{9}$/.test(number.number) ? number.number : null
  if (number.number.startsWith('+7')) return /^\+7\d{10}$/.test(number.number) ? number.number : null
  return number.isValid() ? number.number : null
}

const said =
  <T>(read: (text: string) => T | null, words: string) =>
  (text: string, about: z.RefinementCtx) => {
    const value = read(text)
    if (value !== null) return value
    about.addIssue({ code: 'custom', message: words })
    return z.NEVER
  }

const numberCharactersMax = 64

/** A phone number, kept in E.164. */
export const Phone = z
  .string()
  .max(numberCharactersMax)
  .transform(said((text) => phoneOf(text), 'Введите телефон в формате +996XXXXXXXXX.'))
  .openapi({ type: 'string', example: '+996550123456' })

/** The sum by which the last digit of a card's number is checked (ISO/IEC 7812). */
export function isLuhn(digits: string): boolean {
  const sum = [...digits].toReversed().reduce((all, digit, at) => {
    const value = Number(digit) * (at % 2 === 0 ? 1 : 2)
    return all + (value > 9 ? value - 9 : value)
  }, 0)
  return sum % 10 === 0
}

/**
 * An ICCID of 19 or 20 digits in the one spelling that cabinets' have, too; null: it is none. Strictly it begins with 89, as
 * telecom's cards do (ITU-T E.118), and its last digit fits the others; the document's own example does not.
 */
export function iccidNumber(text: string, { isStrict }: { isStrict: boolean }): string | null {
  const number = iccidOf(bare(text))
  if (number === null || !/^\d{19,20}$/.test(number)) return null
  return isStrict && !(number.startsWith('89') && isLuhn(number)) ? null : number
}

/** An ICCID, kept in its one spelling. */
export const iccid = (how: { isStrict: boolean }) =>
  z
    .string()
    .max(numberCharactersMax)
    .transform(
      said(
        (text) => iccidNumber(text, how),
        how.isStrict
          ? 'Введите ICCID: 19 или 20 цифр, первые 89, с верной контрольной суммой.'
          : 'Введите ICCID: 19 или 20 цифр.',
      ),
    )
    .openapi({ type: 'string', example: '8999601234567890123' })

const digits = (count: number, words: string) =>
  z
    .string()
    .trim()
    .regex(new RegExp(`^\\d{${count}}$`), words)

/** Which subscriber a card is: 15 digits. */
export const Imsi = digits(15, 'IMSI состоит из 15 цифр.').openapi({ example: '437011234567890' })
/** What opens a card: 8 digits. */
export const Puk = digits(8, 'PUK состоит из 8 цифр.').openapi({ example: '12345678' })

const money = (words: string, isFine: (minor: number) => boolean) =>
  z
    .union([z.number(), z.string().max(numberCharactersMax)], 'Требуется численное значение.')
    .transform((value, about) => {
      const minor = toMinor(String(value).trim())
      if (minor !== null && isFine(minor) && Math.abs(minor) <= minorMax) return minor
      about.addIssue({ code: 'custom', message: words })
      return z.NEVER
    })

/** An amount above 0, given as minor units. */
export const Amount = money(
  'Введите сумму больше 0, не более двух знаков после запятой.',
  (minor) => minor > 0,
).openapi({ example: '1000.00' })
/** One of a payment: below 0 for a correction only. */
export const SignedAmount = money(
  'Введите сумму, не равную 0, не более двух знаков после запятой.',
  (minor) => minor !== 0,
).openapi({ example: '1000.00' })
/** A price, which may be 0. */
export const Price = money('Введите сумму не меньше 0, не более двух знаков после запятой.', (minor) => minor >= 0)
/** A number of gigabytes with at most two decimals, given as it is kept. */
export const Gigabytes = money('Введите число не меньше 0, не более двух знаков после запятой.', (minor) => minor >= 0)
  .transform(toUnitsText)
  .openapi({ example: '50.00' })

/** The schema of an amount that leaves: `1500.00`. */
export const Decimal = z.string().openapi({ pattern: '^-?\\d+\\.\\d\\d$', example: '1500.00' })
/** Its value. */
export const decimal = toUnitsText
export const decimalOrNull = (minor: number | null) => (minor === null ? null : toUnitsText(minor))

/** A name of a person. */
export const Name = FullName.min(2, 'Убедитесь, что это значение содержит не менее 2 символов.').max(100)

/** A text that may be left out; an empty one is none. */
export const textOrNull = (charactersMax = textCharactersMax) =>
  z
    .string()
    .trim()
    .max(charactersMax)
    .transform((text) => text || null)
    .nullish()
    .openapi({ type: ['string', 'null'] })

/** A text that may be empty. */
export const Text = z.string().trim().max(textCharactersMax)

/** Where letters go, in small letters; an empty one is none. */
export const EmailOrNull = z
  .string()
  .max(254)
  .transform((text, about) => {
    if (text.trim() === '') return null
    const { data, success } = Email.safeParse(text)
    if (success) return data.toLowerCase()
    about.addIssue({ code: 'custom', message: 'Введите правильный адрес электронной почты.' })
    return z.NEVER
  })
  .nullish()
  .openapi({ type: ['string', 'null'], format: 'email', example: 'ivan@example.com' })

/** A day that there is. */
export const Day = z.iso
  .date('Неправильный формат date. Используйте один из этих форматов: YYYY-MM-DD.')
  .refine((day) => Number(day.slice(0, 4)) >= yearMin && Number(day.slice(0, 4)) < yearMax, 'Недопустимая дата.')
  .openapi({ example: '2024-01-15' })

/** `true` or `false` in a query, as Django's clients write it. */
export const Flag = z
  .string()
  .regex(/^(true|false|1|0)$/i, 'Допустимые значения: true, false.')
  .transform((text) => /^(true|1)$/i.test(text))
  .openapi({ type: 'boolean' })
