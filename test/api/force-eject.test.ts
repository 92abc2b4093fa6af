import { expect, test } from 'vitest'
import { cabinet } from './cabinet.ts'
import { startApiServer } from './server.ts'

const { call, person, unit, db, stage } = await startApiServer()
const group = await unit('Отдел продаж')
const admin = await person('group_admin', group)
const eject = (body: object, { token = admin.token, headers = {} } = {}) =>
  call('POST', '/api/admin/force-eject-powerbank', { token, body, headers })

test('the documented request opens the slot and writes a closed order', async () => {
  const box = await cabinet(stage, { orgUnitId: group, banks: [1] })
  const bank = box.banks[1]!
  const { status, body } = await eject({ station_id: box.stationId, slot_number: 1, admin_user_id: admin.id })
  expect({ status, body }).toMatchObject({
    status: 200,
    body: {
      success: true,
      message: expect.any(String),
      station_id: box.stationId,
      slot_number: 1,
      ejected_at: expect.stringMatching(/\+03:00$/),
      powerbank_data: { powerbank_id: bank.id, serial_number: bank.bankId, status: 'active', soh: 99 },
      station_box_id: box.boxId,
      packet_hex: expect.any(String),
      order_id: expect.any(Number),
    },
  })
  const order = await call('GET', `/api/orders/${body.order_id}`, { token: admin.token })
  expect(order.body.data).toMatchObject({
    status: 'force_eject',
    user_id: admin.id,
    powerbank_id: bank.id,
    is_admin_order: true,
    completed_at: expect.any(String),
  })
  const listed = await call('GET', '/api/orders?status=force_eject', { token: admin.token })
  expect(listed.body.data.map((one: any) => one.id)).toContain(body.order_id)
})

test('the same key twice opens the slot once', async () => {
  const box = await cabinet(stage, { orgUnitId: group, banks: [1] })
  const headers = { 'Idempotency-Key': 'out-with-it' }
  const body = { station_id: box.stationId, slot_number: 1 }
  const [one, two] = await Promise.all([eject(body, { headers }), eject(body, { headers })])
  expect(one).toMatchObject({ status: 200 })
  expect(two.body).toEqual(one.body)
  expect(box.heard.filter(({ kind }) => kind === 'force_eject')).toHaveLength(1)
  expect(await db.sql`select 1 from orders where station_id = ${box.stationId}`).toHaveLength(1)
  expect(await eject({ ...body, slot_number: 2 }, { headers })).toMatchObject({ status: 400 })
})

test('a silent cabinet is 408 and never told again', async () => {
  const box = await cabinet(stage, { orgUnitId: group, banks: [1], answers: { force_eject: () => null } })
  const silent = await eject({ station_id: box.stationId, slot_number: 1 })
  expect(silent).toMatchObject({ status: 408, body: { success: false, command_id: expect.any(Number) } })
  await box.giveUpOn(silent.body.command_id)
  expect(box.heard.filter(({ kind }) => kind === 'force_eject')).toHaveLength(1)
})

test('a cabinet that cannot is 400', async () => {
  const box = await cabinet(stage, {
    orgUnitId: group,
    banks: [1],
    answers: { force_eject: ({ slot }) => ({ kind: 'force_eject', slot, bankId: null, ok: false, result: 0 }) },
  })
  const refused = await eject({ station_id: box.stationId, slot_number: 1 })
  expect(refused).toMatchObject({ status: 400, body: { success: false, status: 'failed' } })
})

test('an order that waits for that very bank falls', async () => {
  const box = await cabinet(stage, { orgUnitId: group, banks: [1], answers: { eject: () => null } })
  const anna = await person('user', group)
  const body = { user_id: anna.id, slot_number: 1 }
  const asked = await call('POST', `/api/borrow/stations/${box.stationId}/request`, { token: anna.token, body })
  expect(asked.status).toBe(408)
  const [{ commandId } = { commandId: 0 }] = await db.sql<{ commandId: number }[]>`
    select command_id from orders where id = ${asked.body.order_id}`
  await box.giveUpOn(commandId)
  expect(await eject({ station_id: box.stationId, slot_number: 1 })).toMatchObject({ status: 200 })
  const order = await call('GET', `/api/orders/${asked.body.order_id}`, { token: anna.token })
  expect(order.body.data).toMatchObject({ status: 'cancelled' })
})

test.each([
  ['slot 0', { slot_number: 0 }, {}, 400],
  ['a slot beyond the last', { slot_number: 9 }, {}, 400],
  ['no slot', { slot_number: undefined }, {}, 400],
  ['an unknown station', { station_id: 999_999 }, {}, 404],
  ['an inactive station', {}, { status: 'inactive' }, 400],
  ['an offline station', {}, { isOffline: true }, 400],
])('%s is refused and opens nothing', async (_, change, options, status) => {
  const box = await cabinet(stage, { orgUnitId: group, banks: [1], ...options })
  const refused = await eject({ station_id: box.stationId, slot_number: 1, ...change })
  expect(refused).toMatchObject({ status, body: { success: false, error: expect.any(String) } })
  expect(box.heard).toEqual([])
})

test('only the own group’s admin opens slots, as who the token says', async () => {
  const box = await cabinet(stage, { orgUnitId: group, banks: [1] })
  const body = { station_id: box.stationId, slot_number: 1 }
  const stranger = await person('group_admin', await unit('чужие'))
  expect(await eject(body, { token: stranger.token })).toMatchObject({ status: 403 })
  expect(await eject({ ...body, admin_user_id: stranger.id })).toMatchObject({ status: 403 })
  expect(await eject(body, { token: (await person('user', group)).token })).toMatchObject({ status: 403 })
  expect(box.heard).toEqual([])
})
