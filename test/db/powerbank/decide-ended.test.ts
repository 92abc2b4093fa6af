import { expect, test } from 'vitest'
import type { Change } from '../../../db/powerbank/decide/changes.ts'
import { decide } from '../../../db/powerbank/decide/decide.ts'
import type { EndedCommand, LiveOrder } from '../../../db/powerbank/decide/snapshot.ts'
import { asked, fates, HERE, loan, only, snapshot } from './decide-scenes.ts'

const command = (about: Partial<EndedCommand>): EndedCommand => ({
  id: 1000,
  deviceId: HERE,
  kind: 'eject',
  status: 'unknown',
  isMovement: true,
  ...about,
})
const query = (status: EndedCommand['status'], kind = 'inventory') => command({ kind, status, isMovement: false })
const loses = (order: LiveOrder[], over: EndedCommand[]) =>
  decide(snapshot({ orders: order }), { kind: 'disconnected', reason: 'silent', ended: over })
const doubtful: Change[] = [
  { kind: 'wake', orderId: 100 },
  { kind: 'look', stationId: HERE, withinSeconds: 0 },
]
const askedAgain: Change = { kind: 'look', stationId: HERE, withinSeconds: 30 }

/** What it means that a command ended without an answer. */
test.for<[string, LiveOrder[], EndedCommand, Change[]]>([
  [
    'an eject that never left takes its order with it',
    [asked('expired')],
    command({ status: 'expired' }),
    [{ kind: 'order', id: 100, to: 'cancelled', evidence: 'the command was never sent' }],
  ],
  [
    'so does one that the cabinet’s wire has no word for',
    [asked('failed')],
    command({ status: 'failed' }),
    [{ kind: 'order', id: 100, to: 'cancelled', evidence: 'the command was never sent' }],
  ],
  [
    'an eject that may have happened is looked into at once, and who waits is woken',
    [asked('unknown', 15)],
    command({}),
    doubtful,
  ],
  ['an order that went on meanwhile is left alone', [loan(5)], command({}), doubtful.slice(1)],
  ['a movement without an order is looked into too', [], command({ kind: 'force_eject' }), doubtful.slice(1)],
  ['a question for the slots that found no answer is asked again', [], query('unknown'), [askedAgain]],
  ['so is one that never left', [], query('expired'), [askedAgain]],
  ['one that is asked again by itself is not', [], query('queued'), []],
  ['nor one that the wire has no word for', [], query('failed'), []],
  ['another question is not asked again', [], query('unknown', 'volume'), []],
])('%s', ([, orders, over, expected]) => {
  expect(loses(orders, [over])).toEqual([
    ...expected,
    { kind: 'event', name: 'station.disconnected', stationId: HERE, data: { reason: 'silent' } },
  ])
})

test('a cabinet that logs in is looked into at once, and what its older connection had under way is in doubt', () => {
  const report = { kind: 'connected' as const, dialect: 'A', address: '::1', ended: [command({})] }
  expect(decide(snapshot({ orders: [asked('unknown', 3)] }), report)).toEqual([
    ...doubtful,
    { kind: 'look', stationId: HERE, withinSeconds: 0 },
    { kind: 'event', name: 'station.connected', stationId: HERE, data: { dialect: 'A', address: '::1' } },
  ])
})

test('each command means its own order', () => {
  const orders = [asked('expired'), asked('unknown', 15, { id: 101, commandId: 1001, powerbankId: 11 })]
  const changes = loses(orders, [command({ id: 1001 }), command({ status: 'expired' })])
  expect(fates(changes)).toEqual([['cancelled', 'the command was never sent']])
  expect(only(changes, 'wake')).toEqual([{ kind: 'wake', orderId: 101 }])
})
