import { expect, test } from 'vitest'
import type { Change } from '../../../db/powerbank/decide/changes.ts'
import { decide } from '../../../db/powerbank/decide/decide.ts'
import type { AnsweredCommand, CabinetAnswer, LiveOrder, Snapshot } from '../../../db/powerbank/decide/snapshot.ts'
import {
  ago,
  asked,
  BESIDE,
  fates,
  HERE,
  known,
  loan,
  lookSeconds,
  only,
  seen,
  snapshot,
  told,
  wire,
} from './decide-scenes.ts'

const command = (about: Partial<AnsweredCommand> = {}): AnsweredCommand => ({
  id: 1000,
  slot: 1,
  args: {},
  requestedBy: 5,
  sentAt: ago(2),
  isLate: false,
  ...about,
})
const says = (at: Snapshot, said: Partial<CabinetAnswer>, answered: AnsweredCommand | null = command()) =>
  decide(at, {
    kind: 'answer',
    said: { kind: 'eject', slot: 1, bankId: wire(10), ok: true, ...said },
    command: answered,
  })
const inSlot = [{ stationId: HERE, slotNumber: 1, powerbankId: 10 }]
const vacated = (changes: Change[]) => only(changes, 'vacate').map(({ powerbankId }) => powerbankId)
const SWAP = '; another bank left the slot'

/** Rules about the order of an eject; the bank that the cabinet names, null: none. */
test.for<[string, LiveOrder[], number | null, string[][], string[], Partial<AnsweredCommand>?]>([
  ['a bank that was let out is lent', [asked('sent', 2)], 10, [['borrow', 'eject answer']], []],
  [
    'an answer without a bank is about the one that was asked for',
    [asked('sent', 2)],
    null,
    [['borrow', 'eject answer']],
    [],
  ],
  ['a late answer is as good', [asked('unknown', 20)], 10, [['borrow', 'late eject answer']], [], { isLate: true }],
  [
    'a late answer revives a cancelled order',
    [asked('unknown', 60, { status: 'cancelled' })],
    10,
    [['borrow', 'late eject answer']],
    [],
    { isLate: true },
  ],
  [
    'an order follows the metal: a swapped bank is lent',
    [asked('sent', 2)],
    11,
    [['borrow', `eject answer${SWAP}`]],
    [],
  ],
  [
    'a swapped bank that somebody else has is not lent twice',
    [asked('sent', 2), loan(600, { id: 101, powerbankId: 11, commandId: 1001 })],
    11,
    [['borrow', `eject answer${SWAP}`]],
    ['order.bank_conflict'],
  ],
  [
    'a cancelled order does not come back for a bank that somebody else has',
    [asked('unknown', 60, { status: 'cancelled' }), loan(30, { id: 101, commandId: 1001 })],
    10,
    [],
    ['order.bank_conflict'],
    { isLate: true },
  ],
  ['a loan is not lent again', [loan(2)], 10, [], []],
  ['a loan that has ended stays so', [asked('unknown', 60, { status: 'return' })], 10, [], [], { isLate: true }],
  ['a deleted order stays deleted', [asked('sent', 2, { deletedAt: ago(1) })], 10, [], []],
  ['an eject without an order only empties the slot', [], 10, [], []],
])('%s', ([, orders, bank, expected, events, about]) => {
  const changes = says(
    snapshot({ orders, slots: inSlot }),
    { bankId: bank === null ? null : wire(bank) },
    command(about),
  )
  expect(fates(changes)).toEqual(expected)
  expect(told(changes)).toEqual(events)
  expect(vacated(changes)).toEqual([10])
  expect(lookSeconds(changes)).toBe(6)
})

test('a conflict over a bank names both orders, and the order keeps the bank it asked for', () => {
  const other = loan(600, { id: 101, powerbankId: 11, commandId: 1001 })
  const changes = says(snapshot({ orders: [asked('sent', 2), other] }), { bankId: wire(11) })
  expect(only(changes, 'event')).toEqual([
    {
      kind: 'event',
      name: 'order.bank_conflict',
      stationId: HERE,
      userId: 5,
      orderId: 100,
      data: { powerbankId: 11, heldByOrder: 101 },
    },
  ])
  expect(only(changes, 'order')[0]).not.toHaveProperty('powerbankId')
})

