import { expect, test } from 'vitest'
import { cabinet } from './cabinet.ts'
import { startApiServer } from './server.ts'

const { call, person, unit, db, stage } = await startApiServer()
const group = await unit('Отдел продаж')
const admin = await person('group_admin', group)
const service = await person('service_admin')

/** A user of the group who may hold this many. */
async function user(limit = 5) {
  const someone = await person('user', group)
  await db.sql`update users set powerbank_limit = ${limit} where id = ${someone.id}`
  return someone
}
let serials = 0
async function bank(status = 'active', orgUnitId: number | null = group): Promise<number> {
  const [row] = await db.sql<{ id: number }[]>`
    insert into powerbanks (serial_number, org_unit_id, status) values (${`OC${++serials}`}, ${orgUnitId}, ${status}) returning id`
  return row!.id
}
const station = await cabinet(stage, { orgUnitId: group, isOffline: true })
const create = (body: object, token = admin.token) => call('POST', '/api/orders', { token, body })
const put = (id: number, body: object, token = admin.token) => call('PUT', `/api/orders/${id}`, { token, body })
const remove = (id: number, token = admin.token) => call('DELETE', `/api/orders/${id}`, { token })
const order = async (id: number) => (await call('GET', `/api/orders/${id}`, { token: admin.token })).body.data
const evidence = async (id: number) => (await db.sql`select evidence from orders where id = ${id}`)[0]!.evidence
const audited = (id: number) => db.sql`
  select action, old_values, new_values, user_id from audit_log where entity_type = 'order' and entity_id = ${id} order by id`

/** An order by hand, and whose it is of what. */
async function made(status = 'borrow', limit = 5) {
  const who = await user(limit)
  const powerbank_id = await bank()
  const body = { station_id: station.stationId, user_id: who.id, powerbank_id, status }
  const { status: code, body: answer } = await create(body)
  expect(code).toBe(201)
  return { id: answer.data.id as number, who, powerbank_id, body, answer }
}
/** An order that waits for a cabinet which says nothing. */
async function pending(isHeard: boolean) {
  const silent = { orgUnitId: group, banks: [1, 2], answers: { eject: () => null } }
  const box = await cabinet(stage, silent)
  // Not connected any more, as far as a gateway knows: what is asked of it stays in the queue.
  if (!isHeard) await db.sql`update device_sessions set node = 'test:elsewhere' where device_id = ${box.stationId}`
  const who = await user()
  const asked = { user_id: who.id, slot_number: 1 }
  const path = `/api/borrow/stations/${box.stationId}/request`
  const { body } = await call('POST', path, { token: who.token, body: asked })
  expect(body).toMatchObject({ status: 'pending' })
  return { box, who, id: body.order_id as number }
}
const command = async (orderId: number) =>
  (
    await db.sql`select c.status from device_commands c join orders o on o.command_id = c.id where o.id = ${orderId}`
  )[0]!

test('the documented order is written by hand, with evidence and audit', async () => {
  const { id, who, powerbank_id, body, answer } = await made()
  expect(answer).toMatchObject({ success: true, message: expect.any(String) })
  expect(answer.data).toMatchObject({
    ...body,
    is_admin_order: true,
    timestamp: expect.stringMatching(/\+03:00$/),
    borrowed_at: expect.any(String),
    completed_at: null,
  })
  expect(await order(id)).toEqual(answer.data)
  expect(await evidence(id)).toBe('set by an administrator')
  expect(await audited(id)).toMatchObject([
    { action: 'order.create', userId: admin.id, newValues: { userId: who.id, powerbankId: powerbank_id } },
  ])
})

test.each(['return', 'force_eject'])(
  'an order of the past is written as %s, and counts for nothing',
  async (status) => {
    const { id, powerbank_id, who, answer } = await made(status, 0)
    expect(answer.data).toMatchObject({ status, completed_at: expect.any(String) })
    expect(await order(id)).toMatchObject({ status })
    await db.sql`update users set powerbank_limit = 1 where id = ${who.id}`
    const body = { station_id: station.stationId, user_id: who.id, powerbank_id, status: 'borrow' }
    expect(await create(body)).toMatchObject({ status: 201 })
  },
)

test('a bank need not be named', async () => {
  const body = { station_id: station.stationId, user_id: (await user()).id, status: 'borrow' }
  expect(await create(body)).toMatchObject({ status: 201, body: { data: { powerbank_id: null } } })
})

test.each([
  ['station_id', { station_id: 999_999 }],
  ['user_id', { user_id: 999_999 }],
  ['powerbank_id', { powerbank_id: 999_999 }],
  ['status', { status: 'pending' }],
  ['status', { status: undefined }],
  ['station_id', { station_id: undefined }],
  ['user_id', { user_id: 'x' }],
])('an order with a bad %s (%o) is refused', async (field, change) => {
  const who = await user()
  const powerbank_id = await bank()
  const body = { station_id: station.stationId, user_id: who.id, powerbank_id, status: 'borrow', ...change }
  const refused = await create(body, service.token)
  expect(refused).toMatchObject({ status: 400, body: { success: false, error: expect.any(String) } })
  expect(JSON.stringify(refused.body)).toContain(field)
})

