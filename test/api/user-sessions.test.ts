import { expect, test } from 'vitest'
import { startApiServer } from './server.ts'

const { call, person, unit, db } = await startApiServer()
const service = await person('service_admin')

const put = (token: string, id: number, body: object) => call('PUT', `/api/users/${id}`, { token, body })
const remove = (token: string, id: number) => call('DELETE', `/api/users/${id}`, { token })
const isLoggedIn = async (token: string) => (await call('GET', '/api/auth/profile', { token })).status === 200
const openSessions = async (id: number) =>
  (await db.sql`select 1 from sessions where user_id = ${id} and revoked_at is null`).length

test('a blocked account loses its sessions at once, and gets none of them back', async () => {
  const someone = await person()
  expect(await isLoggedIn(someone.token)).toBe(true)
  expect((await put(service.token, someone.id, { status: 'blocked' })).status).toBe(200)
  expect(await isLoggedIn(someone.token)).toBe(false)
  expect(await openSessions(someone.id)).toBe(0)
  expect((await put(service.token, someone.id, { status: 'active' })).status).toBe(200)
  expect(await isLoggedIn(someone.token)).toBe(false)
})

test('a new password ends every session that the old one began', async () => {
  const someone = await person()
  expect((await put(service.token, someone.id, { password: 'another one' })).status).toBe(200)
  expect(await isLoggedIn(someone.token)).toBe(false)
  const login = { phone_e164: someone.phone, password: 'another one' }
  expect((await call('POST', '/api/auth/login', { body: login })).status).toBe(200)
})

test('a deleted account is gone for everybody, and its phone and email are free again', async () => {
  const someone = await person()
  expect((await remove(service.token, someone.id)).body).toEqual({ success: true, message: expect.any(String) })
  expect(await isLoggedIn(someone.token)).toBe(false)
  expect((await call('GET', `/api/users/${someone.id}`, { token: service.token })).status).toBe(404)
  expect((await remove(service.token, someone.id)).status).toBe(404)
  const again = { fio: 'Другой Человек', phone_e164: someone.phone, email: someone.email, password: 'password123' }
  expect((await call('POST', '/api/auth/register', { body: again })).status).toBe(201)
})

test('an account with a power bank out is not closed, however many try', async () => {
  const someone = await person('user', await unit('group'))
  const [station] = await db.sql`insert into stations (box_id, slots_declared) values ('OUT1', 8) returning id`
  const [order] = await db.sql`
    insert into orders (station_id, user_id, status) values (${station!.id}, ${someone.id}, 'borrow') returning id`
  expect(await remove(service.token, someone.id)).toMatchObject({ status: 400, body: { active_orders: 1 } })
  await db.sql`update orders set status = 'return', completed_at = now() where id = ${order!.id}`
  const answers = await Promise.all(Array.from({ length: 5 }, () => remove(service.token, someone.id)))
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 404, 404, 404, 404])
})

test('a decided newcomer does not wait again, and an approval by change is told like any', async () => {
  const [row] = await db.sql<{ id: number }[]>`
    insert into users (phone, email, full_name) values ('+79550000001', 'w@example.com', 'Ждёт') returning id`
  const { id } = row!
  const approved = await put(service.token, id, { status: 'active' })
  expect(approved).toMatchObject({ status: 200, body: { data: { status: 'active' } } })
  expect(await put(service.token, id, { status: 'pending' })).toMatchObject({ status: 400 })
  const notifications = await db.sql`select kind from notifications where user_id = ${id}`
  expect([...notifications]).toEqual([{ kind: 'user.approved' }])
})

test('of two service admins who block each other at once, one stays', async () => {
  for (let round = 0; round < 5; round++) {
    const [one, other] = [await person('service_admin'), await person('service_admin')]
    await Promise.all([
      put(one.token, other.id, { status: 'blocked' }),
      round % 2 ? remove(other.token, one.id) : put(other.token, one.id, { role: 'user' }),
    ])
    const left = [await isLoggedIn(one.token), await isLoggedIn(other.token)]
    const [admins] = await db.sql`
      select count(*) as count from user_roles r join users u on u.id = r.user_id
      where r.role = 'service_admin' and u.status = 'active' and u.deleted_at is null and u.id in (${one.id}, ${other.id})`
    expect(admins!.count, String(left)).toBe(1)
    await db.sql`delete from user_roles where user_id in (${one.id}, ${other.id})`
  }
})

test('the profile for clients counts the own orders', async () => {
  const group = await unit('Моя группа')
  const someone = await person('user', group)
  const [station] = await db.sql`insert into stations (box_id, slots_declared) values ('COUNT1', 8) returning id`
  for (const status of ['borrow', 'pending', 'return', 'cancelled'])
    await db.sql`
      insert into orders (station_id, user_id, status, completed_at) values (${station!.id}, ${someone.id}, ${status},
        ${['return', 'cancelled'].includes(status) ? new Date() : null})`
  const { status, body } = await call('GET', '/api/user/profile', { token: someone.token })
  expect(status).toBe(200)
  expect(body).toMatchObject({
    success: true,
    user: { user_id: someone.id, parent_org_unit_id: group, group_name: 'Моя группа' },
    statistics: { active_orders: 2, total_orders: 3 },
  })
  expect(body.data).toEqual(body.user)
})
