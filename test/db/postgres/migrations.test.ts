import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test, vi } from 'vitest'
import { migrate } from '../../../db/postgres/migrations.ts'
import { freshDb, tempDataDir } from '../../postgres.ts'

/** A directory of migrations as drizzle-kit writes them. */
function written(migrations: Record<string, string>): URL {
  const dir = tempDataDir()
  mkdirSync(join(dir, 'meta'))
  const entries = Object.keys(migrations).map((tag, idx) => ({ idx, tag }))
  writeFileSync(join(dir, 'meta/_journal.json'), JSON.stringify({ entries }))
  for (const [tag, sql] of Object.entries(migrations)) writeFileSync(join(dir, `${tag}.sql`), sql)
  return pathToFileURL(`${dir}/`)
}

const one = { '0000_one': 'create table a (id int);\n--> statement-breakpoint\ninsert into a values (1);' }
const two = { ...one, '0001_two': 'insert into a values (2);' }

test('an empty database gets the whole schema, and a second run changes nothing', async () => {
  const { db, url } = await freshDb()
  expect((await migrate(url)).length).toBeGreaterThan(0)
  expect(await migrate(url)).toEqual([])
  const [row] = await db.sql`select to_regclass('users') is not null as there`
  expect(row).toEqual({ there: true })
})

test('processes that start together apply each migration once', async () => {
  const { db, url } = await freshDb()
  const dir = written(two)
  const applied = await Promise.all(Array.from({ length: 4 }, () => migrate(url, dir)))
  expect(applied.flat().sort()).toEqual(['0000_one', '0001_two'])
  expect(await db.sql`select id from a order by id`).toEqual([{ id: 1 }, { id: 2 }])
})

test('a later version applies only what is new, and an earlier one leaves it alone', async () => {
  const { url } = await freshDb()
  expect(await migrate(url, written(one))).toEqual(['0000_one'])
  expect(await migrate(url, written(two))).toEqual(['0001_two'])
  expect(await migrate(url, written(one))).toEqual([])
})

test('a migration that fails leaves nothing behind', async () => {
  const { db, url } = await freshDb()
  const dir = written({ ...one, '0001_bad': 'create table b (id int);\n--> statement-breakpoint\nselect nonsense;' })
  await expect(migrate(url, dir)).rejects.toThrow('nonsense')
  expect(await db.sql`select to_regclass('a') as a, to_regclass('migrations') as m`).toEqual([{ a: null, m: null }])
})

test('a migration that has to wait for a table keeps nobody waiting in a circle, and goes on when the table is free', async () => {
  const { db, url } = await freshDb()
  await migrate(url, written({ '0000_one': 'create table a (id int); create table b (id int);' }))
  const wider = written({
    '0000_one': 'create table a (id int); create table b (id int);',
    '0001_two': 'ALTER TABLE "b" ADD COLUMN "n" int;ALTER TABLE "a" ADD COLUMN "n" int;',
  })
  const work = Promise.withResolvers<void>()
  const served = db.transaction(async (tx) => {
    await tx`insert into b values (1)`
    await work.promise
    await tx`insert into a values (1)`
  }, 1)
  const migrating = migrate(url, wider)
  // It waits for the table b, or has just given it up.
  await vi.waitFor(async () => expect(await db.sql`select 1 from pg_locks where not granted`).toHaveLength(1))
  work.resolve()
  await served
  expect(await migrating).toEqual(['0001_two'])
  expect(await db.sql`select a.n, b.n from a, b`).toHaveLength(1)
})

test('a migration edited after it was applied is refused', async () => {
  const { url } = await freshDb()
  await migrate(url, written(one))
  const edited = written({ '0000_one': 'create table a (id bigint);' })
  await expect(migrate(url, edited)).rejects.toThrow('migration 0000_one was edited after it was applied')
})

test('the tables as the code knows them and the committed migrations are the same', () => {
  const dir = tempDataDir()
  cpSync('db/migrations', dir, { recursive: true })
  const before = readdirSync(dir)
  // What `npm run migrate:new` would write, into a copy. Its config names a fixed place, so it is said again here; an
  // absolute one it does not understand.
  const where = [
    '--dialect',
    'postgresql',
    '--casing',
    'snake_case',
    '--schema',
    './db/*/schema.ts',
    '--out',
    relative('.', dir),
  ]
  const { stdout, stderr } = spawnSync(process.execPath, ['node_modules/drizzle-kit/bin.cjs', 'generate', ...where], {
    encoding: 'utf8',
  })
  expect(readdirSync(dir), `run npm run migrate:new\n${stdout}${stderr}`).toEqual(before)
  expect(stdout).toContain('No schema changes')
})
