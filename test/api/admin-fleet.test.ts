import { expect, test } from 'vitest'
import { cabinet } from './cabinet.ts'
import { startApiServer } from './server.ts'

const { call, person, unit, db, stage } = await startApiServer()
const service = await person('service_admin')
const group = await unit('Отдел продаж')
const admin = await person('group_admin', group)

let serials = 0
async function bank(status = 'unknown', orgUnitId: number | null = group): Promise<number> {
  const [row] = await db.sql<{ id: number }[]>`
    insert into powerbanks (serial_number, org_unit_id, status) values (${`AF${++serials}`}, ${orgUnitId}, ${status}) returning id`
  return row!.id
}
const post = (name: string, body: object, token = admin.token) => call('POST', `/api/admin/${name}`, { token, body })
const get = (path: string, token = admin.token) => call('GET', `/api/admin/${path}`, { token })
const audit = (action: string, id: number) => db.sql`
  select user_id, new_values, description from audit_log where action = ${action} and entity_id = ${id} order by id`
/** Somebody of the group with a bank out of a cabinet. */
async function loan() {
  const box = await cabinet(stage, { orgUnitId: group, banks: [1] })
  const user = await person('user', group)
  const body = { user_id: user.id, slot_number: 1 }
  const lent = await call('POST', `/api/borrow/stations/${box.stationId}/request`, { token: user.token, body })
  expect(lent.status).toBe(200)
  return { box, user, orderId: lent.body.order_id as number, powerbankId: box.banks[1]!.id }
}

test('the documented deactivation writes a bank off and out of its station, once', async () => {
  const box = await cabinet(stage, { orgUnitId: group, banks: [1] })
  const { id } = box.banks[1]!
  const body = { powerbank_id: id, admin_user_id: admin.id, reason: 'admin_deactivated' }
  const answers = await Promise.all([1, 2].map(() => post('deactivate-powerbank', body)))
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 400])
  expect(answers.find(({ status }) => status === 200)!.body).toMatchObject({
    success: true,
    message: expect.any(String),
    powerbank_id: id,
    admin_user_id: admin.id,
    deactivated_at: expect.stringMatching(/\+03:00$/),
    data: { status: 'written_off', write_off_reason: 'other', station_id: null },
  })
  expect(answers.find(({ status }) => status === 400)!.body.error).toMatch('списан')
  expect(await audit('powerbank.deactivate', id)).toMatchObject([
    { userId: admin.id, newValues: { status: 'written_off' }, description: 'admin_deactivated' },
  ])
})

test.each([
  ['broken', 'broken'],
  ['lost', 'lost'],
  ['stolen by a bear', 'other'],
  [null, 'other'],
])('a bank deactivated because of %s is out of service as %s', async (reason, writeOffReason) => {
  const { body } = await post('deactivate-powerbank', { powerbank_id: await bank('active'), reason })
  expect(body.data).toMatchObject({ status: 'written_off', write_off_reason: writeOffReason })
})

test('a bank on loan is not deactivated', async () => {
  const { powerbankId } = await loan()
  const refused = await post('deactivate-powerbank', { powerbank_id: powerbankId })
  expect(refused).toMatchObject({ status: 400, body: { error: 'Повербанк уже выдан' } })
})

test('many are activated one by one: who fails stops nobody', async () => {
  const good = [await bank(), await bank()]
  const active = await bank('active')
  const foreign = await bank('unknown', await unit('чужие'))
  const powerbank_ids = [good[0], active, 999_999, foreign, good[1], good[0]]
  const { status, body } = await post('bulk-activate-powerbanks', { powerbank_ids, admin_user_id: admin.id })
  expect(status).toBe(200)
  expect(body).toEqual({
    success: true,
    message: 'Активировано 2 из 5',
    success_count: 2,
    error_count: 3,
    results: [
      { powerbank_id: good[0], success: true, message: expect.any(String), status: 'active' },
      { powerbank_id: active, success: false, error: expect.stringMatching('unknown'), status: 'active' },
      { powerbank_id: 999_999, success: false, error: 'Повербанк не найден' },
      { powerbank_id: foreign, success: false, error: 'Доступ запрещен' },
      { powerbank_id: good[1], success: true, message: expect.any(String), status: 'active' },
    ],
  })
})

