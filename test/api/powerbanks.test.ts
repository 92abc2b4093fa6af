import { expect, test } from 'vitest'
import { cabinet, newDeviceId } from './cabinet.ts'
import { startApiServer } from './server.ts'

const { call, person, unit, db, stage } = await startApiServer()
const service = await person('service_admin')
const group = await unit('Отдел продаж')
const admin = await person('group_admin', group)

const documented = { serial_number: 'PB001', org_unit_id: group, soh: 100, status: 'unknown', write_off_reason: 'none' }
let serials = 0
const newSerial = () => `SN${++serials}`
const create = (body: object, token = service.token) => call('POST', '/api/powerbanks', { token, body })
const made = async (body: object = {}) =>
  (await create({ ...documented, serial_number: newSerial(), ...body })).body.data.id as number
const activate = (body: object, token = service.token) => call('POST', '/api/admin/activate-powerbank', { token, body })

test('the documented example makes a power bank', async () => {
  const { status, body } = await create(documented)
  expect(status).toBe(201)
  expect(body).toMatchObject({ success: true, message: expect.any(String) })
  expect(body.data).toEqual({
    ...documented,
    id: expect.any(Number),
    powerbank_id: body.data.id,
    org_unit_name: 'Отдел продаж',
    power_er: null,
    error_type: null,
    station_id: null,
    slot_number: null,
    created_at: expect.stringMatching(/\+03:00$/),
    updated_at: expect.stringMatching(/\+03:00$/),
  })
  const read = await call('GET', `/api/powerbanks/${body.data.id}`, { token: service.token })
  expect(read).toMatchObject({ status: 200, body: { success: true, data: body.data } })
  expect(await create(documented)).toMatchObject({ status: 400, body: { success: false } })
})

test('only the serial number is required', async () => {
  const { body } = await create({ serial_number: newSerial() })
  expect(body.data).toMatchObject({ org_unit_id: null, soh: 100, status: 'unknown', write_off_reason: 'none' })
})

test('a label and the id cabinets use for it are one power bank', async () => {
  expect(await create({ serial_number: 'DCHA5400FFFF' })).toMatchObject({ status: 201 })
  expect(await create({ serial_number: '444348415400ffff' })).toMatchObject({ status: 400 })
  const box = await cabinet(stage, { orgUnitId: group })
  await box.insert('444348415400FFFF', 3)
  const [bank] = await db.sql<{ serialNumber: string }[]>`
    select p.serial_number from station_powerbanks sp join powerbanks p on p.id = sp.powerbank_id
    where sp.station_id = ${box.stationId}`
  expect(bank).toEqual({ serialNumber: 'DCHA5400FFFF' })
})

test('of twenty equal power banks at once one is made', async () => {
  const serial_number = newSerial()
  const answers = await Promise.all(Array.from({ length: 20 }, () => create({ serial_number })))
  expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array(19).fill(400)])
})

test.each([
  ['serial_number', { serial_number: undefined }],
  ['serial_number', { serial_number: ' ' }],
  ['serial_number', { serial_number: 'x'.repeat(65) }],
  ['soh', { soh: 101 }],
  ['soh', { soh: -1 }],
  ['status', { status: 'fine' }],
  ['write_off_reason', { write_off_reason: 'boredom' }],
  ['org_unit_id', { org_unit_id: 999_999 }],
])('a power bank with a bad %s (%o) is refused', async (field, change) => {
  const refused = await create({ ...documented, serial_number: newSerial(), ...change })
  expect(refused).toMatchObject({ status: 400, body: { success: false, error: expect.any(String) } })
  expect(JSON.stringify(refused.body)).toContain(field)
})

test('everybody sees the power banks of their units, and the list filters', async () => {
  const own = await unit('own')
  const foreign = await unit('foreign')
  const mine = [await made({ org_unit_id: own, status: 'active' }), await made({ org_unit_id: own })]
  const alien = await made({ org_unit_id: foreign })
  const { token } = await person('user', own)
  const ids = async (query = '') =>
    (await call('GET', `/api/powerbanks?${query}`, { token })).body.data.map((bank: any) => bank.id)
  expect(await ids()).toEqual(mine)
  expect(await ids('status=active')).toEqual(mine.slice(0, 1))
  expect(await ids(`org_unit_id=${foreign}`)).toEqual([])
  expect(await ids('limit=1&page=2')).toEqual(mine.slice(1))
  expect(await call('GET', `/api/powerbanks/${alien}`, { token })).toMatchObject({ status: 403 })
  expect(await call('GET', '/api/powerbanks?status=fine', { token })).toMatchObject({ status: 400 })
  const boss = await person('group_admin', own)
  expect(await create({ serial_number: newSerial(), org_unit_id: foreign }, boss.token)).toMatchObject({ status: 403 })
  expect(await create({ serial_number: newSerial() }, boss.token)).toMatchObject({ status: 403 })
})

test('a bank nobody has registered waits among the unknown until it is activated, once', async () => {
  const box = await cabinet(stage, { orgUnitId: group })
  const bankId = newDeviceId()
  await box.insert(bankId, 2)
  const unknown = async (token: string) =>
    (await call('GET', '/api/admin/unknown-powerbanks', { token })).body as { data: any[]; count: number }
  const found = (await unknown(admin.token)).data.find((bank) => bank.serial_number === bankId)
  expect(found).toMatchObject({ status: 'unknown', station_id: box.stationId, slot_number: 2, org_unit_id: group })
  const { count, data } = await unknown(admin.token)
  expect(count).toBe(data.length)

  const target = await unit('подгруппа', group)
  const body = { powerbank_id: found.id, admin_user_id: admin.id, target_org_unit_id: target }
  const answers = await Promise.all([activate(body, admin.token), activate(body, admin.token)])
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 400])
  expect(answers.find(({ status }) => status === 200)!.body).toMatchObject({
    success: true,
    message: expect.any(String),
    powerbank_id: found.id,
    admin_user_id: admin.id,
    activated_at: expect.stringMatching(/\+03:00$/),
    data: { status: 'active', org_unit_id: target },
  })
  expect((await unknown(admin.token)).data.map((bank) => bank.id)).not.toContain(found.id)
  const audited =
    await db.sql`select user_id from audit_log where action = 'powerbank.activate' and entity_id = ${found.id}`
  expect(audited).toEqual([{ userId: admin.id }])
})

test('who activates is who holds the token, in the own units', async () => {
  const bank = await made({ org_unit_id: group })
  const foreign = await unit('чужие')
  const stranger = await person('group_admin', foreign)
  expect(await activate({ powerbank_id: bank, admin_user_id: service.id }, admin.token)).toMatchObject({ status: 403 })
  expect(await activate({ powerbank_id: bank, target_org_unit_id: foreign }, stranger.token)).toMatchObject({
    status: 403,
  })
  expect(await activate({ powerbank_id: bank, target_org_unit_id: foreign }, admin.token)).toMatchObject({
    status: 403,
  })
  expect(await activate({ powerbank_id: bank, target_org_unit_id: 999_999 })).toMatchObject({ status: 400 })
  expect(await activate({ powerbank_id: 999_999 })).toMatchObject({ status: 404 })
  expect(await activate({})).toMatchObject({ status: 400 })
  expect(await activate({ powerbank_id: bank }, admin.token)).toMatchObject({
    status: 200,
    body: { data: { org_unit_id: group, status: 'active' } },
  })
  const list = await call('GET', '/api/admin/unknown-powerbanks', { token: stranger.token })
  expect(list.body).toMatchObject({ data: [], count: 0 })
})
