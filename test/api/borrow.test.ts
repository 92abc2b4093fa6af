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
const request = (stationId: number, who: { id: number; token: string }, slot: number, headers: object = {}) =>
  call('POST', `/api/borrow/stations/${stationId}/request`, {
    token: who.token,
    body: { user_id: who.id, slot_number: slot },
    headers,
  })
const order = async (id: number) => (await call('GET', `/api/orders/${id}`, { token: service.token })).body.data
const openOrders = async (userId: number) =>
  (
    await db.sql<{ n: number }[]>`
    select count(*) as n from orders where user_id = ${userId} and status in ('pending', 'borrow')`
  )[0]!.n

test('the documented request lends the bank of the slot', async () => {
  const box = await cabinet(stage, { orgUnitId: group, banks: [1, 2] })
  const anna = await user()
  const { status, body } = await request(box.stationId, anna, 1)
  expect({ status, body }).toMatchObject({ status: 200 })
  const loan = {
    order_id: expect.any(Number),
    station_id: box.stationId,
    slot_number: 1,
    powerbank_id: box.banks[1]!.id,
    serial_number: box.banks[1]!.bankId,
    user_id: anna.id,
  }
  expect(body).toEqual({ success: true, message: expect.any(String), ...loan, data: loan })
  expect(await order(body.order_id)).toMatchObject({ status: 'borrow', user_id: anna.id, station_box_id: box.boxId })
  const slot = await call('GET', `/api/borrow/stations/${box.stationId}/slots/1/status`, { token: anna.token })
  expect(slot.body).toMatchObject({ success: true, status: 'empty' })
})

test('the optimal bank is the fullest healthy one, and the same one that select-optimal names', async () => {
  const box = await cabinet(stage, { orgUnitId: group, banks: [1, 2, 3], levels: { 1: 50, 2: 3, 3: 90 } })
  const anna = await user()
  const at = `/api/borrow/stations/${box.stationId}`
  const chosen = await call('GET', `${at}/select-optimal?user_id=${anna.id}`, { token: anna.token })
  expect(chosen).toMatchObject({
    status: 200,
    body: { success: true, total_available: 3, healthy_count: 2, error_count: 1, selection_reason: expect.any(String) },
  })
  expect(chosen.body.selected_powerbank).toMatchObject({ slot_number: 3, level: 90, has_errors: false })
  const given = { token: anna.token, body: { user_id: anna.id }, headers: { 'Idempotency-Key': 'best' } }
  const lent = await call('POST', `${at}/request-optimal`, given)
  expect(lent).toMatchObject({ status: 200, body: { slot_number: 3, powerbank_id: box.banks[3]!.id } })
  const { selection_reason, total_available, healthy_count, error_count } = chosen.body
  expect(selection_reason).toBe('Наибольший заряд (90%) среди исправных: 2 из 3')
  expect(lent.body).toMatchObject({ selection_reason, total_available, healthy_count, error_count })
  // The reason is kept with the order: said twice, the answer is the same.
  expect((await call('POST', `${at}/request-optimal`, given)).body).toEqual(lent.body)
})

test.each([
  ['the only one', [1], {}, {}, 1, 'Единственный доступный повербанк'],
  ['the only healthy one', [1, 2], { 1: 3, 2: 40 }, {}, 2, 'Единственный исправный из 2 доступных'],
  ['the soundest of the full', [1, 2], {}, { 1: 80 }, 2, 'Заряд одинаковый, наибольшее soh среди исправных: 2 из 2'],
  ['the first of equals', [2, 3], {}, {}, 2, 'Заряд и soh одинаковые, наименьший номер слота среди исправных: 2 из 2'],
  ['the best of the bad', [1, 2], { 1: 1, 2: 2 }, {}, 2, 'Наибольший заряд (2%) среди 2 с ошибками, исправных нет'],
])('the optimal bank is explained: %s', async (_, banks, levels, soh: Record<number, number>, slot, reason) => {
  const box = await cabinet(stage, { orgUnitId: group, banks, levels })
  for (const [at, value] of Object.entries(soh))
    await db.sql`update powerbanks set soh = ${value} where id = ${box.banks[Number(at)]!.id}`
  const anna = await user()
  const path = `/api/borrow/stations/${box.stationId}/request-optimal`
  const lent = await call('POST', path, { token: anna.token, body: { user_id: anna.id } })
  expect(lent).toMatchObject({ status: 200, body: { slot_number: slot, selection_reason: reason } })
})

