import { describe, expect, test } from 'vitest'
import { type FaultName, faultNames } from '../../simulators/terminal/faults.ts'
import { money, transactions } from '../db/paygo/till.ts'
import { testDb } from '../postgres.ts'
import { shop } from './shop.ts'

const { db } = await testDb()

/** What a terminal lives through, and what the house has of it in the end. */
interface Life {
  script: string[]
  /** `status amount`, the oldest first. */
  rows: string[]
  /** Taken in the end, by the books and by the acquirer. */
  takenMinor: number
  limits?: { partialFrameDeadlineMs?: number }
  heartbeatSeconds?: number
  counts?: object
  also?: (log: string) => void
}

const balanced = ['totals', 'wait settled code=00']
/** Nothing is taken: the purchase has come, and its reversal too. */
const takenBack = { rows: ['cancelled 10000'], takenMinor: 0 }
const refused = (code: string) => ['buy 100.00', `wait declined code=${code}`]

const lives: Partial<Record<FaultName, Life>> = {
  'lost-answer': {
    script: ['fault lost-answer=200ms', 'buy 100.00', 'wait in_doubt', 'wait reversed code=00', ...balanced],
    ...takenBack,
    also: (log) => expect(log.match(/"event":"said","kind":"purchase"/g)).toHaveLength(2),
  },
  'duplicate-stan': {
    script: ['buy 100.00', 'wait approved', 'fault duplicate-stan', 'buy 20.00', 'wait declined code=94', ...balanced],
    rows: ['completed 10000'],
    takenMinor: 10_000,
  },
  'wrong-mac': {
    script: [
      ...['fault wrong-mac', 'buy 100.00', 'wait purchase code=A0 isSigned=false', 'wait in_doubt'],
      ...['wait reversal code=A0', 'wait reversal code=A0', 'wait reversal code=A0', 'wait reversal code=A0'],
      ...['wait closed', 'fault wrong-mac', 'wait login', 'wait reversed', ...balanced],
    ],
    rows: [],
    takenMinor: 0,
    counts: { malformed: 5, ended: { malformed: 1 } },
  },
  'reversal-storm': {
    script: [
      ...['buy 100.00', 'wait approved', 'fault reversal-storm=20', 'reverse'],
      ...Array.from({ length: 20 }, () => 'wait reversal code=00'),
      ...balanced,
    ],
    ...takenBack,
  },
  'reversal-first': {
    script: ['fault reversal-first', 'buy 100.00', 'wait reversed code=00', 'wait declined code=21', ...balanced],
    rows: [],
    takenMinor: 0,
  },
  'store-and-forward': {
    script: [
      ...['fault store-and-forward=400ms', 'wait closed', 'buy 100.00', 'wait approved', 'buy 20.00', 'wait approved'],
      ...['reverse', 'expect waiting 3', 'expect link offline', 'wait login', 'wait advised', 'wait advised'],
      ...['wait reversal mti=0430', 'wait reversed', ...balanced],
    ],
    rows: ['completed 10000', 'cancelled 2000'],
    takenMinor: 10_000,
  },
  'drop-after-sale': {
    script: ['fault drop-after-sale', 'buy 100.00', 'wait in_doubt', 'wait login', 'wait reversed', ...balanced],
    ...takenBack,
  },
  'half-frame': {
    script: ['fault half-frame', 'buy 100.00', 'wait in_doubt', 'wait login', 'wait reversed', ...balanced],
    rows: [],
    takenMinor: 0,
    limits: { partialFrameDeadlineMs: 100 },
  },
  crumbs: {
    script: ['fault crumbs', 'buy 100.00', 'wait approved', 'echo', 'wait heartbeat', ...balanced],
    rows: ['completed 10000'],
    takenMinor: 10_000,
  },
  glued: {
    script: ['fault glued', 'buy 100.00', 'wait heartbeat', 'wait approved', ...balanced],
    rows: ['completed 10000'],
    takenMinor: 10_000,
  },
  twice: {
    script: [
      ...['fault twice', 'buy 100.00', 'wait purchase code=00'],
      ...['reverse', 'wait reversal code=00', 'wait reversal code=00', 'fault twice', ...balanced],
    ],
    ...takenBack,
  },
  'no-echo': {
    script: ['fault no-echo', 'wait closed within 5s', 'wait login', 'buy 100.00', 'wait approved'],
    rows: ['completed 10000'],
    takenMinor: 10_000,
    heartbeatSeconds: 1,
    counts: { ended: { silent: 1 } },
  },
  'foreign-code': { script: ['fault foreign-code', ...refused('58'), ...balanced], rows: [], takenMinor: 0 },
  'pin-block': {
    script: ['fault pin-block', ...refused('40'), ...balanced],
    rows: [],
    takenMinor: 0,
  },
  'clock-off': {
    script: ['fault clock-off=36h', 'buy 100.00', 'wait approved', 'reverse', 'wait reversed', ...balanced],
    ...takenBack,
  },
  'wrong-totals': {
    script: [
      ...['buy 100.00', 'wait approved', 'fault wrong-totals', 'totals', 'wait totals code=95 isInBalance=false'],
      ...['wait differed', 'expect debits 1', 'fault wrong-totals', 'adopt', ...balanced],
    ],
    rows: ['completed 10000'],
    takenMinor: 10_000,
  },
}

const told: Partial<Record<FaultName, true>> = {
  'late-0610': true,
  'no-0610': true,
  'answer-again': true,
  'no-paper': true,
  retained: true,
}

test('no fault is left out', () => {
  expect(Object.keys({ ...lives, ...told }).sort()).toEqual([...faultNames].sort())
})

describe.each(Object.entries(lives))('%s', (_, { script, rows, takenMinor, limits, heartbeatSeconds, ...more }) => {
  test('every row is as it must be, and both have counted the same', async () => {
    const settings = { ...(limits && { limits }), ...(heartbeatSeconds && { heartbeatSeconds }) }
    const { registered, play, log, gateway } = await shop(db, {}, settings)
    await play('wait login code=00 within 5s', ...script)
    const found = async () =>
      (await transactions(db, registered.id)).map(({ status, amountMinor }) => `${status} ${amountMinor}`)
    await expect.poll(found).toEqual(rows)
    const both = { taken: takenMinor, held: 0 }
    await expect.poll(() => money(db, registered.id)).toEqual({ books: both, acquirer: both })
    if (more.counts) expect(gateway.node.counts).toMatchObject(more.counts)
    more.also?.(log())
    expect(log()).not.toContain('4242424242424242')
  })
})
