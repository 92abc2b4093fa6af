import { expect, test } from 'vitest'
import * as commands from '../../../db/devices/commands.ts'
import { testDb } from '../../postgres.ts'
import { asked, lists, orderOf, says, scene, seen, travel } from '../world.ts'

const { db } = await testDb()

const statusOf = async (commandId: number) => (await commands.get(db.sql, commandId))!.status

test('an old refusal, said again, does not take the answer of the eject that follows', async () => {
  const it = await scene(db)
  const { orderId, commandId } = await asked(db, it)
  expect(await says(db, it.station, 1, null, { ok: false })).toMatchObject({ commandId })
  expect(await says(db, it.station, 1, it.bank.bankId)).toEqual({ commandId, orderId })
  expect(await orderOf(db, orderId)).toMatchObject({ status: 'borrow', evidence: 'late eject answer' })
  expect(await statusOf(commandId)).toBe('answered')
  expect(await says(db, it.station, 1, it.bank.bankId)).toBeNull()
})

test('a refusal stays one where the answer names another bank', async () => {
  const it = await scene(db, { banks: 2 })
  const { orderId, commandId } = await asked(db, it)
  await says(db, it.station, 1, null, { ok: false })
  expect(await says(db, it.station, 1, it.banks[1]!.bankId)).toBeNull()
  expect(await statusOf(commandId)).toBe('failed')
  expect((await orderOf(db, orderId)).status).toBe('pending')
})

test('a refusal stays one where the bank was said of this slot before: that answer is the old one', async () => {
  const it = await scene(db)
  const first = await asked(db, it)
  await says(db, it.station, 1, it.bank.bankId)
  await lists(db, it.station, [])
  await travel(db, 60)
  await lists(db, it.station, [seen(1, it.bank)])
  expect((await orderOf(db, first.orderId)).status).toBe('return')
  const second = await asked(db, it)
  await says(db, it.station, 1, null, { ok: false })
  expect(await says(db, it.station, 1, it.bank.bankId)).toBeNull()
  expect(await statusOf(second.commandId)).toBe('failed')
})
