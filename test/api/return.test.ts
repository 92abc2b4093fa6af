import { expect, test } from 'vitest'
import { cabinet } from './cabinet.ts'
import { startApiServer } from './server.ts'

const { call, person, unit, db, stage } = await startApiServer()
const group = await unit('Отдел продаж')
const admin = await person('group_admin', group)

/** A user of the group with a limit that is in nobody's way. */
async function user(orgUnitId = group) {
  const someone = await person('user', orgUnitId)
  await db.sql`update users set powerbank_limit = 5 where id = ${someone.id}`
  return someone
}
type Someone = Awaited<ReturnType<typeof user>>
type Box = Awaited<ReturnType<typeof cabinet>>

/** A loan that began a minute ago: a return within seconds of the eject waits for the next inventory. */
async function borrow(box: Box, who: Someone, slot: number): Promise<number> {
  const body = { user_id: who.id, slot_number: slot }
  const lent = await call('POST', `/api/borrow/stations/${box.stationId}/request`, { token: who.token, body })
  expect(lent.status).toBe(200)
  await db.sql`update orders set borrowed_at = now() - interval '1 minute' where id = ${lent.body.order_id}`
  return lent.body.order_id
}
const announce = (who: Someone, station_id: number, powerbank_id: number, user_id = who.id) =>
  call('POST', '/api/return-powerbank', { token: who.token, body: { station_id, user_id, powerbank_id } })
const confirm = (who: Someone, station_id: number, more: object = {}) =>
  call('POST', '/api/return/wait-confirmation', { token: who.token, body: { station_id, user_id: who.id, ...more } })
const status = async (orderId: number) =>
  (await call('GET', `/api/orders/${orderId}`, { token: admin.token })).body.data

test('a return is announced, made and confirmed as documented', async () => {
  const box = await cabinet(stage, { orgUnitId: group, banks: [1] })
  const anna = await user()
  const orderId = await borrow(box, anna, 1)
  const { id, bankId } = box.banks[1]!
  const announced = await announce(anna, box.stationId, id)
  expect(announced.status).toBe(200)
  expect(announced.body).toEqual({
    success: true,
    message: 'Процесс возврата запущен. Вставьте повербанк в станцию в течение 1 секунд.',
    powerbank_id: id,
    serial_number: bankId,
    station_id: box.stationId,
    timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+03:00$/),
  })
  expect(await status(orderId)).toMatchObject({ status: 'borrow' })
  const waiting = confirm(anna, box.stationId, { powerbank_id: id, message: 'опционально' })
  await box.insert(bankId, 7)
  const confirmed = await waiting
  expect(confirmed.status).toBe(200)
  expect(confirmed.body).toEqual({
    success: true,
    station_id: box.stationId,
    user_id: anna.id,
    message: 'опционально',
    confirmed: true,
    powerbank_id: id,
    slot_number: 7,
    timeout: false,
  })
  expect(await status(orderId)).toMatchObject({ status: 'return', return_station_id: box.stationId, return_slot: 7 })
})

test('an unconfirmed return is the documented 408', async () => {
  const box = await cabinet(stage, { orgUnitId: group, banks: [1] })
  const anna = await user()
  await borrow(box, anna, 1)
  const { status: code, body } = await confirm(anna, box.stationId, { powerbank_id: box.banks[1]!.id })
  expect(code).toBe(408)
  expect(body).toEqual({
    success: false,
    station_id: box.stationId,
    user_id: anna.id,
    confirmed: false,
    timeout: true,
    error: 'Не удалось подтвердить возврат в отведенное время',
  })
})

test('the confirmation comes with the return, not with the next look', async () => {
  const box = await cabinet(stage, { orgUnitId: group, banks: [1] })
  const anna = await user()
  await borrow(box, anna, 1)
  const began = performance.now()
  const waiting = confirm(anna, box.stationId)
  await box.insert(box.banks[1]!.bankId, 2)
  expect(await waiting).toMatchObject({ status: 200, body: { powerbank_id: box.banks[1]!.id, slot_number: 2 } })
  expect(performance.now() - began).toBeLessThan(900)
})

test('a question asked after the return is answered at once, twice over', async () => {
  const box = await cabinet(stage, { orgUnitId: group, banks: [1] })
  const anna = await user()
  const orderId = await borrow(box, anna, 1)
  await box.insert(box.banks[1]!.bankId, 1)
  // Into the slot it left: the loan ends with the look that is asked at once.
  await expect.poll(() => status(orderId)).toMatchObject({ status: 'return' })
  const [one, two] = await Promise.all([confirm(anna, box.stationId), confirm(anna, box.stationId)])
  expect(one).toMatchObject({ status: 200, body: { confirmed: true } })
  expect(two.body).toEqual(one.body)
})

test('a return in another station confirms nothing here, and the loan is closed all the same', async () => {
  const here = await cabinet(stage, { orgUnitId: group, banks: [1] })
  const there = await cabinet(stage, { orgUnitId: await unit('другой город') })
  const anna = await user()
  const orderId = await borrow(here, anna, 1)
  expect(await announce(anna, there.stationId, here.banks[1]!.id)).toMatchObject({ status: 200 })
  await there.insert(here.banks[1]!.bankId, 3)
  expect(await confirm(anna, here.stationId)).toMatchObject({ status: 408 })
  expect(await confirm(anna, there.stationId)).toMatchObject({ status: 200, body: { slot_number: 3 } })
  expect(await status(orderId)).toMatchObject({ status: 'return', return_station_id: there.stationId })
})

