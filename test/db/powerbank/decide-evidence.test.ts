import { expect, test } from 'vitest'
import { isStale } from '../../../db/powerbank/decide/answered.ts'
import { decide } from '../../../db/powerbank/decide/decide.ts'
import type {
  AnsweredCommand,
  InventoryReport,
  ListedBanks,
  LiveOrder,
  Snapshot,
} from '../../../db/powerbank/decide/snapshot.ts'
import {
  ago,
  asked,
  BESIDE,
  cabinet,
  fates,
  HERE,
  known,
  loan,
  lookSeconds,
  only,
  registered,
  seen,
  slot,
  snapshot,
  told,
  wire,
} from './decide-scenes.ts'

// What a cabinet's word proves (docs/decisions.md): each rule that a loan may not begin, end or go on by mistake.

const lists = (at: Snapshot, report: Omit<InventoryReport, 'kind'>) => decide(at, { kind: 'inventory', ...report })
const LENT = ['borrow', 'inventory: the slot no longer lists the bank']
const REFUSED = ['cancelled', 'inventory: the cabinet refused, and nothing shows that the slot is empty']

/** One order whose bank no list shows, by the face of its slot. */
test.for<[string, LiveOrder, Omit<InventoryReport, 'kind'>, string[][], number | null, Partial<Snapshot>?]>([
  ['a slot that is empty is proof', asked('unknown', 20), { banks: [] }, [LENT], null],
  ['one that nobody can read is none', asked('unknown', 20), { banks: [], unreadable: [1] }, [], 2],
  ['nor is one of which nothing was said', asked('unknown', 20), { banks: [], unknown: [1] }, [], 7],
  [
    'nor one beyond those the cabinet says it has',
    asked('unknown', 20, { slotNumber: 9 }),
    { banks: [], slots: 8 },
    [],
    7,
  ],
  ['a refusal is believed', asked('failed', 1), { banks: [], unreadable: [1] }, [REFUSED], 2],
  ['unless the slot proves otherwise', asked('failed', 1), { banks: [] }, [LENT], null],
  [
    'a list that was asked for before the eject was sent is none',
    asked('unknown', 20),
    { banks: [] },
    [],
    7,
    { askedAt: [ago(21)] },
  ],
  [
    'what another box was told no list of this one tells',
    asked('unknown', 20),
    { banks: [] },
    [],
    null,
    { station: cabinet({ metalSince: ago(15) }) },
  ],
])('absence: %s', ([, order, report, expected, look, about]) => {
  const changes = lists(snapshot({ orders: [order], ...about }), report)
  expect(fates(changes)).toEqual(expected)
  expect(lookSeconds(changes)).toBe(look)
})

test('a slot that the bank left empties once, and that is noted', () => {
  const absent = (order: LiveOrder) => only(lists(snapshot({ orders: [order] }), { banks: [] }), 'absent')
  expect(absent(loan(12))).toEqual([{ kind: 'absent', orderId: 100 }])
  expect(absent(loan(12, { absentAt: ago(3) }))).toEqual([])
  expect(absent(asked('unknown', 20))).toHaveLength(1)
})

test('a bank that was not taken and leaves soon after belongs to its order again', () => {
  const notTaken = asked('answered', 70, { status: 'cancelled', notTakenAt: ago(10) })
  const taken = ['borrow', 'inventory: the bank was taken after all']
  expect(fates(lists(snapshot({ orders: [notTaken] }), { banks: [] }))).toEqual([taken])
  expect(fates(lists(snapshot({ orders: [notTaken] }), { banks: [seen(1)] }))).toEqual([])
  expect(fates(lists(snapshot({ orders: [notTaken] }), { banks: [], unreadable: [1] }))).toEqual([])
  // What another box lacks is nothing to it.
  const station = cabinet({ metalSince: ago(5) })
  expect(fates(lists(snapshot({ station, orders: [notTaken] }), { banks: [] }))).toEqual([])
})

test('until nobody can pull it out any more, it is looked at; then it has stayed', () => {
  const seenAgain = (notTakenAt: Date) =>
    lists(snapshot({ orders: [asked('answered', 99, { status: 'cancelled', notTakenAt })] }), { banks: [seen(1)] })
  expect(lookSeconds(seenAgain(ago(10)))).toBe(50)
  expect(only(seenAgain(ago(59)), 'stayed')).toEqual([])
  expect(only(seenAgain(ago(60)), 'stayed')).toEqual([{ kind: 'stayed', orderId: 100 }])
})

