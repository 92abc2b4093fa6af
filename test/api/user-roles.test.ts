import { expect, test } from 'vitest'
import { startApiServer } from './server.ts'

const { call, person, unit, db } = await startApiServer()
const service = await person('service_admin')

const grant = (token: string, body: object) => call('POST', '/api/user-roles', { token, body })
const revoke = (token: string, id: number) => call('DELETE', `/api/user-roles/${id}`, { token })
const list = async (token: string, query = '') =>
  (await call('GET', `/api/user-roles?limit=100${query}`, { token })).body
const roleOf = async (userId: number, role: string): Promise<number> =>
  (await db.sql<{ id: number }[]>`select id from user_roles where user_id = ${userId} and role = ${role}`)[0]!.id

test('a role is given, shown, works from the next request on, and is taken away again', async () => {
  const group = await unit('Группа')
  const someone = await person('user', group)
  expect((await call('GET', '/api/users', { token: someone.token })).status).toBe(403)
  const given = await grant(service.token, { user_id: someone.id, org_unit_id: group, role: 'group_admin' })
  expect(given.status).toBe(201)
  expect(given.body).toMatchObject({
    success: true,
    message: expect.any(String),
    data: { user_id: someone.id, role: 'group_admin', org_unit_id: group, org_unit_name: 'Группа' },
  })
  expect((await call('GET', '/api/users', { token: someone.token })).status).toBe(200)
  const { data, pagination } = await list(service.token, `&user_id=${someone.id}&role=group_admin`)
  expect(data).toEqual([given.body.data])
  expect(pagination).toEqual({ page: 1, limit: 100, total: 1, pages: 1 })
  const { id } = given.body.data
  expect(await revoke(service.token, id)).toMatchObject({ status: 200, body: { success: true } })
  expect((await call('GET', '/api/users', { token: someone.token })).status).toBe(403)
  expect((await revoke(service.token, id)).status).toBe(404)
  const audits = await db.sql`select action from audit_log where entity_id = ${someone.id} order by id`
  expect(audits.map(({ action }) => action)).toEqual(['user_role.grant', 'user_role.revoke'])
})

test('a role is held once, be it given ten times at once, with a unit or without', async () => {
  const group = await unit('group')
  const { id } = await person('user', group)
  for (const [role, unitId] of [
    ['subgroup_admin', group],
    ['user', null],
  ] as const) {
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => grant(service.token, { user_id: id, role, org_unit_id: unitId })),
    )
    expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array(9).fill(400)])
    expect(answers.find(({ status }) => status === 400)!.body.error).toBe('Такая роль у пользователя уже есть')
  }
})

test('a role taken away ten times at once is taken away once', async () => {
  const { id } = await person('user', await unit('group'))
  const role = await roleOf(id, 'user')
  const answers = await Promise.all(Array.from({ length: 10 }, () => revoke(service.token, role)))
  expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(9).fill(404)])
})

test.each([
  [{ role: 'user' }, 'user_id'],
  [{ user_id: 999_999, role: 'user' }, 'user_id'],
  [{ user_id: 1 }, 'role'],
  [{ user_id: 1, role: 'king' }, 'role'],
  [{ user_id: 1, role: 'user', org_unit_id: 'x' }, 'org_unit_id'],
])('%o is refused, and the answer names %s', async (body, field) => {
  const refused = await grant(service.token, body)
  expect(refused.status).toBe(400)
  expect(JSON.stringify(refused.body)).toContain(field)
})

test('a role over a unit needs one that exists', async () => {
  const { id } = await person('user')
  for (const body of [
    { role: 'group_admin' },
    { role: 'subgroup_admin', org_unit_id: null },
    { role: 'user', org_unit_id: 999_999 },
  ])
    expect(await grant(service.token, { user_id: id, ...body })).toMatchObject({
      status: 400,
      body: { field: 'org_unit_id' },
    })
})

