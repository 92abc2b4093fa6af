import { MalformedBody } from '../errors.ts'
import { type Field, fieldAt, fields, widthOf } from './fields.ts'
import { blankOf, textOf } from './values.ts'

// A message without what carries it: MTI, one or two bitmaps, the fields in rising order, the MAC. docs/protocol.md 7.2.

/** What a message may have at most: two bytes of length say so much, header included (7.1). */
export const messageBytesMax = 4096
const mtiBytes = 2
const bitmapBytes = 8
/** Bytes of a MAC. */
export const macBytes = 8
/** The fault of a message without one. */
export const noMac = 'no MAC'
const macFields = [64, 128] as const

/** One message taken apart; nothing in it is understood yet. */
export interface Message {
  /** Four packed digits: 0x0200. */
  mti: number
  /** MTI to the last byte. */
  bytes: Buffer
  /** For each field its number, where its content starts (behind its length) and ends; in rising order, the MAC last. */
  spans: number[]
  /** True when it ends in the field of a MAC. */
  hasMac: boolean
  /** Why it cannot be taken apart beyond the last span; null: it could. */
  fault: string | null
}

const isDecimal = (byte: number) => byte >> 4 < 10 && (byte & 15) < 10
const decimal = (byte: number) => (byte >> 4) * 10 + (byte & 15)

/** The length in front of a field; -1 where no digits stand. */
function lengthAt(bytes: Buffer, at: number, prefix: number): number {
  let length = 0
  for (let n = at; n < at + prefix; n++) {
    const byte = bytes[n]
    if (byte === undefined || !isDecimal(byte)) return -1
    length = length * 100 + decimal(byte)
  }
  return length
}

/** The digits or characters of a field whose content starts there. */
const countAt = (bytes: Buffer, { prefix, size }: Field, start: number) =>
  prefix === 0 ? size : lengthAt(bytes, start - prefix, prefix)

/** Where the fields of a message are; what is wrong with it is told, so that the sender can be. */
function walk(bytes: Buffer, spans: number[]): string | null {
  const bitmaps = bytes[mtiBytes]! & 0x80 ? 2 : 1
  let at = mtiBytes + bitmaps * bitmapBytes
  if (at > bytes.length) return 'no second bitmap'
  for (let group = 0; group < bitmaps * bitmapBytes; group++) {
    const bits = bytes[mtiBytes + group]!
    for (let bit = 0; (bits << bit) & 0xff; bit++) {
      const number = group * 8 + bit + 1
      if (!(bits & (0x80 >> bit)) || number === 1) continue
      const field = fieldAt(number)
      if (!field) return `field ${number} is not spoken here`
      const start = at + field.prefix
      const count = field.prefix === 0 ? field.size : lengthAt(bytes, at, field.prefix)
      if (count < 0 || count > field.size) return `field ${number} has no length`
      at = start + widthOf(field, count)
      if (at > bytes.length) return `field ${number} ends beyond the message`
      spans.push(number, start, at)
    }
  }
  return at === bytes.length ? null : `${bytes.length - at} bytes behind the last field`
}

/** A MAC belongs behind everything: in 64 while nothing is above it, else in 128. */
function macAtEnd(bytes: Buffer): boolean {
  const isLong = (bytes[mtiBytes]! & 0x80) !== 0
  const second = bytes.subarray(mtiBytes + bitmapBytes, mtiBytes + 2 * bitmapBytes)
  const isAbove = isLong && second.some((byte) => byte !== 0)
  const in64 = (bytes[mtiBytes + bitmapBytes - 1]! & 1) !== 0
  return isAbove ? !in64 && (second[bitmapBytes - 1]! & 1) !== 0 : in64
}

/**
 * Takes a message apart.
 * @throws MalformedBody not even an MTI and a bitmap, or too long
 */
