import type { PostgresType } from 'postgres'

/** How values travel: what the driver must do other than by default. All else: numeric is text, timestamptz a `Date`. */
interface Kind {
  /** The type's number in PostgreSQL, and that of its array. These never change. */
  oid: number
  arrayOid: number
  read(text: string): unknown
  write(value: any): string
}

const same = (text: string) => text
const instant: Kind = {
  oid: 1184,
  arrayOid: 1185,
  read: (text) => new Date(text),
  write: (at: Date) => at.toISOString(),
}
const json = { read: JSON.parse, write: JSON.stringify }

function exact(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw new RangeError(`${text} is not an exact integer`)
  return value
}

const bigint: Kind = { oid: 20, arrayOid: 1016, read: exact, write: String }
// A calendar day has no time zone; as a Date it would get one, and move.
const day: Kind = { oid: 1082, arrayOid: 1182, read: same, write: String }

const kinds: Kind[] = [
  bigint,
  day,
  instant,
  { oid: 16, arrayOid: 1000, read: (text) => text === 't', write: (yes: boolean) => (yes ? 't' : 'f') },
  { oid: 21, arrayOid: 1005, read: Number, write: String },
  { oid: 23, arrayOid: 1007, read: Number, write: String },
  { oid: 25, arrayOid: 1009, read: same, write: String },
  { oid: 701, arrayOid: 1022, read: Number, write: String },
  { oid: 1700, arrayOid: 1231, read: same, write: String },
  { oid: 2950, arrayOid: 2951, read: same, write: String },
  { oid: 3802, arrayOid: 3807, ...json },
]

const type = (oid: number, read: (text: string) => unknown, write: (value: any) => string): PostgresType => ({
  to: oid,
  from: [oid],
  parse: read,
  serialize: write,
})

/**
 * Types for the driver. It would ask every new connection for the array types, and take the whole process down if
 * that connection died at that moment; so they are told here.
 */
export const driverTypes: Record<string, PostgresType> = {
  bigint: type(bigint.oid, bigint.read, bigint.write),
  day: type(day.oid, day.read, day.write),
  ...Object.fromEntries(
    kinds.map(({ arrayOid, read, write }) => [
      `array${arrayOid}`,
      type(
        arrayOid,
        (text) => readArray(text, read),
        (items) => writeArray(items, write),
      ),
    ]),
  ),
}

/** `{1,NULL,"a \"b\"",{…}}` as nested arrays (PostgreSQL manual 8.15.6). */
export function readArray(text: string, read: (text: string) => unknown): unknown[] {
  const token = /[{},]|"((?:[^"\\]|\\.)*)"|[^{},"]+/gs
  token.lastIndex = text.indexOf('{') + 1
  return items(token, text, read)
}

function items(token: RegExp, text: string, read: (text: string) => unknown): unknown[] {
  const found: unknown[] = []
  for (let match = token.exec(text); match && match[0] !== '}'; match = token.exec(text)) {
    const [part, quoted] = match
    if (part === '{') found.push(items(token, text, read))
    else if (quoted !== undefined) found.push(read(quoted.replace(/\\(.)/gs, '$1')))
    else if (part !== ',') found.push(part === 'NULL' ? null : read(part))
  }
  return found
}

/** The reverse. Every item is quoted: what needs it is not worth knowing. A text is taken as an array already written. */
export function writeArray(value: unknown, write: (value: any) => string): string {
  if (!Array.isArray(value)) return String(value)
  const parts = value.map((item) => {
    if (item === null || item === undefined) return 'NULL'
    return Array.isArray(item) ? writeArray(item, write) : `"${write(item).replace(/["\\]/g, '\\$&')}"`
  })
  return `{${parts.join(',')}}`
}
