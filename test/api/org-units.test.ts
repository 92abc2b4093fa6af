import { expect, test } from 'vitest'
import { startApiServer } from './server.ts'

const { call, person, unit, db } = await startApiServer()
const service = await person('service_admin')

const seedExample = {
  parent_org_unit_id: null,
  unit_type: 'group',
  name: 'Отдел продаж',
  adress: 'Москва, ул. Примерная, 1',
  logo_url: 'https://example.com/logo.png',
  default_powerbank_limit: 3,
  reminder_hours: 24,
}

/** A group with one subgroup, and an admin of each kind. */
async function branch() {
  const group = await unit('group')
  const subgroup = await unit('subgroup', group)
  return { group, subgroup, admin: await person('group_admin', group), sub: await person('subgroup_admin', subgroup) }
}

test('the documented example makes a group with its defaults', async () => {
  const { status, body } = await call('POST', '/api/org-units', { token: service.token, body: seedExample })
  expect(status).toBe(201)
  expect(body).toMatchObject({ success: true, message: expect.any(String) })
  expect(body.data).toEqual({
    ...seedExample,
    org_unit_id: expect.any(Number),
    write_off_hours: 48,
    parent_name: null,
    created_at: expect.stringMatching(/\+03:00$/),
    updated_at: expect.stringMatching(/\+03:00$/),
  })
  const read = await call('GET', `/api/org-units/${body.data.org_unit_id}`, { token: service.token })
  expect(read).toMatchObject({ status: 200, body: { success: true, data: body.data } })
})

test('a subgroup names its parent', async () => {
  const { group } = await branch()
  const body = { unit_type: 'subgroup', name: 'Подотдел', parent_org_unit_id: group }
  const made = await call('POST', '/api/org-units', { token: service.token, body })
  expect(made.status).toBe(201)
  expect(made.body.data).toMatchObject({ parent_name: 'group', default_powerbank_limit: 1, reminder_hours: 24 })
})

test.each([
  ['name', { name: undefined }],
  ['name', { name: '  ' }],
  ['unit_type', { unit_type: 'cluster' }],
  ['logo_url', { logo_url: 'javascript:alert(1)' }],
  ['default_powerbank_limit', { default_powerbank_limit: -1 }],
  ['reminder_hours', { reminder_hours: 0 }],
  ['parent_org_unit_id', { unit_type: 'subgroup' }],
  ['parent_org_unit_id', { unit_type: 'subgroup', parent_org_unit_id: 999_999 }],
  ['parent_org_unit_id', { parent_org_unit_id: 1 }],
])('a unit with a bad %s (%o) is refused and names the field', async (field, change) => {
  await unit('somebody')
  const body = { ...seedExample, ...change }
  const refused = await call('POST', '/api/org-units', { token: service.token, body })
  expect(refused.status).toBe(400)
  expect(refused.body.success).toBe(false)
  expect(JSON.stringify(refused.body)).toContain(field)
})

test('the tree stays two levels deep and without cycles', async () => {
  const { group, subgroup } = await branch()
  const put = (id: number, body: object) => call('PUT', `/api/org-units/${id}`, { token: service.token, body })
  const below = { unit_type: 'subgroup', name: 'x', parent_org_unit_id: subgroup }
  expect(await call('POST', '/api/org-units', { token: service.token, body: below })).toMatchObject({ status: 400 })
  expect(await put(group, { unit_type: 'subgroup', parent_org_unit_id: group })).toMatchObject({ status: 400 })
  expect(await put(group, { unit_type: 'subgroup', parent_org_unit_id: subgroup })).toMatchObject({ status: 400 })
  const lone = await unit('lone')
  expect(await put(group, { unit_type: 'subgroup', parent_org_unit_id: lone })).toMatchObject({
    status: 400,
    body: { reason: 'group_has_subgroups' },
  })
  expect(await put(subgroup, { unit_type: 'group' })).toMatchObject({ status: 400 })
  expect(await put(subgroup, { unit_type: 'group', parent_org_unit_id: null })).toMatchObject({ status: 200 })
})

test('two groups made each other’s parent at once: one of them stays a group', async () => {
  const [a, b] = [await unit('a'), await unit('b')]
  const under = (id: number, parent: number) =>
    call('PUT', `/api/org-units/${id}`, {
      token: service.token,
      body: { unit_type: 'subgroup', parent_org_unit_id: parent },
    })
  const answers = await Promise.all([under(a, b), under(b, a)])
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 400])
})

test('a change keeps what it does not name, and is written down', async () => {
  const id = await unit('before')
  const body = { name: 'after', default_powerbank_limit: 5, adress: 'Казань' }
  const changed = await call('PUT', `/api/org-units/${id}`, { token: service.token, body })
  expect(changed).toMatchObject({ status: 200, body: { data: { ...body, unit_type: 'group', reminder_hours: 24 } } })
  const cleared = await call('PUT', `/api/org-units/${id}`, { token: service.token, body: { adress: null } })
  expect(cleared.body.data).toMatchObject({ name: 'after', adress: null })
  const [row] = await db.sql`
    select user_id, old_values->>'name' as old, new_values->>'name' as new from audit_log
    where entity_type = 'org_unit' and entity_id = ${id} and action = 'org_unit.update' order by id limit 1`
  expect(row).toEqual({ userId: service.id, old: 'before', new: 'after' })
})

