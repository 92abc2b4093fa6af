import { expect, test } from 'vitest'
import { cabinet } from './cabinet.ts'
import { startApiServer } from './server.ts'

const { call, person, unit, db, stage } = await startApiServer()
const group = await unit('Отдел продаж')
const admin = await person('group_admin', group)
const path = '/api/user-favorites'
const add = (token: string, body: object) => call('POST', path, { token, body })
const remove = (token: string, id: number) => call('DELETE', `${path}/${id}`, { token })
const station = () => cabinet(stage, { orgUnitId: group, isOffline: true })

test('the documented favourite is kept under its name, once, and let go once', async () => {
  const anna = await person('user', group)
  const { stationId, boxId } = await station()
  const body = { user_id: anna.id, station_id: stationId, nik: 'У входа' }
  const answers = await Promise.all([1, 2, 3].map(() => add(anna.token, body)))
  expect(answers.map(({ status }) => status).sort()).toEqual([201, 400, 400])
  const made = answers.find(({ status }) => status === 201)!.body
  expect(made).toMatchObject({ success: true, message: expect.any(String) })
  expect(made.data).toEqual({
    ...body,
    id: expect.any(Number),
    favorite_id: made.data.id,
    station_box_id: boxId,
    station_status: 'active',
    created_at: expect.stringMatching(/\+03:00$/),
  })
  expect(answers.find(({ status }) => status === 400)!.body.error).toBe('Станция уже в избранном')
  expect((await call('GET', path, { token: anna.token })).body).toMatchObject({
    data: [made.data],
    pagination: { page: 1, limit: 10, total: 1, pages: 1 },
  })
  const gone = await Promise.all([1, 2].map(() => remove(anna.token, made.data.id)))
  expect(gone.map(({ status }) => status).sort()).toEqual([200, 404])
  expect(await add(anna.token, body)).toMatchObject({ status: 201 })
})

test('without user_id it is the caller’s, without nik it has none', async () => {
  const anna = await person('user', group)
  const { body } = await add(anna.token, { station_id: (await station()).stationId })
  expect(body.data).toMatchObject({ user_id: anna.id, nik: null })
})

test('the list pages, and forgets stations that are gone', async () => {
  const anna = await person('user', group)
  const stations = [await station(), await station(), await station()]
  for (const { stationId } of stations) await add(anna.token, { station_id: stationId })
  const list = async (query: string) => (await call('GET', `${path}?${query}`, { token: anna.token })).body
  expect((await list('limit=2&page=2')).data).toMatchObject([{ station_id: stations[2]!.stationId }])
  await db.sql`update stations set deleted_at = now() where id = ${stations[0]!.stationId}`
  expect((await list('')).pagination.total).toBe(2)
})

test('nobody touches another’s favourites, but staff do for their people', async () => {
  const [anna, boris] = [await person('user', group), await person('user', group)]
  const { stationId: station_id } = await station()
  const body = { station_id, user_id: anna.id }
  const mine = `${path}?user_id=${anna.id}`
  const foreign = await person('group_admin', await unit('чужие'))
  for (const { token } of [boris, foreign]) {
    expect(await add(token, body)).toMatchObject({ status: 403 })
    expect(await call('GET', mine, { token })).toMatchObject({ status: 403 })
  }
  const { id } = (await add(admin.token, body)).body.data
  expect((await call('GET', mine, { token: admin.token })).body.data).toMatchObject([{ id, user_id: anna.id }])
  expect(await remove(boris.token, id)).toMatchObject({ status: 403 })
  expect(await remove(admin.token, id)).toMatchObject({ status: 200 })
})

test('a station that is unknown, foreign or not named is no favourite', async () => {
  const anna = await person('user', group)
  const away = await cabinet(stage, { orgUnitId: await unit('соседи'), isOffline: true })
  expect(await add(anna.token, { station_id: 999_999 })).toMatchObject({ status: 404 })
  expect(await add(anna.token, { station_id: away.stationId })).toMatchObject({ status: 403 })
  for (const body of [{}, { station_id: 'x' }, { station_id: 1, nik: 'я'.repeat(101) }])
    expect(await add(anna.token, body)).toMatchObject({
      status: 400,
      body: { error: expect.stringMatching(/station_id|nik/) },
    })
  const service = await person('service_admin')
  expect(await add(service.token, { station_id: away.stationId, user_id: 999_999 })).toMatchObject({ status: 404 })
})