test('nobody gives or takes an own role, not even a service admin', async () => {
  const group = await unit('group')
  const admin = await person('group_admin', group)
  expect((await revoke(service.token, await roleOf(service.id, 'service_admin'))).status).toBe(403)
  expect((await grant(service.token, { user_id: service.id, role: 'user' })).status).toBe(403)
  expect((await revoke(admin.token, await roleOf(admin.id, 'group_admin'))).status).toBe(403)
  expect((await grant(admin.token, { user_id: admin.id, role: 'user', org_unit_id: group })).status).toBe(403)
})

test('nobody gives a role above the own, or beyond the own units, or to a stranger', async () => {
  const group = await unit('group')
  const [subgroup, foreign] = [await unit('subgroup', group), await unit('foreign')]
  const [admin, sub] = [await person('group_admin', group), await person('subgroup_admin', subgroup)]
  const [mine, theirs, nobody] = [
    await person('user', subgroup),
    await person('user', foreign),
    await person('user', foreign),
  ]
  await db.sql`delete from user_roles where user_id = ${nobody.id}`
  const attempt = async (token: string, userId: number, role: string, unitId: number | null) =>
    (await grant(token, { user_id: userId, role, org_unit_id: unitId })).status
  expect(await attempt(admin.token, mine.id, 'service_admin', null)).toBe(403)
  expect(await attempt(admin.token, mine.id, 'user', foreign)).toBe(403)
  expect(await attempt(admin.token, mine.id, 'user', null)).toBe(403)
  expect(await attempt(admin.token, theirs.id, 'user', group)).toBe(403)
  expect(await attempt(admin.token, nobody.id, 'user', group)).toBe(201)
  expect(await attempt(admin.token, mine.id, 'group_admin', group)).toBe(201)
  expect(await attempt(sub.token, mine.id, 'group_admin', subgroup)).toBe(403)
  expect(await attempt(sub.token, mine.id, 'user', group)).toBe(403)
  expect(await attempt(sub.token, mine.id, 'subgroup_admin', subgroup)).toBe(201)
})

test('nobody takes away a role above the own, or of a foreign unit', async () => {
  const group = await unit('group')
  const [subgroup, foreign] = [await unit('subgroup', group), await unit('foreign')]
  const [admin, sub] = [await person('group_admin', group), await person('subgroup_admin', subgroup)]
  const [theirs, boss] = [await person('user', foreign), await person('service_admin', group)]
  expect((await revoke(admin.token, await roleOf(theirs.id, 'user'))).status).toBe(403)
  expect((await revoke(admin.token, await roleOf(boss.id, 'service_admin'))).status).toBe(403)
  expect((await revoke(sub.token, await roleOf(admin.id, 'group_admin'))).status).toBe(403)
  expect((await revoke(admin.token, await roleOf(sub.id, 'subgroup_admin'))).status).toBe(200)
})

test('the list ends at the own units, and at this surface', async () => {
  const group = await unit('group')
  const [admin, someone] = [await person('group_admin', group), await person('user', group)]
  await person('user', await unit('foreign'))
  await db.sql`insert into user_roles (user_id, surface, role) values (${someone.id}, 'loyalty', 'patient')`
  const { data } = await list(admin.token)
  expect(data.map((one: any) => one.user_id)).toEqual([admin.id, someone.id])
  expect((await list(service.token, `&user_id=${someone.id}`)).data).toHaveLength(1)
  expect((await call('GET', '/api/user-roles?role=king', { token: service.token })).status).toBe(400)
  expect((await call('GET', '/api/user-roles', { token: someone.token })).status).toBe(403)
})

test('of two service admins who take the role from each other at once, one keeps it', async () => {
  const [one, other] = [await person('service_admin'), await person('service_admin')]
  const ids = [await roleOf(one.id, 'service_admin'), await roleOf(other.id, 'service_admin')]
  const answers = await Promise.all([revoke(one.token, ids[1]!), revoke(other.token, ids[0]!)])
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 403])
  expect(await db.sql`select 1 from user_roles where id in (${ids[0]!}, ${ids[1]!})`).toHaveLength(1)
})
