import type { TransactionStatus } from '../../paygo/words.ts'
import type { OrderStatus } from '../../powerbank/words.ts'
import type { RentalOutcome, RentalState, Settlement } from '../words.ts'
import { priceOf, type Tariff } from './price.ts'

/** A terminal waits 60 s for its answer (docs/protocol.md 7.8), and its customer no longer: after that nothing is let out. */
const LEND_WITHIN_MS = 60_000
/** A bank that was not taken may still leave (docs/decisions.md "What a cabinet's word proves"); a list says so before this. */
export const NOT_TAKEN_SECONDS_MAX = 7_200
const SECOND_MS = 1_000

/** The deposit as it stands. Amounts in kopecks. */
export interface Hold {
  status: TransactionStatus
  /** The acquirer has been told something, and has not answered. */
  isUnderWay: boolean
  /** What was held at first; what of it was taken, and what of that went back. */
  saidMinor: number
  amountMinor: number
  refundedMinor: number
}

/** The loan as it stands. */
export interface Loan {
  status: OrderStatus
  isDeleted: boolean
  createdAt: Date
  borrowedAt: Date | null
  completedAt: Date | null
  /** When it was cancelled because its bank stayed; null again once that is for good. */
  notTakenAt: Date | null
}

/** What is known of a rental. */
export interface Facts {
  rental: {
    createdAt: Date
    /** Why its cabinet lent nothing. */
    reason: string | null
    owedMinor: number | null
    told: Settlement | null
    recoveredAt: Date | null
  }
  hold: Hold
  /** Null: the cabinet was not asked yet. */
  loan: Loan | null
  tariff: Tariff
  now: Date
}

/** What is to be done next, one thing at a time: what comes of it is another fact. */
export type Step =
  /** Something else has to happen first. */
  | { kind: 'wait'; state: RentalState }
  | { kind: 'lend' }
  | { kind: 'settle'; by: Settlement; amountMinor: number; owedMinor: number }
  /** `exception`: people have to look. */
  | { kind: 'end'; outcome: RentalOutcome; owedMinor: number; exception?: string }

interface Owed {
  outcome: RentalOutcome
  owedMinor: number
}

const wait = (state: RentalState): Step => ({ kind: 'wait', state })
const nothing = (outcome: RentalOutcome): Owed => ({ outcome, owedMinor: 0 })
const since = (from: Date, to: Date) => to.getTime() - from.getTime()

/** Before a bank was asked for. */
function unlent({ rental, hold, now }: Facts): Owed | Step {
  if (hold.status === 'pending') return wait('authorising')
  if (hold.status === 'failed') return { kind: 'end', ...nothing('declined') }
  // Taken back, or taken whole, by the terminal itself.
  if (hold.status !== 'authorised' || hold.isUnderWay) return nothing('not_lent')
  if (rental.reason !== null || since(rental.createdAt, now) >= LEND_WITHIN_MS) return nothing('not_lent')
  return { kind: 'lend' }
}

/** What is due for a loan; a step while that is not known. */
function owedFor(facts: Facts, loan: Loan): Owed | Step {
  const { rental, hold, tariff, now } = facts
  const { status, borrowedAt, completedAt, createdAt, notTakenAt } = loan
  const price = (until: Date) => priceOf(tariff, since(borrowedAt ?? createdAt, until))
  if (loan.isDeleted) return nothing('waived')
  switch (status) {
    case 'pending':
      return wait('lending')
    case 'borrow':
      if (hold.status !== 'cancelled') return wait('rented')
      return {
        kind: 'end',
        outcome: 'unsecured',
        owedMinor: 0,
        exception: 'a bank is out, and its deposit is not held',
      }
    case 'cancelled': {
      const mayLeave = notTakenAt !== null && since(notTakenAt, now) < NOT_TAKEN_SECONDS_MAX * SECOND_MS
      return mayLeave ? wait('lending') : nothing('not_lent')
    }
    case 'return':
      return { outcome: 'returned', owedMinor: price(completedAt ?? now) }
    case 'force_eject':
      if (rental.recoveredAt === null) return { outcome: 'lost', owedMinor: tariff.lostMinor }
      return { outcome: 'recovered', owedMinor: Math.min(tariff.lostMinor, price(rental.recoveredAt)) }
  }
}

/** Brings what was taken to what is due; each act once, for whatever the acquirer refuses is for people. */
function settle({ rental, hold }: Facts, { outcome, owedMinor }: Owed): Step {
  const { status, saidMinor, amountMinor, refundedMinor } = hold
  const end: Step = { kind: 'end', outcome, owedMinor }
  const isTold = (by: Settlement) => rental.told === by && rental.owedMinor === owedMinor
  const refused = (what: string): Step => ({ kind: 'end', outcome: 'failed', owedMinor, exception: what })
  switch (status) {
    case 'authorised': {
      const dueMinor = Math.min(owedMinor, saidMinor)
      const by = dueMinor > 0 ? 'capture' : 'release'
      if (isTold(by)) return refused(`the acquirer refuses the ${by} of a deposit`)
      return { kind: 'settle', by, amountMinor: dueMinor, owedMinor }
    }
    case 'completed':
    case 'refunded': {
      const takenMinor = amountMinor - refundedMinor
      const tooMuchMinor = takenMinor - owedMinor
      // Its terminal has completed it with less. What people gave back of a lost bank's price is their business.
      if (tooMuchMinor < 0 && outcome !== 'recovered')
        return { ...end, outcome: 'unsecured', exception: `${owedMinor} is due, and ${takenMinor} was taken` }
      if (tooMuchMinor <= 0) return end
      if (isTold('refund')) return refused('the acquirer refuses to give back what is not due')
      return { kind: 'settle', by: 'refund', amountMinor: tooMuchMinor, owedMinor }
    }
    default:
      if (owedMinor === 0) return end
      return { ...end, outcome: 'unsecured', exception: `${owedMinor} is due, and no deposit is held` }
  }
}

/**
 * How a rental goes on, by what its deposit, its cabinet and its tariff say. Pure: the same facts are always the same step. A
 * deposit is taken or let go once its bank's story is over, which only the loan's own evidence ends.
 */
export function decide(facts: Facts): Step {
  const { loan, hold } = facts
  const owed = loan ? owedFor(facts, loan) : unlent(facts)
  if ('kind' in owed) return owed
  if (hold.isUnderWay || hold.status === 'pending') return wait('settling')
  return settle(facts, owed)
}