test('a bank asked for by its id comes from where it sits', async () => {
  const box = await cabinet(stage, { orgUnitId: group, banks: [4] })
  const anna = await user()
  const path = `/api/borrow/powerbanks/${box.banks[4]!.id}/request`
  const body = { user_id: anna.id }
  expect(await call('POST', path, { token: anna.token, body })).toMatchObject({
    status: 200,
    body: { station_id: box.stationId, slot_number: 4, powerbank_id: box.banks[4]!.id },
  })
  expect(await call('POST', path, { token: anna.token, body })).toMatchObject({ status: 400, body: { success: false } })
  const unknown = await call('POST', '/api/borrow/powerbanks/999999/request', { token: anna.token, body })
  expect(unknown.status).toBe(404)
})

test('the same key twice is one order, one eject and the same answer', async () => {
  const box = await cabinet(stage, { orgUnitId: group, banks: [1, 2] })
  const anna = await user()
  const headers = { 'Idempotency-Key': 'borrow-once' }
  const [first, second] = await Promise.all([
    request(box.stationId, anna, 1, headers),
    request(box.stationId, anna, 1, headers),
  ])
  expect(first).toMatchObject({ status: 200 })
  expect(second.body).toEqual(first.body)
  expect((await request(box.stationId, anna, 1, headers)).body).toEqual(first.body)
  expect(box.heard.filter(({ kind }) => kind === 'eject')).toHaveLength(1)
  expect(await openOrders(anna.id)).toBe(1)
  expect(await request(box.stationId, anna, 2, headers)).toMatchObject({ status: 400, body: { success: false } })
  const boris = await user()
  expect(await request(box.stationId, boris, 2, headers)).toMatchObject({ status: 200 })
})

test('a key repeated for a bank that is out already finds its order', async () => {
  const box = await cabinet(stage, { orgUnitId: group, banks: [1] })
  const anna = await user()
  const path = `/api/borrow/powerbanks/${box.banks[1]!.id}/request`
  const given = { token: anna.token, body: { user_id: anna.id }, headers: { 'Idempotency-Key': 'by-bank' } }
  const first = await call('POST', path, given)
  expect(first.status).toBe(200)
  expect((await call('POST', path, given)).body).toEqual(first.body)
})

test('of twenty who want one bank at once one gets it', async () => {
  const box = await cabinet(stage, { orgUnitId: group, banks: [1] })
  const people = await Promise.all(Array.from({ length: 20 }, () => user()))
  const answers = await Promise.all(people.map((who) => request(box.stationId, who, 1)))
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
  expect(answers.filter(({ status }) => status === 400)).toHaveLength(19)
  expect(box.heard.filter(({ kind }) => kind === 'eject')).toHaveLength(1)
})

test('the limit holds for requests at once, and its refusal says how it stands', async () => {
  const box = await cabinet(stage, { orgUnitId: group, banks: [1, 2, 3, 4, 5, 6] })
  const anna = await user(2)
  const answers = await Promise.all([1, 2, 3, 4, 5, 6].map((slot) => request(box.stationId, anna, slot)))
  expect(answers.filter(({ status }) => status === 400).length).toBeGreaterThanOrEqual(4)
  expect(await openOrders(anna.id)).toBeLessThanOrEqual(2)
  const refused = answers.find(({ status }) => status === 400)!
  expect(refused.body).toMatchObject({
    success: false,
    error: expect.any(String),
    limit: { user_id: anna.id, effective_limit: 2, limit_type: 'individual', active_count: 2 },
  })
})

test('a cabinet that says nothing leaves the order pending: 408 names it, and its late answer still counts', async () => {
  const box = await cabinet(stage, { orgUnitId: group, banks: [1], answers: { eject: () => null } })
  const anna = await user()
  const { status, body } = await request(box.stationId, anna, 1)
  expect({ status, body }).toMatchObject({
    status: 408,
    body: { success: false, error: expect.any(String), order_id: expect.any(Number), status: 'pending' },
  })
  expect(await order(body.order_id)).toMatchObject({ status: 'pending' })
  await box.say({ kind: 'eject', slot: 1, bankId: box.banks[1]!.bankId, ok: true, result: 1 })
  expect(await order(body.order_id)).toMatchObject({ status: 'borrow' })
})

test('a refused eject is cancelled once the inventory shows that the bank stayed', async () => {
  const box = await cabinet(stage, {
    orgUnitId: group,
    banks: [1],
    answers: { eject: ({ slot }) => ({ kind: 'eject', slot, bankId: null, ok: false, result: 0 }) },
  })
  const anna = await user()
  const asked = request(box.stationId, anna, 1)
  await box.heardOf('eject')
  await box.say(box.inventory())
  const { status, body } = await asked
  expect({ status, body }).toMatchObject({ status: 400, body: { success: false, status: 'cancelled' } })
  expect(await order(body.order_id)).toMatchObject({ status: 'cancelled', completed_at: expect.any(String) })
  const listed = await call('GET', `/api/orders?user_id=${anna.id}`, { token: anna.token })
  expect(listed.body).toMatchObject({ data: [], pagination: { total: 0 } })
})

