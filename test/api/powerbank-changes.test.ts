import { expect, test } from 'vitest'
import { cabinet, newDeviceId } from './cabinet.ts'
import { startApiServer } from './server.ts'

const { call, person, unit, db, stage } = await startApiServer()
const service = await person('service_admin')
const group = await unit('Отдел продаж')
const admin = await person('group_admin', group)

let serials = 0
async function bank(status = 'unknown', orgUnitId: number | null = group): Promise<number> {
  const [row] = await db.sql<{ id: number }[]>`
    insert into powerbanks (serial_number, org_unit_id, status) values (${`CH${++serials}`}, ${orgUnitId}, ${status}) returning id`
  return row!.id
}
const put = (id: number, body: object, token = admin.token) => call('PUT', `/api/powerbanks/${id}`, { token, body })
const approve = (id: number, body: object, token = admin.token) =>
  call('PUT', `/api/powerbanks/${id}/approve`, { token, body })
const remove = (id: number, token = admin.token) => call('DELETE', `/api/powerbanks/${id}`, { token })
const audited = (id: number) =>
  db.sql`select action, old_values, new_values, user_id from audit_log
    where entity_type = 'powerbank' and entity_id = ${id} order by id`
/** Somebody takes the bank of a slot. */
async function lent(banks = [1]) {
  const box = await cabinet(stage, { orgUnitId: group, banks })
  const user = await person('user', group)
  const body = { user_id: user.id, slot_number: 1 }
  const loan = await call('POST', `/api/borrow/stations/${box.stationId}/request`, { token: user.token, body })
  expect(loan.status).toBe(200)
  return { box, user, id: box.banks[1]!.id }
}

test('the documented change is made, kept in the audit, and said twice is made once', async () => {
  const id = await bank()
  const documented = { org_unit_id: group, soh: 95, status: 'active', write_off_reason: 'none' }
  const { status, body } = await put(id, documented)
  expect(status).toBe(200)
  expect(body).toMatchObject({ success: true, message: expect.any(String), data: { id, ...documented } })
  expect((await put(id, documented)).body.data).toEqual(body.data)
  expect(await audited(id)).toEqual([
    {
      action: 'powerbank.change',
      oldValues: { soh: 100, status: 'unknown' },
      newValues: { soh: 95, status: 'active' },
      userId: admin.id,
    },
  ])
})

test('what is not given stays as it was', async () => {
  const id = await bank('active')
  expect((await put(id, { soh: 50 })).body.data).toMatchObject({ soh: 50, status: 'active', org_unit_id: group })
  expect((await put(id, {})).body.data).toMatchObject({ soh: 50, status: 'active' })
})

test.each(['system_error', 'user_reported_broken'])('active resets a bank that is %s', async (state) => {
  const id = await bank()
  await db.sql`update powerbanks set status = ${state}, write_off_reason = 'broken', error_type_id = 2 where id = ${id}`
  const found = await call('GET', `/api/powerbanks/${id}`, { token: admin.token })
  expect(found.body.data).toMatchObject({ power_er: 2, error_type: 'Сломан Type-C' })
  const reset = await put(id, { status: 'active' })
  expect(reset.body.data).toMatchObject({
    status: 'active',
    power_er: null,
    error_type: null,
    write_off_reason: 'none',
  })
})

test('a bank in service has no reason to be out of it, and one out of it has', async () => {
  const id = await bank('active')
  expect(await put(id, { write_off_reason: 'lost' })).toMatchObject({
    status: 400,
    body: { error: expect.stringMatching('причины'), field: 'write_off_reason' },
  })
  expect((await put(id, { status: 'written_off' })).body.data).toMatchObject({ write_off_reason: 'other' })
  expect((await put(id, { status: 'active' })).body.data).toMatchObject({ write_off_reason: 'none' })
})

test('a bank that is written off leaves its station, but not while somebody has it', async () => {
  const box = await cabinet(stage, { orgUnitId: group, banks: [2] })
  const placed = box.banks[2]!.id
  expect((await put(placed, { status: 'written_off', write_off_reason: 'broken' })).body.data).toMatchObject({
    station_id: null,
    write_off_reason: 'broken',
  })
  const { id } = await lent()
  expect(await put(id, { status: 'written_off' })).toMatchObject({
    status: 400,
    body: { order_id: expect.any(Number) },
  })
  expect(await put(id, { soh: 80 })).toMatchObject({ status: 200 })
})

test('a label that names other hardware makes it that hardware, and a taken one is refused', async () => {
  const id = await bank('active')
  const bankId = newDeviceId()
  const label = `DCHA${bankId.slice(8)}`
  expect((await put(id, { serial_number: label })).body.data).toMatchObject({ serial_number: label })
  const [row] = await db.sql`select device_id from powerbanks where id = ${id}`
  expect(row).toEqual({ deviceId: bankId })
  const other = await bank()
  for (const taken of [label, bankId.toLowerCase()])
    expect(await put(other, { serial_number: taken })).toMatchObject({
      status: 400,
      body: { error: expect.stringMatching('серийным') },
    })
})

