import { expect, test } from 'vitest'
import { cabinet } from './cabinet.ts'
import { startApiServer } from './server.ts'

const { call, person, unit, db, stage } = await startApiServer()
const group = await unit('Отдел продаж')
const admin = await person('group_admin', group)

/** Somebody of the group with so many banks out of a cabinet. */
async function loan(count = 1) {
  const slots = Array.from({ length: count }, (_, i) => i + 1)
  const box = await cabinet(stage, { orgUnitId: group, banks: slots })
  const user = await person('user', group)
  await db.sql`update users set powerbank_limit = 9 where id = ${user.id}`
  const orders: number[] = []
  for (const slot_number of slots) {
    const body = { user_id: user.id, slot_number }
    const lent = await call('POST', `/api/borrow/stations/${box.stationId}/request`, { token: user.token, body })
    expect(lent.status).toBe(200)
    orders.push(lent.body.order_id)
  }
  const [orderId, powerbankId] = [orders[0]!, box.banks[1]!.id]
  const documented = {
    order_id: orderId,
    powerbank_id: powerbankId,
    station_id: box.stationId,
    user_id: user.id,
    error_type: 'broken',
    additional_notes: '...',
  }
  return { box, user, orderId, orders, powerbankId, documented }
}
const report = (body: object, token: string, path = '/powerbank-error-report') => call('POST', path, { token, body })
const damaged = (body: object, token: string) => call('POST', '/api/return-damage', { token, body })
const bank = async (id: number) => (await call('GET', `/api/powerbanks/${id}`, { token: admin.token })).body.data
const reports = (powerbankId: number) => db.sql`
  select order_id, station_id, user_id, error_type, additional_notes from powerbank_error_reports
  where powerbank_id = ${powerbankId} order by id`

test.each(['/powerbank-error-report', '/api/powerbank-error-report'])(
  'the documented report at %s takes the bank out of service, once',
  async (path) => {
    const { user, powerbankId, orderId, documented, box } = await loan()
    const answers = await Promise.all([1, 2].map(() => report(documented, user.token, path)))
    for (const { status, body } of answers) {
      expect(status).toBe(200)
      expect(body).toEqual({
        success: true,
        message: expect.any(String),
        powerbank_id: powerbankId,
        error_type: 'broken',
        power_er: 6,
        new_status: 'user_reported_broken',
        write_off_reason: 'broken',
        timestamp: expect.stringMatching(/\+03:00$/),
      })
    }
    expect(answers[1]!.body).toEqual(answers[0]!.body)
    expect(await reports(powerbankId)).toEqual([
      { orderId, stationId: box.stationId, userId: user.id, errorType: 'broken', additionalNotes: '...' },
    ])
    expect(await bank(powerbankId)).toMatchObject({ status: 'user_reported_broken', error_type: 'Другое' })
    const audited = await db.sql`
      select user_id from audit_log where action = 'powerbank.report_broken' and entity_id = ${powerbankId}`
    expect(audited).toEqual([{ userId: user.id }])
  },
)

test.each([
  ['powerbank_not_working', 1, 'broken'],
  ['cable_type_c_damaged', 2, 'broken'],
  ['cable_micro_usb_damaged', 3, 'broken'],
  ['cable_lightning_damaged', 4, 'broken'],
  ['cable_damaged', 5, 'broken'],
  ['other', 6, 'other'],
  ['залит кофе', 6, 'broken'],
])('the error type %s is number %i', async (error_type, power_er, write_off_reason) => {
  const { user, documented } = await loan()
  const { body } = await report({ ...documented, error_type, additional_notes: undefined }, user.token)
  expect(body).toMatchObject({ error_type, power_er, write_off_reason, new_status: 'user_reported_broken' })
})

test.each(['order_id', 'powerbank_id', 'station_id', 'user_id', 'error_type'])(
  'a report needs its %s',
  async (field) => {
    const { user, documented, powerbankId } = await loan()
    for (const value of [undefined, null, '']) {
      const refused = await report({ ...documented, [field]: value }, user.token)
      expect(refused).toMatchObject({ status: 400, body: { success: false, error: expect.stringContaining(field) } })
    }
    expect(await reports(powerbankId)).toEqual([])
  },
)

