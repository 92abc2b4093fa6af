import { Parser } from 'binary-parser'
import { MalformedBody, named } from './errors.ts'

/**
 * The kinds of wire field. Each knows how it is read, written and named in the docs; a layout is an ordered record of them.
 *
 * binary-parser stays behind this file. It only reads (`write` is our inverse of each `read`), hands back short buffers
 * without a word, ignores what follows the last field and does not move on after `readUntil: 'eof'`: `decodeBody` closes
 * those holes by comparing the end it reached with the end there is.
 */
export interface Field<T> {
  shape: Shape
  /** As the generated documentation names it. */
  doc: string
  read(parser: Parser, name: string): Parser
  /** @throws RangeError a value the wire cannot carry */
  write(value: T, into: number[]): void
}

/** What a field is made of, for whoever must enumerate its values (documentation, property tests). */
export type Shape =
  | { is: 'integer'; min: number; max: number }
  | { is: 'hex'; bytes: number }
  | { is: 'oneOf'; names: Record<string, number> }
  | { is: 'flags'; names: readonly string[] }
  | { is: 'text' | 'tail' | 'rest' | 'textOrHex' }
  | { is: 'records'; layout: Layout }
  | { is: 'boards'; board: Layout; hole: Layout }
  | { is: 'optional'; of: Shape }

/** A field that may be missing at the end of a body; once one is missing, so are all that follow. */
export interface OptionalField<T> extends Field<T> {
  optional: true
}

/** The fields of a body in their order. `any`: it holds fields of every type, and Body<L> gives each its own back. */
export type Layout = Record<string, Field<any>>
type Value<F> = F extends Field<infer T> ? T : never
type Tail<L> = { [K in keyof L]: L[K] extends OptionalField<any> ? K : never }[keyof L]

/** The object a layout decodes to. */
export type Body<L> = { [K in Exclude<keyof L, Tail<L>>]: Value<L[K]> } & { [K in Tail<L>]?: Value<L[K]> }

const integer = (bytes: 1 | 2 | 4, signed: boolean, min: number, max: number): Field<number> => {
  const name = `${signed ? 'i' : 'u'}${bytes * 8}`
  const [low, high] = signed ? [-128, 127] : [0, 2 ** (bytes * 8) - 1]
  const whole = min === low && max === high
  const inside = (value: number) => value >= min && value <= max
  return {
    shape: { is: 'integer', min, max },
    doc: whole ? name : min === max ? `${name} = 0x${min.toString(16).toUpperCase()}` : `${name} ${min}–${max}`,
    read(parser, field) {
      const check = whole ? {} : { assert: inside }
      if (signed) return parser.int8(field, check)
      if (bytes === 1) return parser.uint8(field, check)
      return bytes === 2 ? parser.uint16be(field, check) : parser.uint32be(field, check)
    },
    write(value, into) {
      if (!Number.isInteger(value) || !inside(value)) throw new RangeError(`${value} is no ${this.doc}`)
      for (let shift = (bytes - 1) * 8; shift >= 0; shift -= 8) into.push((value >>> shift) & 0xff)
    },
  }
}

/** A byte. */
export const u8 = integer(1, false, 0, 0xff)
/** A signed byte (temperatures, section 2.6). */
export const i8 = integer(1, true, -128, 127)
/** Two bytes, big-endian. */
export const u16 = integer(2, false, 0, 0xffff)
/** Four bytes, big-endian. */
export const u32 = integer(4, false, 0, 0xffffffff)
/** A byte whose other values are refused in both directions. */
export const u8In = (min: number, max: number) => integer(1, false, min, max)
/** A constant such as a magic: anything else is not this layout. */
export const u16Is = (value: number) => integer(2, false, value, value)

const upperHex = (bytes: Buffer) => bytes.toString('hex').toUpperCase()

function writeHex(value: string, into: number[]) {
  const bytes = Buffer.from(value, 'hex')
  if (upperHex(bytes) !== value) throw new RangeError('not upper-case hex')
  for (const byte of bytes) into.push(byte)
}

/** Raw bytes, as upper-case hex (power-bank ids, section 2.6). */
export const hex = (bytes: number): Field<string> => ({
  shape: { is: 'hex', bytes },
  doc: `${bytes} bytes`,
  read: (parser, name) => parser.buffer(name, { length: bytes, formatter: upperHex }),
  write(value, into) {
    if (value.length !== bytes * 2) throw new RangeError(`not ${bytes} bytes of hex`)
    writeHex(value, into)
  },
})

