import { expect, test } from 'vitest'
import { cabinet } from './cabinet.ts'
import { startApiServer } from './server.ts'

const { call, person, unit, db, stage } = await startApiServer()
const group = await unit('Отдел продаж')
const admin = await person('group_admin', group)
const path = '/api/slot-abnormal-reports'
const post = (body: object, token = admin.token) => call('POST', path, { token, body })
const documented = {
  slot_number: 1,
  terminal_id: '4443484154000016',
  event_type: '1',
  reported_at: '2025-10-12T10:00:00Z',
}

test('the documented example is filed, and said twice it is the same report', async () => {
  const { stationId, boxId } = await cabinet(stage, { orgUnitId: group, isOffline: true })
  const body = { station_id: stationId, ...documented }
  const [one, two] = await Promise.all([post(body), post(body)])
  expect(one.status).toBe(201)
  expect(one.body).toMatchObject({ success: true, message: expect.any(String) })
  expect(one.body.data).toEqual({
    ...documented,
    report_id: expect.any(Number),
    station_id: stationId,
    station_box_id: boxId,
    reported_at: '2025-10-12T13:00:00+03:00',
    created_at: expect.stringMatching(/\+03:00$/),
  })
  expect(two.body).toEqual(one.body)
  const read = await call('GET', `${path}/${one.body.data.report_id}`, { token: admin.token })
  expect(read).toMatchObject({ status: 200, body: { success: true, data: one.body.data } })
})

test('what a cabinet files itself is listed, and filters find it', async () => {
  const box = await cabinet(stage, { orgUnitId: group, banks: [2] })
  const bankId = box.banks[2]!.bankId
  await box.say({ kind: 'abnormal', event: 1, slot: 2, bankId })
  await box.say({ kind: 'abnormal', event: 1, slot: 2, bankId })
  await box.say({ kind: 'abnormal', event: 2, slot: 3, bankId: null })
  const list = async (query = '') =>
    (await call('GET', `${path}?station_id=${box.stationId}${query}`, { token: admin.token })).body
  const all = await list()
  expect(all).toMatchObject({ success: true, reports_count: 2, pagination: { page: 1, limit: 10, total: 2, pages: 1 } })
  expect(all.reports).toEqual(all.data)
  expect(all.data[0]).toMatchObject({ slot_number: 3, event_type: '2', terminal_id: null })
  expect((await list('&event_type=1')).data).toMatchObject([{ slot_number: 2, terminal_id: bankId }])
  expect((await list('&limit=1&page=2')).data).toHaveLength(1)
})

test('a report is deleted once, and the audit keeps what it said', async () => {
  const { stationId } = await cabinet(stage, { orgUnitId: group, isOffline: true })
  const { report_id } = (await post({ station_id: stationId, ...documented })).body.data
  const remove = () => call('DELETE', `${path}/${report_id}`, { token: admin.token })
  const answers = await Promise.all([remove(), remove()])
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 404])
  const audited =
    await db.sql`select old_values from audit_log where action = 'slot_report.delete' and entity_id = ${report_id}`
  expect(audited).toMatchObject([{ oldValues: { eventType: '1', slotNumber: 1 } }])
})

test.each([
  ['station_id', { station_id: undefined }],
  ['slot_number', { slot_number: 0 }],
  ['slot_number', { slot_number: undefined }],
  ['event_type', { event_type: '' }],
  ['event_type', { event_type: 1 }],
  ['reported_at', { reported_at: 'вчера' }],
  ['reported_at', { reported_at: '2025-10-12' }],
])('a report with a bad %s (%o) is refused', async (field, change) => {
  const { stationId } = await cabinet(stage, { orgUnitId: group, isOffline: true })
  const refused = await post({ station_id: stationId, ...documented, ...change })
  expect(refused).toMatchObject({ status: 400, body: { success: false, error: expect.stringContaining(field) } })
})

test('foreign stations’ reports are out of reach', async () => {
  const { stationId } = await cabinet(stage, { orgUnitId: group, isOffline: true })
  const { report_id } = (await post({ station_id: stationId, ...documented })).body.data
  const { token } = await person('group_admin', await unit('чужие'))
  expect(await post({ station_id: stationId, ...documented }, token)).toMatchObject({ status: 403 })
  expect(await call('GET', `${path}/${report_id}`, { token })).toMatchObject({ status: 403 })
  expect(await call('DELETE', `${path}/${report_id}`, { token })).toMatchObject({ status: 403 })
  expect((await call('GET', path, { token })).body.data).toEqual([])
  expect(await post({ station_id: 999_999, ...documented })).toMatchObject({ status: 404 })
})
