import { expect, test } from 'vitest'
import { cabinet } from './cabinet.ts'
import { startApiServer } from './server.ts'

const { call, person, unit, db, stage } = await startApiServer()
const group = await unit('Отдел продаж')
const admin = await person('group_admin', group)
const service = await person('service_admin')
const path = '/api/station-powerbanks'
const post = (body: object, token = admin.token) => call('POST', path, { token, body })
const remove = (id: number, token = admin.token) => call('DELETE', `${path}/${id}`, { token })
let serials = 0
async function bank(orgUnitId: number | null = group): Promise<number> {
  const [row] = await db.sql<{ id: number }[]>`
    insert into powerbanks (serial_number, org_unit_id, status) values (${`SP${++serials}`}, ${orgUnitId}, 'active') returning id`
  return row!.id
}
const empty = (orgUnitId: number | null = group) => cabinet(stage, { orgUnitId, isOffline: true })

test('the documented link is made, listed and taken away, each once', async () => {
  const { stationId, boxId } = await empty()
  const powerbank_id = await bank()
  const body = { station_id: stationId, powerbank_id, slot_number: 1 }
  const made = await post(body)
  expect(made.status).toBe(201)
  expect(made.body).toMatchObject({ success: true, message: expect.any(String) })
  expect(made.body.data).toEqual({
    ...body,
    id: expect.any(Number),
    sp_id: made.body.data.id,
    station_box_id: boxId,
    serial_number: `SP${serials}`,
    powerbank_status: 'active',
    level: null,
    voltage: null,
    current: null,
    temperature: null,
    last_update: expect.stringMatching(/\+03:00$/),
  })
  const { id } = made.body.data
  for (const query of [`station_id=${stationId}`, `powerbank_id=${powerbank_id}`, 'limit=100']) {
    const { body } = await call('GET', `${path}?${query}`, { token: admin.token })
    expect(body.data).toContainEqual(made.body.data)
  }
  expect((await call('GET', `${path}?station_id=999999`, { token: admin.token })).body.data).toEqual([])
  const answers = await Promise.all([remove(id), remove(id)])
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 404])
  const audited = await db.sql`
    select action, user_id from audit_log where entity_type = 'station_powerbank' and entity_id = ${id} order by id`
  expect(audited).toEqual([
    { action: 'slot.create', userId: admin.id },
    { action: 'slot.delete', userId: admin.id },
  ])
})

test('a slot holds one bank, and a bank is in one slot, however many try at once', async () => {
  const { stationId: station_id } = await empty()
  const banks = await Promise.all(Array.from({ length: 10 }, () => bank()))
  const slots = await Promise.all(banks.map((powerbank_id) => post({ station_id, powerbank_id, slot_number: 1 })))
  expect(slots.map(({ status }) => status).sort()).toEqual([201, ...Array(9).fill(400)])
  expect(slots.find(({ status }) => status === 400)!.body).toMatchObject({
    error: 'Слот уже занят',
    field: 'slot_number',
  })
  const [powerbank_id, there] = [await bank(), await empty()]
  const places = await Promise.all(
    [station_id, there.stationId].flatMap((station) =>
      [2, 3].map((slot_number) => post({ station_id: station, powerbank_id, slot_number })),
    ),
  )
  expect(places.map(({ status }) => status).sort()).toEqual([201, 400, 400, 400])
  expect(places.find(({ status }) => status === 400)!.body).toMatchObject({ field: 'powerbank_id' })
})

test('what the cabinet lists replaces what was written by hand', async () => {
  const box = await cabinet(stage, { orgUnitId: group, banks: [2] })
  const { id } = (await post({ station_id: box.stationId, powerbank_id: await bank(), slot_number: 1 })).body.data
  await db.sql`update device_sessions set connected_at = now() - interval '1 minute' where device_id = ${box.stationId}`
  await box.say(box.inventory())
  const { body } = await call('GET', `${path}?station_id=${box.stationId}`, { token: admin.token })
  expect(body.data).toMatchObject([{ slot_number: 2, level: 80, voltage: 4000, temperature: 25 }])
  expect(await remove(id)).toMatchObject({ status: 404 })
})

test('a bank that is lent sits nowhere', async () => {
  const box = await cabinet(stage, { orgUnitId: group, banks: [1] })
  const user = await person('user', group)
  const body = { user_id: user.id, slot_number: 1 }
  await call('POST', `/api/borrow/stations/${box.stationId}/request`, { token: user.token, body })
  const link = { station_id: box.stationId, powerbank_id: box.banks[1]!.id, slot_number: 2 }
  expect(await post(link)).toMatchObject({ status: 400, body: { error: 'Повербанк уже выдан' } })
})

test.each([
  ['slot 0', { slot_number: 0 }, 400],
  ['a slot beyond the last', { slot_number: 9 }, 400],
  ['no slot', { slot_number: undefined }, 400],
  ['a slot that is no number', { slot_number: '1' }, 400],
  ['an unknown station', { station_id: 999_999 }, 404],
  ['an unknown bank', { powerbank_id: 999_999 }, 404],
])('%s is refused', async (_, change, status) => {
  const body = { station_id: (await empty()).stationId, powerbank_id: await bank(), slot_number: 1, ...change }
  expect(await post(body)).toMatchObject({ status, body: { success: false, error: expect.any(String) } })
})

test('foreign stations and banks are out of reach, and do not go together', async () => {
  const foreign = await unit('чужие')
  const away = await empty(foreign)
  const here = await empty()
  const link = { station_id: here.stationId, powerbank_id: await bank(), slot_number: 1 }
  expect(await post({ ...link, station_id: away.stationId })).toMatchObject({ status: 403 })
  expect(await post({ ...link, powerbank_id: await bank(foreign) })).toMatchObject({ status: 403 })
  const mixed = { ...link, station_id: away.stationId }
  expect(await post(mixed, service.token)).toMatchObject({ status: 400, body: { field: 'org_unit_id' } })
  const { id } = (await post(link)).body.data
  const stranger = await person('group_admin', foreign)
  expect(await remove(id, stranger.token)).toMatchObject({ status: 403 })
  expect((await call('GET', path, { token: stranger.token })).body.data).toEqual([])
})
