import { expect, test } from 'vitest'
import { cabinet } from './cabinet.ts'
import { startApiServer } from './server.ts'

const { call, person, unit, db, stage } = await startApiServer()
const service = await person('service_admin')
const group = await unit('Отдел продаж')
const admin = await person('group_admin', group)

const documented = { org_unit_id: group, box_id: 'ST001', iccid: '123456789', slots_declared: 8, status: 'active' }
let boxes = 0
const newBox = () => `NEW${++boxes}`
const create = (body: object, token = service.token) => call('POST', '/api/stations', { token, body })
const made = async (body: object = {}) =>
  (await create({ ...documented, box_id: newBox(), ...body })).body.data.station_id as number

test('the documented example makes a station', async () => {
  const { status, body } = await create(documented)
  expect(status).toBe(201)
  expect(body).toMatchObject({ success: true, message: expect.any(String) })
  expect(body.data).toEqual({
    ...documented,
    station_id: expect.any(Number),
    org_unit_name: 'Отдел продаж',
    nik: null,
    total_ports: 8,
    occupied_ports: 0,
    free_ports: 8,
    remain_num: 8,
    is_online: false,
    last_seen: null,
    last_inventory_at: null,
    clock_wrong_since: null,
    created_at: expect.stringMatching(/\+03:00$/),
    updated_at: expect.stringMatching(/\+03:00$/),
  })
  const read = await call('GET', `/api/stations/${body.data.station_id}`, { token: service.token })
  expect(read).toMatchObject({ status: 200, body: { success: true, data: body.data } })
  expect(await create(documented)).toMatchObject({ status: 400, body: { error: expect.stringContaining('box_id') } })
})

test('of twenty equal stations at once one is made', async () => {
  const box_id = newBox()
  const answers = await Promise.all(Array.from({ length: 20 }, () => create({ ...documented, box_id })))
  expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array(19).fill(400)])
})

test.each([
  ['box_id', { box_id: undefined }],
  ['box_id', { box_id: '' }],
  ['box_id', { box_id: 'с пробелом' }],
  ['box_id', { box_id: 'X'.repeat(65) }],
  ['slots_declared', { slots_declared: undefined }],
  ['slots_declared', { slots_declared: 0 }],
  ['slots_declared', { slots_declared: 256 }],
  ['slots_declared', { slots_declared: '8' }],
  ['status', { status: 'broken' }],
  ['org_unit_id', { org_unit_id: 999_999 }],
])('a station with a bad %s (%o) is refused', async (field, change) => {
  const refused = await create({ ...documented, box_id: newBox(), ...change })
  expect(refused).toMatchObject({ status: 400, body: { success: false, error: expect.any(String) } })
  expect(JSON.stringify(refused.body)).toContain(field)
})

test('a cabinet that logs in makes its station online, with what it holds', async () => {
  const box = await cabinet(stage, { orgUnitId: group, slots: 6, banks: [1, 2] })
  const read = async () => (await call('GET', `/api/stations/${box.stationId}`, { token: admin.token })).body.data
  expect(await read()).toMatchObject({
    is_online: true,
    occupied_ports: 2,
    free_ports: 4,
    remain_num: 4,
    total_ports: 6,
  })
  expect(await read()).toMatchObject({ last_seen: expect.any(String), last_inventory_at: expect.any(String) })
  await db.sql`update device_sessions set seen_at = now() - interval '10 minutes' where device_id = ${box.stationId}`
  expect(await read()).toMatchObject({ is_online: false })
})

test('a new station is audited with everything that was set of it', async () => {
  const id = await made()
  const [row] = await db.sql<{ newValues: object }[]>`
    select new_values from audit_log where action = 'station.create' and entity_id = ${id}`
  const { iccid, slots_declared: slotsDeclared, status } = documented
  expect(row!.newValues).toEqual({ boxId: expect.any(String), orgUnitId: group, iccid, slotsDeclared, status })
})

test('what is given changes, the rest stays', async () => {
  const id = await made({ iccid: '89701' })
  const changed = await call('PUT', `/api/stations/${id}`, { token: admin.token, body: { status: 'inactive' } })
  expect(changed).toMatchObject({ status: 200, body: { success: true, data: { status: 'inactive', iccid: '89701' } } })
  const cleared = await call('PUT', `/api/stations/${id}`, { token: admin.token, body: { iccid: null } })
  expect(cleared.body.data).toMatchObject({ iccid: null, status: 'inactive', slots_declared: 8 })
  const audited =
    await db.sql`select action, user_id from audit_log where entity_type = 'station' and entity_id = ${id} order by id`
  expect(audited.map(({ action }) => action)).toEqual(['station.create', 'station.change', 'station.change'])
})

test.each([
  ['8944 4765 0000 1234 567', '8944476500001234567'],
  ['8944476500001234567F\r\nOK', '8944476500001234567'],
  ['898600b5123456789012', '898600B5123456789012'],
  [' ', null],
])('the SIM %j is kept as %s, made or changed', async (iccid, kept) => {
  const id = await made({ iccid })
  const read = async () => (await call('GET', `/api/stations/${id}`, { token: admin.token })).body.data.iccid
  expect(await read()).toBe(kept)
  await call('PUT', `/api/stations/${id}`, { token: admin.token, body: { iccid: '89701' } })
  expect(await read()).toBe('89701')
  await call('PUT', `/api/stations/${id}`, { token: admin.token, body: { iccid } })
  expect(await read()).toBe(kept)
})

