import { expect, test } from 'vitest'
import { isOnline, isReachable } from '../../../db/devices/connections.ts'
import { unspeakable } from '../../../db/powerbank/answers.ts'
import { open } from '../../../db/powerbank/cabinets.ts'
import { testDb } from '../../postgres.ts'
import { act, ask, cabinet, NODE, orderOf, scene } from '../world.ts'

const { db } = await testDb()

const dialled = async (over: { dialect: string; heartbeatSeconds?: number }) => {
  const stationId = await cabinet(db)
  await act(db, (tx) => open(tx, { stationId, node: NODE, address: '192.0.2.1', ...over }))
  return stationId
}

const stands = async (stationId: number) =>
  (
    await db.sql<{ online: boolean; reachable: boolean }[]>`
      select ${isOnline(db.sql)} as online, ${isReachable(db.sql)} as reachable
      from device_sessions ds where device_id = ${stationId}`
  )[0]!

const ago = (stationId: number, column: 'seen_at' | 'disconnected_at', seconds: number) => db.sql`
  update device_sessions set ${db.sql(column)} = now() - make_interval(secs => ${seconds}) where device_id = ${stationId}`

test('a cabinet on the broker is offline after twenty minutes without a word', async () => {
  const id = await dialled({ dialect: 'mqtt', heartbeatSeconds: 600 })
  await ago(id, 'seen_at', 19 * 60)
  expect(await stands(id)).toEqual({ online: true, reachable: true })
  await ago(id, 'seen_at', 21 * 60)
  expect(await stands(id)).toEqual({ online: false, reachable: false })
})

test('one that hung up is waited for a minute, not for a heartbeat of ten', async () => {
  const id = await dialled({ dialect: 'mqtt', heartbeatSeconds: 600 })
  await db.sql`update device_sessions set node = null where device_id = ${id}`
  await ago(id, 'disconnected_at', 55)
  expect(await stands(id)).toEqual({ online: false, reachable: true })
  await ago(id, 'disconnected_at', 65)
  expect(await stands(id)).toEqual({ online: false, reachable: false })
})

test('over TCP a heartbeat that was set holds through the next login', async () => {
  const id = await dialled({ dialect: 'B' })
  await db.sql`update device_sessions set heartbeat_seconds = 120 where device_id = ${id}`
  const about = { stationId: id, node: NODE, address: '192.0.2.1' }
  expect(await act(db, (tx) => open(tx, { ...about, dialect: 'B' }))).toMatchObject({ heartbeatSeconds: 120 })
  expect(await act(db, (tx) => open(tx, { ...about, dialect: 'mqtt', heartbeatSeconds: 600 }))).toMatchObject({
    heartbeatSeconds: 600,
  })
  expect(await act(db, (tx) => open(tx, { ...about, dialect: 'B' }))).toMatchObject({ heartbeatSeconds: 30 })
})

test('a command no word is for ends its order, said twice or at once, and nobody else’s', async () => {
  const it = await scene(db)
  const { orderId, commandId } = await ask(db, it)
  const other = await scene(db)
  const theirs = await ask(db, other)
  const said = () => act(db, (tx) => unspeakable(tx, it.station, [commandId, theirs.commandId]))
  await Promise.all([said(), said()])
  await said()
  expect(await orderOf(db, orderId)).toMatchObject({ status: 'cancelled' })
  expect(await orderOf(db, theirs.orderId)).toMatchObject({ status: 'pending' })
  const rows = await db.sql`
    select id, status from device_commands where id in (${commandId}, ${theirs.commandId}) order by id`
  expect(rows.map(({ status }) => status)).toEqual(['failed', 'queued'])
})