test('by hand too a bank is lent once, within the limit, and not when it is written off', async () => {
  const { powerbank_id, who } = await made('borrow', 1)
  const body = { station_id: station.stationId, user_id: (await user()).id, powerbank_id, status: 'borrow' }
  expect(await create(body)).toMatchObject({ status: 400, body: { error: 'Повербанк уже выдан' } })
  expect(await create({ ...body, user_id: who.id, powerbank_id: await bank() })).toMatchObject({
    status: 400,
    body: { limit: { effective_limit: 1, active_count: 1 } },
  })
  expect(await create({ ...body, powerbank_id: await bank('written_off') })).toMatchObject({ status: 400 })
})

test('of twenty orders by hand for one bank at once one is written', async () => {
  const powerbank_id = await bank()
  const people = await Promise.all(Array.from({ length: 20 }, () => user()))
  const body = { station_id: station.stationId, powerbank_id, status: 'borrow' }
  const answers = await Promise.all(people.map(({ id }) => create({ ...body, user_id: id })))
  expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array(19).fill(400)])
})

test('the limit holds for orders by hand at once', async () => {
  const who = await user(3)
  const banks = await Promise.all(Array.from({ length: 10 }, () => bank()))
  const body = { station_id: station.stationId, user_id: who.id, status: 'borrow' }
  const answers = await Promise.all(banks.map((powerbank_id) => create({ ...body, powerbank_id })))
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(3)
  expect(answers.filter(({ status }) => status === 400)).toHaveLength(7)
})

test('a bank lent by hand leaves its slot; a cabinet that still has it has the last word', async () => {
  const box = await cabinet(stage, { orgUnitId: group, banks: [2] })
  const { id: powerbank_id } = box.banks[2]!
  const who = await user()
  const body = { station_id: box.stationId, user_id: who.id, powerbank_id, status: 'borrow' }
  const { id } = (await create(body)).body.data
  expect(await order(id)).toMatchObject({ slot_number: 2 })
  const [look] = await db.sql`
    select inventory_due_at > now() as due, (select count(*) from station_powerbanks where station_id = s.id) as held
    from stations s where id = ${box.stationId}`
  expect(look).toEqual({ due: true, held: 0 })
  await db.sql`update orders set borrowed_at = now() - interval '1 minute' where id = ${id}`
  await box.say(box.inventory())
  expect(await order(id)).toMatchObject({ status: 'cancelled', return_station_id: null })
  expect(await evidence(id)).toBe('inventory: the bank was not taken')
})

test('the documented change returns an order, and said twice or at once it is done once', async () => {
  const { id } = await made()
  const answers = await Promise.all([1, 2, 3].map(() => put(id, { status: 'return' })))
  for (const { status, body } of answers) {
    expect(status).toBe(200)
    expect(body).toMatchObject({ success: true, message: expect.any(String), data: { id, status: 'return' } })
  }
  expect(await order(id)).toMatchObject({ completed_at: expect.any(String) })
  expect(await evidence(id)).toBe('set by an administrator')
  expect(await audited(id)).toMatchObject([
    { action: 'order.create' },
    { action: 'order.update', oldValues: { status: 'borrow' }, newValues: { status: 'return' }, userId: admin.id },
  ])
})

test.each([
  ['return', 'borrow'],
  ['return', 'force_eject'],
  ['force_eject', 'return'],
  ['borrow', 'cancelled'],
])('there is no way from %s to %s', async (from, to) => {
  const { id } = await made(from)
  expect(await put(id, { status: to })).toMatchObject({ status: 400, body: { success: false, from, to } })
  expect(await order(id)).toMatchObject({ status: from })
})

test('one of two contradictory changes at once is refused', async () => {
  const { id } = await made()
  const answers = await Promise.all(['return', 'force_eject'].map((status) => put(id, { status })))
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 400])
})

test('a corrected order obeys the limit of its new user and the freedom of its new bank', async () => {
  const { id, who } = await made()
  const other = await made('borrow', 1)
  expect(await put(id, { user_id: other.who.id })).toMatchObject({ status: 400, body: { limit: { active_count: 1 } } })
  expect(await put(id, { powerbank_id: other.powerbank_id })).toMatchObject({ status: 400 })
  expect(await order(id)).toMatchObject({ user_id: who.id })
  const [better, next] = [await bank(), await user()]
  const there = await cabinet(stage, { orgUnitId: group, isOffline: true })
  const right = { user_id: next.id, powerbank_id: better, station_id: there.stationId }
  expect((await put(id, right)).body.data).toMatchObject({ ...right, status: 'borrow' })
  expect((await put(id, right)).status).toBe(200)
  expect((await audited(id)).map(({ action }) => action)).toEqual(['order.create', 'order.update'])
  for (const field of ['user_id', 'powerbank_id', 'station_id'])
    expect(await put(id, { [field]: 999_999 }, service.token)).toMatchObject({ status: 400, body: { field } })
})

