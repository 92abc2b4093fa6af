import { expect, test } from 'vitest'
import type { Change } from '../../../db/paygo/decide/changes.ts'
import { decide } from '../../../db/paygo/decide/decide.ts'
import type {
  OutcomeReport,
  Report,
  Said,
  Snapshot,
  StateReport,
  Transaction,
} from '../../../db/paygo/decide/snapshot.ts'

const nothing: Snapshot = { said: null, transaction: null, isReversed: false, figures: null }
const purchase: Report = { kind: 'purchase', amountMinor: 15_000 }
const hold: Report = { kind: 'authorisation', amountMinor: 15_000 }
const original = { mti: '0200', stan: '000002', sentAt: '1128203107' }
const reversal: Report = { kind: 'reversal', amountMinor: 15_000, original }
const advice: Report = { kind: 'advice', amountMinor: 15_000, isAbout: false }
const completion: Report = { kind: 'advice', amountMinor: 10_000, isAbout: true }
const said = (changes: Partial<Said> = {}): Said => ({
  isSame: true,
  kind: 'purchase',
  answer: { code: '00' },
  ...changes,
})

/** A purchase that waits for the acquirer, changed. */
const row = (changes: Partial<Transaction> = {}): Transaction => ({
  ...{ id: 1, kind: 'purchase', saidMinor: 15_000, amountMinor: 15_000, status: 'pending', act: 'purchase' },
  ...{ actMinor: 15_000, isGivenUp: false, bookedMinor: 0, refundedMinor: 0, isCounted: false },
  ...changes,
})
const settled = { act: null, actMinor: 0, bookedMinor: 15_000 }
const completed = row({ ...settled, status: 'completed', isCounted: true })
const held = row({ ...settled, kind: 'authorisation', status: 'authorised' })
const outcome = (
  act: OutcomeReport['act'],
  result: OutcomeReport['result'],
  more: Partial<OutcomeReport> = {},
): Report => ({
  ...{ kind: 'outcome', act, result, amountMinor: 15_000, isOpen: true },
  ...more,
})
const has = (known: StateReport['known'], more: Partial<StateReport> = {}): Report => ({
  ...{ kind: 'state', known, amountMinor: 15_000, refundedMinor: 0 },
  ...more,
})

/** A decision in short: `answer 00`, `tell reverse 15000`, `move cancelled`. */
function inShort(change: Change): string {
  switch (change.kind) {
    case 'begin':
      return `begin ${change.act}`
    case 'move':
      return `move ${change.status ?? '-'}`
    case 'answer':
      return `answer ${change.to === 'this' ? '' : 'first '}${change.code}`
    case 'tell':
      return `tell ${change.act} ${change.amountMinor}`
    case 'post':
      return `post ${change.entry} ${change.amountMinor}`
    case 'count':
      return `count ${change.figure} ${change.amountMinor}`
    case 'refused':
      return `refused ${change.reason}`
    default:
      return change.kind
  }
}

