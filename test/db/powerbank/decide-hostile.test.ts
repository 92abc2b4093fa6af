import { expect, test } from 'vitest'
import { saidAgain } from '../../../db/powerbank/decide/answered.ts'
import { decide } from '../../../db/powerbank/decide/decide.ts'
import type { AnsweredCommand, ListedBank } from '../../../db/powerbank/decide/snapshot.ts'
import {
  ago,
  asked,
  BESIDE,
  cabinet,
  fates,
  HERE,
  loan,
  only,
  seen,
  slot,
  snapshot,
  told,
  wire,
} from './decide-scenes.ts'

// What a hostile trial made the rules say wrongly, each as the right value. Bank 10 is X, bank 11 is Y.

const at = (seconds: number) => ago(seconds).toISOString()
const listed = (about: Partial<ListedBank> = {}) => ({ [wire(10)]: { since: at(600), at: at(20), slot: 3, ...about } })
const list = (about: Parameters<typeof snapshot>[0], ...banks: ReturnType<typeof seen>[]) =>
  decide(snapshot(about), { kind: 'inventory', slots: 8, banks })

test('a bank that came back into a cabinet which was off line when another lent it is no twin of itself', () => {
  const orders = [loan(300, { stationId: BESIDE })]
  const back = (about: object, entry: Partial<ListedBank> = {}) =>
    fates(list({ orders, station: cabinet({ listedBanks: listed(entry), ...about }) }, seen(3)))
  const returned = [['return', 'inventory']]
  // It dialled in after the loan began, and its list of before is of another connection.
  expect(back({ connectedAt: ago(10) })).toEqual(returned)
  // It has dialled in since, and been listed: but that was after the loan, so it is news.
  expect(back({ connectedAt: ago(200) }, { since: at(100) })).toEqual(returned)
  // In another slot than it was.
  expect(back({}, { slot: 2 })).toEqual(returned)
  // Watched all the while.
  expect(back({})).toEqual([])
  expect(back({ connectedAt: ago(10) }, { isTwin: true })).toEqual([])
})

test('a loan that a person wrote down ends where its bank is listed', () => {
  const orders = [loan(60, { stationId: BESIDE, commandId: null, commandStatus: null, commandSentAt: null })]
  const changes = list({ orders, station: cabinet({ listedBanks: listed() }) }, seen(3))
  expect(fates(changes)).toEqual([['return', 'inventory']])
  expect(only(changes, 'put')).toHaveLength(1)
})

test('what a cabinet newly lists is asked of the one that had it', () => {
  const changes = list({ slots: [slot(3, 10, BESIDE)] }, seen(3))
  expect(only(changes, 'ask')).toEqual([{ kind: 'ask', stationId: BESIDE }])
  expect(only(changes, 'listed')[0]!.banks).toEqual({ [wire(10)]: { since: at(0), at: at(0), slot: 3 } })
})

test('of two banks with one id in one cabinet the one that stays ends no loan of the other', () => {
  const twice = only(list({}, seen(1), seen(2)), 'listed')[0]!.banks
  expect(twice).toEqual({ [wire(10)]: { since: at(0), at: at(0), slot: 1, others: [2] } })
  const listedBanks = { [wire(10)]: { since: at(600), at: at(20), slot: 1, others: [2] } }
  const changes = list({ orders: [loan(15)], station: cabinet({ listedBanks }) }, seen(2))
  expect(fates(changes)).toEqual([])
  expect(only(changes, 'put')).toEqual([])
  expect(only(changes, 'absent')).toEqual([{ kind: 'absent', orderId: 100 }])
  expect(only(changes, 'listed')[0]!.banks[wire(10)]).toMatchObject({ since: at(600), slot: 2, others: [1] })
  // It came back beside the other.
  const back = list({ orders: [loan(15, { absentAt: ago(8) })], station: cabinet({ listedBanks }) }, seen(1), seen(2))
  expect(fates(back)).toEqual([['return', 'inventory']])
})

test('a return of a known twin, from the slot it has been listed in, ends no loan of the other', () => {
  const station = cabinet({ listedBanks: listed({ isTwin: true }) })
  const orders = [loan(300, { stationId: BESIDE })]
  const returned = (slot: number) => decide(snapshot({ station, orders }), { kind: 'returned', bank: seen(slot) })
  expect(fates(returned(3))).toEqual([])
  expect(only(returned(3), 'ask')).toEqual([{ kind: 'ask', stationId: HERE }])
  expect(fates(returned(4))).toEqual([['return', 'return frame']])
})

const command: AnsweredCommand = {
  id: 1000,
  slot: 1,
  args: { bankId: wire(10) },
  requestedBy: 5,
  sentAt: ago(2),
  isLate: false,
}
const naming = (bankId: string) =>
  ({ kind: 'answer', said: { kind: 'eject', slot: 1, bankId, ok: true }, command }) as const