test('everybody sees their own branch, service_admin sees all', async () => {
  const { group, subgroup, admin, sub } = await branch()
  const foreign = await branch()
  const user = await person('user', group)
  const nobody = await person('user')
  const seen = async (token: string) => {
    const { body } = await call('GET', '/api/org-units?limit=100', { token })
    expect(body.pagination).toMatchObject({ page: 1, limit: 100, total: body.data.length })
    return body.data.map((one: { org_unit_id: number }) => one.org_unit_id)
  }
  expect(await seen(admin.token)).toEqual([group, subgroup])
  expect(await seen(user.token)).toEqual([group, subgroup])
  expect(await seen(sub.token)).toEqual([subgroup])
  expect(await seen(nobody.token)).toEqual([])
  expect(await seen(service.token)).toEqual(expect.arrayContaining([group, subgroup, foreign.group, foreign.subgroup]))
  for (const { token } of [admin, user, sub, nobody])
    expect(await call('GET', `/api/org-units/${foreign.group}`, { token })).toMatchObject({ status: 403 })
})

test('a group_admin keeps to the own group', async () => {
  const { group, subgroup, admin } = await branch()
  const foreign = await branch()
  const { token } = admin
  const made = { unit_type: 'subgroup', name: 'new', parent_org_unit_id: group }
  expect(await call('POST', '/api/org-units', { token, body: made })).toMatchObject({ status: 201 })
  expect(await call('PUT', `/api/org-units/${subgroup}`, { token, body: { name: 'x' } })).toMatchObject({ status: 200 })
  const refused = [
    await call('POST', '/api/org-units', { token, body: { unit_type: 'group', name: 'mine' } }),
    await call('POST', '/api/org-units', { token, body: { ...made, parent_org_unit_id: foreign.group } }),
    await call('PUT', `/api/org-units/${foreign.subgroup}`, { token, body: { name: 'x' } }),
    await call('PUT', `/api/org-units/${subgroup}`, { token, body: { parent_org_unit_id: foreign.group } }),
    await call('PUT', `/api/org-units/${subgroup}`, { token, body: { unit_type: 'group', parent_org_unit_id: null } }),
    await call('DELETE', `/api/org-units/${foreign.subgroup}`, { token }),
  ]
  expect(refused.map(({ status }) => status)).toEqual(refused.map(() => 403))
})

test('what a person may do as group_admin does not reach where they are only a user', async () => {
  const { group, admin } = await branch()
  const other = await branch()
  await db.sql`insert into user_roles (user_id, surface, role, org_unit_id)
    values (${admin.id}, 'powerbank', 'user', ${other.group})`
  const { token } = admin
  expect(await call('GET', `/api/org-units/${other.group}`, { token })).toMatchObject({ status: 200 })
  expect(await call('PUT', `/api/org-units/${other.group}`, { token, body: { name: 'x' } })).toMatchObject({
    status: 403,
  })
  expect(await call('PUT', `/api/org-units/${group}`, { token, body: { name: 'x' } })).toMatchObject({ status: 200 })
})

test('a unit is deleted only when nothing hangs on it, and deleted twice is gone', async () => {
  const { token } = service
  const group = await unit('group')
  const subgroup = await unit('subgroup', group)
  const used = await call('DELETE', `/api/org-units/${group}`, { token })
  expect(used).toMatchObject({ status: 400, body: { success: false, reason: 'unit_in_use', children: 1, stations: 0 } })
  await db.sql`insert into stations (org_unit_id, box_id, slots_declared) values (${subgroup}, 'BOX-ORG', 8)`
  expect(await call('DELETE', `/api/org-units/${subgroup}`, { token })).toMatchObject({ body: { stations: 1 } })
  await db.sql`update stations set deleted_at = now() where box_id = 'BOX-ORG'`
  for (const id of [subgroup, group])
    expect(await call('DELETE', `/api/org-units/${id}`, { token })).toMatchObject({
      status: 200,
      body: { success: true },
    })
  for (const method of ['DELETE', 'GET'])
    expect(await call(method, `/api/org-units/${group}`, { token })).toMatchObject({ status: 404 })
})

test('a subgroup made while its group is deleted hangs on nothing deleted', async () => {
  const { token } = service
  for (let round = 0; round < 5; round++) {
    const group = await unit('group')
    const [made, gone] = await Promise.all([
      call('POST', '/api/org-units', { token, body: { unit_type: 'subgroup', name: 's', parent_org_unit_id: group } }),
      call('DELETE', `/api/org-units/${group}`, { token }),
    ])
    expect([
      [201, 400],
      [400, 200],
    ]).toContainEqual([made.status, gone.status])
  }
})

test('lists filter and page', async () => {
  const { token } = service
  const group = await unit('paged')
  for (let n = 0; n < 12; n++) await unit(`sub ${n}`, group)
  const first = await call('GET', `/api/org-units?parent_id=${group}`, { token })
  expect(first.body.data).toHaveLength(10)
  expect(first.body.pagination).toEqual({ page: 1, limit: 10, total: 12, pages: 2 })
  const second = await call('GET', `/api/org-units?parent_id=${group}&page=2`, { token })
  expect(second.body.data.map((one: { name: string }) => one.name)).toEqual(['sub 10', 'sub 11'])
  const beyond = await call('GET', `/api/org-units?parent_id=${group}&page=9`, { token })
  expect(beyond).toMatchObject({ status: 200, body: { data: [], pagination: { total: 12 } } })
  const groups = await call('GET', '/api/org-units?unit_type=group&limit=100', { token })
  expect(new Set(groups.body.data.map((one: { unit_type: string }) => one.unit_type))).toEqual(new Set(['group']))
  for (const query of [
    'page=0',
    'limit=0',
    'limit=101',
    'page=x',
    'page=-1',
    'unit_type=x',
    'parent_id=x',
    'page=1.5',
  ]) {
    const refused = await call('GET', `/api/org-units?${query}`, { token })
    expect(refused, query).toMatchObject({ status: 400, body: { success: false } })
    expect(refused.body.error).toContain(query.split('=')[0])
  }
})
