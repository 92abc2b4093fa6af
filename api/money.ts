import { z } from '@hono/zod-openapi'

const minorPerUnit = 100
const decimals = 2
/** A billion roubles or points in one request; sums of many such are still exact. */
const amountMaxMinor = 100_000_000_000

const plain = /^(-?)(\d+)(?:\.(\d{1,2}))?$/

/**
 * Minor units (kopecks, hundredths of a point) of a number as it is written, exactly: `100.1` is 10010. Null for more
 * than two decimals, an exponent, or more than can be counted.
 */
export function toMinor(text: string): number | null {
  const [, sign, whole, fraction = ''] = plain.exec(text) ?? []
  if (whole === undefined) return null
  const minor = Number(whole + fraction.padEnd(decimals, '0'))
  if (!Number.isSafeInteger(minor)) return null
  return sign && minor > 0 ? -minor : minor
}

/** A JSON number with at most two decimals (docs/contracts.md C7). One division, so the nearest number to the exact amount. */
export const toUnits = (minor: number): number => minor / minorPerUnit

/** The same for a column that may be empty. */
export const toUnitsOrNull = (minor: number | null): number | null => (minor === null ? null : toUnits(minor))

/** An amount in a text for people: `12.50`. */
export const toUnitsText = (minor: number): string => toUnits(minor).toFixed(decimals)

/** An amount in a body, given as minor units. JSON's own numbers only: their shortest text is what the client wrote. */
const amount = (min: number, message: string) =>
  z
    .number()
    .transform((value, context) => {
      const minor = toMinor(String(value))
      if (minor !== null && minor >= min && minor <= amountMaxMinor) return minor
      const tooFine = minor === null && Math.abs(value) < amountMaxMinor
      context.addIssue({
        code: 'custom',
        params: { type: tooFine ? 'decimal_max_places' : value < toUnits(min) ? 'greater_than' : 'less_than_equal' },
        message: tooFine
          ? `не больше ${decimals} знаков после запятой`
          : value < toUnits(min)
            ? message
            : `не больше ${toUnits(amountMaxMinor)}`,
      })
      return z.NEVER
    })
    .openapi({ type: 'number', maximum: toUnits(amountMaxMinor), description: 'Не больше двух знаков после запятой' })

/** An amount above zero, given as minor units. */
export const Amount = amount(1, 'должно быть больше 0').openapi({ exclusiveMinimum: 0, example: 100 })
/** An amount that may be zero, given as minor units. */
export const AmountOrZero = amount(0, 'должно быть не меньше 0').openapi({ minimum: 0, example: 0 })

/** The schema of what `toUnits` gives. */
export const Units = z.number().openapi({ example: 100.5 })