test('only who has the bank of this order reports it, or staff for them', async () => {
  const { user, documented, orderId, powerbankId, box } = await loan(2)
  const other = await loan()
  const refusals = [
    await report({ ...documented, order_id: other.orderId }, user.token),
    await report({ ...documented, order_id: 999_999 }, user.token),
    await report({ ...documented, powerbank_id: box.banks[2]!.id }, user.token),
  ]
  for (const refused of refusals) expect(refused).toMatchObject({ status: 400, body: { error: expect.any(String) } })
  expect(await report({ ...documented, station_id: 999_999 }, user.token)).toMatchObject({ status: 404 })
  expect(await report({ ...documented, powerbank_id: 999_999 }, user.token)).toMatchObject({ status: 404 })
  expect(await report(documented, other.user.token)).toMatchObject({ status: 403 })
  const mine = { ...documented, user_id: other.user.id }
  expect(await report(mine, other.user.token)).toMatchObject({ status: 400 })
  const stranger = await person('group_admin', await unit('чужие'))
  expect(await report(documented, stranger.token)).toMatchObject({ status: 403 })
  expect(await bank(powerbankId)).toMatchObject({ status: 'active' })
  expect(await report(documented, admin.token)).toMatchObject({ status: 200 })
  await db.sql`update orders set status = 'return', completed_at = now() where id = ${orderId}`
  expect(await report({ ...documented, error_type: 'again' }, user.token)).toMatchObject({ status: 400 })
})

test('a bank reported broken is lent to nobody until an administrator resets it', async () => {
  const { box, user, documented, powerbankId } = await loan()
  await report(documented, user.token)
  await db.sql`update orders set borrowed_at = now() - interval '1 hour' where powerbank_id = ${powerbankId}`
  await box.insert(box.banks[1]!.bankId, 4)
  const next = await person('user', group)
  const request = { token: next.token, body: { user_id: next.id, slot_number: 4 } }
  const path = `/api/borrow/stations/${box.stationId}/request`
  expect(await call('POST', path, request)).toMatchObject({ status: 400, body: { error: 'Повербанк не активен' } })
  const reset = { token: admin.token, body: { status: 'active' } }
  expect(await call('PUT', `/api/powerbanks/${powerbankId}`, reset)).toMatchObject({ status: 200 })
  expect(await call('POST', path, request)).toMatchObject({ status: 200 })
})

test('the documented damage return marks the bank of the first open loan, and announces it', async () => {
  const { box, user, orderId, powerbankId } = await loan(2)
  const body = { station_id: box.stationId, user_id: user.id, error_type: 1 }
  const answers = await Promise.all([1, 2].map(() => damaged(body, user.token)))
  for (const answer of answers) {
    expect(answer.status).toBe(200)
    expect(answer.body).toEqual({
      success: true,
      message: expect.any(String),
      data: {
        order_id: orderId,
        serial_number: box.banks[1]!.bankId,
        station_id: box.stationId,
        user_id: user.id,
        powerbank_id: powerbankId,
        error_type: '1',
        power_er: 1,
        new_status: 'user_reported_broken',
        write_off_reason: 'broken',
        timestamp: expect.stringMatching(/\+03:00$/),
      },
    })
  }
  expect(await reports(powerbankId)).toHaveLength(1)
  const [order] =
    await db.sql`select status, return_requested_at is not null as announced from orders where id = ${orderId}`
  expect(order).toEqual({ status: 'borrow', announced: true })
  expect(await bank(box.banks[2]!.id)).toMatchObject({ status: 'active' })
})

test.each([
  ['the older form', { description: 'не заряжает телефон' }, 6],
  ['a code', { error_type: 'cable_type_c_damaged' }, 2],
  ['a title', { error_type: 'Сломан Lightning', description: 'совсем' }, 4],
  ['a number as text', { error_type: '3' }, 3],
])('a damage return may name the damage as %s', async (_, named, power_er) => {
  const { box, user } = await loan()
  const { body } = await damaged({ station_id: box.stationId, ...named }, user.token)
  expect(body.data).toMatchObject({ user_id: user.id, power_er })
})

test('a damage return without a loan, a station, a damage or a right is refused', async () => {
  const { box, user } = await loan()
  const idle = await person('user', group)
  const station_id = box.stationId
  expect(await damaged({ station_id, error_type: 1 }, idle.token)).toMatchObject({ status: 400 })
  expect(await damaged({ station_id: 999_999, error_type: 1 }, user.token)).toMatchObject({ status: 404 })
  expect(await damaged({ station_id, user_id: user.id, error_type: 1 }, idle.token)).toMatchObject({ status: 403 })
  for (const body of [
    { station_id },
    { error_type: 1 },
    { station_id, error_type: 77 },
    { station_id, error_type: '' },
  ])
    expect(await damaged(body, user.token)).toMatchObject({
      status: 400,
      body: { error: expect.stringMatching(/_|тип/) },
    })
})
