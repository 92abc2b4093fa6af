import { expect, test } from 'vitest'
import * as keys from '../../db/devices/keys.ts'
import { cabinet } from './cabinet.ts'
import { config, startApiServer } from './server.ts'

const { call, person, unit, db, stage, lines } = await startApiServer()
const group = await unit('Отдел продаж')
const admin = await person('group_admin', group)
const path = '/api/station-secret-keys'
const post = (body: object, token = admin.token) => call('POST', path, { token, body })
const list = (query = '', token = admin.token) => call('GET', `${path}${query}`, { token })

test.each(['key_value', 'secret_key'])(
  'a key given as %s verifies the cabinet and is never shown again',
  async (name) => {
    const { stationId } = await cabinet(stage, { orgUnitId: group, isOffline: true })
    const value = 'Lq8vR2xT9mWz4kNc7f'
    const stored = await post({ station_id: stationId, [name]: value })
    expect(stored).toMatchObject({ status: 201, body: { success: true, message: expect.any(String) } })
    expect(stored.body.data).toEqual({
      key_id: expect.any(Number),
      id: stored.body.data.key_id,
      station_id: stationId,
      key_value: '••••••7f',
      valid_until: null,
      created_at: expect.stringMatching(/\+03:00$/),
    })
    const listed = await list(`?station_id=${stationId}`)
    expect(listed.body).toMatchObject({ data: [stored.body.data], pagination: { total: 1 } })
    for (const said of [stored, listed]) expect(JSON.stringify(said.body)).not.toContain(value.slice(0, -2))
    expect(JSON.stringify(lines)).not.toContain(value)
    const audited = await db.sql`select * from audit_log where action = 'station_key.add' and entity_id = ${stationId}`
    expect(audited).toHaveLength(1)
    expect(JSON.stringify(audited)).not.toContain(value)
    expect(await keys.valid(db.sql, stationId, config.keysSecret)).toEqual([value])
    const [row] = await db.sql<{ keyCiphertext: string }[]>`
    select key_ciphertext from device_keys where device_id = ${stationId}`
    expect(row!.keyCiphertext).not.toContain(value)
  },
)

test('an empty key is one mistake of one field', async () => {
  const { stationId } = await cabinet(stage, { orgUnitId: group, isOffline: true })
  const { status, body } = await post({ station_id: stationId, key_value: '' })
  expect(status).toBe(400)
  expect(body.errors).toEqual([{ field: 'key_value', error: 'Поле key_value: слишком короткое значение' }])
})

test('a short key shows nothing of itself', async () => {
  const { stationId } = await cabinet(stage, { orgUnitId: group, isOffline: true })
  expect((await post({ station_id: stationId, key_value: 'short' })).body.data.key_value).toBe('••••••')
})

test('a new key leaves the one before valid for a day', async () => {
  const { stationId } = await cabinet(stage, { orgUnitId: group, isOffline: true })
  for (const key_value of ['first-key', 'second-key']) await post({ station_id: stationId, key_value })
  const { body } = await list(`?station_id=${stationId}`)
  expect(body.data.map((key: any) => key.valid_until)).toEqual([null, expect.any(String)])
  expect(await keys.valid(db.sql, stationId, config.keysSecret)).toEqual(['second-key', 'first-key'])
})

test('a key is deleted once', async () => {
  const { stationId } = await cabinet(stage, { orgUnitId: group, isOffline: true })
  const { key_id } = (await post({ station_id: stationId, key_value: 'to-be-deleted' })).body.data
  const remove = () => call('DELETE', `${path}/${key_id}`, { token: admin.token })
  const answers = await Promise.all([remove(), remove()])
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 404])
  expect((await list(`?station_id=${stationId}`)).body.pagination.total).toBe(0)
})

test.each(['body', 'query'])('all keys of a station are deleted by its id in the %s', async (where) => {
  const { stationId } = await cabinet(stage, { orgUnitId: group, isOffline: true })
  for (const key_value of ['one-key', 'another-key']) await post({ station_id: stationId, key_value })
  const deleted = await (where === 'body'
    ? call('DELETE', path, { token: admin.token, body: { station_id: stationId } })
    : call('DELETE', `${path}?station_id=${stationId}`, { token: admin.token }))
  expect(deleted).toMatchObject({ status: 200, body: { success: true, deleted: 2 } })
})

test('deleting without a station id is refused', async () => {
  for (const given of [{}, { body: {} }])
    expect(await call('DELETE', path, { token: admin.token, ...given })).toMatchObject({
      status: 400,
      body: { success: false, error: expect.stringContaining('station_id') },
    })
})

test.each([
  ['key_value', {}],
  ['key_value', { key_value: '' }],
  ['key_value', { key_value: 'с кириллицей' }],
  ['key_value', { key_value: 'x'.repeat(129) }],
  ['station_id', { station_id: 'x', key_value: 'good-enough' }],
])('a key with a bad %s is refused', async (field, given) => {
  const refused = await post({ station_id: 1, ...given })
  expect(refused).toMatchObject({ status: 400, body: { success: false, error: expect.stringContaining(field) } })
})

test('a foreign station’s keys are out of reach', async () => {
  const { stationId } = await cabinet(stage, { orgUnitId: group, isOffline: true })
  const { key_id } = (await post({ station_id: stationId, key_value: 'not-for-you' })).body.data
  const { token } = await person('group_admin', await unit('чужие'))
  expect(await post({ station_id: stationId, key_value: 'mine-instead' }, token)).toMatchObject({ status: 403 })
  expect(await call('DELETE', `${path}/${key_id}`, { token })).toMatchObject({ status: 403 })
  expect(await call('DELETE', `${path}?station_id=${stationId}`, { token })).toMatchObject({ status: 403 })
  expect((await list('', token)).body.data).toEqual([])
  expect((await list(`?station_id=${stationId}`)).body.pagination.total).toBe(1)
  expect(await post({ station_id: 999_999, key_value: 'nowhere' })).toMatchObject({ status: 404 })
})