test('of two banks only the one that was asked about confirms', async () => {
  const box = await cabinet(stage, { orgUnitId: group, banks: [1, 2] })
  const anna = await user()
  await borrow(box, anna, 1)
  await borrow(box, anna, 2)
  await box.insert(box.banks[1]!.bankId, 1)
  expect(await confirm(anna, box.stationId, { powerbank_id: box.banks[2]!.id })).toMatchObject({ status: 408 })
  await announce(anna, box.stationId, box.banks[2]!.id)
  expect(await confirm(anna, box.stationId)).toMatchObject({ status: 408 })
  await box.insert(box.banks[2]!.bankId, 2)
  const last = await confirm(anna, box.stationId)
  expect(last).toMatchObject({ status: 200, body: { powerbank_id: box.banks[2]!.id } })
})

test('last week’s return confirms nothing while a loan is open', async () => {
  const box = await cabinet(stage, { orgUnitId: group, banks: [1, 2] })
  const anna = await user()
  const first = await borrow(box, anna, 1)
  await box.insert(box.banks[1]!.bankId, 1)
  await db.sql`update orders set completed_at = now() - interval '7 days' where id = ${first}`
  await borrow(box, anna, 2)
  expect(await confirm(anna, box.stationId)).toMatchObject({ status: 408 })
})

test('an announcement is refused where it could not end well', async () => {
  const box = await cabinet(stage, { orgUnitId: group, banks: [1] })
  const bank = box.banks[1]!.id
  const anna = await user()
  const boris = await user()
  expect(await announce(anna, box.stationId, bank)).toMatchObject({ status: 400, body: { success: false } })
  await borrow(box, anna, 1)
  expect(await announce(boris, box.stationId, bank)).toMatchObject({ status: 400 })
  expect(await announce(boris, box.stationId, bank, anna.id)).toMatchObject({ status: 403 })
  expect(await announce(anna, 999_999, bank)).toMatchObject({ status: 404 })
  expect(await announce(anna, box.stationId, 999_999)).toMatchObject({ status: 404 })
  const inactive = await cabinet(stage, { orgUnitId: group, status: 'inactive' })
  const offline = await cabinet(stage, { orgUnitId: group, isOffline: true })
  const full = await cabinet(stage, { orgUnitId: group, slots: 2, banks: [1, 2] })
  for (const { stationId } of [inactive, offline, full])
    expect(await announce(anna, stationId, bank)).toMatchObject({ status: 400, body: { error: expect.any(String) } })
  expect(await announce(anna, box.stationId, bank)).toMatchObject({ status: 200 })
  expect(await announce(anna, box.stationId, bank)).toMatchObject({ status: 200 })
})

test('nobody waits in the name of another, nor at an unknown station', async () => {
  const box = await cabinet(stage, { orgUnitId: group, banks: [1] })
  const anna = await user()
  const boris = await user()
  expect(await confirm(boris, box.stationId, { user_id: anna.id })).toMatchObject({ status: 403 })
  expect(await confirm(anna, 999_999)).toMatchObject({ status: 404 })
})

test.each([
  ['/api/return-powerbank', 'station_id', { user_id: 1, powerbank_id: 1 }],
  ['/api/return-powerbank', 'user_id', { station_id: 1, powerbank_id: 1 }],
  ['/api/return-powerbank', 'powerbank_id', { station_id: 1, user_id: 1 }],
  ['/api/return/wait-confirmation', 'station_id', { user_id: 1 }],
  ['/api/return/wait-confirmation', 'user_id', { station_id: 1 }],
  ['/api/return/wait-confirmation', 'powerbank_id', { station_id: 1, user_id: 1, powerbank_id: 'x' }],
])('%s without a good %s is refused and names it', async (path, field, body) => {
  const refused = await call('POST', path, { token: admin.token, body })
  expect(refused).toMatchObject({ status: 400, body: { success: false, error: expect.stringContaining(field) } })
})

test('the active orders of a station are the open loans that began there', async () => {
  const box = await cabinet(stage, { orgUnitId: group, banks: [1, 2, 3] })
  const anna = await user()
  const boris = await user()
  const mine = await borrow(box, anna, 1)
  const his = await borrow(box, boris, 2)
  await borrow(box, boris, 3)
  await box.insert(box.banks[3]!.bankId, 3)
  const path = `/api/return/stations/${box.stationId}/active-orders`
  const all = await call('GET', path, { token: admin.token })
  expect(all).toMatchObject({ status: 200, body: { success: true, count: 2 } })
  expect(all.body.orders[0]).toEqual({
    order_id: mine,
    station_id: box.stationId,
    user_id: anna.id,
    powerbank_id: box.banks[1]!.id,
    status: 'borrow',
    timestamp: expect.stringMatching(/\+03:00$/),
  })
  expect(all.body.orders[1]).toMatchObject({ order_id: his, user_id: boris.id })
  const own = await call('GET', path, { token: anna.token })
  expect(own.body.orders.map((order: any) => order.order_id)).toEqual([mine])
  const { token } = await person('group_admin', await unit('чужие'))
  expect(await call('GET', path, { token })).toMatchObject({ status: 403 })
})