test.each([
  ['soh', { soh: 101 }],
  ['status', { status: 'fine' }],
  ['write_off_reason', { write_off_reason: 'boredom' }],
  ['serial_number', { serial_number: '' }],
  ['org_unit_id', { org_unit_id: 999_999 }],
])('a change with a bad %s is refused and changes nothing', async (field, body) => {
  const id = await bank()
  const refused = await put(id, body)
  expect(refused).toMatchObject({ status: 400, body: { success: false, error: expect.any(String) } })
  expect(JSON.stringify(refused.body)).toContain(field)
  expect(await audited(id)).toEqual([])
})

test('the documented approval takes an unknown bank in, once', async () => {
  const id = await bank('unknown', group)
  const answers = await Promise.all([1, 2].map(() => approve(id, { org_unit_id: group, soh: 100 })))
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 400])
  expect(answers.find(({ status }) => status === 200)!.body).toEqual({
    success: true,
    message: expect.any(String),
    powerbank_id: id,
    serial_number: expect.any(String),
    new_org_unit_id: group,
    in_station: false,
    station_info: null,
  })
  expect(answers.find(({ status }) => status === 400)!.body.error).toMatch('unknown')
  expect((await audited(id)).map(({ action }) => action)).toEqual(['powerbank.approve'])
})

test('a bank in a station is approved for the station’s unit, its group or its subgroups only', async () => {
  const tree = await unit('дерево')
  const branch = await unit('ветка', tree)
  const twig = await unit('другая ветка', tree)
  const found = async (stationUnit: number) => {
    const box = await cabinet(stage, { orgUnitId: stationUnit })
    const bankId = newDeviceId()
    await box.insert(bankId, 3)
    const [row] = await db.sql<{ id: number }[]>`select id from powerbanks where device_id = ${bankId}`
    return { id: row!.id, box }
  }
  const { id, box } = await found(branch)
  for (const foreign of [twig, await unit('чужие')])
    expect(await approve(id, { org_unit_id: foreign }, service.token)).toMatchObject({
      status: 400,
      body: { error: expect.stringMatching('несовместимой'), station_id: box.stationId },
    })
  expect(await approve(id, { org_unit_id: tree }, service.token)).toMatchObject({
    status: 200,
    body: { in_station: true, station_info: { station_id: box.stationId, box_id: box.boxId, slot_number: 3 } },
  })
  // And moved no further than it could have been approved.
  expect(await put(id, { org_unit_id: twig }, service.token)).toMatchObject({ status: 400 })
  expect(await put(id, { org_unit_id: branch }, service.token)).toMatchObject({ status: 200 })
  expect(await approve((await found(tree)).id, { org_unit_id: branch }, service.token)).toMatchObject({ status: 200 })
  expect(await approve((await found(branch)).id, { org_unit_id: branch }, service.token)).toMatchObject({ status: 200 })
})

test.each([
  ['no unit', {}],
  ['no such unit', { org_unit_id: 999_999 }],
  ['a bad soh', { org_unit_id: 1, soh: -1 }],
])('an approval with %s is refused', async (_, body) => {
  expect(await approve(await bank(), body, service.token)).toMatchObject({ status: 400, body: { success: false } })
})

test('a bank is deleted once, not while it is lent, and found again it is a new one', async () => {
  const box = await cabinet(stage, { orgUnitId: group, banks: [1] })
  const { id, bankId } = box.banks[1]!
  const answers = await Promise.all([remove(id), remove(id)])
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 404])
  expect(await call('GET', `/api/powerbanks/${id}`, { token: admin.token })).toMatchObject({ status: 404 })
  const [gone] = await db.sql`select status, deleted_at is not null as deleted from powerbanks where id = ${id}`
  expect(gone).toEqual({ status: 'unknown', deleted: true })
  await box.say(box.inventory())
  const [again] = await db.sql`
    select p.status, p.id <> ${id} as is_new from station_powerbanks sp join powerbanks p on p.id = sp.powerbank_id
    where sp.station_id = ${box.stationId} and p.device_id = ${bankId}`
  expect(again).toEqual({ status: 'unknown', isNew: true })
  const loan = await lent()
  expect(await remove(loan.id)).toMatchObject({ status: 400, body: { error: 'Повербанк уже выдан' } })
})

test('a bank is lent or deleted, never both', async () => {
  for (let round = 0; round < 5; round++) {
    const box = await cabinet(stage, { orgUnitId: group, banks: [1] })
    const user = await person('user', group)
    const { id } = box.banks[1]!
    const body = { user_id: user.id, slot_number: 1 }
    const [loan, deleted] = await Promise.all([
      call('POST', `/api/borrow/stations/${box.stationId}/request`, { token: user.token, body }),
      remove(id),
    ])
    expect([loan.status, deleted.status].sort()).toEqual([200, 400])
  }
})

test('foreign banks are out of reach', async () => {
  const id = await bank('unknown', group)
  const foreign = await unit('соседи')
  const stranger = await person('group_admin', foreign)
  expect(await put(id, { soh: 1 }, stranger.token)).toMatchObject({ status: 403 })
  expect(await approve(id, { org_unit_id: foreign }, stranger.token)).toMatchObject({ status: 403 })
  expect(await remove(id, stranger.token)).toMatchObject({ status: 403 })
  expect(await put(id, { org_unit_id: foreign })).toMatchObject({ status: 403 })
  expect(await put(id, { org_unit_id: null })).toMatchObject({ status: 403 })
  expect(await put(999_999, { soh: 1 })).toMatchObject({ status: 404 })
  expect(await approve(999_999, { org_unit_id: group })).toMatchObject({ status: 404 })
})
