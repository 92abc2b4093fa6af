import { expect, test } from 'vitest'
import { decide } from '../../../db/powerbank/decide/decide.ts'
import type { LiveOrder, SeenBank, Snapshot } from '../../../db/powerbank/decide/snapshot.ts'
import { ago, asked, BESIDE, fates, HERE, loan, lookSeconds, only, seen, snapshot, told } from './decide-scenes.ts'

const comesBack = (at: Snapshot, bank: SeenBank = seen(1)) => decide(at, { kind: 'returned', bank })
const elsewhere: Partial<LiveOrder> = { stationId: BESIDE }
const otherSlot: Partial<LiveOrder> = { slotNumber: 2 }
const place = { stationId: HERE, slotNumber: 1, powerbankId: 10 }
/** This very return was heard so long ago. */
const heard = (secondsAgo: number) => ({ returns: [{ ...place, at: ago(secondsAgo) }] })

/** Rules about the order of a bank that comes back; `taken`: whether the bank is put into the slot and told. */
test.for<[string, LiveOrder, string[][], boolean, Partial<Snapshot>?]>([
  ['a return closes the loan', loan(600, otherSlot), [['return', 'return frame']], true],
  ['into the slot the bank left it may be one from before, said late', loan(), [], false],
  ['a bank may come back to any cabinet', loan(1, elsewhere), [['return', 'return frame']], true],
  ['a fresh loan of this cabinet is not closed: it may be an old return', loan(4.9), [], false],
  ['five seconds on it is', loan(5, otherSlot), [['return', 'return frame']], true],
  ['a return heard before the loan began is an old one, said again', loan(60), [], false, heard(61)],
  ['so is one that was heard as the loan began', loan(60), [], false, heard(60)],
  ['in another cabinet too', loan(60, elsewhere), [], false, heard(61)],
  ['a return heard during the loan is this one', loan(60, otherSlot), [['return', 'return frame']], true, heard(59)],
  ['however long ago: a queue in flash is said again at the next power-up', loan(60), [], false, heard(86_400)],
  ['a bank whose eject is under way here comes back by an old return', asked('sent', 1), [], false],
  ['only a list tells whether a bank left whose eject was not answered', asked('unknown', 20), [], false],
  [
    'a bank whose eject another cabinet did not answer was out',
    asked('unknown', 20, elsewhere),
    [['return', 'return frame']],
    true,
  ],
  [
    'a bank whose eject another cabinet refused was out all the same',
    asked('failed', 2, elsewhere),
    [['return', 'return frame']],
    true,
  ],
  [
    'an eject that waits in another cabinet is called off',
    asked('queued', null, elsewhere),
    [['called off', 'return frame: the bank was in another cabinet before the eject was sent']],
    true,
  ],
  ['an eject under way in another cabinet is left to its answer', asked('sent', 1, elsewhere), [], true],
])('%s', ([, order, expected, taken, about]) => {
  const changes = comesBack(snapshot({ orders: [order], ...about }))
  expect(fates(changes)).toEqual(expected)
  expect(told(changes)).toEqual(taken ? ['powerbank.returned'] : ['order.return_heard'])
  expect(only(changes, 'put')).toHaveLength(taken ? 1 : 0)
  expect(lookSeconds(changes)).toBe(6)
  for (const change of only(changes, 'order')) expect(change).toMatchObject({ returnStationId: HERE, returnSlot: 1 })
})

test('a return that nobody waits for is taken and told', () => {
  const changes = comesBack(snapshot())
  expect(only(changes, 'event')).toEqual([
    {
      kind: 'event',
      name: 'powerbank.returned',
      stationId: HERE,
      data: { powerbankId: 10, slot: 1, orders: 0, status: 'active' },
    },
  ])
})

test.for<[string, Partial<Snapshot>, boolean]>([
  ['a return said twice counts once', { slots: [place], ...heard(30) }, false],
  ['heard for the first time it counts, wherever the bank was thought to be', { slots: [place] }, true],
  ['also of a bank that has left since: the slots tell', heard(30), false],
  ['another slot is another return', { slots: [place], returns: [{ ...place, slotNumber: 2, at: ago(30) }] }, true],
  ['however long after', { slots: [place], ...heard(86_400) }, false],
])('%s', ([, about, counts]) => {
  const changes = comesBack(snapshot(about))
  expect(told(changes)).toEqual(counts ? ['powerbank.returned'] : [])
  expect(lookSeconds(changes)).toBe(6)
})

test('what was thought to be in the slot of a return is missing; the rest of the cabinet is not', () => {
  const slots = [11, 12].map((powerbankId, n) => ({ stationId: HERE, slotNumber: n + 1, powerbankId }))
  const changes = comesBack(snapshot({ slots }))
  expect(only(changes, 'vacate').map(({ powerbankId }) => powerbankId)).toEqual([11])
  expect(told(changes)).toEqual(['powerbank.missing', 'powerbank.returned'])
})

test('a bank that comes back leaves the cabinet it was thought to be in', () => {
  const changes = comesBack(snapshot({ slots: [{ stationId: BESIDE, slotNumber: 4, powerbankId: 10 }] }))
  expect(only(changes, 'vacate').map(({ powerbankId }) => powerbankId)).toEqual([10])
  expect(told(changes)).toEqual(['powerbank.returned'])
})

test.for<[string, Partial<SeenBank>, object]>([
  ['telemetry without a level is not believed', { levelPercent: 0, millivolts: 2010 }, { slot: 1 }],
  ['with a level it is', { levelPercent: 35, millivolts: 3700 }, { slot: 1, levelPercent: 35, millivolts: 3700 }],
])('%s', ([, about, expected]) => {
  const [put] = only(comesBack(snapshot(), seen(1, 10, about)), 'put')
  expect(put!.bank).toEqual({ bankId: seen(1).bankId, ...expected })
})

test('a bank that was not let in changes nothing', () => {
  expect(comesBack(snapshot(), seen(1, 99))).toEqual([])
})

test('an order of another bank is nothing to a return', () => {
  expect(fates(comesBack(snapshot({ orders: [asked('unknown', 20, { powerbankId: 11 })] })))).toEqual([])
})
