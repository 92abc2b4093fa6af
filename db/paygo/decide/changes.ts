import type { Act, TransactionStatus } from '../words.ts'
import type { Answer, Figures, Original, Transaction } from './snapshot.ts'

/** What may change of a transaction. */
export type Progress = Partial<Omit<Transaction, 'id' | 'kind' | 'saidMinor'>>

/** One thing that becomes true; all changes of a decision are written in one transaction, and only then is anything said. */
export type Change =
  /** A transaction begins, and the acquirer is told. */
  | { kind: 'begin'; status: TransactionStatus; act: Act; isCounted: boolean }
  /** It goes on. What is not named stays. */
  | ({ kind: 'move'; id: number } & Progress)
  /** The message at hand is answered; `to`: the first message of that transaction. Kept, and said again to who asks again. */
  | ({ kind: 'answer'; to: 'this' | number; figures?: Figures } & Answer)
  /** The acquirer is told to do this, under a number of its own: the row is written first, and its outcome is a report. */
  | { kind: 'tell'; id: number; act: Act; amountMinor: number }
  /** It is told again what the transaction waits for, under the same number: a number is done once. Never what a terminal waits for. */
  | { kind: 'tell_again'; id: number }
  /** The acquirer is asked what it has: what it says is a report. */
  | { kind: 'ask'; id: number }
  /** The ledger's side of it. */
  | { kind: 'post'; id: number; entry: 'hold' | 'take' | 'capture' | 'give_back'; amountMinor: number }
  /** A figure of the terminal's batch goes up. */
  | { kind: 'count'; figure: 'debits' | 'debitsReversed' | 'credits'; amountMinor: number }
  /** A reversal is accepted. Said again it does nothing, and its original, should it only come now, is refused. */
  | { kind: 'remember'; original: Original; amountMinor: number }
  /** Both have counted the same: what follows is a new batch. */
  | { kind: 'close_batch' }
  /** People have to look: money and books may differ. */
  | { kind: 'exception'; id: number | null; what: string }
  /** A refund is refused: why. */
  | { kind: 'refused'; reason: 'reversed' | 'not_completed' | 'under_way' | 'too_much' }

export type ChangeOf<K extends Change['kind']> = Extract<Change, { kind: K }>

/** The message at hand is answered with a code. */
export const answered = (code: string): Change => ({ kind: 'answer', to: 'this', code })

/** The acquirer is told, and nothing else until it has answered. */
export const told = (id: number, act: Act, amountMinor: number, more: Progress = {}): Change[] => [
  { kind: 'move', id, act, actMinor: amountMinor, ...more },
  { kind: 'tell', id, act, amountMinor },
]
