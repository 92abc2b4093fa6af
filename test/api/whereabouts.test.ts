import { expect, test } from 'vitest'
import { cabinet } from './cabinet.ts'
import { startApiServer } from './server.ts'

const { call, person, unit, db, stage } = await startApiServer()
const group = await unit('Отдел продаж')
const admin = await person('group_admin', group)
const anna = await person('user', group)
const boris = await person('user', group)
await db.sql`update org_units set reminder_hours = 10, write_off_hours = 20 where id = ${group}`
const box = await cabinet(stage, { orgUnitId: group, banks: [1, 2, 3, 4, 5, 6], isOffline: true })
const bankOf = (slot: number) => box.banks[slot]!.id

/** Anna took the bank of a slot so many hours ago. */
async function taken(slot: number, hours: number): Promise<number> {
  const [row] = await db.sql<{ id: number }[]>`
    insert into orders (station_id, user_id, powerbank_id, slot_number, status, borrowed_at)
    values (${box.stationId}, ${anna.id}, ${bankOf(slot)}, ${slot}, 'borrow', now() - make_interval(hours => ${hours})) returning id`
  await db.sql`delete from station_powerbanks where powerbank_id = ${bankOf(slot)}`
  return row!.id
}
const fresh = await taken(1, 9)
const late = await taken(2, 11)
const lost = await taken(3, 21)
const back = await taken(4, 1)
await box.insert(box.banks[4]!.bankId, 8)
// Registered, and in no slot.
const [shelf] = await db.sql<{ id: number }[]>`
  insert into powerbanks (serial_number, org_unit_id) values ('SHELF', ${group}) returning id`

const get = async (path: string, token = admin.token) => {
  const { status, body } = await call('GET', `/api${path}`, { token })
  expect(status).toBe(200)
  return body
}
const ids = async (query: string) =>
  (await get(`/powerbanks-status?${query}`)).data.map((bank: { powerbank_id: number }) => bank.powerbank_id)

test('a bank is in a station, in use, or not returned, by the hours of its unit', async () => {
  const { data, pagination } = await get('/powerbanks-status')
  const statuses = Object.fromEntries(data.map((bank: any) => [bank.powerbank_id, bank.status]))
  expect(statuses).toEqual({
    [bankOf(1)]: 'in_use',
    [bankOf(2)]: 'not_returned',
    [bankOf(3)]: 'not_returned',
    [bankOf(4)]: 'in_station',
    [bankOf(5)]: 'in_station',
    [bankOf(6)]: 'in_station',
    [shelf!.id]: null,
  })
  expect(data.filter((bank: any) => bank.write_off_candidate).map((bank: any) => bank.order_id)).toEqual([lost])
  expect(pagination).toEqual({
    page: 1,
    limit: 50,
    total: 7,
    pages: 1,
    total_pages: 1,
    has_next: false,
    has_prev: false,
  })
})

test('an item says where the bank is and who has it since when', async () => {
  const { data } = await get(`/powerbanks-status/${bankOf(2)}`)
  expect(data).toEqual({
    powerbank_id: bankOf(2),
    serial_number: box.banks[2]!.bankId,
    status: 'not_returned',
    powerbank_status: 'active',
    write_off_candidate: false,
    org_unit_id: group,
    org_unit_name: 'Отдел продаж',
    station_id: box.stationId,
    station_name: box.boxId,
    slot_number: null,
    order_id: late,
    user_id: anna.id,
    user_name: 'Иван Иванов',
    user_phone: anna.phone,
    user_email: anna.email,
    borrow_time: expect.stringMatching(/\+03:00$/),
    completed_at: null,
  })
  const returned = (await get(`/powerbanks-status/${bankOf(4)}`)).data
  expect(returned).toMatchObject({ order_id: back, slot_number: 8, completed_at: expect.stringMatching(/\+03:00$/) })
  expect((await get(`/powerbanks-status/${shelf!.id}`)).data).toMatchObject({ status: null, station_id: null })
})

