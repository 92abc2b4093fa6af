import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { connect, type Queryable } from './connect.ts'

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

/** One lock for all that change the schema: processes that start together take turns. */
const migrationLock = 0x766f6c74
const defaultDirectory = new URL('../migrations/', import.meta.url)

/**
 * Brings the database to the schema of this version, in one transaction: all of it or nothing. Returns the names of
 * the migrations applied now. Migrations that only a newer version knows are left alone: each must be safe while the
 * version before it still runs.
 * @throws MigrationMismatch when a merged migration was edited
 */
export async function migrate(url: string, directory: URL = defaultDirectory): Promise<string[]> {
  const wanted = readMigrations(directory)
  const db = connect(url, { max: 1, statementTimeoutMs: 0 })
  try {
    if (pending(wanted, await applied(db.sql)).length === 0) return []
    return await db.transaction(async (tx) => {
      await tx`set local lock_timeout = 0`
      await tx`select pg_advisory_xact_lock(${migrationLock})`
      await tx`create table if not exists migrations (
        tag text primary key, hash text not null, applied_at timestamptz not null default now())`
      const missing = pending(wanted, await applied(tx))
      for (const { tag, sql, hash } of missing) {
        await tx.unsafe(sql)
        await tx`insert into migrations ${tx({ tag, hash })}`
      }
      return missing.map(({ tag }) => tag)
    })
  } finally {
    await db.close()
  }
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