test('a bank that left is nowhere any more, and neither is what was thought to be in its slot', () => {
  const slots = [
    { stationId: HERE, slotNumber: 1, powerbankId: 12 },
    { stationId: HERE, slotNumber: 2, powerbankId: 11 },
    { stationId: BESIDE, slotNumber: 3, powerbankId: 10 },
  ]
  const changes = says(snapshot({ slots, orders: [asked('sent', 2, { powerbankId: 12 })] }), {})
  expect(vacated(changes)).toEqual([12, 10])
  expect(only(changes, 'ask')).toEqual([])
})

const beside = { stationId: BESIDE, slotNumber: 5, powerbankId: 10 }
const heardBeside = (secondsAgo: number) => [{ ...beside, at: ago(secondsAgo) }]

/** The bank seems to sit in the cabinet beside when its eject is answered here. */
test.for<[string, LiveOrder, Partial<Snapshot>, string[][], boolean]>([
  [
    'a return beside that overtook the answer ends the loan',
    asked('sent', 2),
    { returns: heardBeside(1) },
    [
      ['borrow', 'eject answer'],
      ['return', 'return frame, before the eject answer'],
    ],
    true,
  ],
  [
    'a return heard before the eject was sent is not of this loan',
    asked('sent', 2),
    { returns: heardBeside(3) },
    [['borrow', 'eject answer']],
    false,
  ],
  [
    'a list beside may be an older picture: that cabinet is asked again',
    asked('sent', 2),
    {},
    [['borrow', 'eject answer']],
    false,
  ],
  ['a loan that has ended leaves the bank where it is', asked('unknown', 20, { status: 'return' }), {}, [], true],
])('%s', ([, order, about, expected, stays]) => {
  const changes = says(
    snapshot({ orders: [order], slots: [...inSlot.map((slot) => ({ ...slot, powerbankId: 11 })), beside], ...about }),
    {},
  )
  expect(fates(changes)).toEqual(expected)
  expect(vacated(changes)).toEqual(stays ? [11] : [11, 10])
  expect(only(changes, 'ask')).toEqual(stays ? [] : [{ kind: 'ask', stationId: BESIDE }])
})

test('a refusal moves nothing: the slots are looked at, at once', () => {
  const changes = says(snapshot({ orders: [asked('failed', 2)], slots: inSlot }), { ok: false })
  expect(changes).toEqual([{ kind: 'look', stationId: HERE, withinSeconds: 0 }])
})

test.for<[string, number, boolean]>([
  ['an answer nobody asked for is told, and the slots are looked at', 0, true],
  ['the hundred and twentieth within an hour is told', 119, true],
  ['more are noise', 120, false],
])('%s', ([, times, isTold]) => {
  const unmatched = [...Array.from({ length: times }, () => ago(3599)), ago(3600)]
  const changes = says(snapshot({ orders: [asked('sent', 2)], unmatched }), { slot: 7 }, null)
  expect(fates(changes)).toEqual([])
  expect(lookSeconds(changes)).toBe(0)
  expect(only(changes, 'event').map(({ name, data }) => [name, data])).toEqual(
    isTold ? [['answer.unmatched', { kind: 'eject', slot: 7, bankId: wire(10) }]] : [],
  )
})

test('a late answer to a question changes nothing', () => {
  expect(says(snapshot(), { kind: 'volume', level: 3 }, null)).toEqual([])
})

