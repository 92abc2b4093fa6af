import { expect, test } from 'vitest'
import { cabinet } from './cabinet.ts'
import { startApiServer } from './server.ts'

const { call, person, unit, db, stage } = await startApiServer()
const group = await unit('Отдел продаж')
const foreign = await unit('чужие')
const admin = await person('group_admin', group)
const service = await person('service_admin')
const anna = await person('user', group)
const boris = await person('user', group)
const box = await cabinet(stage, { orgUnitId: group, banks: [1, 2, 3, 4], isOffline: true })
const far = await cabinet(stage, { orgUnitId: foreign, banks: [1], isOffline: true })

/** An order as if it had come about, in this status. */
async function order(who: { id: number }, at: typeof box, slot: number, status: string): Promise<number> {
  const isOver = !['pending', 'borrow'].includes(status)
  const [row] = await db.sql<{ id: number }[]>`
    insert into orders (station_id, user_id, powerbank_id, slot_number, status, borrowed_at, completed_at)
    values (${at.stationId}, ${who.id}, ${at.banks[slot]!.id}, ${slot}, ${status}, now(), ${isOver ? new Date() : null})
    returning id`
  return row!.id
}
const annas = await order(anna, box, 1, 'borrow')
const borises = await order(boris, box, 2, 'return')
const waiting = await order(boris, box, 3, 'pending')
const cancelled = await order(anna, box, 4, 'cancelled')
const away = await order(anna, far, 1, 'borrow')

const ids = async (who: { token: string }, query = '') => {
  const { status, body } = await call('GET', `/api/orders?${query}`, { token: who.token })
  expect(status).toBe(200)
  return body.data.map((one: any) => one.id)
}

test('an order shows who has what from where', async () => {
  const { status, body } = await call('GET', `/api/orders/${annas}`, { token: anna.token })
  expect(status).toBe(200)
  expect(body.data).toEqual({
    id: annas,
    order_id: annas,
    station_id: box.stationId,
    station_box_id: box.boxId,
    user_id: anna.id,
    user_phone: anna.phone,
    user_fio: 'Иван Иванов',
    powerbank_id: box.banks[1]!.id,
    powerbank_serial: box.banks[1]!.bankId,
    slot_number: 1,
    status: 'borrow',
    return_station_id: null,
    return_slot: null,
    is_admin_order: false,
    timestamp: expect.stringMatching(/\+03:00$/),
    borrowed_at: expect.stringMatching(/\+03:00$/),
    completed_at: null,
  })
})

test('users see their own orders, staff those of their stations, newest first', async () => {
  expect(await ids(anna)).toEqual([away, annas])
  expect(await ids(boris)).toEqual([waiting, borises])
  expect(await ids(admin)).toEqual([waiting, borises, annas])
  expect(await ids(await person('subgroup_admin', foreign))).toEqual([away])
  expect(await ids(service)).toEqual([away, waiting, borises, annas])
  expect(await ids(await person('user', group))).toEqual([])
})

test('cancelled orders are shown to who asks for them', async () => {
  expect(await ids(anna, 'status=cancelled')).toEqual([cancelled])
  const { body } = await call('GET', `/api/orders/${cancelled}`, { token: anna.token })
  expect(body.data).toMatchObject({ status: 'cancelled' })
})

test('the list filters by user, station and status, and pages', async () => {
  expect(await ids(service, `user_id=${anna.id}`)).toEqual([away, annas])
  expect(await ids(service, `station_id=${box.stationId}`)).toEqual([waiting, borises, annas])
  expect(await ids(service, `station_id=${box.stationId}&status=borrow`)).toEqual([annas])
  expect(await ids(anna, `user_id=${boris.id}`)).toEqual([])
  expect(await ids(service, 'limit=1&page=2')).toEqual([waiting])
  const page = await call('GET', '/api/orders?limit=3', { token: service.token })
  expect(page.body.pagination).toEqual({ page: 1, limit: 3, total: 4, pages: 2 })
  expect(await call('GET', '/api/orders?status=lost', { token: service.token })).toMatchObject({ status: 400 })
})

test('what staff borrowed elsewhere is listed and counted once among the orders of their stations', async () => {
  const chief = await person('group_admin', group)
  const theirs = await order(chief, far, 1, 'return')
  const here = await order(chief, box, 1, 'return')
  const { body } = await call('GET', '/api/orders?limit=2', { token: chief.token })
  expect(body.data.map((one: any) => one.id)).toEqual([here, theirs])
  expect(body.pagination.total).toBe(5)
  expect(await ids(chief, 'limit=2&page=3')).toEqual([annas])
  expect(await ids(chief, 'limit=2&page=4')).toEqual([])
  expect(await ids(chief, `station_id=${far.stationId}`)).toEqual([theirs])
})

test('a foreign order stays closed', async () => {
  expect(await call('GET', `/api/orders/${annas}`, { token: boris.token })).toMatchObject({ status: 403 })
  expect(await call('GET', `/api/orders/${away}`, { token: admin.token })).toMatchObject({ status: 403 })
})