test('an order whose eject has not left is taken over: the bank stays at home', async () => {
  const { id, box } = await pending(false)
  expect(await put(id, { status: 'cancelled' })).toMatchObject({ status: 200, body: { data: { status: 'cancelled' } } })
  expect(await command(id)).toEqual({ status: 'expired' })
  expect(box.heard).toEqual([])
  // It went out by hand after all: the ways are those of a late answer.
  expect(await put(id, { status: 'borrow' })).toMatchObject({ status: 200, body: { data: { completed_at: null } } })
})

test('an order that its cabinet works on just now is left alone', async () => {
  const { id, box } = await pending(true)
  for (const status of ['cancelled', 'borrow', 'return'])
    expect(await put(id, { status })).toMatchObject({ status: 400, body: { order_id: id } })
  expect(await remove(id)).toMatchObject({ status: 400 })
  expect(await put(id, { user_id: (await user()).id })).toMatchObject({ status: 400 })
  // Nobody knows what came of it: now an administrator may decide.
  const [row] = await db.sql<{ commandId: number }[]>`select command_id from orders where id = ${id}`
  await box.giveUpOn(row!.commandId)
  expect(await put(id, { status: 'borrow' })).toMatchObject({ status: 200, body: { data: { status: 'borrow' } } })
})

test('a cancelled order comes back to life only within the limit and with a free bank', async () => {
  const { id, who, box } = await pending(false)
  await put(id, { status: 'cancelled' })
  await db.sql`update users set powerbank_limit = 0 where id = ${who.id}`
  expect(await put(id, { status: 'borrow' })).toMatchObject({ status: 400, body: { limit: { effective_limit: 0 } } })
  await db.sql`update users set powerbank_limit = 1 where id = ${who.id}`
  const other = {
    station_id: box.stationId,
    user_id: (await user()).id,
    powerbank_id: box.banks[1]!.id,
    status: 'borrow',
  }
  expect((await create(other)).status).toBe(201)
  expect(await put(id, { status: 'borrow' })).toMatchObject({ status: 400, body: { error: 'Повербанк уже выдан' } })
})

test('an order is deleted once: it is gone from the lists, and its bank and its user are free', async () => {
  const { id, who, powerbank_id, body } = await made('borrow', 1)
  const answers = await Promise.all([remove(id), remove(id)])
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 404])
  expect(await call('GET', `/api/orders/${id}`, { token: admin.token })).toMatchObject({ status: 404 })
  const list = await call('GET', `/api/orders?user_id=${who.id}`, { token: admin.token })
  expect(list.body.data).toEqual([])
  expect(await put(id, { status: 'return' })).toMatchObject({ status: 404 })
  expect((await audited(id)).at(-1)).toMatchObject({
    action: 'order.delete',
    oldValues: { powerbankId: powerbank_id, status: 'borrow' },
  })
  expect(await create(body)).toMatchObject({ status: 201 })
})

test('who waits for an order that is deleted meanwhile is told so', async () => {
  const silent = await cabinet(stage, { orgUnitId: group, banks: [1], answers: { eject: () => null } })
  await db.sql`update device_sessions set node = 'test:elsewhere' where device_id = ${silent.stationId}`
  const who = await user()
  const body = { user_id: who.id, slot_number: 1 }
  const waiting = call('POST', `/api/borrow/stations/${silent.stationId}/request`, { token: who.token, body })
  let id: number | undefined
  while (id === undefined) id = (await db.sql<{ id: number }[]>`select id from orders where user_id = ${who.id}`)[0]?.id
  expect(await remove(id)).toMatchObject({ status: 200 })
  expect(await waiting).toMatchObject({ status: 404, body: { error: 'Заказ не найден' } })
})

test('foreign orders, stations, people and banks are out of reach', async () => {
  const { id, body } = await made()
  const foreign = await unit('чужие')
  const stranger = await person('group_admin', foreign)
  const theirs = await person('user', foreign)
  expect(await put(id, { status: 'return' }, stranger.token)).toMatchObject({ status: 403 })
  expect(await remove(id, stranger.token)).toMatchObject({ status: 403 })
  expect(await create(body, stranger.token)).toMatchObject({ status: 403 })
  const away = await cabinet(stage, { orgUnitId: foreign, isOffline: true })
  for (const change of [
    { station_id: away.stationId },
    { user_id: theirs.id },
    { powerbank_id: await bank('active', foreign) },
  ]) {
    expect(await create({ ...body, powerbank_id: await bank(), ...change })).toMatchObject({ status: 403 })
    expect(await put(id, change)).toMatchObject({ status: 403 })
  }
  expect(await put(999_999, { status: 'return' })).toMatchObject({ status: 404 })
})
