import type { Act } from './words.ts'

/** What an acquirer is told. */
export interface Order {
  /** Ours, of this act alone: told again under it, it is not done again. */
  number: number
  transactionId: number
  act: Act
  amountMinor: number
  /** Of a card that we keep; null: it is known by its fingerprint only. */
  cardToken: string | null
  cardFingerprint: string | null
}

/** What it says. */
export type Spoken = { result: 'approved'; approval?: string; rrn?: string } | { result: 'declined'; code: string }
/** Nothing at all, too: it may have done it, may be about to, or never have heard of it. */
export type Reply = Spoken | { result: 'silent' }

/** What it has of a transaction. */
export type AcquirerState =
  | { known: 'none' | 'held' | 'taken' | 'reversed'; amountMinor: number; refundedMinor: number }
  | { known: 'silent' }

/**
 * The house that takes money from cards. Two things are expected of it, and all our safety rests on them: a number is done
 * once, and a reversal is final, so that what arrives after it is refused (docs/decisions.md "In doubt a purchase is
 * reversed, never told again").
 */
export interface Acquirer {
  /** How long it may take to answer. Whoever asks waits no longer; what it says later is not heard. */
  readonly limitMs: number
  tell(order: Order): Promise<Reply>
  /** Asked for a transaction, not for a number: it answers for all that it was told of it. */
  stateOf(transactionId: number): Promise<AcquirerState>
}
