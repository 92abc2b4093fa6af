import type { Card, Presented, ResponseCode } from '../terminal.ts'
import { type Body, de, may, raw } from './layout.ts'

// Card numbers come this far and no further: what leaves is a mask and a keyed hash. docs/protocol.md 7.6.

const panDigitsMin = 8
const panDigitsMax = 19
const shownFirst = 6
const shownLast = 4
/** Of a shorter one only the end is shown: the rest could be guessed. */
const longDigitsMin = 13
const expiryDigits = 4
const separator = 0xd

/** How a card comes: one of the three ways, and what belongs to it. */
export const cardFields = {
  pan: may(raw(2)),
  expiry: may(de(14)),
  sequence: may(de(23)),
  track2: may(raw(35)),
  chip: may(raw(55)),
}

/** Makes the fingerprint of a card's digits (ASCII), in hex. */
export type Fingerprint = (digits: Uint8Array) => string

// One card at a time is looked at, and its digits are gone from here before the next.
const digits = Buffer.alloc(2 * panDigitsMax)

const nibbleAt = (bytes: Uint8Array, at: number) => (at % 2 === 0 ? bytes[at >> 1]! >> 4 : bytes[at >> 1]! & 15)

/** Unpacks digits up to anything that is none. @returns how many there are, and where they ended */
function unpack(bytes: Uint8Array, from: number): { count: number; at: number } {
  const end = bytes.length * 2
  let at = from
  for (; at < end && at - from < digits.length; at++) {
    const nibble = nibbleAt(bytes, at)
    if (nibble > 9) break
    digits[at - from] = 0x30 + nibble
  }
  return { count: at - from, at }
}

/** The card number at the start of a track, and the expiry behind its separator. */
function ofTrack(track: Uint8Array): { count: number; expiry?: string } {
  const { count, at } = unpack(track, 0)
  if (at + expiryDigits >= track.length * 2 || nibbleAt(track, at) !== separator) return { count: 0 }
  let expiry = ''
  for (let n = at + 1; n <= at + expiryDigits; n++) {
    if (nibbleAt(track, n) > 9) return { count: 0 }
    expiry += nibbleAt(track, n)
  }
  return { count, expiry }
}

/** The value of one primitive EMV tag among BER-TLV; undefined: it is not there, or the data is broken before it. */
function tagged(chip: Uint8Array, tag: number): Uint8Array | undefined {
  let at = 0
  while (at < chip.length) {
    let name = chip[at++]!
    if ((name & 0x1f) === 0x1f)
      do name = (name << 8) | (chip[at] ?? 0)
      while (at++ < chip.length && name & 0x80)
    let length = chip[at++] ?? 0
    if (length > 0x80) {
      const size = length & 0x7f
      length = 0
      for (let n = 0; n < size; n++) length = length * 256 + (chip[at++] ?? 0)
    }
    if (at + length > chip.length) return undefined
    if (name === tag) return chip.subarray(at, at + length)
    at += length
  }
  return undefined
}

/** The digits of a card, left in `digits`. */
function located({ pan, expiry, track2, chip }: Body<typeof cardFields>) {
  // A field's first byte, the first two of 55, are its length.
  if (pan) return { ...unpack(pan, pan[0]! % 2 === 0 ? 2 : 3), expiry }
  if (track2) return ofTrack(track2.subarray(1))
  const data = chip?.subarray(2)
  const number = data && tagged(data, 0x5a)
  if (!number) return ofTrack((data && tagged(data, 0x57)) ?? new Uint8Array(0))
  const until = tagged(data, 0x5f24)
  const month = until && Buffer.from(until).toString('hex').slice(0, expiryDigits)
  return { ...unpack(number, 0), expiry: month || undefined }
}

/** What of a card number may be seen: first six and last four digits, of a short one the last four. */
export function mask(count: number, shown: (from: number, to: number) => string): string {
  const head = count < longDigitsMin ? 0 : shownFirst
  const tail = Math.min(shownLast, count)
  return `${shown(0, head)}${'*'.repeat(count - head - tail)}${shown(count - tail, count)}`
}

/** A card without its number, or the code that refuses it: 30 there is none, or a typed one without expiry; 14 it is none. */
export function cardOf(body: Body<typeof cardFields>, fingerprint: Fingerprint): Card | ResponseCode {
  if (!(body.pan || body.track2 || body.chip) || (body.pan && body.expiry === undefined)) return '30'
  const { count, expiry } = located(body)
  if (count < panDigitsMin || count > panDigitsMax) {
    digits.fill(0)
    return '14'
  }
  const masked = mask(count, (from, to) => digits.toString('latin1', from, to))
  const card: Card = { masked, fingerprint: fingerprint(digits.subarray(0, count)) }
  digits.fill(0)
  if (expiry !== undefined) card.expiry = expiry
  if (body.sequence !== undefined) card.sequence = body.sequence
  return card
}

/** A card as the terminal's fields. @throws RangeError what no card is */
export function presented(card: Presented): Body<typeof cardFields> {
  const sequence = card.sequence === undefined ? {} : { sequence: card.sequence }
  if ('pan' in card) return { pan: Buffer.from(de(2).write(card.pan)), expiry: card.expiry, ...sequence }
  if ('track2' in card) return { track2: Buffer.from(de(35).write(card.track2.replace('=', 'D'))), ...sequence }
  return { chip: Buffer.from(de(55).write(card.chip)), ...sequence }
}
