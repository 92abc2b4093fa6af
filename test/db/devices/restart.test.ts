import { expect, test } from 'vitest'
import * as commands from '../../../db/devices/commands.ts'
import * as cabinets from '../../../db/powerbank/cabinets.ts'
import { testDb } from '../../postgres.ts'
import { act, ask, expire, NODE, scene, send, travel } from '../world.ts'

const { db } = await testDb()

const open = (stationId: number) =>
  act(db, (tx) => cabinets.open(tx, { stationId, node: NODE, dialect: 'B', address: '192.0.2.1', vsn: 2 }))
const hangUp = (stationId: number, epoch: number) =>
  act(db, (tx) => cabinets.close(tx, { stationId, node: NODE, epoch, reason: 'reset' }))
const restart = (deviceId: number) =>
  act(db, (tx) => commands.enqueue(tx, { deviceId, kind: 'restart', requestedBy: null, origin: 'api' }))

test('a cabinet that hangs up on a restart has done it when it dials in again, and is not told twice', async () => {
  const { station } = await scene(db)
  const { epoch } = await open(station)
  const { id } = await restart(station)
  await send(db, id)
  await hangUp(station, epoch)
  expect(await commands.get(db.sql, id)).toMatchObject({ status: 'sent' })
  await open(station)
  expect(await commands.get(db.sql, id)).toMatchObject({
    status: 'answered',
    attempts: 1,
    evidence: 'the device logged in again',
  })
})

test('a restart that nobody answered is unknown, never sent again, and still proved by a later login', async () => {
  const { station } = await scene(db)
  await open(station)
  const { id } = await restart(station)
  await send(db, id)
  await travel(db, 60)
  await act(db, expire)
  expect(await commands.get(db.sql, id)).toMatchObject({ status: 'unknown', attempts: 1 })
  await open(station)
  expect(await commands.get(db.sql, id)).toMatchObject({ status: 'answered', attempts: 1 })
})

test('a cabinet that hung up seconds ago may still be asked, one that hung up a minute ago may not', async () => {
  const who = await scene(db)
  const { epoch } = await open(who.station)
  await hangUp(who.station, epoch)
  const { commandId } = await ask(db, who)
  expect(await commands.get(db.sql, commandId)).toMatchObject({ status: 'queued' })
  const other = await scene(db)
  await hangUp(other.station, (await open(other.station)).epoch)
  await db.sql`update device_sessions set disconnected_at = now() - interval '1 minute' where device_id = ${other.station}`
  await expect(ask(db, other)).rejects.toMatchObject({ code: 'device_offline' })
})