test('what is in a slot that nobody can read stays there, is not for rent, and is looked at again soon, then slowly', () => {
  const read = (unreadLooks: number) =>
    lists(snapshot({ slots: [slot(1, 10), slot(2, 11)], station: cabinet({ unreadLooks }) }), {
      banks: [seen(2, 11)],
      unreadable: [1],
    })
  const changes = read(0)
  expect(only(changes, 'unread')).toEqual([{ kind: 'unread', powerbankId: 10 }])
  expect(only(changes, 'vacate')).toEqual([])
  expect(told(changes)).toEqual([])
  expect(only(changes, 'listed')).toMatchObject([
    { unreadable: [1], banks: { [wire(11)]: { since: ago(0).toISOString(), slot: 2 } } },
  ])
  expect([0, 1, 2, 3, 4, 99].map((looks) => lookSeconds(read(looks)))).toEqual([2, 5, 15, 60, 240, 240])
})

test('a bank that another cabinet lists as it always did is a twin: it moves nothing, ends no loan, and both are named', () => {
  const listedAllTheWhile = { since: ago(60).toISOString(), at: ago(20).toISOString(), slot: 3 }
  const twin = { station: cabinet({ listedBanks: { [wire(10)]: listedAllTheWhile } }) }
  const isLent = lists(snapshot({ ...twin, orders: [loan(30, { stationId: BESIDE })] }), { banks: [seen(3)] })
  expect(fates(isLent)).toEqual([])
  expect(only(isLent, 'put')).toEqual([])
  expect(only(isLent, 'event')).toMatchObject([
    { name: 'powerbank.twins', data: { powerbankId: 10, slot: 3, stationIds: [HERE, BESIDE] } },
  ])
  const isHeld = lists(snapshot({ ...twin, slots: [slot(4, 10, BESIDE)] }), { banks: [seen(3)] })
  expect(only(isHeld, 'vacate')).toEqual([])
  expect(told(isHeld)).toEqual(['powerbank.twins'])
  // One that the list did not show before it went out there has come back.
  const isBack = (listedBanks: ListedBanks) =>
    fates(
      lists(snapshot({ station: cabinet({ listedBanks }), orders: [loan(30, { stationId: BESIDE })] }), {
        banks: [seen(3)],
      }),
    )
  expect(isBack({})).toEqual([['return', 'inventory']])
  expect(isBack({ [wire(10)]: { since: ago(29).toISOString(), slot: 3 } })).toEqual([['return', 'inventory']])
})

test('twins are told of once an hour', () => {
  const again = (twinAt: Date) =>
    told(
      lists(
        snapshot({
          station: cabinet({ listedBanks: { [wire(10)]: { since: ago(60).toISOString(), slot: 3, isTwin: true } } }),
          banks: registered(known(10, { twinAt })),
          slots: [slot(4, 10, BESIDE)],
        }),
        { banks: [seen(3)] },
      ),
    )
  expect(again(ago(3_599))).toEqual([])
  expect(again(ago(3_601))).toEqual(['powerbank.twins'])
})

test('a return that may be an old one is noted, and the slots are asked for at once', () => {
  const changes = decide(snapshot({ orders: [loan(2)] }), { kind: 'returned', bank: seen(1) })
  expect(fates(changes)).toEqual([])
  expect(only(changes, 'heard')).toEqual([{ kind: 'heard', orderId: 100 }])
  expect(only(changes, 'ask')).toEqual([{ kind: 'ask', stationId: HERE }])
})

test('one that was heard before the loan began does not even prove that the bank was out', () => {
  const returns = [{ ...slot(1, 10), at: ago(90) }]
  const changes = decide(snapshot({ orders: [loan(60)], returns }), { kind: 'returned', bank: seen(1) })
  expect(only(changes, 'heard')).toEqual([])
  expect(only(changes, 'ask')).toEqual([{ kind: 'ask', stationId: HERE }])
})

