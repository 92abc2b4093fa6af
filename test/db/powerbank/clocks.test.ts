import { expect, test } from 'vitest'
import { handle } from '../../../gateway/cabinet/reports.ts'
import { testDb } from '../../postgres.ts'
import { act, bank, cabinet, expire } from '../world.ts'

const { db } = await testDb()

/** A movement that was sent to a cabinet so many seconds ago. */
async function ejecting(seconds: number) {
  const stationId = await cabinet(db)
  const { bankId } = await bank(db, { stationId, slot: 1 })
  await db.sql`
    insert into device_commands (device_id, kind, slot, is_movement, status, sent_at, deadline)
    values (${stationId}, 'eject', 1, true, 'sent', now() - make_interval(secs => ${seconds}),
      now() + make_interval(secs => ${15 - seconds}))`
  const refused = { kind: 'eject', slot: 1, bankId, ok: false, result: 0x88, isTooOld: true } as const
  return { stationId, refused: () => act(db, (tx) => handle(tx, stationId, refused, 'A8')) }
}

const told = (stationId: number) =>
  db.sql`select kind from events where station_id = ${stationId} and kind like '%clock%'`

test('a command that is called too old within its time is told as a wrong clock, once', async () => {
  const { stationId, refused } = await ejecting(2)
  await refused()
  await refused()
  expect(await told(stationId)).toEqual([{ kind: 'station.clock_wrong' }])
})

test('one that really was too old says nothing about the clock', async () => {
  const { stationId, refused } = await ejecting(20)
  await act(db, expire)
  await refused()
  expect(await told(stationId)).toEqual([])
})
