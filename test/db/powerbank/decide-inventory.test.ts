import { expect, test } from 'vitest'
import { decide } from '../../../db/powerbank/decide/decide.ts'
import { type LiveOrder, type SeenBank, type Snapshot, usualRules } from '../../../db/powerbank/decide/snapshot.ts'
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
  snapshot,
  told,
} from './decide-scenes.ts'

const lists = (at: Snapshot, ...banks: SeenBank[]) => decide(at, { kind: 'inventory', banks })
const elsewhere: Partial<LiveOrder> = { stationId: BESIDE }
/** The first question that this list may answer was sent so long ago. */
const askedFor = (secondsAgo: number) => ({ askedAt: [ago(secondsAgo)] })
const justDialledIn = (secondsAgo: number) => ({ station: cabinet({ connectedAt: ago(secondsAgo) }) })

const NOT_TAKEN = ['cancelled', 'inventory: the bank was not taken']
const BACK = ['return', 'inventory']

/** Rules about one order, whose bank the list shows in this slot. */
test.for<[string, LiveOrder, number, string[][], number | null, Partial<Snapshot>?]>([
  ['a bank that is listed closes its loan', loan(), 4, [['return', 'inventory']], null],
  ['a bank from another cabinet closes its loan', loan(1, elsewhere), 4, [['return', 'inventory']], null],
  ['a fresh loan is not closed by an older picture of another slot of its cabinet', loan(4.9), 4, [], 7],
  ['five seconds on, it is closed', loan(5), 4, [['return', 'inventory']], null],
  ['a bank that is still in the slot it left waits for a slow customer', loan(12), 1, [], 48],
  ['until the time for taking it is over: then it was not taken', loan(60), 1, [NOT_TAKEN], 60],
  [
    'not by a list that was asked for before it was let out',
    loan(12),
    1,
    [],
    7,
    { ...askedFor(13), rules: { ...usualRules, takingSeconds: 10 } },
  ],
  ['a bank that the slot was without meanwhile came back', loan(12, { absentAt: ago(5) }), 1, [BACK], null],
  ['so did one whose return was heard', loan(12, { returnHeardAt: ago(1) }), 1, [BACK], null],
  [
    'a list that was asked for before the return was heard proves nothing of it',
    loan(12, { returnHeardAt: ago(1) }),
    1,
    [],
    48,
    askedFor(2),
  ],
  ['an eject that is under way is not decided', asked('sent', 20), 1, [], null],
  ['an eject that waits is not decided by the bank being there', asked('queued'), 1, [], null],
  [
    'an eject that waits is called off when the bank is in another cabinet',
    asked('queued', null, elsewhere),
    1,
    [['called off', 'inventory: the bank was in another cabinet before the eject was sent']],
    null,
  ],
  ['an eject under way from another cabinet is not decided', asked('sent', 3, elsewhere), 1, [], null],
  ['a bank has stayed when it is listed', asked('unknown', 8), 1, [['cancelled', 'inventory: the bank stayed']], 60],
  ['for seven seconds after the eject a listed bank may yet leave', asked('unknown', 6.9), 1, [], 7],
  [
    'a list asked for before the eject proves nothing, however late it comes',
    asked('unknown', 20),
    1,
    [],
    7,
    askedFor(21),
  ],
  ['nor does one asked for just after it', asked('unknown', 20), 1, [], 7, askedFor(14)],
  [
    'one asked for later does',
    asked('unknown', 20),
    1,
    [['cancelled', 'inventory: the bank stayed']],
    60,
    askedFor(12),
  ],
  [
    'a question of more than a minute ago is not answered any more',
    asked('unknown', 90),
    1,
    [['cancelled', 'inventory: the bank stayed']],
    60,
    askedFor(60),
  ],
  [
    'nor is one that an earlier connection carried',
    asked('unknown', 40),
    1,
    [['cancelled', 'inventory: the bank stayed']],
    60,
    { ...askedFor(41), ...justDialledIn(30) },
  ],
  [
    'the first of two unanswered questions counts',
    asked('unknown', 20),
    1,
    [],
    7,
    { askedAt: [ago(2), ago(21), ago(10)] },
  ],
  [
    'a refused eject needs no time: the bank has stayed',
    asked('failed', 1),
    1,
    [['cancelled', 'inventory: the bank stayed']],
    60,
  ],
  ['but a list asked for before the refused eject proves nothing', asked('failed', 1), 1, [], 7, askedFor(2)],
  [
    'a bank in another slot was out meanwhile',
    asked('unknown', 8),
    5,
    [['return', 'inventory: seen in another slot']],
    null,
  ],
  [
    'a bank in another cabinet was out meanwhile, however soon',
    asked('unknown', 1, elsewhere),
    1,
    [['return', 'inventory: seen in another cabinet']],
    null,
  ],
])('%s', ([, order, slot, expected, look, about]) => {
  const changes = lists(snapshot({ orders: [order], ...about }), seen(slot))
  expect(fates(changes)).toEqual(expected)
  expect(lookSeconds(changes)).toBe(look)
  for (const { to, returnStationId, returnSlot } of only(changes, 'order'))
    expect([returnStationId, returnSlot]).toEqual(to === 'return' ? [HERE, slot] : [undefined, undefined])
})