test('a loan that a list begins asks the cabinet where its bank was put meanwhile', () => {
  const slots = [slot(4, 10, BESIDE)]
  const changes = lists(snapshot({ orders: [asked('unknown', 20)], slots }), { banks: [] })
  expect(fates(changes)).toEqual([LENT])
  expect(only(changes, 'ask')).toEqual([{ kind: 'ask', stationId: BESIDE }])
})

test('a list remembers since when it shows a bank, also while the bank’s slot cannot be read', () => {
  const listedBanks = { [wire(10)]: { since: ago(60).toISOString(), slot: 1 } }
  const remembered = (report: Omit<InventoryReport, 'kind'>, about: object = {}, slots = [slot(1, 10)]) =>
    only(lists(snapshot({ station: cabinet({ listedBanks, ...about }), slots }), report), 'listed')[0]!.banks
  const now = ago(0).toISOString()
  const before = ago(60).toISOString()
  expect(remembered({ banks: [seen(2)] })).toEqual({ [wire(10)]: { since: before, at: now, slot: 2 } })
  // One that was taken to be elsewhere has come, whatever was listed before.
  expect(remembered({ banks: [seen(1)] }, {}, [])).toEqual({ [wire(10)]: { since: now, at: now, slot: 1 } })
  expect(remembered({ banks: [], unreadable: [1] })).toEqual(listedBanks)
  expect(remembered({ banks: [] }, { connectedAt: ago(3) })).toEqual(listedBanks)
  expect(remembered({ banks: [], unreadable: [2] })).toEqual({})
})

test('a fault takes a bank out of service, good readings in a row bring it back, and both are told', () => {
  const faults = { bank: false, typeC: false, lightning: false, microUsb: false }
  const read = (bank: Parameters<typeof known>[1], about: object) =>
    lists(snapshot({ banks: registered(known(10, bank)) }), { banks: [seen(1, 10, about)] })
  const broken = read({}, { faults: { ...faults, bank: true } })
  expect(only(broken, 'bank')).toMatchObject([{ status: 'system_error', goodReadings: 0 }])
  expect(told(broken)).toEqual(['powerbank.faulty'])
  const isBroken = { status: 'system_error' } as const
  expect(only(read(isBroken, { faults }), 'bank')).toMatchObject([{ status: null, goodReadings: 1 }])
  const again = read({ ...isBroken, goodReadings: 1 }, { faults: { ...faults, bank: true } })
  expect(only(again, 'bank')).toMatchObject([{ status: null, goodReadings: 0 }])
  const mended = read({ ...isBroken, goodReadings: 2 }, { faults })
  expect(only(mended, 'bank')).toMatchObject([{ status: 'active', goodReadings: 0 }])
  expect(told(mended)).toEqual(['powerbank.recovered'])
  // A reading that was not read is no good one.
  expect(only(read({ ...isBroken, goodReadings: 2 }, { faults, isUnread: true }), 'bank')).toEqual([])
})

const command: AnsweredCommand = {
  id: 1000,
  slot: 1,
  args: { bankId: wire(10) },
  requestedBy: 5,
  sentAt: ago(2),
  isLate: false,
}
const pending = asked('sent', 2)

/** An answer that names bank 11 where bank 10 was asked for. */
test.for<[string, Partial<Snapshot>, boolean]>([
  ['of a bank that nobody has let out is the truth', {}, false],
  [
    'of one that is out on another order is an old one',
    { orders: [pending, loan(60, { id: 101, commandId: 1001, powerbankId: 11 })] },
    true,
  ],
  ['of one that was said of this slot before, too', { isSaidBefore: true }, true],
  ['of one that is thought to be in another cabinet, too', { slots: [slot(2, 11, BESIDE)] }, true],
  ['of one that is thought to be in this one is the truth', { slots: [slot(2, 11)] }, false],
])('an answer that names another bank: %s', ([, about, expected]) => {
  const at = snapshot({ orders: [pending], ...about })
  const said = { kind: 'eject', slot: 1, bankId: wire(11), ok: true }
  expect(isStale(at, { kind: 'answer', said, command })).toBe(expected)
})

test('an answer for its own command is never an old one of another', () => {
  const at = snapshot({ orders: [pending], isSaidBefore: true })
  for (const bankId of [wire(10), null])
    expect(isStale(at, { kind: 'answer', said: { kind: 'eject', slot: 1, bankId, ok: true }, command })).toBe(false)
})