test.each(['status_filter', 'status'])('the list filters by %s, and pages', async (name) => {
  expect(await ids(`${name}=in_use`)).toEqual([bankOf(1)])
  expect(await ids(`${name}=not_returned`)).toEqual([bankOf(2), bankOf(3)])
  expect(await ids(`${name}=in_station&limit=2`)).toEqual([bankOf(4), bankOf(5)])
  expect(await ids(`${name}=in_station&limit=2&page=2`)).toEqual([bankOf(6)])
  const { pagination } = await get(`/powerbanks-status?${name}=in_station&limit=2`)
  expect(pagination).toMatchObject({ total: 3, pages: 2, total_pages: 2, has_next: true, has_prev: false })
  expect(await ids(`org_unit_id=${group + 1_000}`)).toEqual([])
  const refused = await call('GET', `/api/powerbanks-status?${name}=lost`, { token: admin.token })
  expect(refused).toMatchObject({ status: 400, body: { error: expect.stringContaining(name) } })
})

test('the summary counts the same', async () => {
  expect((await get('/powerbanks-status/summary')).data).toEqual({
    total: 7,
    in_station: 3,
    in_use: 1,
    not_returned: 2,
    write_off_candidates: 1,
    elsewhere: 1,
  })
  expect((await get(`/powerbanks-status/summary?org_unit_id=${group + 1_000}`)).data).toMatchObject({ total: 0 })
})

test('the aliases say the same', async () => {
  const pairs = [
    ['/powerbanks-status?status_filter=not_returned&limit=1', '/powerbanks/status?status_filter=not_returned&limit=1'],
    ['/powerbanks-status/summary', '/powerbanks/status/summary'],
    [`/powerbanks-status/${bankOf(3)}`, `/powerbanks/${bankOf(3)}/status`],
  ]
  for (const [path, alias] of pairs) expect(await get(alias!)).toEqual(await get(path!))
})

test('who has a bank is told to that person and to staff, and to nobody else', async () => {
  const hidden = { order_id: null, user_id: null, user_name: null, user_phone: null, user_email: null }
  const path = `/powerbanks-status/${bankOf(1)}`
  expect((await get(path, anna.token)).data).toMatchObject({ order_id: fresh, user_phone: anna.phone })
  expect((await get(path, boris.token)).data).toMatchObject({ status: 'in_use', ...hidden })
  for (const bank of (await get('/powerbanks-status', boris.token)).data) expect(bank).toMatchObject(hidden)
  const below = await person('subgroup_admin', group)
  expect((await get(path, below.token)).data).toMatchObject({ user_id: anna.id })
})

test('banks of foreign units are out of sight, but for the one in your own hand', async () => {
  const foreign = await unit('чужие')
  const stranger = await person('group_admin', foreign)
  expect((await get('/powerbanks-status', stranger.token)).data).toEqual([])
  expect((await get('/powerbanks-status/summary', stranger.token)).data.total).toBe(0)
  const one = `/api/powerbanks-status/${bankOf(1)}`
  expect(await call('GET', one, { token: stranger.token })).toMatchObject({ status: 403 })
  await db.sql`update user_roles set org_unit_id = ${foreign} where user_id = ${anna.id}`
  expect(await call('GET', one, { token: anna.token })).toMatchObject({ status: 200 })
  expect(await call('GET', `/api/powerbanks-status/${bankOf(4)}`, { token: anna.token })).toMatchObject({ status: 403 })
  await db.sql`update user_roles set org_unit_id = ${group} where user_id = ${anna.id}`
})

test('a bank that waits for its cabinet is in the station, and once it left it is in use', async () => {
  const silent = await cabinet(stage, { orgUnitId: group, banks: [1], answers: { eject: () => null } })
  const { id, bankId } = silent.banks[1]!
  const body = { user_id: boris.id, slot_number: 1 }
  await call('POST', `/api/borrow/stations/${silent.stationId}/request`, { token: boris.token, body })
  expect((await get(`/powerbanks-status/${id}`)).data).toMatchObject({ status: 'in_station', completed_at: null })
  await silent.say({ kind: 'eject', slot: 1, bankId, ok: true, result: 1 })
  expect((await get(`/powerbanks-status/${id}`)).data).toMatchObject({ status: 'in_use', user_id: boris.id })
})
