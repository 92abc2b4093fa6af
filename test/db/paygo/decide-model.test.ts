import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  askState,
  build,
  countedByTerminal,
  fallSilent,
  hear,
  hearAnswer,
  nameOf,
  report,
  type Saying,
  type State,
  say,
} from './decide-state.ts'

const STANS = 8
const stan = fc.integer({ min: 1, max: STANS }).map((n) => String(n).padStart(6, '0'))
const amountMinor = fc.constantFrom(10_000, 25_000)
const place = fc.nat(20)
const original = fc.record({
  mti: fc.constantFrom('0200', '0200', '0100', '0220'),
  stan,
  sentAt: fc.constant('1128203107'),
})

const saying: fc.Arbitrary<Saying> = fc.oneof(
  {
    arbitrary: fc.record({ stan, report: fc.record({ kind: fc.constant('purchase' as const), amountMinor }) }),
    weight: 3,
  },
  fc.record({ stan, report: fc.record({ kind: fc.constant('authorisation' as const), amountMinor }) }),
  fc.record({
    stan,
    report: fc.record({ kind: fc.constant('advice' as const), amountMinor, isAbout: fc.constant(false) }),
  }),
  fc.record({
    stan,
    report: fc.record({ kind: fc.constant('advice' as const), amountMinor, isAbout: fc.constant(true) }),
    about: stan.map((stan) => nameOf({ mti: '0100', stan })),
  }),
  // Reversals have STANs of their own.
  {
    arbitrary: fc.record({
      stan: stan.map((text) => `9${text.slice(1)}`),
      report: fc.record({ kind: fc.constant('reversal' as const), amountMinor, original }),
    }),
    weight: 3,
  },
)

type Step = (state: State) => void
const pick = (state: State, at: number) => [...state.transactions.keys()][at % Math.max(state.transactions.size, 1)]

const step: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: saying.map((saying) => (state: State) => void say(state, saying)), weight: 5 },
  {
    arbitrary: fc.tuple(place, fc.boolean()).map(
      ([at, ok]) =>
        (state: State) =>
          state.requests.length && hear(state, at, ok),
    ),
    weight: 5,
  },
  {
    arbitrary: fc.tuple(place, fc.boolean()).map(
      ([at, keep]) =>
        (state: State) =>
          state.answers.length && hearAnswer(state, at, keep),
    ),
    weight: 5,
  },
  // Lost on the way there, and on the way back.
  place.map((at) => (state: State) => void state.requests.splice(at, 1)),
  place.map((at) => (state: State) => void state.answers.splice(at, 1)),
  place.map((at) => (state: State) => {
    const id = pick(state, at)
    if (id !== undefined) fallSilent(state, id)
  }),
  fc.tuple(place, fc.boolean()).map(
    ([at, isSilent]) =>
      (state: State) =>
        state.asked.length && askState(state, at, isSilent),
  ),
  fc.tuple(place, fc.constantFrom(4_000, 10_000)).map(([at, amountMinor]) => (state: State) => {
    const id = pick(state, at)
    if (id !== undefined) report(state, id, { kind: 'refund', amountMinor })
  }),
  // The house ends a hold by itself.
  fc.tuple(place, fc.constantFrom(0, 4_000, 10_000)).map(([at, amountMinor]) => (state: State) => {
    const id = pick(state, at)
    if (id === undefined) return
    const changes = report(state, id, amountMinor > 0 ? { kind: 'capture', amountMinor } : { kind: 'release' })
    if (amountMinor === 0 && changes.length > 0) state.released.add(id)
  }),
)

/** All that is on its way arrives; what nobody answers is asked for until it is known. */
function settle(state: State): void {
  for (let round = 0; round < 50; round++) {
    while (state.requests.length > 0) hear(state, 0, true)
    while (state.answers.length > 0) hearAnswer(state, 0, false)
    while (state.asked.length > 0) askState(state, 0, false)
    for (const { id, act } of state.transactions.values()) if (act !== null) fallSilent(state, id)
  }
}

/** What must hold once nothing is in doubt. */
function faults(state: State): string[] {
  return [...state.transactions.values()].flatMap(
    ({ id, kind, status, act, bookedMinor, amountMinor, refundedMinor }) => {
      const held = state.acquirer.get(id) ?? { heldMinor: 0, takenMinor: 0, refundedMinor: 0, isReversed: false }
      const net = held.heldMinor + held.takenMinor - held.refundedMinor
      const message = [...state.messages.values()].find(({ transactionId }) => transactionId === id)!
      const isReversed = state.reversed.has(state.origins.get(id)!)
      const is = `${kind} ${id} is ${status}, answered ${message.answer?.code}`
      const wrong: string[] = []
      const must = (holds: boolean, what: string) => void (holds || wrong.push(`${is}: ${what}`))
      must(act === null && status !== 'pending', 'still in doubt')
      must(
        net === bookedMinor && net === (state.posted.get(id) ?? 0),
        `the acquirer has ${net}, the books ${bookedMinor}`,
      )
      must(message.answer !== null, 'never answered')
      must(!(held.isReversed && held.refundedMinor > 0), 'paid back twice')
      must(held.refundedMinor === refundedMinor && refundedMinor <= amountMinor, 'another refund')
      if (isReversed || state.released.has(id))
        must(net === 0 || held.refundedMinor > 0, 'reversed, and the money is away')
      else if (message.answer?.code === '00' && kind !== 'advice')
        must(net === amountMinor - refundedMinor, `approved, and ${net} is there`)
      else if (kind !== 'advice') must(net === 0, 'not approved, and the money is away')
      return wrong
    },
  )
}

test('whatever is lost, late, doubled or reversed, money moves once and the books say so', { timeout: 60_000 }, () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
      const state = build()
      for (const take of steps) {
        take(state)
        expect(state.faults).toEqual([])
      }
      settle(state)
      expect(state.faults).toEqual([])
      expect(faults(state)).toEqual([])
      // Where people have to look, terminal and host may have counted otherwise.
      if (state.exceptions > 0) return
      const totals = countedByTerminal(state)
      expect(state.ours).toEqual(totals)
      expect(say(state, { stan: '800001', report: { kind: 'totals', totals } })).toEqual({
        kind: 'answer',
        to: 'this',
        code: '00',
      })
    }),
    { numRuns: 800 },
  )
})