test.each<[string, Partial<Snapshot>, Report, string[]]>([
  ['a purchase is told to the acquirer', {}, purchase, ['begin purchase']],
  ['an authorisation is held', {}, hold, ['begin authorise']],
  ['the same STAN with the same content gets the same answer', { said: said() }, purchase, ['answer 00']],
  ['while there is none yet, nothing', { said: said({ answer: null }) }, purchase, []],
  ['with another content it is a mistake', { said: said({ isSame: false }) }, purchase, ['answer 94']],
  ['a purchase after its reversal is booked nowhere', { isReversed: true }, purchase, ['answer 21']],
  [
    'an approval is booked, counted and answered',
    { transaction: row() },
    outcome('purchase', 'approved'),
    ['move completed', 'post take 15000', 'count debits 15000', 'answer first 00'],
  ],
  [
    'a hold is booked, and no debit',
    { transaction: row({ kind: 'authorisation', act: 'authorise' }) },
    outcome('authorise', 'approved'),
    ['move authorised', 'post hold 15000', 'answer first 00'],
  ],
  [
    'a refusal is answered with its code',
    { transaction: row() },
    outcome('purchase', 'declined', { code: '51' }),
    ['move failed', 'answer first 51'],
  ],
  [
    'nobody answers: the terminal hears 68, and the acquirer is asked',
    { transaction: row() },
    outcome('purchase', 'silent'),
    ['move -', 'answer first 68', 'ask'],
  ],
  [
    'asked, it has taken the money: that is reversed',
    { transaction: row({ isGivenUp: true }) },
    has('taken'),
    ['move cancelled', 'tell reverse 15000'],
  ],
  [
    'asked, it has nothing yet: it may be on its way, and is reversed',
    { transaction: row({ isGivenUp: true }) },
    has('none'),
    ['move cancelled', 'tell reverse 15000'],
  ],
  ['asked, it is silent: asked again', { transaction: row({ isGivenUp: true }) }, has('silent'), ['ask']],
  [
    'an approval too late is reversed',
    { transaction: row({ isGivenUp: true }) },
    outcome('purchase', 'approved'),
    ['move cancelled', 'tell reverse 15000'],
  ],
  [
    'an approval said twice is nothing',
    { transaction: completed },
    outcome('purchase', 'approved', { isOpen: false }),
    [],
  ],
  [
    'a purchase that is reversed goes back',
    { transaction: completed },
    reversal,
    ['answer 00', 'remember', 'count debitsReversed 15000', 'move cancelled', 'move -', 'tell reverse 15000'],
  ],
  [
    'said again it is done already',
    { transaction: row({ ...settled, status: 'cancelled' }), isReversed: true },
    reversal,
    ['answer 00'],
  ],
  ['another amount is refused', { transaction: completed }, { ...reversal, amountMinor: 1 } as Report, ['answer 13']],
  [
    'one whose purchase nobody knows is remembered, and counted as the terminal counts it',
    {},
    reversal,
    ['answer 00', 'remember', 'count debits 15000', 'count debitsReversed 15000'],
  ],
  [
    'of a purchase under way it is done when the acquirer has answered; the purchase hears that nothing was done',
    { transaction: row() },
    reversal,
    ['answer 00', 'remember', 'count debits 15000', 'count debitsReversed 15000', 'move cancelled', 'answer first 21'],
  ],
  [
    'then the approval goes straight back',
    { transaction: row({ status: 'cancelled' }) },
    outcome('purchase', 'approved'),
    ['move cancelled', 'tell reverse 15000'],
  ],
  [
    'what is refunded is not reversed',
    { transaction: row({ ...completed, refundedMinor: 1 }) },
    reversal,
    ['answer 21', 'exception'],
  ],
  [
    'nor what is being refunded',
    { transaction: row({ ...completed, act: 'refund' }) },
    reversal,
    ['answer 21', 'exception'],
  ],
  [
    'what is reversed is not refunded',
    { transaction: row({ ...settled, status: 'cancelled' }) },
    { kind: 'refund', amountMinor: 1 },
    ['refused reversed'],
  ],
  ['nor more than was paid', { transaction: completed }, { kind: 'refund', amountMinor: 15_001 }, ['refused too_much']],
  [
    'nor two at once',
    { transaction: row({ ...completed, act: 'refund' }) },
    { kind: 'refund', amountMinor: 1 },
    ['refused under_way'],
  ],
  [
    'a refund is told once',
    { transaction: completed },
    { kind: 'refund', amountMinor: 5_000 },
    ['move -', 'tell refund 5000'],
  ],
  [
    'a whole refund is booked when it is done',
    { transaction: row({ ...completed, act: 'refund', actMinor: 15_000 }) },
    outcome('refund', 'approved'),
    ['move -', 'move refunded', 'post give_back 15000'],
  ],
  [
    'a completion takes what is due and lets the rest go',
    { transaction: held },
    completion,
    ['answer 00', 'move -', 'tell capture 10000', 'count debits 10000'],
  ],
  [
    'when it is done',
    { transaction: row({ ...held, act: 'capture', actMinor: 10_000, amountMinor: 10_000 }) },
    outcome('capture', 'approved', { amountMinor: 10_000 }),
    ['post capture 10000', 'post give_back 5000', 'move completed'],
  ],
  [
    'more than is held is for people',
    { transaction: held },
    { ...completion, amountMinor: 15_001 } as Report,
    ['answer 00', 'exception'],
  ],
  [
    'a hold is released',
    { transaction: held },
    { ...reversal, original: { ...original, mti: '0100' } } as Report,
    ['answer 00', 'remember', 'move cancelled', 'move -', 'tell reverse 15000'],
  ],
  [
    'a hold that the host has completed is given back, and is for people',
    { transaction: { ...held, status: 'completed', amountMinor: 10_000, bookedMinor: 10_000 } },
    { ...reversal, original: { ...original, mti: '0100' } } as Report,
    ['answer 00', 'remember', 'exception', 'move cancelled', 'move -', 'tell reverse 10000'],
  ],
  [
    'an approval of the terminal’s own is stored first',
    {},
    advice,
    ['begin purchase', 'answer 00', 'count debits 15000'],
  ],
  [
    'and is for people where the acquirer refuses it',
    { transaction: row({ kind: 'advice', isCounted: true }) },
    outcome('purchase', 'declined'),
    ['move failed', 'exception'],
  ],
  [
    'an advice of a known purchase books nothing',
    { said: said({ isSame: false }), transaction: completed },
    advice,
    ['answer 00'],
  ],
  [
    'one of a purchase that is not known to be approved is for people',
    { said: said({ isSame: false, answer: null }), transaction: row() },
    advice,
    ['answer 00', 'exception'],
  ],
  [
    'what is paid over HTTP is booked, answered to no terminal and counted in no batch',
    { transaction: row({ kind: 'stored' }) },
    outcome('purchase', 'approved'),
    ['move completed', 'post take 15000'],
  ],
  [
    'or refused, and that is all',
    { transaction: row({ kind: 'stored' }) },
    outcome('purchase', 'declined', { code: '51' }),
    ['move failed'],
  ],
  [
    'nobody answers: it stays in doubt',
    { transaction: row({ kind: 'stored' }) },
    outcome('purchase', 'silent'),
    ['ask'],
  ],
  [
    'asked, it has taken the money: it is paid',
    { transaction: row({ kind: 'stored' }) },
    has('taken'),
    ['move completed', 'post take 15000'],
  ],
  [
    'asked, it has nothing: it is reversed, for it may still be on its way',
    { transaction: row({ kind: 'stored' }) },
    has('none'),
    ['move cancelled', 'tell reverse 15000'],
  ],
  ['an advice about nothing that is known is for people', {}, completion, ['answer 00', 'exception']],
])('%s', (_, snapshot, report, expected) => {
  expect(decide({ ...nothing, ...snapshot }, report).map(inShort)).toEqual(expected)
})

test('totals that agree close the batch; ours are said where they differ', () => {
  const totals = {
    ...{ credits: 0, creditsReversed: 0, debits: 2, debitsReversed: 1 },
    ...{ creditsMinor: 0, creditsReversedMinor: 0, debitsMinor: 65_000, debitsReversedMinor: 50_000 },
  }
  const at = { ...nothing, figures: totals }
  expect(decide(at, { kind: 'totals', totals })).toEqual([
    { kind: 'answer', to: 'this', code: '00' },
    { kind: 'close_batch' },
  ])
  const other = { kind: 'totals' as const, totals: { ...totals, debitsMinor: 1 } }
  expect(decide(at, other)).toEqual([{ kind: 'answer', to: 'this', code: '95', figures: totals }])
})
