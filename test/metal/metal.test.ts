import { expect, test } from 'vitest'
import { isOpen } from '../../db/powerbank/decide/snapshot.ts'
import { at, type Mistake } from './rows.ts'
import { live } from './run.ts'

const SEEDS = 1_000
/** So many lives at most until a mistake has shown. */
const SEEDS_OF_A_MISTAKE = 400
const replay = (seed: number) => `replay it: npm run metal -- --seed ${seed}`

test('in a thousand lives of a street nobody has a loan by mistake, and none that never ends', () => {
  for (let seed = 1; seed <= SEEDS; seed++) expect(live(seed).fault, replay(seed)).toBeNull()
}, 120_000)

const aged = (date: Date | null) => date && at(-3_600)

/** What a house that is wrong in one thing would do. */
const mistakes: Record<string, Mistake> = {
  'takes a slot that nobody can read for an empty one': {
    report: (report) => ('unreadable' in report ? { ...report, unreadable: [] } : report),
  },
  'takes a bank that a slow customer has not pulled out yet for one that came back': {
    snapshot: (snapshot) => ({
      ...snapshot,
      orders: snapshot.orders.map((order) => ({ ...order, absentAt: order.borrowedAt })),
    }),
  },
  'never believes that a bank which was not taken in time is taken after all': {
    snapshot: (snapshot) => ({ ...snapshot, orders: snapshot.orders.filter(isOpen) }),
  },
  'ends a loan by a return that was said before it began': {
    snapshot: (snapshot) => ({
      ...snapshot,
      returns: [],
      orders: snapshot.orders.map((order) => ({ ...order, slotNumber: -1 })),
    }),
  },
  'takes the list of another box for this one’s': {
    snapshot: (snapshot) => ({ ...snapshot, station: { ...snapshot.station, metalSince: null } }),
  },
  'takes a twin for the bank that is lent': {
    snapshot: (snapshot) => ({ ...snapshot, station: { ...snapshot.station, listedBanks: {} } }),
  },
  'believes a cabinet that has only just been switched on': {
    snapshot: (snapshot) => ({
      ...snapshot,
      station: { ...snapshot.station, connectedAt: aged(snapshot.station.connectedAt) },
    }),
  },
  'takes an old answer, said again, for that of another eject': { takesStale: true },
  'looks into no cabinet of its own accord': {
    looksNever: true,
    changes: (changes) => changes.filter(({ kind }) => kind !== 'look'),
  },
  'calls an order off because the cabinet says no, whatever its slot holds': {
    changes: (changes, snapshot, report) =>
      report.kind === 'answer' && report.command && report.said.ok === false
        ? snapshot.orders
            .filter(({ commandId, status }) => commandId === report.command?.id && status === 'pending')
            .map(({ id }) => ({ kind: 'order', id, to: 'cancelled', evidence: 'refused' }))
        : changes,
  },
  'calls an order off because its eject was not answered': {
    changes: (changes, snapshot) => [
      ...changes,
      ...snapshot.orders
        .filter(({ status, commandStatus }) => status === 'pending' && commandStatus === 'unknown')
        .map(({ id }) => ({ kind: 'order', id, to: 'cancelled', evidence: 'no answer' }) as const),
    ],
  },
  'never ends a loan by a list': {
    changes: (changes) =>
      changes.filter(
        (change) => change.kind !== 'order' || change.to !== 'return' || change.evidence === 'return frame',
      ),
  },
}

test.for(Object.entries(mistakes))('a house is caught that %s', { timeout: 60_000 }, ([, mistake]) => {
  let seed = 1
  while (seed <= SEEDS_OF_A_MISTAKE && live(seed, { mistake }).fault === null) seed++
  expect(seed).toBeLessThanOrEqual(SEEDS_OF_A_MISTAKE)
})

test('the same seed is the same life', () => {
  const [one, other] = [live(7, { isLogged: true }), live(7, { isLogged: true })]
  expect(other).toEqual(one)
})
