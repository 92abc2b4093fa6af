import { expect, test } from 'vitest'
import { startApiServer } from './server.ts'

const { call, person, unit, db } = await startApiServer()
const service = await person('service_admin')

let phones = 79_220_000_000
async function newcomer(): Promise<{ id: number; phone: string }> {
  const phone = `+${++phones}`
  const [row] = await db.sql<{ id: number }[]>`
    insert into users (phone, email, full_name) values (${phone}, ${`${phones}@e.com`}, 'Новый Человек') returning id`
  return { id: row!.id, phone }
}
const approve = (token: string, body: object) => call('POST', '/api/admin/approve-user', { token, body })
const reject = (token: string, body: object) => call('POST', '/api/admin/reject-user', { token, body })

test('pending users are listed under both keys, the longest waiting first', async () => {
  const [first, second] = [await newcomer(), await newcomer()]
  const { status, body } = await call('GET', '/api/admin/pending-users', { token: service.token })
  expect(status).toBe(200)
  expect(body.users).toEqual(body.data)
  const ours = body.users.filter(({ user_id }: { user_id: number }) => [first.id, second.id].includes(user_id))
  expect(ours.map(({ user_id }: { user_id: number }) => user_id)).toEqual([first.id, second.id])
  expect(ours[0]).toEqual({
    user_id: first.id,
    phone_e164: first.phone,
    email: expect.any(String),
    fio: 'Новый Человек',
    status: 'pending',
    created_at: expect.stringMatching(/\+03:00$/),
  })
  const small = await call('GET', '/api/admin/pending-users?limit=1&page=2', { token: service.token })
  expect(small.body.users).toHaveLength(1)
  expect(small.body.pagination).toMatchObject({ page: 2, limit: 1 })
})

test('an approved newcomer is active, has the role in the unit, and it is written down', async () => {
  const group = await unit('group')
  const { id } = await newcomer()
  const body = { user_id: id, role: 'user', org_unit_id: group }
  expect(await approve(service.token, body)).toMatchObject({
    status: 200,
    body: { success: true, message: expect.any(String) },
  })
  const [user] = await db.sql`select status from users where id = ${id}`
  expect(user!.status).toBe('active')
  const roles = await db.sql`select surface, role, org_unit_id from user_roles where user_id = ${id}`
  expect([...roles]).toEqual([{ surface: 'powerbank', role: 'user', orgUnitId: group }])
  const [audit] = await db.sql`select user_id, action from audit_log where entity_type = 'user' and entity_id = ${id}`
  expect(audit).toEqual({ userId: service.id, action: 'user.approve' })
  const [event] = await db.sql`select kind from events where user_id = ${id}`
  expect(event!.kind).toBe('user.approved')
})

test('who is approved without a unit is said to be able to do nothing', async () => {
  const { id } = await newcomer()
  const { status, body } = await approve(service.token, { user_id: id, role: 'user' })
  expect({ status, message: body.message }).toEqual({
    status: 200,
    message: expect.stringContaining('PUT /api/users/'),
  })
})

test('a word that is missing is told as missing, and a wrong one with those there are', async () => {
  const { id } = await newcomer()
  const error = async (body: object) => (await approve(service.token, body)).body.error
  expect(await error({ user_id: id })).toBe('Отсутствует обязательное поле role')
  expect(await error({ user_id: id, role: 'king' })).toMatch(/^Поле role: допустимые значения: /)
})

test('approved ten times at once is approved once', async () => {
  const { id } = await newcomer()
  const answers = await Promise.all(
    Array.from({ length: 10 }, () => approve(service.token, { user_id: id, role: 'user' })),
  )
  expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(9).fill(400)])
  const [count] = await db.sql`select count(*) as n from user_roles where user_id = ${id}`
  expect(count!.n).toBe(1)
})

test('approved and rejected at once, one of them counts', async () => {
  const { id } = await newcomer()
  const [yes, no] = await Promise.all([
    approve(service.token, { user_id: id, role: 'user' }),
    reject(service.token, { user_id: id, reason: 'Неверные данные' }),
  ])
  expect([yes.status, no.status].sort()).toEqual([200, 400])
  const [user] = await db.sql`select status from users where id = ${id}`
  expect(user!.status).toBe(yes.status === 200 ? 'active' : 'blocked')
})

