import { expect, test } from 'vitest'
import { cabinet } from './cabinet.ts'
import { startApiServer } from './server.ts'

const { call, person, unit, db, stage } = await startApiServer()

/** A group of its own, and a user in it who may hold this many. */
async function scene(limit = 3) {
  const group = await unit('Отдел')
  const anna = await person('user', group)
  await db.sql`update users set powerbank_limit = ${limit} where id = ${anna.id}`
  return { group, anna }
}
const get = (path: string, token: string) => call('GET', `/api/user/${path}`, { token })
const borrow = (token: string, body: object, headers: object = {}) =>
  call('POST', '/api/user/powerbanks/borrow', { token, body, headers })
const giveBack = (token: string, body: object) => call('POST', '/api/user/powerbanks/return', { token, body })

test('what somebody may take now is listed, connected stations first, the best of each first', async () => {
  const { group, anna } = await scene(2)
  const away = await cabinet(stage, { orgUnitId: group, banks: [1], isOffline: true })
  const box = await cabinet(stage, { orgUnitId: group, banks: [1, 2, 3], levels: { 1: 30, 2: 90, 3: 60 } })
  const idle = await cabinet(stage, { orgUnitId: group, banks: [1], status: 'inactive' })
  const foreign = await cabinet(stage, { orgUnitId: await unit('чужие'), banks: [1] })
  await db.sql`update powerbanks set status = 'system_error' where id = ${box.banks[1]!.id}`
  const { status, body } = await get('powerbanks/available', anna.token)
  expect(status).toBe(200)
  const found = body.available_powerbanks.map((bank: any) => bank.powerbank_id)
  expect(found).toEqual([box.banks[2]!.id, box.banks[3]!.id, away.banks[1]!.id])
  expect(body).toMatchObject({
    success: true,
    count: 3,
    user_limits: { max_limit: 2, current_borrowed: 0, available_by_limit: 2 },
    data: { count: 3 },
  })
  expect(body.available_powerbanks[0]).toMatchObject({
    station_id: box.stationId,
    station_box_id: box.boxId,
    station_is_online: true,
    slot_number: 2,
    level: 90,
  })
  const one = (await get(`powerbanks/available?station_id=${away.stationId}`, anna.token)).body
  expect(one).toMatchObject({ count: 1, available_powerbanks: [{ station_is_online: false }] })
  const paged = (await get('powerbanks/available?limit=1&page=2', anna.token)).body
  expect(paged).toMatchObject({ count: 3, available_powerbanks: [{ powerbank_id: box.banks[3]!.id }] })
  expect(await get(`powerbanks/available?station_id=${foreign.stationId}`, anna.token)).toMatchObject({ status: 403 })
  expect(await get('powerbanks/available?station_id=999999', anna.token)).toMatchObject({ status: 404 })
  expect((await get(`powerbanks/available?station_id=${idle.stationId}`, anna.token)).body.count).toBe(0)
})

test('the documented request lends the best bank of the station, and says why that one', async () => {
  const { group, anna } = await scene(2)
  const box = await cabinet(stage, { orgUnitId: group, banks: [1, 2], levels: { 2: 95 } })
  const { status, body } = await borrow(anna.token, { station_id: box.stationId })
  expect(status).toBe(200)
  expect(body).toEqual({
    success: true,
    message: expect.any(String),
    order_id: expect.any(Number),
    powerbank_serial: box.banks[2]!.bankId,
    station_box_id: box.boxId,
    user_limits: { max_limit: 2, current_borrowed: 1, available_by_limit: 1 },
    data: {
      order_id: body.order_id,
      station_id: box.stationId,
      station_box_id: box.boxId,
      slot_number: 2,
      powerbank_id: box.banks[2]!.id,
      powerbank_serial: box.banks[2]!.bankId,
      status: 'borrow',
      timestamp: expect.stringMatching(/\+03:00$/),
      selection_reason: 'Наибольший заряд (95%) среди исправных: 2 из 2',
      total_available: 2,
      healthy_count: 2,
      error_count: 0,
    },
  })
})

test('the older request names the bank, and the same key twice is one loan', async () => {
  const { group, anna } = await scene()
  const box = await cabinet(stage, { orgUnitId: group, banks: [1, 2], levels: { 2: 95 } })
  const body = { station_id: box.stationId, powerbank_id: box.banks[1]!.id }
  const headers = { 'Idempotency-Key': 'mine' }
  const [one, two] = await Promise.all([borrow(anna.token, body, headers), borrow(anna.token, body, headers)])
  expect(one).toMatchObject({ status: 200, body: { data: { powerbank_id: box.banks[1]!.id, slot_number: 1 } } })
  expect(two.body.order_id).toBe(one.body.order_id)
  expect(box.heard.filter(({ kind }) => kind === 'eject')).toHaveLength(1)
})

