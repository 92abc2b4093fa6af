import { type Change, type Progress, told } from './changes.ts'
import {
  type HoldReport,
  isAnswered,
  isWaiting,
  type OutcomeReport,
  type RefundReport,
  type Snapshot,
  type StateReport,
  type Transaction,
} from './snapshot.ts'

// What the acquirer says, which is bound to two things: a number it was told is done once, and a reversal is final, so that what
// comes after it is refused. What it did not say is asked for. A purchase is never told twice: in doubt it is reversed, also where
// the acquirer has nothing of it yet, for it may still be on its way there. What a terminal has approved itself is: whoever bought
// has left with the goods.

const exception = (id: number, what: string): Change => ({ kind: 'exception', id, what })
const idle = (id: number, more: Progress = {}): Change => ({ kind: 'move', id, act: null, actMinor: 0, ...more })

/** The amount is held or taken, and the books have it. */
function booked({ id, kind, act, amountMinor, isCounted }: Transaction): Change[] {
  const isHold = act === 'authorise'
  const changes: Change[] = [
    idle(id, {
      status: isHold ? 'authorised' : 'completed',
      bookedMinor: amountMinor,
      isCounted: isCounted || kind === 'purchase',
    }),
    { kind: 'post', id, entry: isHold ? 'hold' : 'take', amountMinor },
  ]
  if (!isHold && kind === 'purchase') changes.push({ kind: 'count', figure: 'debits', amountMinor })
  return changes
}

/** It is with the acquirer and shall not be: the terminal was told that nothing came of it, or took it back. */
const undone = ({ id, amountMinor }: Transaction): Change[] => told(id, 'reverse', amountMinor, { status: 'cancelled' })

/** An approval of what the terminal waits for, or no longer wants. */
function approved(transaction: Transaction, { approval, rrn }: OutcomeReport): Change[] {
  const { id, status, isGivenUp } = transaction
  if (status === 'cancelled' || isGivenUp) return undone(transaction)
  if (!isAnswered(transaction)) return booked(transaction)
  const words = { ...(approval !== undefined && { approval }), ...(rrn !== undefined && { rrn }) }
  return [...booked(transaction), { kind: 'answer', to: id, code: '00', ...words }]
}

/** A refusal, or the proof that nothing is there. `code`: what the terminal hears, if it still waits. */
function refused(transaction: Transaction, code: string): Change[] {
  const { id, kind, status, isGivenUp } = transaction
  if (status === 'cancelled') return [idle(id)]
  const changes = [idle(id, { status: 'failed' })]
  if (kind === 'advice') return [...changes, exception(id, 'the acquirer refuses what a terminal approved')]
  return isGivenUp || !isAnswered(transaction) ? changes : [...changes, { kind: 'answer', to: id, code }]
}

/** So much of the hold is taken, and the rest let go. */
function captured({ id, status, bookedMinor }: Transaction, takenMinor: number): Change[] {
  const rest = bookedMinor - takenMinor
  const taken = { amountMinor: takenMinor, bookedMinor: takenMinor }
  return [
    { kind: 'post', id, entry: 'capture', amountMinor: takenMinor },
    ...(rest > 0 ? [{ kind: 'post', id, entry: 'give_back', amountMinor: rest } as const] : []),
    ...(status === 'cancelled'
      ? told(id, 'reverse', takenMinor, taken)
      : [idle(id, { status: 'completed', ...taken })]),
  ]
}

/** The hold stays as it was; one that was reversed meanwhile is released now. */
function uncaptured({ id, status, saidMinor }: Transaction): Change[] {
  if (status === 'cancelled') return told(id, 'reverse', saidMinor)
  return [idle(id, { amountMinor: saidMinor }), exception(id, 'the acquirer refuses a completion')]
}

const reversed = ({ id, bookedMinor }: Transaction): Change[] => [
  idle(id, { bookedMinor: 0 }),
  ...(bookedMinor > 0 ? [{ kind: 'post', id, entry: 'give_back', amountMinor: bookedMinor } as const] : []),
]

