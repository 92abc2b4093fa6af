import { createHash } from 'node:crypto'
import type { Figures, Original, TerminalReport } from './decide/snapshot.ts'
import type { PaymentMethod } from './words.ts'

/** A card as a terminal's codec tells it; never its number. */
export interface HeardCard {
  masked: string
  /** Equal for equal cards (docs/protocol.md 7.6). */
  fingerprint: string
  expiry?: string
  sequence?: string
}

interface Spoken {
  stan: string
  /** Field 7: MMDDhhmmss in UTC. */
  sentAt: string
}

interface Sale extends Spoken {
  amountMinor: number
  /** Fields 12 and 13: hhmmss and MMDD of the terminal's own clock. */
  localTime: string
  localDate: string
  entryMode: string
  condition: string
  card: HeardCard
  merchant?: string
}

export type SaleMessage = { kind: 'purchase' | 'authorisation' } & Sale
export type AdviceMessage = { kind: 'advice'; rrn?: string; approval?: string; original?: Original } & Sale
export type ReversalMessage = { kind: 'reversal'; amountMinor: number; original: Original; reason?: string } & Spoken
export type TotalsMessage = { kind: 'totals'; localDate: string; totals: Figures } & Spoken

/** What a terminal says of money, as its codec reads it (docs/protocol.md 7.5). */
export type TerminalMessage = SaleMessage | AdviceMessage | ReversalMessage | TotalsMessage

/** The MTI that a reversal names a message by; a repetition is named like the first. */
export const mtis = { purchase: '0200', authorisation: '0100', advice: '0220' } as const

/** What of it means something for money. @param refusal with which our side declines a sale */
export function reportOf(message: TerminalMessage, refusal?: string): TerminalReport {
  switch (message.kind) {
    case 'purchase':
    case 'authorisation':
      return { kind: message.kind, amountMinor: message.amountMinor, refusal }
    case 'advice': {
      const isAbout = message.rrn !== undefined || message.original !== undefined
      return { kind: 'advice', amountMinor: message.amountMinor, isAbout }
    }
    case 'reversal':
      return { kind: 'reversal', amountMinor: message.amountMinor, original: message.original }
    case 'totals':
      return { kind: 'totals', totals: message.totals }
  }
}

/**
 * The day under which its STAN is unique, YYYY-MM-DD: that of field 13, or of field 7 where it has none. No message says
 * its year: the nearest to now is meant. A day that no year has is the one it would be if months were longer.
 */
export function dayOf(message: TerminalMessage, now: Date): string {
  const said = message.kind === 'reversal' ? message.sentAt : message.localDate
  const [month, day] = [Number(said.slice(0, 2)), Number(said.slice(2, 4))]
  const thisYear = now.getUTCFullYear()
  const days = [thisYear, thisYear - 1, thisYear + 1].map((year) => Date.UTC(year, month - 1, day))
  const distance = (at: number) => Math.abs(at - now.getTime())
  const nearest = days.reduce((best, at) => (distance(at) < distance(best) ? at : best))
  return new Date(nearest).toISOString().slice(0, 10)
}

/**
 * SHA-256, hex, of all that a repetition must say again. Field 7 may be another one, except of a sale: its reversal names
 * it by that (docs/protocol.md 7.5).
 */
export function contentHash(message: TerminalMessage): string {
  const { kind } = message
  const said: unknown[] = [kind, reportOf(message)]
  if (kind === 'purchase' || kind === 'authorisation') said.push(message.sentAt)
  if (kind === 'reversal') said.push(message.reason)
  if (kind === 'purchase' || kind === 'authorisation' || kind === 'advice') {
    const { localTime, localDate, entryMode, condition, merchant, card } = message
    said.push(localTime, localDate, entryMode, condition, merchant, card.fingerprint, card.expiry, card.sequence)
  }
  if (kind === 'advice') said.push(message.rrn, message.approval, message.original)
  return createHash('sha256').update(JSON.stringify(said)).digest('hex')
}

/** Field 22: how the card was read. */
export const methodOf = (entryMode: string): PaymentMethod => (entryMode.startsWith('07') ? 'nfc' : 'card_insert')
