import { randomBytes } from 'node:crypto'
import type { Presented } from '../../protocol/terminal.ts'

const expiry = '3012'
/** Service code and what an issuer would put behind it: nothing. */
const behind = '2010000000000'
const sequence = '001'
const shownFirst = 6
const shownLast = 4

/** Numbers that payment providers publish for tests; nobody has such a card, and no other is taken. */
const numbers = {
  visa: '4242424242424242',
  mastercard: '5555555555554444',
  mastercard2: '2223003122003222',
  amex: '378282246310005',
  unionpay: '6200000000000005',
} as const

export type CardName = keyof typeof numbers
/** By name: a number is never typed. */
export const cardNames = Object.keys(numbers) as CardName[]

/** How a card is read, and field 22 of it (docs/protocol.md 7.3). */
export const entryModes = { chip: '051', nfc: '071', stripe: '021', typed: '011' } as const
export type Entry = keyof typeof entryModes

/** A card in a terminal: how it is said, and how it is shown. */
export interface Card {
  name: CardName
  entryMode: string
  said: Presented
  masked: string
}

function chipOf(track: string): string {
  const packed = track.length % 2 === 0 ? track : `${track}F`
  const length = (packed.length / 2).toString(16).padStart(2, '0')
  // Tag 57 is the track, 9F26 the cryptogram.
  return `57${length}${packed}9F2608${randomBytes(8).toString('hex')}`.toUpperCase()
}

function presented(pan: string, entry: Entry): Presented {
  const track = `${pan}D${expiry}${behind}`
  if (entry === 'typed') return { pan, expiry }
  return entry === 'stripe' ? { track2: track } : { chip: chipOf(track), sequence }
}

/** Holds a test card to the reader. */
export function card(name: CardName, entry: Entry): Card {
  const pan = numbers[name]
  const hidden = '*'.repeat(pan.length - shownFirst - shownLast)
  const masked = `${pan.slice(0, shownFirst)}${hidden}${pan.slice(-shownLast)}`
  return { name, entryMode: entryModes[entry], said: presented(pan, entry), masked }
}

/** Hex in which no card's number can be read, however it was packed: its digits stand behind each other in all ways. */
export function hexWithout(bytes: Buffer, { name, masked }: Card): string {
  return bytes.toString('hex').toUpperCase().replaceAll(numbers[name], masked)
}
