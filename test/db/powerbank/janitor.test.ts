import { beforeEach, expect, test } from 'vitest'
import { sweep } from '../../../db/powerbank/janitor.ts'
import { testDb } from '../../postgres.ts'
import { ask, asked, cabinet, later, lookDue, NODE, orderOf, says, scene, send } from '../world.ts'

const { db } = await testDb()

beforeEach(async () => {
  await db.sql`update stations set inventory_due_at = null`
  await db.sql`update device_commands set status = 'answered' where status in ('queued', 'sent')`
})

const questions = async (station: number) =>
  (
    await db.sql`select status, origin from device_commands where device_id = ${station} and kind = 'inventory' order by id`
  ).map(({ status, origin }) => `${status} by ${origin}`)
const due = (station: number, seconds: number) =>
  db.sql`update stations set inventory_due_at = now() + make_interval(secs => ${seconds}) where id = ${station}`

test('a cabinet whose slots are due is asked, once', async () => {
  const station = await cabinet(db)
  await due(station, -1)
  expect(await sweep(db, NODE)).toBe(1)
  expect(await sweep(db, NODE)).toBe(0)
  expect(await questions(station)).toEqual(['queued by janitor'])
  expect(await lookDue(db, station)).toBeNull()
})

test('nobody is asked before the time', async () => {
  const station = await cabinet(db)
  await due(station, 5)
  expect(await sweep(db, NODE)).toBe(0)
  expect(await lookDue(db, station)).toBe(5)
})

test('each cabinet is asked by the node that holds it, and one that nobody holds waits', async () => {
  const [theirs, nobodys] = [await cabinet(db, { node: 'node-2' }), await cabinet(db, { node: null })]
  await due(theirs, -1)
  await due(nobodys, -1)
  expect(await sweep(db, NODE)).toBe(0)
  expect(await sweep(db, 'node-2')).toBe(1)
  expect(await lookDue(db, nobodys)).toBeLessThan(0)
})

test('of many who sweep at once each cabinet is asked by one', async () => {
  const stations = await Promise.all(Array.from({ length: 20 }, () => cabinet(db, { node: 'busy' })))
  for (const station of stations) await due(station, -1)
  const asked = await Promise.all(Array.from({ length: 5 }, () => sweep(db, 'busy')))
  expect(asked.reduce((sum, n) => sum + n)).toBe(20)
  for (const station of stations) expect(await questions(station)).toEqual(['queued by janitor'])
})

test('the silence of an eject leads to a question, and silence to that to another', async () => {
  const it = await scene(db)
  const { orderId } = await asked(db, it)
  await later(db, 16)
  expect(await sweep(db, NODE)).toBe(1)
  expect(await questions(it.station)).toEqual(['queued by janitor'])
  for (let attempt = 0; attempt < 2; attempt++) {
    const [question] = await db.sql<{ id: number }[]>`
      select id from device_commands where device_id = ${it.station} and kind = 'inventory' and status = 'queued'`
    await send(db, question!.id)
    await later(db, 6)
  }
  expect(await questions(it.station)).toEqual(['unknown by janitor'])
  expect(await lookDue(db, it.station)).toBe(30)
  await later(db, 31)
  expect(await sweep(db, NODE)).toBe(1)
  expect((await orderOf(db, orderId)).status).toBe('pending')
})

test('after a day without a word nobody waits any more, and a later word still counts', async () => {
  const [silent, fresh] = [await scene(db), await scene(db)]
  const old = await asked(db, silent)
  const young = await ask(db, fresh)
  await later(db, 16)
  await db.sql`update orders set created_at = now() - interval '25 hours' where id = ${old.orderId}`
  await sweep(db, NODE)
  expect(await orderOf(db, old.orderId)).toMatchObject({
    status: 'cancelled',
    evidence: expect.stringContaining('24 hours'),
  })
  expect((await orderOf(db, young.orderId)).evidence).toBe('the command was never sent')
  await says(db, silent.station, 1, silent.bank.bankId)
  expect((await orderOf(db, old.orderId)).status).toBe('borrow')
})

test('one cabinet with a full queue keeps no other from being asked', async () => {
  const [full, other] = [await cabinet(db), await cabinet(db)]
  await db.sql`
    insert into device_commands (device_id, kind, deadline) select ${full}, 'volume', now() + interval '15 seconds' from generate_series(1, 32)`
  await due(full, -1)
  await due(other, -1)
  expect(await sweep(db, NODE)).toBe(2)
  expect([await questions(full), await questions(other)]).toEqual([['queued by janitor'], ['queued by janitor']])
})
