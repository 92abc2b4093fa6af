import { describe, expect, test } from 'vitest'
import { startApiServer } from './server.ts'

const { call, person, unit, db } = await startApiServer()
const service = await person('service_admin')

let phones = 79_440_000_000
const given = (change: object = {}) => {
  const phone = `+${++phones}`
  return {
    fio: 'Иван Иванов',
    phone_e164: phone,
    email: `u${phones}@example.com`,
    role: 'user',
    status: 'active',
    password: 'password123',
    ...change,
  }
}
const create = (token: string, body: object) => call('POST', '/api/users', { token, body })
const change = (token: string, id: number, body: object) => call('PUT', `/api/users/${id}`, { token, body })
const remove = (token: string, id: number) => call('DELETE', `/api/users/${id}`, { token })
const read = (token: string, id: number) => call('GET', `/api/users/${id}`, { token })

/** Two groups, the first with a subgroup, and their staff. */
async function tree() {
  const group = await unit('group')
  const [subgroup, foreign] = [await unit('subgroup', group), await unit('foreign')]
  return {
    group,
    subgroup,
    foreign,
    admin: await person('group_admin', group),
    sub: await person('subgroup_admin', subgroup),
    stranger: await person('group_admin', foreign),
  }
}

const keys = [
  ...['user_id', 'phone_e164', 'email', 'fio', 'created_at', 'last_login_at', 'status', 'role', 'parent_org_unit_id'],
  ...['individual_limit', 'group_default_limit', 'group_name', 'powerbank_limit'],
]

test('an account made by an admin has the documented keys, logs in, and never shows its password', async () => {
  const group = await unit('Отдел продаж')
  const body = given({ parent_org_unit_id: group, powerbank_limit: 2 })
  const made = await create(service.token, body)
  expect(made.status).toBe(201)
  expect(made.body).toMatchObject({ success: true, message: expect.any(String) })
  for (const key of keys) expect(made.body.data).toHaveProperty(key)
  expect(made.body.data).toMatchObject({
    phone_e164: body.phone_e164,
    role: 'user',
    parent_org_unit_id: group,
    individual_limit: 2,
    group_default_limit: 1,
    group_name: 'Отдел продаж',
  })
  const id = made.body.data.user_id
  const login = { phone_e164: body.phone_e164, password: body.password }
  expect((await call('POST', '/api/auth/login', { body: login })).status).toBe(200)
  const seen = await read(service.token, id)
  expect(seen.body.data).toEqual({ ...made.body.data, last_login_at: expect.any(String) })
  const [row] = await db.sql`select * from audit_log where entity_type = 'user' and entity_id = ${id}`
  expect(row).toMatchObject({ userId: service.id, action: 'user.create' })
  expect(JSON.stringify([made.body, seen.body, row])).not.toMatch(/argon2|password123/)
})

test('a phone and an email are taken once, be it by twenty at the same time', async () => {
  const body = given()
  const answers = await Promise.all(Array.from({ length: 20 }, () => create(service.token, body)))
  expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array(19).fill(400)])
  const again = await create(service.token, { ...given(), email: body.email.toUpperCase() })
  expect(again).toMatchObject({ status: 400, body: { error: 'Пользователь с таким email уже существует' } })
})

describe('an account is refused', () => {
  test.each<[string, unknown]>([
    ...['fio', 'phone_e164', 'email', 'role', 'status', 'password'].map(
      (field) => [field, undefined] as [string, unknown],
    ),
    ['role', 'king'],
    ['status', 'deleted'],
    ['powerbank_limit', -1],
    ['phone_e164', '8900'],
    ['parent_org_unit_id', 'x'],
    ['parent_org_unit_id', 999_999],
  ])('with %s %s, and the answer names it', async (field, value) => {
    const { status, body } = await create(service.token, given({ [field]: value }))
    expect(status).toBe(400)
    expect(JSON.stringify(body)).toContain(field === 'parent_org_unit_id' && value === 999_999 ? 'org_unit_id' : field)
  })
})

test('a group admin makes people of the own tree only, and nobody above', async () => {
  const { group, subgroup, foreign, admin, sub } = await tree()
  const home = await create(admin.token, given())
  expect(home).toMatchObject({ status: 201, body: { data: { parent_org_unit_id: group } } })
  const attempt = async (token: string, body: object) => (await create(token, given(body))).status
  expect(await attempt(admin.token, { parent_org_unit_id: subgroup, role: 'subgroup_admin' })).toBe(201)
  expect(await attempt(admin.token, { parent_org_unit_id: group, role: 'group_admin' })).toBe(201)
  expect(await attempt(admin.token, { parent_org_unit_id: foreign })).toBe(403)
  expect(await attempt(admin.token, { role: 'service_admin' })).toBe(403)
  expect(await attempt(sub.token, { parent_org_unit_id: subgroup })).toBe(201)
  expect(await attempt(sub.token, { parent_org_unit_id: group })).toBe(403)
  expect(await attempt(sub.token, { parent_org_unit_id: subgroup, role: 'group_admin' })).toBe(403)
  expect(await attempt(service.token, { role: 'group_admin' })).toBe(400)
})