export function split(bytes: Buffer): Message {
  if (bytes.length < mtiBytes + bitmapBytes || bytes.length > messageBytesMax)
    throw new MalformedBody(`no message: ${bytes.length} bytes`)
  const mti = bytes.readUInt16BE(0)
  if (mti >> 12 !== 0 || !isDecimal(bytes[0]!) || !isDecimal(bytes[1]!)) throw new MalformedBody('no message type')
  const spans: number[] = []
  const fault = walk(bytes, spans)
  const hasMac = bytes.length >= mtiBytes + bitmapBytes + macBytes && macAtEnd(bytes)
  return { mti, bytes, spans, hasMac, fault: fault ?? (hasMac ? null : noMac) }
}

/** Where a field is in `spans`; -1: it is not there. */
export function spanOf({ spans }: Message, number: number): number {
  for (let at = 0; at < spans.length; at += 3) if (spans[at] === number) return at
  return -1
}

/** A field's text, undefined where it is not there. @throws MalformedBody what its kind cannot be */
export function read(message: Message, field: Field): string | undefined {
  const at = spanOf(message, field.number)
  if (at < 0) return undefined
  const { bytes, spans } = message
  return textOf(field, bytes, spans[at + 1]!, spans[at + 2]!, countAt(bytes, field, spans[at + 1]!))
}

/** A field as it came, with its length; undefined where it is not there. */
export function rawOf(message: Message, field: Field): Buffer | undefined {
  const at = spanOf(message, field.number)
  return at < 0 ? undefined : message.bytes.subarray(message.spans[at + 1]! - field.prefix, message.spans[at + 2])
}

/** Overwrites, in the memory it came in, the content of every field but those that may stay. */
export function forget({ bytes, spans }: Message, mayStay: ReadonlySet<number>): void {
  for (let at = 0; at < spans.length; at += 3) {
    const number = spans[at]!
    if (mayStay.has(number)) continue
    const blank = blankOf(fieldAt(number)!)
    // Most are a few bytes, for which a call into native code costs more.
    for (let n = spans[at + 1]!; n < spans[at + 2]!; n++) bytes[n] = blank
  }
}

/** A field that goes out: its number, and where its bytes are, with their length in front. */
export interface Part {
  number: number
  bytes: Uint8Array
  start: number
  end: number
}

/** A field as it came, to go out again; undefined where it is not there. */
export function partOf(message: Message, { number, prefix }: Field): Part | undefined {
  const at = spanOf(message, number)
  if (at < 0) return undefined
  const { bytes, spans } = message
  return { number, bytes, start: spans[at + 1]! - prefix, end: spans[at + 2]! }
}

/**
 * A message ready to go.
 * @param head what stands in front of it on the line
 * @param sign its MAC, over all that precedes it; null: it goes without
 * @throws RangeError it is longer than a message may be
 */
export function join(mti: number, parts: readonly Part[], head: Uint8Array, sign?: (bytes: Buffer) => string) {
  const sorted = [...parts].sort((one, other) => one.number - other.number)
  const isLong = sorted.at(-1)!.number > 64
  const bitmaps = isLong ? 2 : 1
  const fieldBytes = sorted.reduce((sum, { start, end }) => sum + end - start, 0)
  const length = mtiBytes + bitmaps * bitmapBytes + fieldBytes + (sign ? macBytes : 0)
  if (length > messageBytesMax) throw new RangeError(`${length} bytes are more than a message holds`)
  const whole = Buffer.allocUnsafe(head.length + length)
  whole.set(head)
  const message = whole.subarray(head.length)
  message.fill(0, 0, mtiBytes + bitmaps * bitmapBytes)
  const mark = (number: number) => {
    message[mtiBytes + ((number - 1) >> 3)]! |= 0x80 >> ((number - 1) & 7)
  }
  message.writeUInt16BE(mti)
  if (isLong) mark(1)
  let at = mtiBytes + bitmaps * bitmapBytes
  for (const { number, bytes, start, end } of sorted) {
    mark(number)
    for (let n = start; n < end; n++) message[at++] = bytes[n]!
  }
  if (sign) {
    mark(macFields[bitmaps - 1]!)
    message.write(sign(message.subarray(0, at)), at, macBytes, 'latin1')
  }
  return whole
}

/** Every field that a message has, in order. */
export const present = (message: Message): Field[] => fields.filter(({ number }) => spanOf(message, number) >= 0)
