import { timingSafeEqual } from 'node:crypto'
import { isNumeral } from './provider.ts'

const wordCharactersMax = 300
const yearMin = 1900
const yearMax = 2200

/** What stands at a path of a body that `jsonOf` read; undefined where there is nothing. */
export const at = (body: unknown, ...path: string[]): unknown =>
  path.reduce<unknown>(
    (value, name) =>
      typeof value === 'object' && value !== null && Object.hasOwn(value, name)
        ? (value as Record<string, unknown>)[name]
        : undefined,
    body,
  )

/** A text, or a number as it was written; null: neither, or empty, or too long to be a name of anything. */
export function word(value: unknown): string | null {
  const text = isNumeral(value) ? value.numeral : typeof value === 'string' ? value.trim() : ''
  return text === '' || text.length > wordCharactersMax || /[\p{Cc}\p{Cs}]/u.test(text) ? null : text
}

/** A whole number that is no less than 0; senders write it as a number or a text. */
export function whole(value: unknown): number | null {
  const text = word(value)
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : null
}

/** An instant with its zone; null: none, or in no year that a calendar here has. */
export function instant(value: unknown): Date | null {
  const text = word(value)
  if (text === null || !/^\d{4}-\d\d-\d\dT\d\d:\d\d.*(?:Z|[+-]\d\d:?\d\d)$/.test(text)) return null
  const date = new Date(text)
  return date.getUTCFullYear() >= yearMin && date.getUTCFullYear() <= yearMax ? date : null
}

/** Whether this is the hex, or base64, of a MAC. In constant time; of another length, or said twice, it is not. */
export function isMac(mac: Buffer, given: string | null, encoding: 'hex' | 'base64' = 'hex'): boolean {
  const pattern = encoding === 'hex' ? /^[0-9a-f]+$/i : /^[A-Za-z0-9+/]+=*$/
  if (given === null || given.length !== mac.toString(encoding).length || !pattern.test(given)) return false
  const bytes = Buffer.from(given, encoding)
  return bytes.length === mac.length && timingSafeEqual(bytes, mac)
}

/** JSON bytes with the values of these members masked; the rest byte by byte. */
export function maskMembers(raw: Buffer, names: readonly string[]): Buffer {
  const member = new RegExp(`("(?:${names.join('|')})"\\s*:\\s*)("(?:[^"\\\\]|\\\\.)*"|-?\\d[\\d.eE+-]*)`, 'g')
  return Buffer.from(raw.toString('latin1').replaceAll(member, '$1"***"'), 'latin1')
}
