import type { Act, TransactionKind, TransactionStatus } from '../words.ts'

/** The message that another one is about (docs/protocol.md 7.5, 0400): MTI, STAN and field 7 as it said them. */
export interface Original {
  mti: string
  stan: string
  sentAt: string
}

/** A purchase or an authorisation of a terminal. Amounts in minor units. */
export interface SaleReport {
  kind: 'purchase' | 'authorisation'
  amountMinor: number
  /** Our side declines it with this code, and the acquirer is not asked. */
  refusal?: string | undefined
}

/** What has happened already: an approval of the terminal's own, or the completion of what it names. */
export interface AdviceReport {
  kind: 'advice'
  amountMinor: number
  /** It names another message, whose transaction the snapshot has if there is one; otherwise it was approved offline. */
  isAbout: boolean
}

/** The original shall not have happened. */
export interface ReversalReport {
  kind: 'reversal'
  amountMinor: number
  original: Original
}

/** What a batch comes to (docs/protocol.md 7.5, 0500). A reversed debit counts in both of its figures. */
export interface Figures {
  credits: number
  creditsReversed: number
  debits: number
  debitsReversed: number
  creditsMinor: number
  creditsReversedMinor: number
  debitsMinor: number
  debitsReversedMinor: number
}

/** The terminal asks whether we have counted the same. */
export interface TotalsReport {
  kind: 'totals'
  totals: Figures
}

/** People give money back. */
export interface RefundReport {
  kind: 'refund'
  amountMinor: number
}

/** The house takes what is due of a hold, or lets it go, by itself. */
export type HoldReport = { kind: 'capture'; amountMinor: number } | { kind: 'release' }

/** What the acquirer said to an act; `silent`: nothing, in the time it had. */
export interface OutcomeReport {
  kind: 'outcome'
  act: Act
  /** What it was told to capture or refund; else the amount of the transaction. */
  amountMinor: number
  /** It is what the transaction waits for. Otherwise it is said twice, or too late to mean anything: a reversal is on its way. */
  isOpen: boolean
  result: 'approved' | 'declined' | 'silent'
  /** The code of a refusal. */
  code?: string
  approval?: string
  rrn?: string
}

/** What the acquirer says it has of a transaction, once asked. */
export interface StateReport {
  kind: 'state'
  known: 'none' | 'held' | 'taken' | 'reversed' | 'silent'
  /** How much of it is held or taken, and how much of that was refunded. */
  amountMinor: number
  refundedMinor: number
}

/** What terminals say. */
export type TerminalReport = SaleReport | AdviceReport | ReversalReport | TotalsReport
/** What means something for transactions, in our words. */
export type Report = TerminalReport | RefundReport | HoldReport | OutcomeReport | StateReport

/** A transaction as it stands. */
export interface Transaction {
  id: number
  /** What it began as. An advice has been answered already, and no terminal waits for what is paid over HTTP (`stored`). */
  kind: TransactionKind
  /** What was first said. */
  saidMinor: number
  /** What is to be taken: of a hold, once it is completed, what is due. */
  amountMinor: number
  status: TransactionStatus
  /** What the acquirer was told and has not answered; no other act is told before it has. */
  act: Act | null
  /** Of that act, if it is a capture or a refund. */
  actMinor: number
  /** The terminal was told that nobody answered (68). */
  isGivenUp: boolean
  /** What the ledger has of it: held or taken, and not given back. */
  bookedMinor: number
  refundedMinor: number
  /** It stands among the debits of a batch. */
  isCounted: boolean
}

/** What was said before under the same terminal, day and STAN. `answer`: what was said back; null: not yet. */
export interface Said {
  isSame: boolean
  kind: TerminalReport['kind']
  answer: Answer | null
}

/** An answer to a terminal. */
export interface Answer {
  code: string
  approval?: string
  rrn?: string
}

/** What is known when a report is worked. Whatever a kind of report does not ask for is null. */
export interface Snapshot {
  said: Said | null
  /**
   * What a reversal, an advice, a refund or the acquirer means; of an advice whose STAN is that of a sale, that sale.
   */
  transaction: Transaction | null
  /** A reversal of this very message came before it, or of the same original before this reversal. */
  isReversed: boolean
  /** What we have counted since the last agreement. */
  figures: Figures | null
}

/** A terminal is told what comes of it. An advice was answered when it was stored; who pays over HTTP looks at the row. */
export const isAnswered = ({ kind }: Pick<Transaction, 'kind'>) => kind === 'purchase' || kind === 'authorisation'

/** The terminal that said it still waits for its answer. */
export const isWaiting = (transaction: Transaction) =>
  transaction.status === 'pending' && isAnswered(transaction) && !transaction.isGivenUp