test('a rejected newcomer is blocked, with the reason kept', async () => {
  const { id } = await newcomer()
  expect(await reject(service.token, { user_id: id, reason: 'Неверные данные' })).toMatchObject({ status: 200 })
  const [user] = await db.sql`select status, reject_reason from users where id = ${id}`
  expect(user).toEqual({ status: 'blocked', rejectReason: 'Неверные данные' })
  const [audit] =
    await db.sql`select action, description from audit_log where entity_type = 'user' and entity_id = ${id}`
  expect(audit).toEqual({ action: 'user.reject', description: 'Неверные данные' })
  expect(await reject(service.token, { user_id: id, reason: 'ещё раз' })).toMatchObject({ status: 400 })
})

test('a group_admin lets people into the own group only, and makes no service_admin', async () => {
  const group = await unit('group')
  const subgroup = await unit('subgroup', group)
  const foreign = await unit('foreign')
  const { token } = await person('group_admin', group)
  const { id } = await newcomer()
  expect(await approve(token, { user_id: id, role: 'user', org_unit_id: foreign })).toMatchObject({ status: 403 })
  expect(await approve(token, { user_id: id, role: 'user' })).toMatchObject({ status: 403 })
  expect(await approve(token, { user_id: id, role: 'service_admin', org_unit_id: group })).toMatchObject({
    status: 403,
  })
  expect(await approve(token, { user_id: id, role: 'subgroup_admin', org_unit_id: subgroup })).toMatchObject({
    status: 200,
  })
})

test.each([
  [404, { user_id: 999_999, role: 'user' }],
  [400, { role: 'user' }],
  [400, { user_id: 'x', role: 'user' }],
  [400, { user_id: 0, role: 'user' }],
  [400, { user_id: 1, role: 'king' }],
  [400, {}],
])('approving answers %i to %o', async (status, body) => {
  expect(await approve(service.token, body)).toMatchObject({ status, body: { success: false } })
})

test('an approval that names no such unit, or a unit role without one, changes nothing', async () => {
  const { id } = await newcomer()
  for (const body of [
    { user_id: id, role: 'user', org_unit_id: 999_999 },
    { user_id: id, role: 'group_admin' },
  ])
    expect(await approve(service.token, body)).toMatchObject({ status: 400, body: { field: 'org_unit_id' } })
  const [user] = await db.sql`select status from users where id = ${id}`
  expect(user!.status).toBe('pending')
})

test('rejecting somebody unknown, or somebody active, is refused', async () => {
  const active = await person()
  expect(await reject(service.token, { user_id: 999_999 })).toMatchObject({ status: 404 })
  expect(await reject(service.token, { user_id: active.id })).toMatchObject({ status: 400 })
})

test('who waits in a unit already is seen and decided about by its own admins only', async () => {
  const [group, foreign] = [await unit('group'), await unit('foreign')]
  const [admin, stranger] = [await person('group_admin', group), await person('group_admin', foreign)]
  const { id } = await newcomer()
  await db.sql`insert into user_roles (user_id, surface, role, org_unit_id) values (${id}, 'powerbank', 'user', ${group})`
  const sees = async (token: string) =>
    (await call('GET', '/api/admin/pending-users', { token })).body.users.some(
      ({ user_id }: { user_id: number }) => user_id === id,
    )
  expect([await sees(admin.token), await sees(stranger.token), await sees(service.token)]).toEqual([true, false, true])
  const into = (org_unit_id: number) => ({ user_id: id, role: 'user', org_unit_id })
  expect(await approve(stranger.token, into(foreign))).toMatchObject({ status: 403 })
  expect(await reject(stranger.token, { user_id: id, reason: 'нет' })).toMatchObject({ status: 403 })
  expect(await approve(admin.token, into(group))).toMatchObject({ status: 200 })
})
