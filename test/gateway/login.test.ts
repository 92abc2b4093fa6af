import { expect, test } from 'vitest'
import { testDb } from '../postgres.ts'
import { bank, device, gatewayOn, hello, pairTo, socketTo, station } from './ground.ts'

const { db } = await testDb()

test('a TCP-A cabinet is let in, and asked what it holds', async () => {
  const gateway = await gatewayOn(db)
  const { id, boxId } = await station(db)
  const cabinet = device(pairTo(gateway))
  cabinet.say({ kind: 'login', boxId })
  expect(await cabinet.hear()).toEqual({ kind: 'acknowledged', report: 'login', result: 1 })
  expect(await cabinet.hear()).toEqual({ kind: 'inventory' })
  const [row] = await db.sql`select node, epoch, dialect, address, vsn from device_sessions where station_id = ${id}`
  expect(row).toEqual({ node: gateway.node.name, epoch: 1, dialect: 'A', address: '192.0.2.7', vsn: 1 })
})

test('a TCP-B cabinet is let in with its slots known before the answer', async () => {
  const gateway = await gatewayOn(db)
  const { id, boxId } = await station(db, 'KEYB')
  const cabinet = device(socketTo(gateway), 'KEYB')
  cabinet.say(hello(boxId, [bank(3, '4443484154000016')]))
  expect(await cabinet.hear()).toMatchObject({ kind: 'acknowledged', report: 'login', result: 1 })
  const slots = await db.sql`select slot_number, level from station_powerbanks where station_id = ${id}`
  expect(slots).toMatchObject([{ slotNumber: 3, level: 90 }])
})
