import { beforeEach, expect, test } from 'vitest'
import type { Refused } from '../../db/platform/refused.ts'
import { id } from '../../db/postgres/columns.ts'
import { alias, eq, pgTable, sql } from '../../db/postgres/drizzle.ts'
import { tableOf } from '../../db/table.ts'
import { testDb } from '../postgres.ts'
import { makeToys, toys } from './toys.ts'
import { act, actor } from './world.ts'

const { db } = await testDb()
await makeToys(db)

const house = async (_: unknown, who: { userId: number }) => (who.userId === 1 ? ('all' as const) : [who.userId])
const others = alias(toys, 'others')
const plain = tableOf(toys, {
  deletes: 'soft',
  audit: { surface: 'test', as: 'toy' },
  scope: { by: 'houseId', seen: house, changed: house },
  joins: [[others, eq(others.id, toys.id)]],
  beside: { twin: sql<string>`${others.modelName}`, letters: sql<number>`length(${toys.modelName})` },
})
const bare = tableOf(toys, { deletes: 'hard', beside: { doubled: sql<number>`${toys.id} * 2` } })

const all = actor(1)
const seven = actor(7)
const page = { limit: 10, offset: 0 }
const make = (given: Parameters<typeof plain.create>[2], who = all) => act(db, (tx) => plain.create(tx, who, given))
const refusal = async (work: Promise<unknown>) => {
  const { code, about } = (await work.then(
    () => ({}),
    (error) => error,
  )) as Refused
  return { code, ...about }
}
let since = 0
const audited = () =>
  db.sql`select action, entity_id, old_values, new_values from audit_log where id >= ${since} order by id`

beforeEach(async () => {
  await db.sql`truncate toys restart identity`
  since = ((await db.sql<{ last: number | null }[]>`select max(id) as last from audit_log`)[0]!.last ?? 0) + 1
})

test('a row is made of what is given; the rest are the column’s defaults, and undefined is nothing given', async () => {
  const boughtAt = new Date('2026-01-31T10:00:00.123Z')
  const made = await make({ houseId: 7, modelName: 'car', about: { wheels: 4 }, boughtAt, secretCode: undefined })
  expect(made).toMatchObject({ id: 1, houseId: 7, modelName: 'car', status: 'new', about: { wheels: 4 }, boughtAt })
  expect(made).toMatchObject({ secretCode: 'hidden', twin: 'car', letters: 3, deletedAt: null })
  expect(await db.sql`select jsonb_typeof(about) as is from toys`).toEqual([{ is: 'object' }])
})

test('a change keeps what it does not name, clears what is null, and moves the time of change', async () => {
  const { id } = await make({ houseId: 7, modelName: 'car', about: { wheels: 4 } })
  const changed = await act(db, (tx) =>
    plain.change(tx, all, id, { status: 'broken', about: null, houseId: undefined }),
  )
  expect(changed).toMatchObject({ houseId: 7, modelName: 'car', status: 'broken', about: null })
  expect(changed.updatedAt.getTime()).toBeGreaterThan(changed.createdAt.getTime())
  expect(await act(db, (tx) => bare.change(tx, all, id, {}))).toMatchObject({ status: 'broken', doubled: 2 })
})

test('what was done is written down with what was given, and nothing else of the row', async () => {
  const { id } = await make({ houseId: 7, modelName: 'car' })
  await act(db, (tx) => plain.change(tx, all, id, { modelName: 'bus' }))
  await act(db, (tx) => plain.remove(tx, all, id))
  expect(await audited()).toEqual([
    { action: 'toy.create', entityId: 1, oldValues: null, newValues: { houseId: 7, modelName: 'car' } },
    { action: 'toy.update', entityId: 1, oldValues: { modelName: 'car' }, newValues: { modelName: 'bus' } },
    { action: 'toy.delete', entityId: 1, oldValues: null, newValues: null },
  ])
})

test('what is taken is a duplicate that names its field', async () => {
  await make({ houseId: 7, modelName: 'car', secretCode: 'x' })
  const { id } = await make({ houseId: 7, modelName: 'bus' })
  expect(await refusal(make({ houseId: 7, modelName: 'car' }))).toEqual({ code: 'duplicate', field: 'model_name' })
  const change = act(db, (tx) => plain.change(tx, all, id, { secretCode: 'x' }))
  expect(await refusal(change)).toEqual({ code: 'duplicate', field: 'secret_code' })
})

test('deleted softly it is gone for every verb, deleted hard it is no row', async () => {
  const { id } = await make({ modelName: 'car' })
  await act(db, (tx) => plain.remove(tx, all, id))
  expect(await plain.find(db.sql, id)).toBeUndefined()
  expect((await plain.list(db.sql, all, page)).total).toBe(0)
  for (const again of [
    () => act(db, (tx) => plain.remove(tx, all, id)),
    () => act(db, (tx) => plain.change(tx, all, id, { modelName: 'x' })),
    () => plain.get(db.sql, all, id),
  ])
    expect(await refusal(again())).toEqual({ code: 'not_found' })
  await act(db, (tx) => bare.remove(tx, all, id))
  expect(await db.sql`select id from toys`).toEqual([])
})

