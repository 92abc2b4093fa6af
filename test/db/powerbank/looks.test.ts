import { expect, test } from 'vitest'
import { sweep } from '../../../db/powerbank/janitor.ts'
import { replaced } from '../../../db/powerbank/stations.ts'
import { testDb } from '../../postgres.ts'
import { act, ask, asked, cabinet, later, lists, lookDue, NODE, orderOf, says, scene, seen, travel } from '../world.ts'

const { db } = await testDb()

const holds = (station: number) => db.sql`select slot_number from station_powerbanks where station_id = ${station}`

test('after each list the next look of its own accord is due, sooner while there are open orders', async () => {
  const it = await scene(db)
  const dueIn = async () => (await lookDue(db, it.station))!
  await db.sql`update stations set inventory_due_at = null where id = ${it.station}`
  await lists(db, it.station, [seen(1, it.bank)])
  expect(await dueIn()).toBeGreaterThanOrEqual(1_799)
  expect(await dueIn()).toBeLessThanOrEqual(3_600)
  await asked(db, it)
  await says(db, it.station, 1, it.bank.bankId)
  await lists(db, it.station, [])
  await db.sql`update stations set inventory_due_at = null where id = ${it.station}`
  await lists(db, it.station, [])
  expect(await dueIn()).toBeGreaterThanOrEqual(149)
  expect(await dueIn()).toBeLessThanOrEqual(300)
})

test('another box proves nothing of what the one before it was asked: unsent ejects fall, doubts stay and say why', async () => {
  const it = await scene(db, { banks: 2 })
  const doubted = await asked(db, it)
  const waiting = await ask(db, it, 2)
  await later(db, 16)
  await act(db, (tx) => replaced(tx, it.station))
  expect((await orderOf(db, waiting.orderId)).status).toBe('cancelled')
  expect(await orderOf(db, doubted.orderId)).toMatchObject({
    status: 'pending',
    evidence: 'the station has another box since: its bank must be seen, or a person decides',
  })
  expect(await holds(it.station)).toHaveLength(0)
  await lists(db, it.station, [])
  await travel(db, 25 * 3600)
  await sweep(db, NODE)
  expect((await orderOf(db, doubted.orderId)).status).toBe('pending')
  const beside = await cabinet(db, { unitId: it.unitId })
  await lists(db, beside, [seen(5, it.bank)])
  expect((await orderOf(db, doubted.orderId)).status).toBe('return')
})