test('an answer that was said before is an old one, unless the bank it names has left when the slots are listed', () => {
  const slots = [slot(1, 10), slot(2, 11)]
  const pending = asked('sent', 2)
  expect(saidAgain(snapshot({ orders: [pending], slots, isSaidBefore: true }), naming(wire(11)))).toEqual([
    { kind: 'named', orderId: 100, powerbankId: 11 },
  ])
  // It has not been seen here since: only an old answer names it.
  expect(saidAgain(snapshot({ orders: [pending], isSaidBefore: true }), naming(wire(11)))).toEqual([])
  const orders = [asked('sent', 2, { namedPowerbankId: 11 })]
  expect(only(list({ orders, slots }, seen(1)), 'order')).toMatchObject([
    { to: 'borrow', powerbankId: 11, slotNumber: 2, evidence: 'inventory: the bank that was named has left' },
  ])
  expect(told(list({ orders, slots }, seen(1)))).not.toContain('powerbank.missing')
  expect(fates(list({ orders, slots }, seen(1), seen(2, 11)))).toEqual([])
})

test('a cancelled order is a loan only if its bank left while its customer could take it', () => {
  const cancelled = (seconds: number) => [
    asked('unknown', seconds + 20, { status: 'cancelled', notTakenAt: ago(seconds) }),
  ]
  const slots = [slot(1, 10)]
  expect(fates(list({ orders: cancelled(75), slots }))).toEqual([['borrow', 'inventory: the bank was taken after all']])
  const late = list({ orders: cancelled(76), slots })
  expect(fates(late)).toEqual([])
  expect(only(late, 'stayed')).toEqual([{ kind: 'stayed', orderId: 100 }])
  expect(only(late, 'event')).toMatchObject([
    { name: 'order.bank_missing', orderId: 100, userId: 5, data: { powerbankId: 10, slot: 1 } },
    { name: 'powerbank.missing', data: { powerbankId: 10, slot: 1 } },
  ])
})

test('where the bank that was asked for is gone and the one that was named is not, the loan is of the first', () => {
  const orders = [loan(8, { powerbankId: 11, askedPowerbankId: 10, slotNumber: 2 })]
  const slots = [slot(1, 10)]
  const changes = list({ orders, slots }, seen(2, 11))
  expect(only(changes, 'renamed')).toMatchObject([{ orderId: 100, powerbankId: 10, slotNumber: 1 }])
  expect(told(changes)).toEqual(['order.bank_corrected'])
  // Both are there: somebody is slow.
  expect(only(list({ orders, slots }, seen(1), seen(2, 11)), 'renamed')).toEqual([])
})

test('a loan of a bank nobody has ever listed ends with the return of the one that was asked for', () => {
  const orders = [loan(300, { powerbankId: 11, askedPowerbankId: 10, slotNumber: null })]
  expect(only(list({ orders }, seen(1)), 'order')).toMatchObject([{ to: 'return', powerbankId: 10, returnSlot: 1 }])
  const frame = decide(snapshot({ orders }), { kind: 'returned', bank: seen(5) })
  expect(only(frame, 'order')).toMatchObject([{ to: 'return', powerbankId: 10, returnSlot: 5 }])
  // It never left its slot.
  expect(fates(list({ orders, slots: [slot(1, 10)] }, seen(1)))).toEqual([])
})

test('an answer that names another bank empties only that one’s slot, until a list has been seen', () => {
  const slots = [slot(1, 10), slot(2, 11)]
  expect(only(decide(snapshot({ orders: [asked('sent', 2)], slots }), naming(wire(11))), 'vacate')).toEqual([
    { kind: 'vacate', powerbankId: 11 },
  ])
})

test('a list that nobody asked for may be older than the eject it seems to speak of', () => {
  const orders = [asked('failed', 3)]
  expect(fates(list({ orders, slots: [slot(1, 10)], askedAt: [] }))).toEqual([])
  // Where it shows what the cabinet said, it is believed.
  expect(fates(list({ orders, slots: [slot(1, 10)], askedAt: [] }, seen(1)))).toEqual([
    ['cancelled', 'inventory: the bank stayed'],
  ])
  expect(fates(list({ orders, slots: [slot(1, 10)] }))).toEqual([
    ['borrow', 'inventory: the slot no longer lists the bank'],
  ])
})

test('a slot beyond the declared number in which a bank was ever listed is empty when it is listed no more', () => {
  const orders = [loan(300, { slotNumber: 9 })]
  const first = list({}, seen(9))
  expect(only(first, 'state')).toEqual([{ kind: 'state', stationId: HERE, state: { slotsBeyond: 9 } }])
  expect(only(list({ orders }), 'absent')).toEqual([])
  const later = list({ orders, station: cabinet({ slotsBeyond: 9, slotsDeclared: 9 }) })
  expect(only(later, 'absent')).toEqual([{ kind: 'absent', orderId: 100 }])
  expect(only(later, 'listed')).toMatchObject([{ slots: 9 }])
  expect(told(later)).not.toContain('station.slots_corrected')
})