test('two lists at once activate each bank once', async () => {
  const powerbank_ids = await Promise.all(Array.from({ length: 10 }, () => bank()))
  const target = await unit('подгруппа', group)
  const given = { powerbank_ids, target_org_unit_id: target }
  const answers = await Promise.all([
    post('bulk-activate-powerbanks', given),
    post('bulk-activate-powerbanks', { ...given, powerbank_ids: powerbank_ids.toReversed() }),
  ])
  expect(answers.map(({ body }) => body.success_count).reduce((a, b) => a + b)).toBe(10)
  const rows = await db.sql`select distinct status, org_unit_id from powerbanks where id = any(${powerbank_ids})`
  expect(rows).toEqual([{ status: 'active', orgUnitId: target }])
})

test.each([
  ['an empty list', []],
  ['no list', undefined],
  ['a list of words', ['x']],
  ['too long a list', Array.from({ length: 501 }, (_, i) => i + 1)],
])('%s activates nothing', async (_, powerbank_ids) => {
  expect(await post('bulk-activate-powerbanks', { powerbank_ids })).toMatchObject({
    status: 400,
    body: { success: false, error: expect.stringContaining('powerbank_ids') },
  })
})

test('the documented write-off ends the loan, loses the bank, and keeps the note', async () => {
  const { user, orderId, powerbankId } = await loan()
  const body = { user_id: user.id, powerbank_id: powerbankId, admin_user_id: admin.id, note: 'Lost by user' }
  const answers = await Promise.all([1, 2].map(() => post('write-off-powerbank', body)))
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 404])
  expect(answers.find(({ status }) => status === 200)!.body).toMatchObject({
    success: true,
    message: expect.any(String),
    data: {
      order_id: orderId,
      user_id: user.id,
      admin_user_id: admin.id,
      note: 'Lost by user',
      powerbank_id: powerbankId,
      status: 'written_off',
      write_off_reason: 'lost',
      station_id: null,
    },
  })
  const order = await call('GET', `/api/orders/${orderId}`, { token: user.token })
  expect(order.body.data).toMatchObject({ status: 'force_eject', completed_at: expect.any(String) })
  expect(await audit('powerbank.write_off', powerbankId)).toMatchObject([
    { userId: admin.id, newValues: { writeOffReason: 'lost' }, description: 'Lost by user' },
  ])
})

test('a bank that is back is not written off, and a lost one that comes back after all is not lent', async () => {
  const { box, user, powerbankId } = await loan()
  const body = { user_id: user.id, powerbank_id: powerbankId }
  await db.sql`update orders set borrowed_at = now() - interval '1 hour' where powerbank_id = ${powerbankId}`
  await box.insert(box.banks[1]!.bankId, 5)
  expect(await post('write-off-powerbank', body)).toMatchObject({ status: 404 })
  const lost = await loan()
  await post('write-off-powerbank', { user_id: lost.user.id, powerbank_id: lost.powerbankId })
  await lost.box.insert(lost.box.banks[1]!.bankId, 2)
  expect(await get(`powerbank-status/${lost.powerbankId}`)).toMatchObject({
    body: { data: { status: 'written_off', slot_number: 2, box_id: lost.box.boxId } },
  })
  const again = await person('user', group)
  const request = { token: again.token, body: { user_id: again.id } }
  const path = `/api/borrow/stations/${lost.box.stationId}/request-optimal`
  expect(await call('POST', path, request)).toMatchObject({ status: 400 })
})

