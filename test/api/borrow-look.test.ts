import { expect, test } from 'vitest'
import { cabinet } from './cabinet.ts'
import { startApiServer } from './server.ts'

const { call, person, unit, db, stage } = await startApiServer()
const group = await unit('Отдел продаж')
const admin = await person('group_admin', group)
const service = await person('service_admin')

/** A user of the group who may hold this many. */
async function user(limit = 5, orgUnitId: number | null = group) {
  const someone = await person('user', orgUnitId)
  await db.sql`update users set powerbank_limit = ${limit} where id = ${someone.id}`
  return someone
}

test('who belongs elsewhere sees nothing of the station', async () => {
  const box = await cabinet(stage, { orgUnitId: group, banks: [1] })
  const foreign = await user(5, await unit('чужие'))
  for (const look of ['powerbanks', 'info', 'select-optimal', 'slots/1/status'])
    expect(await call('GET', `/api/borrow/stations/${box.stationId}/${look}`, { token: foreign.token })).toMatchObject({
      status: 403,
    })
})

test('what a station has to lend is counted for the user', async () => {
  const box = await cabinet(stage, { orgUnitId: group, slots: 6, banks: [1, 2, 3, 4], levels: { 1: 50, 2: 2, 3: 90 } })
  await db.sql`update powerbanks set status = 'user_reported_broken' where id = ${box.banks[4]!.id}`
  const anna = await user(2)
  const at = `/api/borrow/stations/${box.stationId}/powerbanks`
  const { status, body } = await call('GET', at, { token: anna.token })
  expect(status).toBe(200)
  expect(body).toMatchObject({
    success: true,
    station_id: box.stationId,
    count: 3,
    available_to_user: 2,
    user_limit: { user_id: anna.id, effective_limit: 2, limit_type: 'individual', active_count: 0 },
    free_slots: 2,
    free_slots_for_return: 2,
    total_slots: 6,
    healthy_count: 2,
    broken_count: 2,
    total_count: 4,
  })
  expect(body.available_powerbanks.map((bank: any) => bank.slot_number)).toEqual([3, 1, 2])
  expect(body.available_powerbanks[0]).toEqual({
    slot_number: 3,
    powerbank_id: box.banks[3]!.id,
    serial_number: box.banks[3]!.bankId,
    powerbank_status: 'active',
    level: 90,
    voltage: 4000,
    temperature: 25,
    soh: 99,
    has_errors: false,
    is_broken: false,
    on_loan: false,
    last_update: expect.stringMatching(/\+03:00$/),
  })
  const { success: _, data, ...top } = body
  expect(data).toEqual(top)
  const all = await call('GET', `${at}?include_all=true`, { token: anna.token })
  expect(all.body).toMatchObject({ count: 4, available_to_user: 2 })
  expect(await call('GET', `${at}?user_id=${service.id}`, { token: anna.token })).toMatchObject({ status: 403 })
  const asStaff = await call('GET', `${at}?user_id=${anna.id}`, { token: admin.token })
  expect(asStaff.body.user_limit).toMatchObject({ user_id: anna.id })
})

test('a slot says what is in it', async () => {
  const box = await cabinet(stage, { orgUnitId: group, slots: 4, banks: [2] })
  const anna = await user()
  const slot = (n: number) =>
    call('GET', `/api/borrow/stations/${box.stationId}/slots/${n}/status`, { token: anna.token })
  const occupied = await slot(2)
  expect(occupied).toMatchObject({ status: 200, body: { success: true, status: 'occupied' } })
  expect(occupied.body.data).toMatchObject({
    slot_number: 2,
    status: 'occupied',
    powerbank_id: box.banks[2]!.id,
    serial_number: box.banks[2]!.bankId,
    powerbank_status: 'active',
    level: 80,
    voltage: 4000,
    temperature: 25,
  })
  expect((await slot(1)).body).toMatchObject({ status: 'empty', data: { slot_number: 1, status: 'empty' } })
  for (const n of [0, 5]) expect(await slot(n)).toMatchObject({ status: 400 })
})

test('the station says whether it is connected and how many slots are free', async () => {
  const box = await cabinet(stage, { orgUnitId: group, slots: 6, banks: [1, 2] })
  const anna = await user()
  const at = `/api/borrow/stations/${box.stationId}/info`
  expect(await call('GET', at, { token: anna.token })).toMatchObject({
    status: 200,
    body: {
      success: true,
      station: { station_id: box.stationId, box_id: box.boxId, is_connected: true, status: 'active' },
      powerbanks: { total_slots: 6, occupied_slots: 2, available_slots: 4 },
      data: { powerbanks: { total_slots: 6 } },
    },
  })
  await box.drop()
  expect((await call('GET', at, { token: anna.token })).body.station).toMatchObject({ is_connected: false })
})
