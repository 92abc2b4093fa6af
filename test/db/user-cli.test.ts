import { expect, test } from 'vitest'
import * as identity from '../../db/identity/identity.ts'
import { verify } from '../../db/identity/password.ts'
import { create, link } from '../../db/user-cli.ts'
import { testDb } from '../postgres.ts'

const { db } = await testDb()

test('an account is made with its roles on any surface, and can log in', async () => {
  const roles = ['powerbank:service_admin', 'loyalty:admin']
  const given = { name: 'Анна', phone: '+79001234567', email: 'Anna@example.org', username: 'anna' }
  const made = await create(db, { ...given, password: 'correct horse', role: roles })
  expect(made).toEqual({ id: expect.any(Number), ...given, roles })

  const found = await identity.credentials(db.sql, { email: 'anna@example.org' })
  expect(found).toMatchObject({ id: made.id, fullName: 'Анна', status: 'active' })
  expect(await verify('correct horse', found!.passwordHash)).toBe(true)
  const granted = await db.sql`select surface, role from user_roles where user_id = ${made.id} order by id`
  expect(granted).toEqual([
    { surface: 'powerbank', role: 'service_admin' },
    { surface: 'loyalty', role: 'admin' },
  ])
})

test('a phone that is taken is refused', async () => {
  const given = { name: 'Борис', phone: '+79000000077', password: 'correct horse' }
  await create(db, given)
  await expect(create(db, given)).rejects.toMatchObject({
    name: 'Refused',
    code: 'duplicate',
    message: 'phone is taken',
  })
})

test('a name to log in with is enough: the password is made up and told once', async () => {
  const made = await create(db, { username: 'operator-1', role: ['telecom:operator'] })
  expect(made).toMatchObject({ name: 'operator-1', username: 'operator-1', roles: ['telecom:operator'] })
  const found = await identity.credentials(db.sql, { username: 'operator-1' })
  expect(await verify(made.password!, found!.passwordHash)).toBe(true)
})

test('every mistake is told, and nothing is made', async () => {
  const mistakes = async (args: Record<string, unknown>) => (await create(db, args).catch((error) => error)).mistakes
  expect(await mistakes({ phone: '89001234567', password: 'short', role: ['admin'] })).toEqual([
    '--name is required',
    '--phone must look like +79001234567',
    '--password must have at least 8 characters',
    '--role must look like powerbank:service_admin',
  ])
  const fine = { name: 'Вера', password: 'correct horse' }
  expect(await mistakes(fine)).toEqual(['one of --phone, --email and --username is required'])
  expect(await mistakes({ ...fine, username: 'vera', role: ['powerbank:king'] })).toEqual([
    'there is no such role: powerbank:king (see --help)',
  ])
  expect(await mistakes({ ...fine, username: 'vera', role: ['powerbank:group_admin:999'] })).toEqual([
    'there is no such organisation unit: powerbank:group_admin:999',
  ])
  expect(await db.sql`select 1 from users where full_name = 'Вера'`).toHaveLength(0)
})

test('a patient of 1C is one user, who can be told anew', async () => {
  const [anna, boris] = [
    await create(db, { name: 'Анна', username: 'anna-1c', password: 'correct horse' }),
    await create(db, { name: 'Борис', username: 'boris-1c', password: 'correct horse' }),
  ]
  const args = { id: String(anna.id), 'external-id': '1C-PATIENT-001' }
  const linked = { id: anna.id, externalId: '1C-PATIENT-001' }
  expect([await link(db, args), await link(db, args)]).toEqual([linked, linked])
  await expect(link(db, { ...args, id: String(boris.id) })).rejects.toMatchObject({ code: 'duplicate' })
  await expect(link(db, { ...args, id: '999999' })).rejects.toMatchObject({ code: 'not_found' })
  await link(db, { ...args, 'external-id': '1C-PATIENT-002' })
  expect(await link(db, { ...args, id: String(boris.id) })).toEqual({ ...linked, id: boris.id })
  expect((await link(db, { id: 'x' }).catch((error) => error)).mistakes).toEqual([
    '--id must be a number',
    '--external-id is required',
  ])
})