/** Rules about one order, whose bank the list does not show. */
test.for<[string, LiveOrder, string[][], number | null, Partial<Snapshot>?]>([
  ['a loan goes on while its bank is absent', loan(), [], null],
  [
    'an eject nobody answered is a loan once the slot no longer lists the bank',
    asked('unknown', 16),
    [['borrow', 'inventory: the slot no longer lists the bank']],
    null,
  ],
  [
    'so is one that was refused',
    asked('failed', 1),
    [['borrow', 'inventory: the slot no longer lists the bank']],
    null,
  ],
  [
    'an eject that waits is called off when the bank is gone',
    asked('queued'),
    [['called off', 'inventory: the bank was gone before the eject was sent']],
    null,
  ],
  ['an eject under way is not decided by absence', asked('sent', 1), [], null],
  ['another cabinet proves nothing by not having a bank', asked('unknown', 16, elsewhere), [], null],
  ['for seven seconds after a login absence proves nothing', asked('unknown', 16), [], 7, justDialledIn(6.9)],
  ['nor does it call an eject off', asked('queued'), [], 7, justDialledIn(6.9)],
  [
    'seven seconds after a login absence proves',
    asked('unknown', 16),
    [['borrow', 'inventory: the slot no longer lists the bank']],
    null,
    justDialledIn(7),
  ],
])('%s', ([, order, expected, look, about]) => {
  const changes = lists(snapshot({ orders: [order], ...about }))
  expect(fates(changes)).toEqual(expected)
  expect(lookSeconds(changes)).toBe(look)
})

test('a login that lists its slots is a list, and says so', () => {
  const at = snapshot({ orders: [loan(600, { absentAt: ago(500) })], ...justDialledIn(0) })
  const changes = decide(at, { kind: 'login', banks: [seen(1)] })
  expect(fates(changes)).toEqual([['return', 'login']])
  expect(lookSeconds(changes)).toBe(7)
})

test('a fresh loan’s bank is not put back into its slot', () => {
  const changes = lists(snapshot({ orders: [loan(1)] }), seen(1), seen(2, 11))
  expect(only(changes, 'put').map(({ powerbankId }) => powerbankId)).toEqual([11])
})

test('a bank that is nowhere any more and has no order is missing', () => {
  const slots = [10, 11, 12].map((powerbankId, n) => ({ stationId: HERE, slotNumber: n + 1, powerbankId }))
  const changes = lists(snapshot({ slots, orders: [asked('sent', 1)] }), seen(2, 11))
  expect(only(changes, 'vacate').map(({ powerbankId }) => powerbankId)).toEqual([10, 12])
  expect(only(changes, 'event')).toEqual([
    { kind: 'event', name: 'powerbank.missing', stationId: HERE, data: { powerbankId: 12, slot: 3 } },
  ])
})