test('a person whom nobody knows is told apart from one without access', async () => {
  const box = await cabinet(stage, { orgUnitId: group, banks: [1] })
  const { token } = await person('service_admin')
  for (const path of [
    `borrow/stations/${box.stationId}/request-optimal`,
    `borrow/powerbanks/${box.banks[1]!.id}/request`,
  ])
    expect(await call('POST', `/api/${path}`, { token, body: { user_id: 999_999 } })).toMatchObject({
      status: 404,
      body: { error: 'Пользователь не найден' },
    })
  expect(box.heard).toEqual([])
})

test.each([
  ['an unknown station', { station: 999_999 }, 404],
  ['an inactive station', { status: 'inactive' }, 400],
  ['a pending station', { status: 'pending' }, 400],
  ['an offline station', { isOffline: true }, 400],
  ['an empty slot', { slot: 2 }, 400],
  ['a slot below the first', { slot: 0 }, 400],
  ['a slot beyond the last', { slot: 9 }, 400],
  ['a user without any limit left', { limit: 0 }, 400],
])('%s is refused and moves nothing', async (_, { station, slot = 1, limit, ...options }: any, status) => {
  const box = await cabinet(stage, { orgUnitId: group, banks: [1], ...options })
  const anna = await user(limit)
  const refused = await request(station ?? box.stationId, anna, slot)
  expect(refused).toMatchObject({ status, body: { success: false, error: expect.any(String) } })
  expect(box.heard).toEqual([])
  expect(await openOrders(anna.id)).toBe(0)
})

test.each(['unknown', 'written_off', 'user_reported_broken', 'system_error'])(
  'a bank that is %s is not lent',
  async (state) => {
    const box = await cabinet(stage, { orgUnitId: group, banks: [1] })
    await db.sql`update powerbanks set status = ${state} where id = ${box.banks[1]!.id}`
    const anna = await user()
    expect(await request(box.stationId, anna, 1)).toMatchObject({ status: 400 })
    const at = `/api/borrow/stations/${box.stationId}`
    expect(await call('GET', `${at}/select-optimal`, { token: anna.token })).toMatchObject({ status: 404 })
    const optimal = await call('POST', `${at}/request-optimal`, { token: anna.token, body: { user_id: anna.id } })
    expect(optimal).toMatchObject({ status: 400 })
  },
)

test('who belongs elsewhere has no access to the station', async () => {
  const box = await cabinet(stage, { orgUnitId: group, banks: [1] })
  const foreign = await user(5, await unit('чужие'))
  const lonely = await user(5, null)
  for (const who of [foreign, lonely]) expect(await request(box.stationId, who, 1)).toMatchObject({ status: 403 })
})

test('a user of the parent group borrows in the subgroup, not the other way round', async () => {
  const below = await cabinet(stage, { orgUnitId: await unit('ниже', group), banks: [1] })
  expect(await request(below.stationId, await user(), 1)).toMatchObject({ status: 200 })
  const above = await cabinet(stage, { orgUnitId: group, banks: [1] })
  const lower = await user(5, await unit('ещё ниже', group))
  expect(await request(above.stationId, lower, 1)).toMatchObject({ status: 403 })
})

test('nobody borrows in the name of another, but staff do for their people', async () => {
  const box = await cabinet(stage, { orgUnitId: group, banks: [1, 2] })
  const anna = await user()
  const boris = await user()
  const body = { user_id: boris.id, slot_number: 1 }
  const path = `/api/borrow/stations/${box.stationId}/request`
  expect(await call('POST', path, { token: anna.token, body })).toMatchObject({ status: 403 })
  const foreign = await person('group_admin', await unit('соседи'))
  expect(await call('POST', path, { token: foreign.token, body })).toMatchObject({ status: 403 })
  const done = await call('POST', path, { token: admin.token, body })
  expect(done).toMatchObject({ status: 200, body: { user_id: boris.id } })
})

test.each([
  ['user_id', { slot_number: 1 }],
  ['user_id', { user_id: 'я', slot_number: 1 }],
  ['slot_number', { user_id: 1 }],
  ['slot_number', { user_id: 1, slot_number: 1.5 }],
])('a request with a bad %s is refused and names the field', async (field, body) => {
  const anna = await user()
  const refused = await call('POST', '/api/borrow/stations/1/request', { token: anna.token, body })
  expect(refused).toMatchObject({ status: 400, body: { success: false, error: expect.stringContaining(field) } })
})
