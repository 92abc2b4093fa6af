import { expect, test } from 'vitest'
import { record } from '../../db/messages/events.ts'
import { connect } from '../../db/postgres/connect.ts'
import * as orders from '../../db/powerbank/orders.ts'
import type { OrderStatus } from '../../db/powerbank/words.ts'
import { startApiServer } from './server.ts'
import { reader } from './stream.ts'

const { call, request, person, unit, db, url } = await startApiServer()
const service = await person('service_admin')

let made = 0
async function station(): Promise<number> {
  const [row] = await db.sql<{ id: number }[]>`
    insert into stations (box_id, slots_declared) values (${`LIVE${++made}`}, 8) returning id`
  return row!.id
}
async function order(userId: number, status = 'pending', stationId = 0): Promise<number> {
  const isOver = ['return', 'cancelled', 'force_eject'].includes(status)
  const [row] = await db.sql<{ id: number }[]>`
    insert into orders (station_id, user_id, status, completed_at)
    values (${stationId || (await station())}, ${userId}, ${status}, ${isOver ? new Date() : null}) returning id`
  return row!.id
}
const move = (id: number, to: OrderStatus, on = db) =>
  on.transaction((tx) => orders.move(tx, id, { to, evidence: 'test' }))

/** The stream of somebody's orders. */
async function listen(token: string, lastEventId?: string) {
  const response = await request('/api/user/orders', {
    headers: {
      authorization: `Bearer ${token}`,
      accept: 'text/event-stream',
      ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
    },
  })
  return { response, ...reader(response.body!) }
}

test('the own orders are a page, newest first, with the documented keys; those of others are not in it', async () => {
  const [me, other] = [await person(), await person()]
  const ids = [await order(me.id, 'return'), await order(me.id, 'borrow'), await order(me.id, 'cancelled')]
  await order(other.id, 'borrow')
  const { status, body } = await call('GET', '/api/user/orders', { token: me.token })
  expect(status).toBe(200)
  expect(body).toMatchObject({ success: true, pagination: { page: 1, limit: 10, total: 2, pages: 1 } })
  expect(body.orders).toEqual(body.data)
  expect(body.orders.map(({ id }: any) => id)).toEqual([ids[1], ids[0]])
  expect(body.orders[0]).toMatchObject({ user_id: me.id, status: 'borrow', station_box_id: expect.any(String) })
  const only = async (query: string) =>
    (await call('GET', `/api/user/orders?${query}`, { token: me.token })).body.orders?.map(({ id }: any) => id)
  expect(await only('status=cancelled')).toEqual([ids[2]])
  expect(await only('limit=1&page=2')).toEqual([ids[0]])
  expect(await only('status=lent')).toBeUndefined()
})

test('a stream begins with the page, and then tells each change with the order as it stands', async () => {
  const me = await person()
  const id = await order(me.id)
  const stream = await listen(me.token)
  expect(stream.response.status).toBe(200)
  expect(stream.response.headers.get('content-type')).toContain('text/event-stream')
  const page = await stream.message()
  expect(page).toMatchObject({ event: 'orders', id: expect.stringMatching(/^\d+-\d+$/) })
  expect(page!.data).toEqual((await call('GET', '/api/user/orders', { token: me.token })).body)
  await move(id, 'borrow')
  expect(await stream.message()).toMatchObject({
    event: 'order',
    data: { change: 'order.borrowed', order: { id, status: 'borrow' } },
  })
  await move(id, 'return')
  expect(await stream.message()).toMatchObject({ data: { change: 'order.returned', order: { id, status: 'return' } } })
})

test('changes of another process reach a stream, and those of other people do not', async () => {
  const [me, other] = [await person(), await person()]
  const [mine, theirs] = [await order(me.id), await order(other.id)]
  const elsewhere = connect(url, { max: 2 })
  const stream = await listen(me.token)
  await stream.message()
  await move(theirs, 'borrow', elsewhere)
  await move(mine, 'borrow', elsewhere)
  expect(await stream.message()).toMatchObject({ data: { order: { id: mine } } })
  await elsewhere.close()
})

test('who comes back is told what was missed, each thing once, and nothing twice', async () => {
  const me = await person()
  const [one, other] = [await order(me.id), await order(me.id)]
  const before = await listen(me.token)
  await before.message()
  await move(one, 'borrow')
  const { id } = (await before.message())!
  await before.cancel()
  await move(other, 'borrow')
  await move(one, 'return')
  const after = await listen(me.token, id)
  await move(other, 'return')
  const told = [await after.message(), await after.message(), await after.message()]
  expect(told.map((message) => [message!.data.change, message!.data.order.id])).toEqual([
    ['order.borrowed', other],
    ['order.returned', one],
    ['order.returned', other],
  ])
  expect(new Set(told.map((message) => message!.id)).size).toBe(3)
})

test.each([
  ['nonsense', 'x'],
  ['of a future that never was', '9999999999999999999-1'],
  ['half', '12-'],
])('a Last-Event-ID that is %s begins anew', async (_, id) => {
  const me = await person()
  const stream = await listen(me.token, id)
  expect(await stream.message()).toMatchObject({ event: 'orders' })
})

test('who was away for too long gets the page instead of everything', async () => {
  const me = await person()
  const id = await order(me.id)
  const before = await listen(me.token)
  const start = await before.message()
  await db.transaction(async (tx) => {
    for (let n = 0; n < 201; n++) await record(tx, 'order.reminded', { userId: me.id, orderId: id })
  })
  // The log is read up to the oldest transaction under way, be it another test's: here it is past ours.
  for (let n = 0; n < 201; n++) await before.message()
  const after = await listen(me.token, start!.id)
  expect(await after.message()).toMatchObject({ event: 'orders' })
})

test('an event whose transaction began early and ended late is told all the same, in order', async () => {
  const me = await person()
  const [early, late] = [await order(me.id), await order(me.id)]
  const stream = await listen(me.token)
  await stream.message()
  const [written, finish] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const slow = db.transaction(async (tx) => {
    await orders.move(tx, early, { to: 'borrow', evidence: 'test' })
    written.resolve()
    await finish.promise
  })
  await written.promise
  await move(late, 'borrow')
  finish.resolve()
  await slow
  const told = [await stream.message(), await stream.message()]
  expect(told.map((message) => message!.data.order.id)).toEqual([early, late])
})

test.each([
  ['blocked', (id: number) => call('PUT', `/api/users/${id}`, { token: service.token, body: { status: 'blocked' } })],
  ['deleted', (id: number) => call('DELETE', `/api/users/${id}`, { token: service.token })],
])('the stream of a %s account ends at once', async (_, act) => {
  const me = await person('user', await unit('group'))
  const stream = await listen(me.token)
  await stream.message()
  expect((await act(me.id)).status).toBe(200)
  expect(await stream.toEnd()).toEqual([])
  expect((await listen(me.token)).response.status).toBe(401)
})
