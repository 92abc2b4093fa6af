import { expect, test } from 'vitest'
import { decide } from '../../../db/paygo/decide/decide.ts'
import type { HoldReport, Snapshot, Transaction } from '../../../db/paygo/decide/snapshot.ts'

const nothing: Snapshot = { said: null, transaction: null, isReversed: false, figures: null }
const held: Transaction = {
  ...{ id: 1, kind: 'authorisation', saidMinor: 15_000, amountMinor: 15_000, status: 'authorised', act: null },
  ...{ actMinor: 0, isGivenUp: false, bookedMinor: 15_000, refundedMinor: 0, isCounted: false },
}
const release: HoldReport = { kind: 'release' }
const capture = (amountMinor: number): HoldReport => ({ kind: 'capture', amountMinor })
const of = (changes: Partial<Transaction>, report: HoldReport) =>
  decide({ ...nothing, transaction: { ...held, ...changes } }, report)

test('what our side declines the acquirer does not hear of', () => {
  const sale = { kind: 'authorisation', amountMinor: 15_000, refusal: '13' } as const
  expect(decide(nothing, sale)).toEqual([{ kind: 'answer', to: 'this', code: '13' }])
})

test.for([
  ['what is due', 4_000, 4_000],
  ['at most what is held', 15_001, 15_000],
] as const)('the house takes %s of a hold, and no batch counts it', ([, wantedMinor, takenMinor]) => {
  expect(of({}, capture(wantedMinor))).toEqual([
    { kind: 'move', id: 1, act: 'capture', actMinor: takenMinor, amountMinor: takenMinor },
    { kind: 'tell', id: 1, act: 'capture', amountMinor: takenMinor },
  ])
})

test('or lets it go', () => {
  expect(of({}, release)).toEqual([
    { kind: 'move', id: 1, act: 'reverse', actMinor: 15_000, status: 'cancelled' },
    { kind: 'tell', id: 1, act: 'reverse', amountMinor: 15_000 },
  ])
})

test.for([
  ['that is being completed', { act: 'capture' }],
  ['that is no more', { status: 'cancelled' }],
  ['that was declined', { status: 'failed' }],
  ['that has no answer yet', { status: 'pending', act: 'authorise' }],
  ['that is a purchase', { kind: 'purchase', status: 'completed' }],
] as const)('a hold %s stays as it is', ([, changes]) => {
  for (const report of [release, capture(1)]) expect(of(changes, report)).toEqual([])
})