test('the limit and access are 403 here, a silent station 503, and nothing moves', async () => {
  const { group, anna } = await scene(0)
  const box = await cabinet(stage, { orgUnitId: group, banks: [1] })
  const station_id = box.stationId
  expect(await borrow(anna.token, { station_id })).toMatchObject({
    status: 403,
    body: { success: false, error: 'Достигнут лимит повербанков', limit: { effective_limit: 0 } },
  })
  const stranger = (await scene()).anna
  expect(await borrow(stranger.token, { station_id })).toMatchObject({ status: 403, body: { success: false } })
  const away = await cabinet(stage, { orgUnitId: group, banks: [1], isOffline: true })
  const staff = await person('group_admin', group)
  expect(await borrow(staff.token, { station_id: away.stationId })).toMatchObject({
    status: 503,
    body: { success: false, error: 'Станция не подключена' },
  })
  expect(await borrow(staff.token, { station_id: 999_999 })).toMatchObject({ status: 404 })
  const empty = await cabinet(stage, { orgUnitId: group })
  expect(await borrow(staff.token, { station_id: empty.stationId })).toMatchObject({ status: 400 })
  for (const body of [{}, { station_id: 'x' }, { station_id, powerbank_id: 0 }])
    expect(await borrow(staff.token, body)).toMatchObject({
      status: 400,
      body: { error: expect.stringContaining('_id') },
    })
  expect(box.heard).toEqual([])
})

/** Somebody with a bank in the hand, and a connected station. */
async function loan() {
  const { group, anna } = await scene()
  const box = await cabinet(stage, { orgUnitId: group, banks: [1] })
  const { body } = await borrow(anna.token, { station_id: box.stationId })
  return { group, anna, box, orderId: body.order_id as number }
}

test('the documented return is announced, and the cabinet closes the order', async () => {
  const { anna, box, orderId } = await loan()
  const asked = { order_id: orderId, station_id: box.stationId }
  const answers = await Promise.all([1, 2].map(() => giveBack(anna.token, asked)))
  for (const { status, body } of answers) {
    expect(status).toBe(200)
    expect(body).toMatchObject({
      success: true,
      message: expect.any(String),
      data: { ...asked, powerbank_id: box.banks[1]!.id, timestamp: expect.stringMatching(/\+03:00$/) },
    })
  }
  const order = async () => (await call('GET', `/api/orders/${orderId}`, { token: anna.token })).body.data
  expect(await order()).toMatchObject({ status: 'borrow' })
  await db.sql`update orders set borrowed_at = now() - interval '1 hour' where id = ${orderId}`
  await box.insert(box.banks[1]!.bankId, 4)
  expect(await order()).toMatchObject({ status: 'return', return_slot: 4 })
  expect(await giveBack(anna.token, asked)).toMatchObject({ status: 400, body: { error: 'Активный заказ не найден' } })
})

test('where a bank is brought back need not be said; a station that cannot take it is refused', async () => {
  const { anna, group, orderId } = await loan()
  expect((await giveBack(anna.token, { order_id: orderId })).body.data).toMatchObject({ station_id: null })
  const away = await cabinet(stage, { orgUnitId: group, isOffline: true })
  const full = await cabinet(stage, { orgUnitId: group, slots: 1, banks: [1] })
  for (const { stationId } of [away, full])
    expect(await giveBack(anna.token, { order_id: orderId, station_id: stationId })).toMatchObject({ status: 400 })
  expect(await giveBack(anna.token, { order_id: orderId, station_id: 999_999 })).toMatchObject({ status: 404 })
})

test('only the holder of an order returns it, or staff for them', async () => {
  const { group, orderId } = await loan()
  const other = await person('user', group)
  expect(await giveBack(other.token, { order_id: orderId })).toMatchObject({ status: 403 })
  expect(await giveBack(other.token, { order_id: 999_999 })).toMatchObject({ status: 404 })
  expect(await giveBack(other.token, {})).toMatchObject({ status: 400 })
  const staff = await person('subgroup_admin', group)
  expect(await giveBack(staff.token, { order_id: orderId })).toMatchObject({ status: 200 })
})

test('the stations of the own units and those below are listed, the active ones', async () => {
  const { group, anna } = await scene()
  const here = await cabinet(stage, { orgUnitId: group, banks: [1] })
  const below = await cabinet(stage, { orgUnitId: await unit('ниже', group), isOffline: true })
  await cabinet(stage, { orgUnitId: group, status: 'inactive', isOffline: true })
  await cabinet(stage, { orgUnitId: await unit('чужие'), isOffline: true })
  const { body } = await get('stations', anna.token)
  expect(body.stations.map((station: any) => station.station_id)).toEqual([here.stationId, below.stationId])
  expect(body).toMatchObject({ success: true, pagination: { page: 1, limit: 100, total: 2, pages: 1 } })
  expect(body.data).toEqual(body.stations)
  expect(body.stations[0]).toMatchObject({ box_id: here.boxId, is_online: true, occupied_ports: 1, free_ports: 7 })
  const second = await get('stations?limit=1&page=2', anna.token)
  expect(second.body.data).toMatchObject([{ station_id: below.stationId }])
})
