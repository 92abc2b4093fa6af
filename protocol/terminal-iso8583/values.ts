import { MalformedBody } from '../errors.ts'
import { type Field, formatOf, widthOf } from './fields.ts'

// What stands between a field's length and its end, as text and back. docs/protocol.md 7.3.

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const control = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const shapes = {
  n: /^\d*$/,
  z: /^[\dD]*$/,
  'x+n': /^[CD]\d*$/,
  an: /^[A-Za-z0-9 ]*$/,
  ans: /^[ -~]*$/,
  b: /^[\dA-F]*$/,
}

/** Text that may be UTF-8: `ans` with a length of two bytes. All other text is ASCII. */
const isWide = ({ kind, prefix }: Field) => kind === 'ans' && prefix === 2

/** Two packed digits as text; undefined where they are none. */
const pairs = Array.from({ length: 256 }, (_, byte) => (/^\d\d$/.exec(byte.toString(16).padStart(2, '0')) ?? [])[0])

const fault = ({ number, kind }: Field) => new MalformedBody(`field ${number} is no ${kind}`)

function wideText(field: Field, bytes: Uint8Array): string {
  let text: string
  try {
    text = utf8.decode(bytes)
  } catch {
    throw fault(field)
  }
  if (control.test(text)) throw fault(field)
  return text
}

/** Nibbles of a track: of an odd number the last is padded with F. */
const track = (nibbles: string, count: number) =>
  count % 2 === 0 ? nibbles : nibbles.endsWith('F') ? nibbles.slice(0, -1) : '?'

/** Most fields: no call into native code for a few bytes of them. */
function digitsOf(field: Field, bytes: Buffer, start: number, end: number, count: number): string {
  let digits = ''
  for (let at = start; at < end; at++) {
    const pair = pairs[bytes[at]!]
    if (pair === undefined) throw fault(field)
    digits += pair
  }
  if (count % 2 === 0) return digits
  if (digits[0] !== '0') throw fault(field)
  return digits.slice(1)
}

/**
 * The text of a field: digits, characters without the blanks that fill them up, upper-case hex of raw bytes.
 * @param count digits or characters, as the length in front says
 * @throws MalformedBody what its kind cannot be
 */
export function textOf(field: Field, bytes: Buffer, start: number, end: number, count: number): string {
  const { kind, prefix } = field
  if (isWide(field)) return wideText(field, bytes.subarray(start, end))
  if (kind === 'n') return digitsOf(field, bytes, start, end, count)
  let text: string
  if (kind === 'an' || kind === 'ans') text = bytes.toString('latin1', start, end)
  else if (kind === 'x+n')
    text = bytes.toString('latin1', start, start + 1) + digitsOf(field, bytes, start + 1, end, count)
  else {
    const nibbles = bytes.toString('hex', start, end).toUpperCase()
    text = kind === 'z' ? track(nibbles, count) : nibbles
  }
  if (!shapes[kind].test(text)) throw fault(field)
  return prefix === 0 && (kind === 'an' || kind === 'ans') ? text.trimEnd() : text
}

/** How many digits or characters a text is, or how many bytes where that is what counts. */
function countOf(field: Field, text: string): number {
  if (isWide(field)) return Buffer.byteLength(text)
  if (field.kind === 'b') return text.length / 2
  return field.kind === 'x+n' ? text.length - 1 : text.length
}

/**
 * A field as it goes out, with its length in front.
 * @throws RangeError a text it cannot be
 */
export function bytesOf(field: Field, text: string): Buffer {
  const { number, kind, size, prefix } = field
  const isText = kind === 'an' || kind === 'ans'
  const said = isText && prefix === 0 ? text.padEnd(size) : text
  const count = countOf(field, said)
  const fits = prefix === 0 ? count === size : count <= size
  const isSpelt = isWide(field) ? text.isWellFormed() && !control.test(text) : shapes[kind].test(said)
  // The value itself may be a card number: it is not quoted.
  if (!fits || !isSpelt || !Number.isInteger(count))
    throw new RangeError(`field ${number} (${formatOf(field)}) cannot hold that`)
  const bytes = Buffer.allocUnsafe(prefix + widthOf(field, count))
  if (prefix > 0) bytes.write(String(count).padStart(prefix * 2, '0'), 0, 'hex')
  if (isText) bytes.write(said, prefix, isWide(field) ? 'utf8' : 'latin1')
  else if (kind === 'x+n') {
    bytes.write(said, prefix, 1, 'latin1')
    bytes.write(said.slice(1).padStart((count + 1) & ~1, '0'), prefix + 1, 'hex')
  } else {
    const whole = kind === 'b' ? said.length : (count + 1) & ~1
    bytes.write(kind === 'z' ? said.padEnd(whole, 'F') : said.padStart(whole, '0'), prefix, 'hex')
  }
  return bytes
}

/** What a field is overwritten with: it still has its shape, and says nothing. */
export const blankOf = ({ kind }: Field): number => (kind === 'an' || kind === 'ans' ? 0x20 : kind === 'x+n' ? 0x43 : 0)
