import { expect, test } from 'vitest'
import { decide } from '../../../db/powerbank/decide/decide.ts'
import type { FiledReport } from '../../../db/powerbank/decide/snapshot.ts'
import { ago, HERE, snapshot } from './decide-scenes.ts'

const report = { kind: 'abnormal', event: 1, slot: 3, bankId: null } as const
const filed = (secondsAgo: number, about: Partial<FiledReport> = {}): FiledReport => ({
  slot: 3,
  event: '1',
  bankId: null,
  at: ago(secondsAgo),
  ...about,
})
const many = (count: number, secondsAgo: number) =>
  Array.from({ length: count }, (_, n) => filed(secondsAgo, { slot: n + 10 }))

test.for<[string, FiledReport[], boolean]>([
  ['the first report of a fault is filed', [], true],
  ['said again within a minute it is the same', [filed(59)], false],
  ['a minute later it is another', [filed(60)], true],
  ['another slot is another', [filed(1, { slot: 4 })], true],
  ['another event is another', [filed(1, { event: '2' })], true],
  ['another bank is another', [filed(1, { bankId: 'X' })], true],
  ['of a raving cabinet nothing is filed', many(120, 3599), false],
  ['one less is believed', many(119, 3599), true],
  ['an hour later it is heard again', many(120, 3600), true],
])('%s', ([, reports, isFiled]) => {
  expect(decide(snapshot({ filed: reports }), report)).toEqual(
    isFiled
      ? [
          { kind: 'file', stationId: HERE, slot: 3, event: 1, bankId: null },
          { kind: 'ask', stationId: HERE },
        ]
      : [],
  )
})