test('lists and objects end at the own units', async () => {
  const { group, subgroup, foreign, admin, sub, stranger } = await tree()
  const [mine, below, theirs] = [
    await person('user', group),
    await person('user', subgroup),
    await person('user', foreign),
  ]
  const listed = async (token: string, query = '') =>
    (await call('GET', `/api/users?limit=100${query}`, { token })).body.data.map((one: any) => one.user_id)
  expect(await listed(admin.token)).toEqual([admin, sub, mine, below].map(({ id }) => id).sort((a, b) => a - b))
  expect(await listed(sub.token)).toEqual([sub.id, below.id])
  expect(await listed(admin.token, '&role=user')).toEqual([mine.id, below.id])
  expect(await listed(admin.token, '&status=blocked')).toEqual([])
  expect(await listed(stranger.token, '&role=user')).toEqual([theirs.id])
  for (const [token, id, status] of [
    [admin.token, below.id, 200],
    [admin.token, theirs.id, 403],
    [sub.token, mine.id, 403],
    [mine.token, mine.id, 200],
    [mine.token, below.id, 403],
    [mine.token, 999_999, 403],
  ] as const)
    expect((await read(token, id)).status).toBe(status)
  expect((await call('GET', '/api/users', { token: mine.token })).status).toBe(403)
})

test('pages are in a stable order, and hold each account once', async () => {
  const { group, admin } = await tree()
  for (let n = 0; n < 5; n++) await person('user', group)
  const pages = await Promise.all(
    [1, 2, 3, 4].map((page) => call('GET', `/api/users?limit=2&page=${page}`, { token: admin.token })),
  )
  const ids = pages.flatMap(({ body }) => body.data.map((one: any) => one.user_id))
  expect(ids).toEqual([...new Set(ids)].sort((a, b) => a - b))
  expect(pages[0]!.body.pagination).toEqual({ page: 1, limit: 2, total: 7, pages: 4 })
  expect(pages[3]!.body.data).toHaveLength(1)
})

test('what is not given stays, and what is given changes, with the role and its unit', async () => {
  const { group, subgroup, admin } = await tree()
  const { id, phone } = await person('user', group)
  const renamed = await change(admin.token, id, { fio: 'Пётр Петров' })
  expect(renamed.body.data).toMatchObject({
    fio: 'Пётр Петров',
    phone_e164: phone,
    role: 'user',
    parent_org_unit_id: group,
  })
  const moved = await change(admin.token, id, {
    role: 'subgroup_admin',
    parent_org_unit_id: subgroup,
    powerbank_limit: 3,
  })
  expect(moved.body.data).toMatchObject({ role: 'subgroup_admin', parent_org_unit_id: subgroup, powerbank_limit: 3 })
  expect([...(await db.sql`select role, org_unit_id from user_roles where user_id = ${id}`)]).toEqual([
    { role: 'subgroup_admin', orgUnitId: subgroup },
  ])
  expect((await change(admin.token, id, { powerbank_limit: null })).body.data.powerbank_limit).toBeNull()
  const taken = await change(admin.token, id, { phone_e164: admin.phone })
  expect(taken).toMatchObject({ status: 400, body: { field: 'phone' } })
  const audits =
    await db.sql`select old_values from audit_log where entity_id = ${id} and action = 'user.update' order by id`
  expect(audits).toHaveLength(3)
})

test('nobody changes the own role or status, or closes the own account', async () => {
  const { group, admin } = await tree()
  for (const who of [service, admin]) {
    expect((await change(who.token, who.id, { role: 'user' })).status).toBe(403)
    expect((await change(who.token, who.id, { status: 'blocked' })).status).toBe(403)
    expect((await remove(who.token, who.id)).status).toBe(403)
    expect((await change(who.token, who.id, { fio: 'Новое Имя' })).status).toBe(200)
  }
  expect((await change(admin.token, admin.id, { role: 'service_admin' })).status).toBe(403)
  expect((await change(admin.token, admin.id, { role: 'group_admin', parent_org_unit_id: group })).status).toBe(200)
})

test('nobody touches an account above, of another unit, or of another surface', async () => {
  const { group, subgroup, foreign, admin, sub } = await tree()
  const [peer, theirs, shared, elsewhere] = await Promise.all([
    person('user', subgroup),
    person('user', foreign),
    person('user', group),
    person('user', group),
  ])
  await db.sql`insert into user_roles (user_id, surface, role, org_unit_id) values (${shared.id}, 'powerbank', 'user', ${foreign})`
  await db.sql`insert into user_roles (user_id, surface, role) values (${elsewhere.id}, 'loyalty', 'admin')`
  for (const id of [theirs.id, shared.id, elsewhere.id, service.id]) {
    expect((await change(admin.token, id, { password: 'taken over' })).status).toBe(403)
    expect((await remove(admin.token, id)).status).toBe(403)
  }
  expect((await change(sub.token, admin.id, { fio: 'X' })).status).toBe(403)
  expect((await change(sub.token, peer.id, { role: 'group_admin' })).status).toBe(403)
  expect((await change(sub.token, peer.id, { parent_org_unit_id: group })).status).toBe(403)
  expect((await change(sub.token, peer.id, { fio: 'Можно' })).status).toBe(200)
  expect((await change(admin.token, 999_999, { fio: 'X' })).status).toBe(404)
})
