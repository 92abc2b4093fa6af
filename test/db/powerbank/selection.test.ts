import { expect, test } from 'vitest'
import type { Tx } from '../../../db/postgres/connect.ts'
import { type BorrowRequest, borrow } from '../../../db/powerbank/borrow.ts'
import { inventory, returned } from '../../../db/powerbank/cabinet-reports.ts'
import { testDb } from '../../postgres.ts'
import { act, actor, cabinet, scene, seen } from '../world.ts'

const { db } = await testDb()

/** Resolves once somebody waits for a lock that another transaction holds. */
async function somebodyWaits(): Promise<void> {
  const deadline = performance.now() + 5_000
  for (;;) {
    const waiting = await db.sql`
      select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
    if (waiting.length > 0) return
    if (performance.now() > deadline) throw new Error('nobody waits')
  }
}

/** Work that is done and not committed before `end` is called. */
async function held(work: (tx: Tx) => Promise<unknown>) {
  const done = Promise.withResolvers<void>()
  const leave = Promise.withResolvers<void>()
  const transaction = act(db, async (tx) => {
    await work(tx)
    done.resolve()
    await leave.promise
  })
  await Promise.race([done.promise, transaction])
  return {
    end: async () => {
      leave.resolve()
      await transaction
    },
  }
}

test.for([
  [{ slot: 1 }, 'slot_empty'],
  ['by its number', 'power_bank_not_in_station'],
] as const)('a bank that moves while somebody asks for it is not lent from where it was: %o', async ([wish, code]) => {
  const { unitId, user, station, bank } = await scene(db)
  const other = await cabinet(db, { unitId })
  const moving = await held((tx) => returned(tx, other, seen(5, bank)))
  const choice: BorrowRequest['choice'] = typeof wish === 'string' ? { powerbankId: bank.id } : wish
  const asking = act(db, (tx) => borrow(tx, actor(user), { stationId: station, userId: user, choice }))
  const outcome = expect(asking).rejects.toMatchObject({ name: 'Refused', code })
  await somebodyWaits()
  await moving.end()
  await outcome
  expect(await db.sql`select 1 from device_commands where kind = 'eject' and device_id = ${station}`).toHaveLength(0)
})

test('a cabinet whose report is just being worked has banks for those who want the best one', async () => {
  const { user, station, banks } = await scene(db, { banks: 2 })
  const listing = await held((tx) =>
    inventory(tx, station, { banks: banks.map((one, at) => seen(at + 1, one)) }, 'inventory'),
  )
  const asking = act(db, (tx) => borrow(tx, actor(user), { stationId: station, userId: user, choice: 'optimal' }))
  await Promise.race([somebodyWaits(), asking])
  await listing.end()
  expect(await asking).toMatchObject({ orderId: expect.any(Number) })
})