test('while a cabinet settles, what it does not list stays', () => {
  const slots = [10, 11].map((powerbankId, n) => ({ stationId: HERE, slotNumber: n + 1, powerbankId }))
  const changes = lists(snapshot({ slots, ...justDialledIn(3) }), seen(1, 12))
  expect(only(changes, 'vacate').map(({ powerbankId }) => powerbankId)).toEqual([10])
  expect(told(changes)).toEqual(['powerbank.missing'])
})

test('a bank of another slot or cabinet moves; one that stays is not taken out', () => {
  const slots = [
    { stationId: HERE, slotNumber: 1, powerbankId: 10 },
    { stationId: HERE, slotNumber: 2, powerbankId: 11 },
    { stationId: BESIDE, slotNumber: 3, powerbankId: 12 },
  ]
  const changes = lists(snapshot({ slots }), seen(1), seen(3, 11), seen(2, 12))
  expect(only(changes, 'vacate').map(({ powerbankId }) => powerbankId)).toEqual([11, 12])
  expect(only(changes, 'put').map(({ powerbankId, bank }) => [powerbankId, bank.slot])).toEqual([
    [10, 1],
    [11, 3],
    [12, 2],
  ])
  expect(told(changes)).toEqual([])
})

test.for<[string, SeenBank[]]>([
  ['a slot listed twice', [seen(1), seen(1, 11)]],
  ['a bank listed twice', [seen(1), seen(2)]],
  ['a slot below zero', [seen(1), seen(-1, 11)]],
  ['a bank that was not let in', [seen(1), seen(2, 99)]],
])('%s counts for nothing, and is told', ([, banks]) => {
  const changes = lists(snapshot(), ...banks)
  expect(only(changes, 'put').map(({ powerbankId, bank }) => [powerbankId, bank.slot])).toEqual([[10, 1]])
  expect(told(changes)).toEqual(['inventory.inconsistent'])
})

const asItWas = { sohPercent: null, status: null, goodReadings: null, isTwin: false }

test.for<[string, Partial<SeenBank>, object[]]>([
  ['health that changed is written', { sohPercent: 87 }, [{ ...asItWas, sohPercent: 87 }]],
  ['health that did not change is not', { sohPercent: 100 }, []],
  ['health beyond its scale is none', { sohPercent: 255 }, []],
  [
    'a bank that says it is broken is lent no more',
    { faults: { bank: true, typeC: false, lightning: false, microUsb: false } },
    [{ ...asItWas, status: 'system_error', goodReadings: 0 }],
  ],
  [
    'a broken plug is not a broken bank',
    { faults: { bank: false, typeC: true, lightning: false, microUsb: false } },
    [],
  ],
])('%s', ([, about, expected]) => {
  expect(only(lists(snapshot(), seen(1, 10, about)), 'bank')).toEqual(
    expected.map((row) => ({ kind: 'bank', powerbankId: 10, ...row })),
  )
})

test('a bank that a person took out of use does not change by its own word', () => {
  const faults = { bank: true, typeC: false, lightning: false, microUsb: false }
  const at = snapshot({ banks: registered(known(10, { status: 'written_off' })) })
  expect(only(lists(at, seen(1, 10, { faults })), 'bank')).toEqual([])
})

test.for<[number | undefined, SeenBank[], number, string[]]>([
  [8, [], 8, []],
  [12, [], 12, ['station.slots_corrected']],
  [0, [], 8, []],
  [undefined, [], 8, []],
  [8, [seen(10)], 10, ['station.slots_corrected']],
  [undefined, [seen(10)], 10, ['station.slots_corrected']],
  [undefined, [seen(0)], 8, []],
])('a cabinet that says it has %s slots and lists %j has %s', ([slots, banks, expected, events]) => {
  const changes = decide(snapshot(), { kind: 'inventory', banks, ...(slots !== undefined && { slots }) })
  expect(only(changes, 'listed')).toMatchObject([{ stationId: HERE, slots: expected }])
  expect(told(changes)).toEqual(events)
})