/** A byte with names. A code nobody has named arrives as `code7` and goes out as 7 again. */
export function oneOf<N extends Record<string, number>>(names: N) {
  type Name = (keyof N & string) | `code${number}`
  const byCode = Array.from({ length: 256 }, (_, code) => `code${code}` as Name)
  for (const [name, code] of Object.entries(names)) byCode[code] = name as Name
  const code = (value: Name): number => {
    const found = byCode.indexOf(value)
    if (found < 0) throw new RangeError(`${value} is none of ${Object.keys(names).join(', ')}`)
    return found
  }
  const field: Field<Name> & { code(value: Name): number; named(code: number): Name } = {
    shape: { is: 'oneOf', names },
    doc: `u8: ${Object.entries(names)
      .map(([name, value]) => `${value} ${name}`)
      .join(', ')}`,
    read: (parser, name) => parser.uint8(name, { formatter: (value) => byCode[value] }),
    write: (value, into) => void into.push(code(value)),
    code,
    named: (value) => byCode[value] ?? 'code255',
  }
  return field
}

/** One byte of eight bits, the highest named first. */
export function flags<N extends string>(...names: readonly N[]): Field<Record<N, boolean>> {
  const bit = (at: number) => 0x80 >> at
  // All 256 values exist once and are shared: frozen, and cheaper than building eight properties for every slot.
  const all = Array.from({ length: 256 }, (_, byte) =>
    Object.freeze(Object.fromEntries(names.map((name, at) => [name, (byte & bit(at)) !== 0])) as Record<N, boolean>),
  )
  return {
    shape: { is: 'flags', names },
    doc: `u8, bits 7–0: ${names.join(', ')}`,
    read: (parser, name) => parser.uint8(name, { formatter: (byte) => all[byte] }),
    write: (value, into) => void into.push(names.reduce((byte, name, at) => (value[name] ? byte | bit(at) : byte), 0)),
  }
}

// NUL would end the text in the firmware and is refused by PostgreSQL; no source shows any other control character.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const control = /[\x00-\x1f\x7f]/

function ofLatin1(bytes: Buffer, end?: number): string {
  const value = bytes.toString('latin1', 0, end)
  if (control.test(value)) throw new MalformedBody('control characters in a text')
  return value
}

function toLatin1(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1')
  if (control.test(value) || bytes.toString('latin1') !== value) throw new RangeError('a text the wire cannot carry')
  return bytes
}

function readText(bytes: Buffer): string {
  let end = bytes.length
  while (end > 0 && bytes[end - 1] === 0) end--
  return ofLatin1(bytes, end)
}

function writeText(value: string, into: number[]) {
  const bytes = toLatin1(value)
  if (bytes.length > 0xfffe) throw new RangeError('a text too long for its length field')
  into.push((bytes.length + 1) >> 8, (bytes.length + 1) & 0xff, ...bytes, 0)
}

/** String: u16 length, the bytes, and a NUL counted in the length (2.6). Latin-1, so that no byte is lost. */
export const text: Field<string> = {
  shape: { is: 'text' },
  doc: 'String',
  read: (parser, name) => parser.uint16be(`$${name}`).buffer(name, { length: `$${name}`, formatter: readText }),
  write: writeText,
}

/** The characters that follow, without a length in front of them. Latin-1 as `text`. Always last. */
export const tail: Field<string> = {
  shape: { is: 'tail' },
  doc: 'characters to the end',
  read: (parser, name) => toTheEnd(parser, name, (bytes) => ofLatin1(bytes)),
  write: (value, into) => void into.push(...toLatin1(value)),
}

/** Whatever follows, as hex: the part of a body nobody has explained. Always last. */
export const rest: Field<string> = {
  shape: { is: 'rest' },
  doc: 'the rest',
  read: (parser, name) => toTheEnd(parser, name, upperHex),
  write: writeHex,
}

