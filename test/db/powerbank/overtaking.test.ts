import { expect, test } from 'vitest'
import { returned } from '../../../db/powerbank/cabinet-reports.ts'
import { testDb } from '../../postgres.ts'
import { act, asked, cabinet, happened, later, lists, lookDue, says, scene, seen, type TestBank } from '../world.ts'

const { db } = await testDb()

const standing = async (orderId: number) =>
  (
    await db.sql<
      { status: string; evidence: string | null; returnStationId: number | null; returnSlot: number | null }[]
    >`
    select status, evidence, return_station_id, return_slot from orders where id = ${orderId}`
  )[0]
const placeOf = async ({ id }: TestBank) =>
  (await db.sql`select station_id, slot_number from station_powerbanks where powerbank_id = ${id}`)[0]

test('a return into the cabinet beside that overtakes the eject answer ends the loan', async () => {
  const it = await scene(db)
  const beside = await cabinet(db, { unitId: it.unitId })
  const { orderId } = await asked(db, it)
  await act(db, (tx) => returned(tx, beside, seen(5, it.bank)))
  await says(db, it.station, 1, it.bank.bankId)
  const back = { status: 'return', returnStationId: beside, returnSlot: 5 }
  expect(await standing(orderId)).toMatchObject(back)
  expect(await placeOf(it.bank)).toEqual({ stationId: beside, slotNumber: 5 })
  expect(await happened(db, it.station, 'order.borrowed')).toHaveLength(1)
  expect(await happened(db, it.station, 'order.returned')).toHaveLength(1)

  await says(db, it.station, 1, it.bank.bankId)
  expect(await standing(orderId)).toMatchObject(back)
  expect(await placeOf(it.bank)).toEqual({ stationId: beside, slotNumber: 5 })
})

test('an eject answer that comes after the loan has ended leaves the bank where it is', async () => {
  const it = await scene(db)
  const beside = await cabinet(db, { unitId: it.unitId })
  const { orderId } = await asked(db, it)
  await later(db, 20)
  await act(db, (tx) => returned(tx, beside, seen(5, it.bank)))
  expect(await standing(orderId)).toMatchObject({ status: 'return', evidence: 'return frame' })
  await says(db, it.station, 1, it.bank.bankId)
  expect(await standing(orderId)).toMatchObject({ status: 'return', evidence: 'return frame' })
  expect(await placeOf(it.bank)).toEqual({ stationId: beside, slotNumber: 5 })
})

test('an answer that names a bank of another cabinet is an old one: no loan, and the slots are looked at', async () => {
  const it = await scene(db)
  const beside = await cabinet(db, { unitId: it.unitId })
  const { bank: stranger } = await scene(db)
  await db.sql`update station_powerbanks set station_id = ${beside}, slot_number = 3 where powerbank_id = ${stranger.id}`
  const { orderId } = await asked(db, it)
  expect(await says(db, it.station, 1, stranger.bankId)).toBeNull()
  expect(await standing(orderId)).toMatchObject({ status: 'pending' })
  expect(await placeOf(stranger)).toMatchObject({ stationId: beside, slotNumber: 3 })
  expect(await lookDue(db, it.station)).toBeLessThanOrEqual(0)
})

test('a list of another cabinet that overtakes the eject answer ends no loan; that cabinet is asked again', async () => {
  const it = await scene(db)
  const beside = await cabinet(db, { unitId: it.unitId })
  const { orderId } = await asked(db, it)
  await lists(db, beside, [seen(5, it.bank)])
  await says(db, it.station, 1, it.bank.bankId)
  expect(await standing(orderId)).toMatchObject({ status: 'borrow' })
  const questions =
    await db.sql`select kind, status from device_commands where device_id = ${beside} and status <> 'answered'`
  expect(questions).toEqual([{ kind: 'inventory', status: 'queued' }])
  await lists(db, beside, [seen(5, it.bank)])
  expect(await standing(orderId)).toMatchObject({ status: 'return', returnStationId: beside, returnSlot: 5 })
})
