import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decide } from '../../../db/powerbank/decide/decide.ts'
import type { Report, SeenBank, Snapshot } from '../../../db/powerbank/decide/snapshot.ts'
import { build, type State, snapshotOf } from './decide-rows.ts'
import { answer, borrow, dialAgain, enqueue, report, send, wait } from './decide-state.ts'

const CABINETS = 3
const SLOTS = 4
const BANKS = 8
const TABLE = { cabinets: CABINETS, slots: SLOTS, banks: BANKS }

const cabinet = fc.integer({ min: 1, max: CABINETS })
const slot = fc.integer({ min: 1, max: SLOTS })
/** One of ours, or now and then nobody's. */
const bankId = fc.integer({ min: 1, max: BANKS + 1 }).map((n) => `B${n}`)
const bank: fc.Arbitrary<SeenBank> = fc.record({
  // Slot 0 is on no cabinet.
  slot: fc.integer({ min: 0, max: SLOTS }),
  bankId,
  levelPercent: fc.nat(100),
  sohPercent: fc.constantFrom(100, 87, 255),
})

type Step = (state: State) => void

/** Whatever may happen, in any order: what cabinets say need not be true, nor consistent. */
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    arbitrary: fc.tuple(cabinet, slot).map(([stationId, slotNumber]) => (state: State) => {
      const place = [...state.slots.values()].find((at) => at.stationId === stationId && at.slotNumber === slotNumber)
      if (place) borrow(state, place)
    }),
    weight: 4,
  },
  { arbitrary: cabinet.map((id) => (state: State) => void send(state, id)), weight: 5 },
  // The answer that a movement waits for, about whatever bank.
  {
    arbitrary: fc.tuple(cabinet, fc.option(bankId), fc.boolean()).map(([id, bankId, ok]) => (state: State) => {
      const sent = [...state.commands.values()].find((c) => c.deviceId === id && c.isMovement && c.status === 'sent')
      if (sent) answer(state, id, { kind: sent.kind, slot: sent.slot!, bankId, ok })
    }),
    weight: 4,
  },
  // One that comes late, or that nobody waits for.
  fc
    .record({
      id: cabinet,
      slot,
      bankId: fc.option(bankId),
      ok: fc.boolean(),
      kind: fc.constantFrom('eject', 'force_eject'),
    })
    .map(
      ({ id, ...said }) =>
        (state: State) =>
          void answer(state, id, said),
    ),
  fc
    .record({ id: cabinet, banks: fc.array(bank, { maxLength: SLOTS }), kind: fc.constantFrom('inventory', 'login') })
    .map(({ id, banks, kind }) => (state: State) => {
      const answered = kind === 'inventory' ? answer(state, id, { kind }) : undefined
      report(state, id, { kind, banks }, answered)
    }),
  fc.tuple(cabinet, bank).map(([id, bank]) => (state: State) => {
    // No cabinet's report of a return names slot 0.
    report(state, id, { kind: 'returned', bank: { ...bank, slot: bank.slot || 1 } })
  }),
  fc.tuple(cabinet, slot, fc.constantFrom(1, 2)).map(([id, slot, event]) => (state: State) => {
    report(state, id, { kind: 'abnormal', event, slot, bankId: null })
  }),
  cabinet.map((id) => (state: State) => dialAgain(state, id)),
  fc.tuple(cabinet, slot).map(([id, slot]) => (state: State) => {
    enqueue(state, { deviceId: id, kind: 'force_eject', slot, requestedBy: 1 })
  }),
  { arbitrary: fc.constantFrom(1, 3, 6, 16, 60).map((seconds) => (state: State) => wait(state, seconds)), weight: 2 },
)

/** What must hold after every step, beyond what the tables themselves refuse (`apply`). */
function faults({ orders, commands, lookDueAt }: State): string[] {
  const isAsked = (stationId: number) =>
    [...commands.values()].some(
      ({ deviceId, kind, status }) =>
        deviceId === stationId && kind === 'inventory' && (status === 'queued' || status === 'sent'),
    )
  return [...orders.values()].flatMap(({ id, status, stationId, evidence, commandId }) => {
    if (status !== 'pending') return evidence ? [] : [`order ${id} is ${status} without evidence`]
    const { status: came } = commands.get(commandId!)!
    const isUnderWay = came === 'queued' || came === 'sent'
    return isUnderWay || lookDueAt.has(stationId) || isAsked(stationId) ? [] : [`nobody looks for order ${id}`]
  })
}

test('whatever cabinets say, one bank is lent once and sits once, orders go their ways, and doubts are looked into', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120, size: 'max' }), (steps) => {
      const state = build(TABLE)
      for (const take of steps) {
        take(state)
        expect(faults(state)).toEqual([])
      }
    }),
    { numRuns: 150 },
  )
})

const frozen = <T>(value: T): T => {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value))
    Object.values(Object.freeze(value)).forEach(frozen)
  return value
}

test('deciding changes nothing, and decides the same again', () => {
  const said: fc.Arbitrary<Report> = fc.oneof(
    fc.record({ kind: fc.constant('inventory' as const), banks: fc.array(bank) }),
    fc.record({ kind: fc.constant('returned' as const), bank }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), cabinet, said, (steps, id, report) => {
      const state = build(TABLE)
      for (const take of steps) take(state)
      const at: Snapshot = frozen(snapshotOf(state, id, report))
      const once = decide(at, frozen(report))
      expect(decide(at, report)).toEqual(once)
    }),
  )
})