/** A body that is a String if it has the shape of one, else raw hex (0x62). Always last. */
export const textOrHex: Field<{ text: string } | { hex: string }> = {
  shape: { is: 'textOrHex' },
  doc: 'String if it fits, else raw',
  read: (parser, name) =>
    toTheEnd(parser, name, (bytes) => {
      const fits = bytes.length > 2 && bytes.readUInt16BE(0) === bytes.length - 2
      const value = fits && bytes.toString('latin1', 2).replace(/\0+$/, '')
      return value !== false && !control.test(value) ? { text: value } : { hex: upperHex(bytes) }
    }),
  write: (value, into) => ('text' in value ? writeText(value.text, into) : writeHex(value.hex, into)),
}

/** Reads all that is left. `readUntil: 'eof'` does not move the parser, so the end is reached by hand. */
export function toTheEnd(parser: Parser, name: string, formatter: (bytes: Buffer) => unknown): Parser {
  const length = `$${name}Length`
  return parser
    .buffer(length, { readUntil: 'eof', formatter: (bytes) => bytes.length })
    .buffer(name, { length, formatter })
}

/** A field that may be missing at the end of a body. */
export const optional = <T>(field: Field<T>): OptionalField<T> => ({
  ...field,
  shape: { is: 'optional', of: field.shape },
  doc: `[${field.doc}]`,
  optional: true,
  read(parser, name) {
    const left = `$${name}Left`
    return parser.buffer(left, { readUntil: 'eof', formatter: (bytes) => Math.min(bytes.length, 1) }).choice({
      tag() {
        return this[left]!
      },
      choices: { 0: new Parser(), 1: field.read(new Parser(), name) },
    })
  },
})

/** A count (u8) and as many records, each with every field of the layout. */
export const records = <L extends Layout>(layout: L): Field<Body<L>[]> => ({
  shape: { is: 'records', layout },
  doc: `u8 count, then as many of: ${docOf(layout)}`,
  read: (parser, name) => parser.uint8(`$${name}`).array(name, { length: `$${name}`, type: chain(layout) }),
  write(value, into) {
    if (value.length > 0xff) throw new RangeError(`${value.length} records`)
    into.push(value.length)
    for (const record of value) writeBody(layout, record, into)
  },
})

/** The fields of a layout in words. */
export const docOf = (layout: Layout): string =>
  Object.entries(layout)
    .map(([name, { doc }]) => `${name} ${doc}`)
    .join(' · ')

const chain = (layout: Layout) =>
  Object.entries(layout).reduce((parser, [name, field]) => field.read(parser, name), new Parser())

function writeBody<L extends Layout>(layout: L, body: Body<L>, into: number[]) {
  let missing = ''
  for (const [name, field] of Object.entries(layout)) {
    const value = (body as Record<string, unknown>)[name]
    if (value === undefined && 'optional' in field) missing ||= name
    else if (missing) throw new RangeError(`${name} cannot follow a missing ${missing}`)
    else if (value === undefined) throw new RangeError(`${name} is missing`)
    else named(name, () => field.write(value, into))
  }
}

/**
 * A body as bytes.
 * @throws RangeError a value the wire cannot carry
 */
export function encodeBody<L extends Layout>(layout: L, body: Body<L>): number[] {
  const into: number[] = []
  writeBody(layout, body, into)
  return into
}

// A parser is compiled once for each layout, at its first use.
const parsers = new WeakMap<Layout, { parser: Parser; names: string[] }>()

function parserOf(layout: Layout) {
  let found = parsers.get(layout)
  if (!found) {
    found = { parser: chain(layout).saveOffset('$end'), names: Object.keys(layout) }
    parsers.set(layout, found)
  }
  return found
}

/**
 * Bytes as a body; every byte must have its place.
 * @throws MalformedBody too short, too long, or a value its field does not allow
 */
export function decodeBody<L extends Layout>(layout: L, bytes: Buffer): Body<L> {
  const { parser, names } = parserOf(layout)
  const body: Record<string, unknown> = {}
  if (names.length === 0 && bytes.length === 0) return body as Body<L>
  let parsed: Record<string, unknown>
  try {
    parsed = parser.parse(bytes)
  } catch (cause) {
    throw new MalformedBody(`${bytes.length} bytes that do not fit the layout`, { cause })
  }
  if (parsed.$end !== bytes.length) throw new MalformedBody(`${bytes.length} bytes where ${parsed.$end} are defined`)
  for (const name of names) if (parsed[name] !== undefined) body[name] = parsed[name]
  return body as Body<L>
}
