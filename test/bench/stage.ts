import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type Db } from '../../db/postgres/connect.ts'
import { startEmbedded } from '../../db/postgres/embedded.ts'
import { migrate } from '../../db/postgres/migrations.ts'
import { scratchPrefix, within } from '../server.ts'
import { type Child, type Skills, start as startChild } from './child.ts'

/** What a part of the benchmark stands on. */
export interface Bench {
  /** Fewer pairs, shorter runs: for trying the benchmark itself, not for figures. */
  quick: boolean
  /** A process of this folder; ended with the benchmark at the latest. */
  start<S extends Skills>(file: string, options?: { isUnderTest?: boolean; collectsGarbage?: boolean }): Child<S>
  /** A new migrated database on a PostgreSQL of its own process, durable as in production. */
  database(): Promise<{ db: Db; url: string }>
  /** A line under the table. */
  note(line: string): void
  /** A line for who waits, on stderr. */
  progress(line: string): void
}

export interface AppContext extends Bench {
  notes: string[]
  /** `PostgreSQL 18.4, fsync on`; null while none was needed. */
  server: string | null
  /** Ends every process, removes every file. */
  close(): Promise<void>
}

export interface GroundOptions {
  quick: boolean
  /** Where CPU profiles of what is measured go; undefined: none. */
  profileDir?: string | undefined
}

const connectionsMax = 4

/** What package.json starts the house with; baselines have it too. */
const production = ['--max-semi-space-size=2']

/** Nothing is started before a part asks for it. */
export function newGround({ quick, profileDir }: GroundOptions): AppContext {
  const undo: (() => Promise<unknown>)[] = []
  const notes: string[] = []
  let server: Promise<string> | undefined
  let databases = 0

  const stage: AppContext = {
    quick,
    notes,
    server: null,
    start(file, { isUnderTest = false, collectsGarbage = false } = {}) {
      const profile = isUnderTest && profileDir ? ['--cpu-prof', `--cpu-prof-dir=${profileDir}`] : []
      const child = startChild<any>(file, [...production, ...(collectsGarbage ? ['--expose-gc'] : []), ...profile])
      undo.push(child.end)
      return child
    },
    async database() {
      const admin = connect(await (server ??= startServer(undo)), { max: 1 })
      const [about] = await admin.sql<{ version: string; fsync: string }[]>`
        select current_setting('server_version') as version, current_setting('fsync') as fsync`
      stage.server = `PostgreSQL ${about!.version}, fsync ${about!.fsync}`
      const name = `voltbay_bench_${process.pid}_${++databases}`
      await admin.sql`create database ${admin.sql(name)}`
      const url = within(await server, name)
      await migrate(url)
      const db = connect(url, { max: connectionsMax, statementTimeoutMs: 0 })
      undo.push(async () => {
        await db.close()
        await admin.sql`drop database ${admin.sql(name)} with (force)`
        await admin.close()
      })
      return { db, url }
    },
    note: (line) => void notes.push(line),
    progress: (line) => void process.stderr.write(`${line}\n`),
    async close() {
      for (const step of undo.splice(0).reverse()) await step()
    },
  }
  return stage
}

/** `TEST_DATABASE_URL`, where databases may be made; else an embedded PostgreSQL with fsync. */
async function startServer(undo: (() => Promise<unknown>)[]): Promise<string> {
  const given = process.env.TEST_DATABASE_URL
  if (given) return given
  // Named as a test run's, which sweeps up after one that was killed.
  const dataDir = mkdtempSync(join(tmpdir(), `${scratchPrefix}${process.pid}-`))
  const { url, stop } = await startEmbedded({ dataDir, log: () => {} })
  undo.push(async () => {
    await stop()
    rmSync(dataDir, { recursive: true, force: true })
  })
  return url
}