test('a loan that its cabinet has not confirmed yet is not written off', async () => {
  const box = await cabinet(stage, { orgUnitId: group, banks: [1], answers: { eject: () => null } })
  const user = await person('user', group)
  const body = { user_id: user.id, slot_number: 1 }
  await call('POST', `/api/borrow/stations/${box.stationId}/request`, { token: user.token, body })
  const refused = await post('write-off-powerbank', { user_id: user.id, powerbank_id: box.banks[1]!.id })
  expect(refused).toMatchObject({ status: 400, body: { order_id: expect.any(Number) } })
})

test('nobody writes off for another’s people or banks, nor in another’s name', async () => {
  const { user, powerbankId } = await loan()
  const body = { user_id: user.id, powerbank_id: powerbankId }
  const stranger = await person('group_admin', await unit('соседи'))
  expect(await post('write-off-powerbank', body, stranger.token)).toMatchObject({ status: 403 })
  expect(await post('deactivate-powerbank', { powerbank_id: await bank() }, stranger.token)).toMatchObject({
    status: 403,
  })
  for (const name of ['write-off-powerbank', 'deactivate-powerbank'])
    expect(await post(name, { ...body, admin_user_id: service.id })).toMatchObject({ status: 403 })
  const many = { powerbank_ids: [powerbankId], admin_user_id: service.id }
  expect(await post('bulk-activate-powerbanks', many)).toMatchObject({ status: 403 })
  expect(await post('write-off-powerbank', { ...body, powerbank_id: 999_999 })).toMatchObject({ status: 404 })
  expect(await post('write-off-powerbank', { ...body, user_id: admin.id })).toMatchObject({ status: 404 })
})

test('not even a service_admin acts in another name, nor in that of nobody', async () => {
  for (const admin_user_id of [admin.id, 999_999])
    for (const name of ['activate-powerbank', 'deactivate-powerbank'])
      expect(await post(name, { powerbank_id: await bank(), admin_user_id }, service.token)).toMatchObject({
        status: 403,
      })
})

test('the status of a bank has the documented keys, in the own units', async () => {
  const box = await cabinet(stage, { orgUnitId: group, banks: [3] })
  const { id, bankId } = box.banks[3]!
  const { status, body } = await get(`powerbank-status/${id}`)
  expect(status).toBe(200)
  expect(body.data).toEqual({
    id,
    serial_number: bankId,
    status: 'active',
    soh: 99,
    org_unit_id: group,
    created_at: expect.stringMatching(/\+03:00$/),
    org_unit_name: 'Отдел продаж',
    station_id: box.stationId,
    slot_number: 3,
    box_id: box.boxId,
  })
  const stranger = await person('group_admin', await unit('третьи'))
  expect(await get(`powerbank-status/${id}`, stranger.token)).toMatchObject({ status: 403 })
})

test('the statistics count the banks of the own units, by status and by unit', async () => {
  const own = await unit('счёт')
  const sub = await unit('подсчёт', own)
  const boss = await person('group_admin', own)
  for (const status of ['active', 'active', 'unknown', 'user_reported_broken', 'system_error', 'written_off'])
    await bank(status, own)
  await bank('active', sub)
  const [deleted] = [await bank('active', own)]
  await db.sql`update powerbanks set deleted_at = now() where id = ${deleted!}`
  const counts = { unknown: 1, broken: 1, system_error: 1, written_off: 1 }
  const none = { unknown: 0, broken: 0, system_error: 0, written_off: 0 }
  const { body } = await get('powerbank-statistics', boss.token)
  expect(body.data).toEqual({
    total: 7,
    active: 3,
    ...counts,
    group_statistics: [
      { org_unit_id: own, org_unit_name: 'счёт', total: 6, active: 2, ...counts },
      { org_unit_id: sub, org_unit_name: 'подсчёт', total: 1, active: 1, ...none },
    ],
  })
  expect((await get('powerbank-statistics', service.token)).body.data.total).toBeGreaterThan(7)
})