test('of twenty who delete at once one does', async () => {
  const { id } = await make({ modelName: 'car' })
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => refusal(act(db, (tx) => plain.remove(tx, all, id)))),
  )
  expect(answers.filter(({ code }) => code === 'not_found')).toHaveLength(19)
})

test('nobody sees, makes, changes, moves or deletes beyond the own scope', async () => {
  const mine = await make({ houseId: 7, modelName: 'car' }, seven)
  const foreign = await make({ houseId: 8, modelName: 'bus' })
  const nobodys = await make({ modelName: 'tram' })
  expect(await plain.list(db.sql, seven, page)).toMatchObject({ total: 1, rows: [{ id: mine.id }] })
  for (const { id } of [foreign, nobodys])
    for (const work of [
      () => plain.get(db.sql, seven, id),
      () => act(db, (tx) => plain.change(tx, seven, id, { modelName: 'x' })),
      () => act(db, (tx) => plain.remove(tx, seven, id)),
    ])
      expect(await refusal(work())).toEqual({ code: 'not_yours' })
  expect(await refusal(make({ houseId: 8, modelName: 'x' }, seven))).toEqual({ code: 'not_yours' })
  expect(await refusal(make({ modelName: 'x' }, seven))).toEqual({ code: 'not_yours' })
  for (const houseId of [8, null])
    expect(await refusal(act(db, (tx) => plain.change(tx, seven, mine.id, { houseId })))).toEqual({ code: 'not_yours' })
})

test('a list is filtered, searched, ordered and paged, and its total is exact', async () => {
  const days = ['2026-01-03', '2026-01-01', '2026-01-02']
  for (const [n, day] of days.entries())
    await make({ houseId: n, modelName: `Машина ${n} 100%`, boughtAt: new Date(day), secretCode: `a_${n}` })
  await make({ modelName: 'bus', status: 'broken' })
  const ids = async (asked: Partial<Parameters<typeof plain.list>[2]>) => {
    const { rows, total } = await plain.list(db.sql, all, { ...page, ...asked })
    return [total, ...rows.map((row) => row.id)]
  }
  expect(await ids({})).toEqual([4, 1, 2, 3, 4])
  expect(await ids({ limit: 2, offset: 1 })).toEqual([4, 2, 3])
  expect(await ids({ offset: 9 })).toEqual([4])
  expect(await ids({ filter: { status: 'broken' } })).toEqual([1, 4])
  expect(await ids({ filter: { houseId: null } })).toEqual([1, 4])
  expect(await ids({ filter: { houseId: 1, status: undefined } })).toEqual([1, 2])
  expect(await ids({ filter: { boughtAt: new Date(days[2]!) } })).toEqual([1, 3])
  const search = (words: string) => ids({ search: { words, in: ['modelName', 'secretCode'] } })
  expect(await search(' МАШИНА  1 ')).toEqual([3, 1, 2, 3])
  expect(await search('машина a_2')).toEqual([1, 3])
  expect(await search('0%')).toEqual([3, 1, 2, 3])
  expect(await search('%')).toEqual([3, 1, 2, 3])
  expect(await search('a%2')).toEqual([0])
  expect(await search('   ')).toEqual([4, 1, 2, 3, 4])
  const order = (by: 'boughtAt' | 'status', isDescending: boolean) => ids({ order: [{ by, isDescending }] })
  expect(await order('boughtAt', false)).toEqual([4, 2, 3, 1, 4])
  expect(await order('status', true)).toEqual([4, 3, 2, 1, 4])
})

test('a name that the table does not have does not compile', () => {
  const never = () => {
    // @ts-expect-error no such column
    tableOf(toys, { deletes: 'soft', scope: { by: 'house', seen: house, changed: house } })
    // @ts-expect-error no such column to write down
    tableOf(toys, { deletes: 'soft', audit: { surface: 'test', as: 'toy', values: ['modelNam'] } })
    // @ts-expect-error a table without deletedAt
    tableOf(pgTable('bare', { id: id() }), { deletes: 'soft' })
    // @ts-expect-error no such column
    void make({ modelName: 'car', wheels: 4 })
    // @ts-expect-error no such status
    void make({ modelName: 'car', status: 'brokn' })
    // @ts-expect-error a column that must be given
    void make({ houseId: 7 })
    // @ts-expect-error nobody gives the id
    void make({ modelName: 'car', id: 5 })
    // @ts-expect-error no such status
    void act(db, (tx) => plain.change(tx, all, 1, { status: 'brokn' }))
    // @ts-expect-error no such column to filter by
    void plain.list(db.sql, all, { ...page, filter: { colour: 'red' } })
    // @ts-expect-error no such status to filter by
    void plain.list(db.sql, all, { ...page, filter: { status: 'brokn' } })
    // @ts-expect-error no such column to search
    void plain.list(db.sql, all, { ...page, search: { words: 'x', in: ['model_name'] } })
    // @ts-expect-error no such column to order by
    void plain.list(db.sql, all, { ...page, order: [{ by: 'bought', isDescending: true }] })
    // @ts-expect-error nothing of this name beside the columns
    void plain.find(db.sql, 1).then((row) => row?.twins)
  }
  expect(never).toBeInstanceOf(Function)
})
