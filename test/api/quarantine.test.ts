import { expect, test } from 'vitest'
import * as keys from '../../db/devices/keys.ts'
import { quarantine } from '../../db/devices/quarantine.ts'
import { identify } from '../../db/powerbank/cabinets.ts'
import { cabinet } from './cabinet.ts'
import { config, startApiServer } from './server.ts'

const { call, person, unit, db, stage } = await startApiServer()
const service = await person('service_admin')
const group = await unit('Отдел продаж')

async function knock(
  boxId: string,
  reason: 'unknown_box_id' | 'no_key' | 'bad_token' = 'unknown_box_id',
  slots?: number,
) {
  await quarantine(db.sql, { boxId, dialect: 'B', reason, address: '192.0.2.9:4000', slots })
  const { body } = await call('GET', '/api/admin/quarantine', { token: service.token })
  return body.data.find((row: any) => row.box_id === boxId)
}
const approve = (id: number, body: object) =>
  call('POST', `/api/admin/quarantine/${id}/adopt`, { token: service.token, body })

test('a cabinet that knocks twice is listed once, the latest first', async () => {
  await knock('KNOCK-ONE')
  await knock('KNOCK-TWO')
  const again = await knock('KNOCK-ONE', 'bad_token', 12)
  expect(again).toEqual({
    id: expect.any(Number),
    box_id: 'KNOCK-ONE',
    dialect: 'B',
    reason: 'bad_token',
    address: '192.0.2.9:4000',
    slots: 12,
    attempts: 2,
    first_seen_at: expect.stringMatching(/\+03:00$/),
    last_seen_at: expect.stringMatching(/\+03:00$/),
  })
  const { body } = await call('GET', '/api/admin/quarantine?limit=1', { token: service.token })
  expect(body).toMatchObject({ data: [{ box_id: 'KNOCK-ONE' }], pagination: { total: 2, pages: 2 } })
})

test('an adopted cabinet is an active station with its key, and of two adoptions at once one wins', async () => {
  const { id } = await knock('ADOPT-ME', 'unknown_box_id', 24)
  const body = { org_unit_id: group, key_value: 'the-key-of-the-box' }
  const answers = await Promise.all([approve(id, body), approve(id, body)])
  expect(answers.map(({ status }) => status).sort()).toEqual([201, 404])
  const station = answers.find(({ status }) => status === 201)!.body.data
  expect(station).toMatchObject({ box_id: 'ADOPT-ME', org_unit_id: group, slots_declared: 24, status: 'active' })
  expect(await keys.valid(db.sql, station.station_id, config.keysSecret)).toEqual(['the-key-of-the-box'])
  const known = await identify(db.sql, 'ADOPT-ME', config.keysSecret)
  expect(known).toMatchObject({ stationId: station.station_id, keys: ['the-key-of-the-box'] })
})

test('a cabinet that signs and is adopted without its key is said not to come in', async () => {
  const { id } = await knock('NO-KEY-YET')
  const adopted = await approve(id, { org_unit_id: group })
  expect(adopted).toMatchObject({ status: 201, body: { message: expect.stringContaining('/api/station-secret-keys') } })
  const stationId = adopted.body.data.station_id
  const body = { station_id: stationId, key_value: 'it-has-one' }
  await call('POST', '/api/station-secret-keys', { token: service.token, body })
  const again = await knock('NO-KEY-YET', 'bad_token')
  expect((await approve(again.id, { org_unit_id: group })).body.message).toBe('Кабинет принят')
})

test('a station of ours that lacked its key gets it, and stays one station', async () => {
  const box = await cabinet(stage, { orgUnitId: group, isOffline: true })
  const { id } = await knock(box.boxId, 'no_key')
  const adopted = await approve(id, { org_unit_id: group, key_value: 'now-it-has-one' })
  expect(adopted).toMatchObject({ status: 201, body: { data: { station_id: box.stationId } } })
  expect(await keys.valid(db.sql, box.stationId, config.keysSecret)).toEqual(['now-it-has-one'])
})

test('creating the station by hand clears the knock', async () => {
  await knock('BY-HAND')
  const body = { org_unit_id: group, box_id: 'BY-HAND', slots_declared: 8 }
  expect(await call('POST', '/api/stations', { token: service.token, body })).toMatchObject({ status: 201 })
  expect(await db.sql`select 1 from quarantine where box_id = 'BY-HAND'`).toHaveLength(0)
})

test('a bad adoption leaves the cabinet where it was', async () => {
  const { id } = await knock('STAYS')
  for (const body of [
    {},
    { org_unit_id: 999_999 },
    { org_unit_id: group, slots_declared: 0 },
    { org_unit_id: group, key_value: '' },
  ])
    expect(await approve(id, body)).toMatchObject({ status: 400, body: { success: false } })
  expect(await db.sql`select 1 from quarantine where id = ${id}`).toHaveLength(1)
  expect(await approve(999_999, { org_unit_id: group })).toMatchObject({ status: 404 })
})

test('only a service_admin sees cabinets that are nobody’s', async () => {
  const { token } = await person('group_admin', group)
  expect(await call('GET', '/api/admin/quarantine', { token })).toMatchObject({ status: 403 })
})