test.each(['сим-карта', '00000000000000000000', 'FFFF', '8'.repeat(23)])('%j is no SIM, and refused', async (iccid) => {
  expect(await create({ ...documented, box_id: newBox(), iccid })).toMatchObject({
    status: 400,
    body: { success: false },
  })
})

test('a taken box id and fewer slots than are occupied are refused', async () => {
  const box = await cabinet(stage, { orgUnitId: group, slots: 6, banks: [5] })
  const path = `/api/stations/${box.stationId}`
  const other = await made()
  const taken = (await call('GET', `/api/stations/${other}`, { token: service.token })).body.data.box_id
  expect(await call('PUT', path, { token: admin.token, body: { box_id: taken } })).toMatchObject({ status: 400 })
  expect(await call('PUT', path, { token: admin.token, body: { slots_declared: 4 } })).toMatchObject({ status: 400 })
  expect(await call('PUT', path, { token: admin.token, body: { slots_declared: 5 } })).toMatchObject({ status: 200 })
})

test('a new box id ends the connection: it is another cabinet now', async () => {
  const box = await cabinet(stage, { orgUnitId: group })
  const path = `/api/stations/${box.stationId}`
  const changed = await call('PUT', path, { token: admin.token, body: { box_id: newBox() } })
  expect(changed.body.data).toMatchObject({ is_online: false })
})

test('a deleted station is gone with its keys and its banks’ places, and its box id is free again', async () => {
  const box = await cabinet(stage, { orgUnitId: group, banks: [1] })
  const key = { station_id: box.stationId, key_value: 'a-secret-of-the-box' }
  await call('POST', '/api/station-secret-keys', { token: admin.token, body: key })
  const path = `/api/stations/${box.stationId}`
  expect(await call('DELETE', path, { token: admin.token })).toMatchObject({ status: 200, body: { success: true } })
  expect(await call('DELETE', path, { token: admin.token })).toMatchObject({ status: 404 })
  expect(await call('GET', path, { token: admin.token })).toMatchObject({ status: 404 })
  expect(await call('PUT', path, { token: admin.token, body: {} })).toMatchObject({ status: 404 })
  expect(await db.sql`select 1 from device_keys where device_id = ${box.stationId}`).toHaveLength(0)
  const bank = await call('GET', `/api/powerbanks/${box.banks[1]!.id}`, { token: admin.token })
  expect(bank.body.data).toMatchObject({ station_id: null, slot_number: null })
  expect(await create({ ...documented, box_id: box.boxId })).toMatchObject({ status: 201 })
})

test('everybody sees the stations of their units, and an admin changes only those', async () => {
  const own = await unit('own')
  const below = await unit('below', own)
  const foreign = await unit('foreign')
  const ids = [
    await made({ org_unit_id: own }),
    await made({ org_unit_id: below }),
    await made({ org_unit_id: foreign }),
  ]
  const [, , alien] = ids
  const nobodys = await made({ org_unit_id: null })
  const boss = await person('group_admin', own)
  for (const who of [boss, await person('user', own)]) {
    const { body } = await call('GET', '/api/stations?limit=100', { token: who.token })
    expect(body.data.map((station: any) => station.station_id)).toEqual(ids.slice(0, 2))
    for (const id of [alien, nobodys])
      expect(await call('GET', `/api/stations/${id}`, { token: who.token })).toMatchObject({ status: 403 })
  }
  const lower = await call('GET', '/api/stations', { token: (await person('user', below)).token })
  expect(lower.body.data.map((station: any) => station.station_id)).toEqual([ids[1]])
  const lonely = await call('GET', '/api/stations', { token: (await person('user')).token })
  expect(lonely.body).toMatchObject({ data: [], pagination: { total: 0, pages: 0 } })

  const { token } = boss
  expect(await create({ ...documented, box_id: newBox(), org_unit_id: foreign }, token)).toMatchObject({ status: 403 })
  expect(await create({ ...documented, box_id: newBox(), org_unit_id: null }, token)).toMatchObject({ status: 403 })
  expect(await create({ ...documented, box_id: newBox(), org_unit_id: below }, token)).toMatchObject({ status: 201 })
  expect(await call('PUT', `/api/stations/${alien}`, { token, body: { status: 'inactive' } })).toMatchObject({
    status: 403,
  })
  expect(await call('DELETE', `/api/stations/${alien}`, { token })).toMatchObject({ status: 403 })
  const away = await call('PUT', `/api/stations/${ids[0]}`, { token, body: { org_unit_id: foreign } })
  expect(away).toMatchObject({ status: 403 })
})

test('the list pages and filters', async () => {
  const own = await unit('filtered')
  for (const status of ['active', 'inactive', 'active']) await made({ org_unit_id: own, status })
  const list = async (query: string) =>
    (await call('GET', `/api/stations?org_unit_id=${own}&${query}`, { token: service.token })).body
  expect((await list('limit=2')).pagination).toEqual({ page: 1, limit: 2, total: 3, pages: 2 })
  expect((await list('limit=2&page=2')).data).toHaveLength(1)
  expect((await list('status=active')).pagination).toMatchObject({ total: 2 })
  expect((await list('page=9')).data).toEqual([])
  expect(await call('GET', '/api/stations?status=nonsense', { token: service.token })).toMatchObject({ status: 400 })
})
