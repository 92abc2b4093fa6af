import { expect, test } from 'vitest'
import * as identity from '../../../db/identity/identity.ts'
import type { Actor } from '../../../db/platform/actor.ts'
import * as imports from '../../../db/powerbank/user-import.ts'
import { testDb } from '../../postgres.ts'

const { db } = await testDb()
const inserted = async (query: Promise<{ id: number }[]>) => (await query)[0]!.id
const group = await inserted(db.sql`insert into org_units (unit_type, name) values ('group', 'наша') returning id`)
const foreign = await inserted(db.sql`insert into org_units (unit_type, name) values ('group', 'чужая') returning id`)
const account = (role: string, orgUnitId: number | null) =>
  db.transaction((tx) =>
    identity.createWithRoles(tx, {
      username: `${role} ${orgUnitId}`,
      fullName: 'x',
      passwordHash: null,
      roles: [{ surface: 'powerbank', role, orgUnitId }],
    }),
  )
const admin: Actor = { userId: await account('group_admin', group), roles: [{ role: 'group_admin', orgUnitId: group }] }

let numbers = 0
const entry = (change: Partial<imports.Entry> = {}): imports.Entry => {
  const n = ++numbers
  const phone = `+7932${String(n).padStart(7, '0')}`
  return { row: n, fullName: 'Иван Иванов', email: `e${n}@e.ru`, phone, role: 'user', orgUnitId: group, ...change }
}
const begin = (rows: number) =>
  db.transaction((tx) => imports.begin(tx, admin, { fileName: 'f', totalRows: rows, validRows: rows }))
const add = (importId: number, entries: imports.Entry[]) =>
  db.transaction((tx) => imports.add(tx, admin, importId, entries))
const finish = (importId: number) => db.transaction((tx) => imports.finish(tx, admin, importId, { errors: [] }))

test('rows said twice are taken in once', async () => {
  const entries = [entry(), entry()]
  const id = await begin(4)
  expect((await add(id, entries)).created.map(({ row }) => row)).toEqual(entries.map(({ row }) => row))
  const again = await add(id, entries)
  expect(again.created).toEqual([])
  expect(again.taken).toEqual(entries.map(({ row }) => ({ row, phone: true, email: true })))
  expect(await imports.get(db.sql, id)).toMatchObject({ processedRows: 4, createdUsers: 2, existingUsers: 2 })
})

test('files with the same people in another order, all at once, make everybody once', async () => {
  const entries = Array.from({ length: 60 }, () => entry())
  const files = [entries, entries.toReversed(), [...entries.slice(30), ...entries.slice(0, 30)]]
  const found = await Promise.all([...files, ...files].map(async (file) => add(await begin(file.length), file)))
  const made = found.flatMap(({ created }) => created.map(({ row }) => row))
  expect(made.toSorted((a, b) => a - b)).toEqual(entries.map(({ row }) => row))
  for (const { created, taken } of found) expect(created.length + taken.length).toBe(60)
  const [roles] = await db.sql`
    select count(*) as n from user_roles r join users u on u.id = r.user_id where u.phone = any(${entries.map(({ phone }) => phone)})`
  expect(roles!.n).toBe(60)
})

test('who shares a phone with one and an email with another is there already', async () => {
  const [one, two] = [entry(), entry()]
  const id = await begin(3)
  await add(id, [one, two])
  const mixed = entry({ phone: one.phone, email: two.email.toUpperCase() })
  expect(await imports.taken(db.sql, [mixed])).toEqual([{ row: mixed.row, phone: true, email: true }])
  expect((await add(id, [mixed])).created).toEqual([])
})

test('the phone and email of a deleted account are free', async () => {
  const one = entry()
  const id = await begin(2)
  const { created } = await add(id, [one])
  await db.sql`update users set deleted_at = now() where id = ${created[0]!.userId}`
  expect((await add(id, [one])).created).toHaveLength(1)
})

test('nobody is taken into a foreign unit or above the own role, and nothing of the rows stays', async () => {
  const id = await begin(2)
  for (const [change, code] of [
    [{ orgUnitId: foreign }, 'not_yours'],
    [{ orgUnitId: null }, 'not_yours'],
    [{ role: 'service_admin', orgUnitId: null }, 'forbidden'],
    [{ role: 'subgroup_admin', orgUnitId: null }, 'invalid'],
    [{ orgUnitId: 999_999 }, 'invalid'],
  ] as const) {
    const right = entry()
    await expect(add(id, [right, entry(change)])).rejects.toMatchObject({ code })
    expect(await imports.taken(db.sql, [right])).toEqual([])
  }
  expect(await imports.get(db.sql, id)).toMatchObject({ processedRows: 0 })
})

test('an import ends once, and takes nobody in afterwards', async () => {
  const id = await begin(1)
  const ends = await Promise.allSettled(Array.from({ length: 5 }, () => finish(id)))
  expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  await expect(add(id, [entry()])).rejects.toMatchObject({ code: 'conflict' })
  expect(await imports.get(db.sql, id)).toMatchObject({ status: 'done', createdUsers: 0 })
})
