import { minorOf } from './fields.ts'

const minorPerUnit = 100
const minorDigits = 2

/** `1999` as `19.99`: two decimals, always. */
export function decimalOf(minor: number): string {
  const digits = String(Math.abs(minor) % minorPerUnit).padStart(minorDigits, '0')
  return `${minor < 0 ? '-' : ''}${Math.trunc(Math.abs(minor) / minorPerUnit)}.${digits}`
}

/** Hundredths of an amount that came as a text, or as a number of JSON; null when it is none. */
export const minorFrom = (value: string | number): number | null => minorOf(String(value).trim())
