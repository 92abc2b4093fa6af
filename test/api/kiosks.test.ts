import { beforeAll, expect, test } from 'vitest'
import { begun, rentalsOf } from '../db/kiosk/stand.ts'
import { terminal } from '../db/paygo/till.ts'
import { bank, cabinet } from '../db/world.ts'
import { startApiServer } from './server.ts'

const { db, call, person, unit } = await startApiServer()
const group = await unit('Сеть')
const part = await unit('Кафе', group)
const other = await unit('Другая сеть')
const [root, admin, keeper, stranger, user] = [
  await person('service_admin'),
  await person('group_admin', group),
  await person('subgroup_admin', part),
  await person('group_admin', other),
  await person('user', group),
]
const prices = {
  free_minutes: 5,
  period_minutes: 60,
  period_price: 50,
  day_price: 300,
  deposit: 2000,
  lost_price: 1500,
}
const set = (token: string, body: object) => call('POST', '/api/kiosk-tariffs', { token, body: { ...prices, ...body } })
const station = await cabinet(db, { unitId: part })
await bank(db, { stationId: station, slot: 1 })

beforeAll(async () => {
  expect(await set(admin.token, { org_unit_id: group })).toMatchObject({ status: 201 })
})

test('an admin sets what rentals cost in the own units; a price is never changed, and the list is its history', async () => {
  expect(await set(stranger.token, { org_unit_id: group })).toMatchObject({ status: 403 })
  expect(await set(keeper.token, { org_unit_id: part })).toMatchObject({ status: 403 })
  expect(await set(user.token, { org_unit_id: group })).toMatchObject({ status: 403 })
  const dearer = await set(admin.token, { org_unit_id: group, period_price: 60.5, valid_from: '2099-01-01T00:00:00Z' })
  expect(dearer).toMatchObject({
    status: 201,
    body: { success: true, data: { org_unit_id: group, period_price: 60.5, deposit: 2000 } },
  })
  const all = await call('GET', `/api/kiosk-tariffs?org_unit_id=${group}`, { token: admin.token })
  expect(all.body.data.map((one: { period_price: number }) => one.period_price)).toEqual([60.5, 50])
  const { tariff_id: id } = dearer.body.data
  expect(await call('PUT', `/api/kiosk-tariffs/${id}`, { token: root.token, body: prices })).toMatchObject({
    status: 405,
  })
  expect(await call('GET', `/api/kiosk-tariffs/${id}`, { token: stranger.token })).toMatchObject({ status: 403 })
})

test.for([
  ['that began in the past', { valid_from: '2020-01-01T00:00:00Z' }, 'Тариф не может начаться в прошлом'],
  ['with a price over the deposit', { lost_price: 2000.01 }, 'Цена утерянного повербанка больше залога'],
  ['of a unit that nobody knows', { org_unit_id: 999_999 }, 'Организационная единица не найдена'],
  ['with a part of a kopeck', { period_price: 0.001 }, 'Поле period_price: не больше 2 знаков после запятой'],
  ['without a deposit', { deposit: 0 }, 'Поле deposit: должно быть больше 0'],
] as const)('a price %s is refused', async ([, change, error]) => {
  expect(await set(root.token, { org_unit_id: group, ...change })).toMatchObject({ status: 400, body: { error } })
})

test('of the same price from the same instant, twice at once, one is kept', async () => {
  const one = { org_unit_id: other, valid_from: '2098-01-01T00:00:00Z' }
  const answers = await Promise.all([set(root.token, one), set(root.token, one), set(stranger.token, one)])
  expect(answers.map(({ status }) => status).sort()).toEqual([201, 400, 400])
})

test('a unit without a price has that of the one above; only who looks after it asks', async () => {
  const ask = (token: string, id: number) => call('GET', `/api/kiosk-tariffs/current?org_unit_id=${id}`, { token })
  expect(await ask(keeper.token, part)).toMatchObject({ status: 200, body: { data: { org_unit_id: group } } })
  expect(await ask(stranger.token, part)).toMatchObject({ status: 403 })
  expect(await ask(root.token, await unit('Пустая'))).toMatchObject({
    status: 404,
    body: { error: 'Тариф не найден' },
  })
})

test('a terminal is put beside a cabinet, once, by who sees all of them', async () => {
  const till = await terminal(db)
  const body = { terminal_id: till, station_id: station }
  const put = (token: string, given: object = body) => call('POST', '/api/kiosks', { token, body: given })
  for (const { token } of [admin, keeper, stranger, user]) expect(await put(token)).toMatchObject({ status: 403 })
  expect(await put(root.token, { ...body, terminal_id: station })).toMatchObject({
    status: 400,
    body: { error: 'Терминал не найден' },
  })
  expect(await put(root.token, { ...body, station_id: till })).toMatchObject({ body: { error: 'Станция не найдена' } })
  const nowhere = await cabinet(db, { unitId: await unit('Без цены') })
  expect(await put(root.token, { ...body, station_id: nowhere })).toMatchObject({
    status: 400,
    body: { error: 'У группы станции нет действующего тарифа: сначала задайте его' },
  })
  const answers = await Promise.all([put(root.token), put(root.token), put(root.token)])
  expect(answers.map(({ status }) => status).sort()).toEqual([201, 400, 400])
  const { kiosk_id: id } = answers.find(({ status }) => status === 201)!.body.data
  const one = (token: string, method = 'GET') => call(method, `/api/kiosks/${id}`, { token })
  expect(await one(keeper.token)).toMatchObject({ body: { data: { terminal_id: till, station_id: station } } })
  expect(await one(stranger.token)).toMatchObject({ status: 403 })
  expect(await one(admin.token, 'DELETE')).toMatchObject({ status: 403 })
  expect(await one(root.token, 'DELETE')).toMatchObject({ status: 200 })
  expect(await one(root.token, 'DELETE')).toMatchObject({ status: 404, body: { error: 'Киоск не найден' } })
})

test('rentals are seen by who looks after the cabinet, and say what was held, is due and was taken', async () => {
  const till = await terminal(db)
  const made = await call('POST', '/api/kiosks', {
    token: root.token,
    body: { terminal_id: till, station_id: station },
  })
  expect(made.status).toBe(201)
  const { orderId } = await begun(db, { till })
  const [rental] = await rentalsOf(db, till)
  const list = (token: string) => call('GET', '/api/kiosk-rentals?state=lending', { token })
  const shown = {
    ...{ rental_id: rental!.id, terminal_id: till, station_id: station, order_id: orderId },
    ...{ card_masked: '424242******4242', state: 'lending', outcome: null, reason: null },
    ...{ deposit: 2000, owed: null, taken: 0 },
  }
  expect((await list(keeper.token)).body).toMatchObject({ data: [shown], pagination: { total: 1 } })
  expect((await list(stranger.token)).body).toMatchObject({ data: [] })
  expect(await list(user.token)).toMatchObject({ status: 403 })
  const one = (token: string) => call('GET', `/api/kiosk-rentals/${rental!.id}`, { token })
  expect(await one(admin.token)).toMatchObject({ body: { data: shown } })
  expect(await one(stranger.token)).toMatchObject({ status: 403 })
})
