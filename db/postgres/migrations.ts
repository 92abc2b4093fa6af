import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { connect, type Queryable, type Tx } from './connect.ts'

/** The database and the migrations in the repository contradict each other. */
export class MigrationMismatch extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'MigrationMismatch'
  }
}

interface Migration {
  tag: string
  sql: string
  hash: string
}

/** The tables were in use for too long. */
export class MigrationFailed extends Error {
  constructor() {
    super('the tables are in use by transactions that do not end: nothing was migrated, start again when they are over')
    this.name = 'MigrationFailed'
  }
}

/** One lock for all that change the schema: processes that start together take turns. */
const migrationLock = 0x766f6c74
/**
 * So long a table is waited for, while all who use it wait behind us. Far below the second (`deadlock_timeout`) after
 * which PostgreSQL ends a circle of waiting by failing somebody: that should not be one who serves.
 */
const tableWaitMsMax = 100
const againMs = 100
const attemptsMax = 300
const LOCK_NOT_AVAILABLE = '55P03'
const defaultDirectory = new URL('../migrations/', import.meta.url)

/**
 * Brings the database to the schema of this version, in one transaction: all of it or nothing. Returns the names of
 * the migrations applied now. Migrations that only a newer version knows are left alone: each must be safe while the
 * version before it still runs.
 * @throws MigrationMismatch when a merged migration was edited
 * @throws MigrationFailed when tables are in use for too long
 */
export async function migrate(url: string, directory: URL = defaultDirectory): Promise<string[]> {
  const wanted = readMigrations(directory)
  const db = connect(url, { max: 1, statementTimeoutMs: 0 })
  try {
    if (pending(wanted, await applied(db.sql)).length === 0) return []
    for (let attempt = 1; attempt <= attemptsMax; attempt++) {
      try {
        return await db.transaction((tx) => apply(tx, wanted))
      } catch (error) {
        if ((error as { code?: string }).code !== LOCK_NOT_AVAILABLE) throw error
        await pause(againMs)
      }
    }
    throw new MigrationFailed()
  } finally {
    await db.close()
  }
}

/** All that are missing, in one attempt. */
async function apply(tx: Tx, wanted: Migration[]): Promise<string[]> {
  await tx`set local lock_timeout = 0`
  await tx`select pg_advisory_xact_lock(${migrationLock})`
  await tx`create table if not exists migrations (
    tag text primary key, hash text not null, applied_at timestamptz not null default now())`
  const missing = pending(wanted, await applied(tx))
  await tx.unsafe(`set local lock_timeout = ${tableWaitMsMax}`)
  await lockTables(tx, missing)
  for (const { tag, sql, hash } of missing) {
    await tx.unsafe(sql)
    await tx`insert into migrations ${tx({ tag, hash })}`
  }
  return missing.map(({ tag }) => tag)
}

/** Takes what the migrations change before anything is done, so that giving way costs nothing. */
async function lockTables(tx: Tx, migrations: Migration[]): Promise<void> {
  const changed = /(?:ALTER TABLE|CREATE (?:UNIQUE )?INDEX "\w+" ON) "(\w+)"/g
  const names = migrations.flatMap(({ sql }) => [...sql.matchAll(changed)].map(([, name]) => name!))
  const there = await tx<{ name: string }[]>`
    select relname as name from pg_class
    where relname = any(${names}::text[]) and relkind = 'r' and pg_table_is_visible(oid) order by oid`
  if (there.length > 0) await tx.unsafe(`lock table ${there.map(({ name }) => `"${name}"`).join(', ')}`)
}

async function applied(sql: Queryable): Promise<Map<string, string>> {
  const [table] = await sql`select to_regclass('migrations') is not null as there`
  if (!table?.there) return new Map()
  const rows = await sql<{ tag: string; hash: string }[]>`select tag, hash from migrations`
  return new Map(rows.map(({ tag, hash }) => [tag, hash]))
}

function pending(wanted: Migration[], done: Map<string, string>): Migration[] {
  for (const { tag, hash } of wanted) {
    if (done.has(tag) && done.get(tag) !== hash)
      throw new MigrationMismatch(`migration ${tag} was edited after it was applied: add a new one instead`)
  }
  return wanted.filter(({ tag }) => !done.has(tag))
}

/** What `drizzle-kit generate` wrote, in its order. */
function readMigrations(directory: URL): Migration[] {
  const journal = JSON.parse(readFileSync(new URL('meta/_journal.json', directory), 'utf8')) as {
    entries: { tag: string }[]
  }
  return journal.entries.map(({ tag }) => {
    const sql = readFileSync(new URL(`${tag}.sql`, directory), 'utf8').replaceAll('\r\n', '\n')
    return { tag, sql, hash: createHash('sha256').update(sql).digest('hex') }
  })
}