/** Rules about a slot that an administrator had opened. */
test.for<[string, LiveOrder[], Partial<AnsweredCommand>, string | null, string[][], number | null | undefined]>([
  ['a forced eject is written down as a closed order', [], {}, wire(10), [], 10],
  ['of an empty slot too', [], {}, null, [], null],
  ['by nobody it is not', [], { requestedBy: null }, wire(10), [], undefined],
  [
    'an order that waited for the bank ends, and its eject stays at home',
    [asked('queued', null, { commandId: 1001 })],
    {},
    wire(10),
    [
      ['called off', 'an administrator ejected the bank'],
      ['cancelled', 'an administrator ejected the bank'],
    ],
    10,
  ],
  ['a loan of the bank goes on', [loan(600, { commandId: 1001 })], {}, wire(10), [], 10],
])('%s', ([, orders, about, bankId, expected, powerbankId]) => {
  const changes = says(snapshot({ orders, slots: inSlot }), { kind: 'force_eject', bankId }, command(about))
  expect(fates(changes)).toEqual(expected)
  expect(only(changes, 'forced')).toEqual(
    powerbankId === undefined
      ? []
      : [{ kind: 'forced', stationId: HERE, userId: 5, powerbankId, slot: 1, commandId: 1000 }],
  )
  expect(vacated(changes)).toEqual([10])
  expect(lookSeconds(changes)).toBe(6)
})

test.for<[string, Partial<CabinetAnswer>, Record<string, unknown>, Change[]]>([
  ['a SIM', { kind: 'iccid', iccid: '8970' }, {}, [{ kind: 'iccid', stationId: HERE, iccid: '8970' }]],
  [
    'a volume',
    { kind: 'volume', level: 7 },
    {},
    [{ kind: 'state', stationId: HERE, state: { volume: { level: 7, at: ago(0) } } }],
  ],
  [
    'by a volume above the document’s that it counts in percent',
    { kind: 'volume', level: 16 },
    {},
    [{ kind: 'state', stationId: HERE, state: { volume: { level: 16, at: ago(0) }, countsVolumeInPercent: true } }],
  ],
  [
    'a volume that was set',
    { kind: 'set_volume' },
    { level: 9 },
    [{ kind: 'state', stationId: HERE, state: { volume: { level: 9, at: ago(0) } } }],
  ],
  [
    'the server it dials, and its pace',
    { kind: 'server_address', host: 'h', port: 1, heartbeatSeconds: 60 },
    {},
    [
      {
        kind: 'state',
        stationId: HERE,
        state: { serverAddress: { host: 'h', port: 1, heartbeatSeconds: 60, at: ago(0) } },
      },
      { kind: 'heartbeat', stationId: HERE, seconds: 60, atLeast: false },
    ],
  ],
  [
    'a server without a pace',
    { kind: 'server_address', host: 'h', port: 1, heartbeatSeconds: 0 },
    {},
    [
      {
        kind: 'state',
        stationId: HERE,
        state: { serverAddress: { host: 'h', port: 1, heartbeatSeconds: 0, at: ago(0) } },
      },
    ],
  ],
  [
    'a server that was set, whose pace holds from the restart on',
    { kind: 'set_server_address' },
    { host: 'h', port: 1, heartbeatSeconds: 60 },
    [
      {
        kind: 'state',
        stationId: HERE,
        state: { serverAddress: { host: 'h', port: 1, heartbeatSeconds: 60, at: ago(0) } },
      },
      { kind: 'heartbeat', stationId: HERE, seconds: 60, atLeast: true },
    ],
  ],
  ['nothing by an answer that teaches nothing', { kind: 'restart' }, {}, []],
  ['nothing by a refusal', { kind: 'set_volume', ok: false }, { level: 9 }, []],
])('a cabinet teaches %s', ([, said, args, expected]) => {
  expect(says(snapshot(), said, command({ slot: null, args }))).toEqual(expected)
})

test('a bank that was not let in is no bank: the order is about the one it asked for', () => {
  const changes = says(snapshot({ orders: [asked('sent', 2)] }), { bankId: seen(1, 99).bankId })
  expect(only(changes, 'order')).toMatchObject([{ to: 'borrow', evidence: 'eject answer', powerbankId: 10 }])
})

test('a bank is known by what the cabinet calls it', () => {
  const at = { ...snapshot({ orders: [asked('sent', 2)] }), banks: new Map([['0000002A', known(12)]]) }
  expect(only(says(at, { bankId: '0000002A' }), 'order')).toMatchObject([{ powerbankId: 12 }])
})