/** So much was given back, by people. */
function refunded({ id, status, amountMinor, refundedMinor, bookedMinor }: Transaction, backMinor: number): Change[] {
  const total = refundedMinor + backMinor
  const isWhole = status === 'completed' && total === amountMinor
  const books = { refundedMinor: total, bookedMinor: bookedMinor - backMinor }
  return [
    { kind: 'move', id, ...books, ...(isWhole && { status: 'refunded' as const }) },
    { kind: 'post', id, entry: 'give_back', amountMinor: backMinor },
  ]
}

/** What the acquirer answered, or that it did not. */
export function outcome({ transaction }: Snapshot, report: OutcomeReport): Change[] {
  const known = transaction!
  const { id } = known
  if (!report.isOpen) return []
  if (report.result === 'silent') {
    const given: Change[] = isWaiting(known)
      ? [
          { kind: 'move', id, isGivenUp: true },
          { kind: 'answer', to: id, code: '68' },
        ]
      : []
    return [...given, { kind: 'ask', id }]
  }
  const isApproved = report.result === 'approved'
  switch (report.act) {
    case 'purchase':
    case 'authorise':
      return isApproved ? approved(known, report) : refused(known, report.code ?? '05')
    case 'capture':
      return isApproved ? captured(known, report.amountMinor) : uncaptured(known)
    case 'reverse':
      return isApproved ? reversed(known) : [idle(id), exception(id, 'the acquirer refuses a reversal')]
    case 'refund':
      return isApproved ? [idle(id), ...refunded(known, report.amountMinor)] : [idle(id)]
  }
}

/** What the acquirer has, once asked: it settles what is in doubt. */
export function state({ transaction }: Snapshot, report: StateReport): Change[] {
  const known = transaction!
  const { id, act, status, refundedMinor, actMinor } = known
  // Settled meanwhile.
  if (act === null) return []
  if (report.known === 'silent') return [{ kind: 'ask', id }]
  const isThere = report.known === 'held' || report.known === 'taken'
  const again: Change[] = [{ kind: 'tell_again', id }]
  switch (act) {
    case 'purchase':
    case 'authorise':
      // Nobody was told that it came to nothing.
      if (!isAnswered(known) && status !== 'cancelled' && isThere) return booked(known)
      if (known.kind === 'advice' && status !== 'cancelled' && report.known === 'none') return again
      return [...undone(known), ...unanswered(known)]
    case 'capture':
      return report.known === 'taken' ? captured(known, report.amountMinor) : again
    case 'reverse':
      return report.known === 'reversed' ? reversed(known) : again
    case 'refund':
      return report.refundedMinor >= refundedMinor + actMinor ? [idle(id), ...refunded(known, actMinor)] : again
  }
}

/** Whoever still waits is not told that it was approved after all; what a terminal has approved itself is for people. */
function unanswered(transaction: Transaction): Change[] {
  const { id, kind, status } = transaction
  if (isWaiting(transaction)) return [{ kind: 'answer', to: id, code: '68' }]
  return kind === 'advice' && status !== 'cancelled'
    ? [exception(id, 'the acquirer has reversed what a terminal approved')]
    : []
}

/** People give money back: of what is completed, once at a time, and never of what is reversed. */
export function refund({ transaction }: Snapshot, { amountMinor }: RefundReport): Change[] {
  const known = transaction!
  const { id, status, act, refundedMinor } = known
  if (status === 'cancelled') return [{ kind: 'refused', reason: 'reversed' }]
  if (act !== null) return [{ kind: 'refused', reason: 'under_way' }]
  if (status !== 'completed') return [{ kind: 'refused', reason: 'not_completed' }]
  if (refundedMinor + amountMinor > known.amountMinor) return [{ kind: 'refused', reason: 'too_much' }]
  return told(id, 'refund', amountMinor)
}

/**
 * The house takes what is due of a hold, or lets it go; what is held no more it leaves as it is. It stands in no batch: the
 * terminal has not counted it (docs/protocol.md 7.7).
 */
export function endHold({ transaction }: Snapshot, report: HoldReport): Change[] {
  const { id, kind, status, act, amountMinor } = transaction!
  if (kind !== 'authorisation' || status !== 'authorised' || act !== null) return []
  if (report.kind === 'release') return told(id, 'reverse', amountMinor, { status: 'cancelled' })
  const dueMinor = Math.min(report.amountMinor, amountMinor)
  return told(id, 'capture', dueMinor, { amountMinor: dueMinor })
}
