import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decide, type Facts, type Hold, type Loan } from '../../../db/kiosk/decide/decide.ts'
import { priceOf } from '../../../db/kiosk/decide/price.ts'
import type { Settlement } from '../../../db/kiosk/words.ts'
import { mayMove } from '../../../db/powerbank/decide/order-states.ts'
import type { OrderStatus } from '../../../db/powerbank/words.ts'
import { DEPOSIT, prices } from './stand.ts'

const MINUTE_MS = 60_000
const began = new Date('2026-01-01T00:00:00Z')

/** A rental, its deposit and its loan as their own businesses move them; what was asked of them is kept. */
const build = () => ({
  now: began,
  rental: { createdAt: began, reason: null, owedMinor: null, told: null, recoveredAt: null } as Facts['rental'],
  hold: {
    ...{ status: 'pending', isUnderWay: true, saidMinor: DEPOSIT, amountMinor: DEPOSIT, refundedMinor: 0 },
  } as Hold,
  loan: null as Loan | null,
  /** What the acquirer was told and has not answered. */
  asked: null as { by: Settlement; amountMinor: number } | null,
  lent: 0,
  acts: [] as string[],
  outcome: null as string | null,
  exceptions: 0,
})
type State = ReturnType<typeof build>

/** The next step is taken, as its writer takes it. */
function step(state: State): void {
  if (state.outcome !== null) return
  const next = decide({ ...state, tariff: prices })
  if (next.kind === 'lend') {
    state.lent += 1
    state.loan = {
      ...{ status: 'pending', isDeleted: false, createdAt: state.now },
      ...{ borrowedAt: null, completedAt: null, notTakenAt: null },
    }
  } else if (next.kind === 'settle') {
    expect(state.hold.isUnderWay).toBe(false)
    const { by, amountMinor, owedMinor } = next
    Object.assign(state.rental, { told: by, owedMinor })
    state.asked = { by, amountMinor }
    state.hold.isUnderWay = true
    if (by === 'release') state.hold.status = 'cancelled'
    else if (by === 'capture') state.hold.amountMinor = amountMinor
    state.acts.push(`${by} ${owedMinor}`)
  } else if (next.kind === 'end') {
    Object.assign(state, { outcome: next.outcome })
    state.rental.owedMinor = next.owedMinor
    if (next.exception !== undefined) state.exceptions += 1
  }
}

/** The acquirer answers what it was told last. */
function answer({ hold, ...state }: State, isWilling: boolean): Partial<State> {
  if (!hold.isUnderWay) return {}
  hold.isUnderWay = false
  if (hold.status === 'pending') hold.status = isWilling ? 'authorised' : 'failed'
  else if (state.asked?.by === 'capture') {
    if (isWilling) hold.status = 'completed'
    else hold.amountMinor = hold.saidMinor
  } else if (state.asked?.by === 'refund' && isWilling) hold.refundedMinor += state.asked.amountMinor
  return { asked: null }
}

/** The loan goes a way that it may go, by whatever evidence. */
function move({ loan, now }: State, to: OrderStatus): void {
  if (!loan || !mayMove(loan.status, to)) return
  loan.notTakenAt = to === 'cancelled' && loan.status === 'borrow' ? now : null
  loan.status = to
  if (to === 'borrow' || to === 'return') loan.borrowedAt ??= now
  loan.completedAt = to === 'borrow' ? null : now
}

/** What has ended otherwise than it was thought is opened again. */
function reopen(state: State): void {
  const { outcome, loan, now, rental } = state
  const isLate = outcome === 'not_lent' && loan !== null && loan.status !== 'cancelled'
  if (outcome !== 'lost' && !isLate) return
  if (outcome === 'lost') rental.recoveredAt = now
  state.outcome = null
}

/** Its terminal takes the deposit back. */
function reverse({ hold }: State): void {
  if (hold.status === 'authorised' && !hold.isUnderWay) Object.assign(hold, { status: 'cancelled', isUnderWay: true })
}

/** Its terminal takes of it what it likes. */
function complete({ hold }: State, amountMinor: number): void {
  if (hold.status === 'authorised' && !hold.isUnderWay) Object.assign(hold, { status: 'completed', amountMinor })
}

type Happening = (state: State) => void
const statuses = ['borrow', 'return', 'force_eject', 'cancelled'] as const
const happening: fc.Arbitrary<Happening> = fc.oneof(
  { arbitrary: fc.constant<Happening>(step), weight: 5 },
  {
    arbitrary: fc.boolean().map(
      (ok): Happening =>
        (state) =>
          void Object.assign(state, answer(state, ok)),
    ),
    weight: 3,
  },
  {
    arbitrary: fc.constantFrom(...statuses).map(
      (to): Happening =>
        (state) =>
          move(state, to),
    ),
    weight: 4,
  },
  fc.nat(3_000).map(
    (minutes): Happening =>
      (state) => {
        state.now = new Date(state.now.getTime() + minutes * MINUTE_MS)
      },
  ),
  fc.constant<Happening>(reverse),
  fc.integer({ min: 1, max: DEPOSIT }).map(
    (amountMinor): Happening =>
      (state) =>
        complete(state, amountMinor),
  ),
  fc.constant<Happening>(reopen),
  fc.constant<Happening>((state) => {
    if (state.loan) state.loan.notTakenAt = null
  }),
  fc.constant<Happening>((state) => {
    if (!state.loan) state.rental.reason = 'no_power_bank'
  }),
)

const taken = ({ hold }: State) =>
  hold.status === 'completed' || hold.status === 'refunded' ? hold.amountMinor - hold.refundedMinor : 0

/** Nothing new happens any more, but time and the acquirer's answers. */
function settle(state: State): void {
  state.now = new Date(state.now.getTime() + 200 * 24 * 60 * MINUTE_MS)
  if (state.loan?.status === 'pending') move(state, 'cancelled')
  if (state.loan?.status === 'borrow') move(state, 'force_eject')
  for (let round = 0; round < 20; round++) {
    step(state)
    Object.assign(state, answer(state, true))
  }
}

test('whatever happens in whatever order, a rental ends, and what it took is what is due', { timeout: 60_000 }, () => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 40, size: 'max' }), (happenings) => {
      const state = build()
      for (const happens of happenings) {
        happens(state)
        expect(taken(state)).toBeLessThanOrEqual(DEPOSIT)
      }
      settle(state)
      const { outcome, loan, rental, acts } = state
      expect(outcome).not.toBe(null)
      expect(state.lent).toBeLessThanOrEqual(1)
      // The acquirer is told each thing once.
      expect(new Set(acts).size).toBe(acts.length)
      const owedMinor = rental.owedMinor!
      if (outcome === 'unsecured' || outcome === 'failed') {
        expect(state.exceptions).toBeGreaterThan(0)
        return
      }
      expect(taken(state)).toBe(owedMinor)
      if (outcome === 'declined' || outcome === 'not_lent') expect(owedMinor).toBe(0)
      if (outcome === 'lost') expect(owedMinor).toBe(prices.lostMinor)
      if (outcome === 'returned')
        expect(owedMinor).toBe(priceOf(prices, loan!.completedAt!.getTime() - loan!.borrowedAt!.getTime()))
    }),
    { numRuns: 3_000 },
  )
})
