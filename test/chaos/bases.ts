import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Db } from '../../db/postgres/connect.ts'
import { atEnd } from './last-things.ts'
import { tap } from './tap.ts'
import { onlook, type Server, scratch } from './test-database.ts'
import { databaseWire, type Look } from './wires.ts'

/** What a house stands on: its database, seen from beside it. */
export interface Base {
  /** What the house is told about it. */
  settings: Record<string, string>
  /** Where the house runs. */
  cwd: string
  /** The onlooker's connection; of an embedded database only once the house has made it. */
  db(): Db
  /** Kills the database too, as a power cut does. Does nothing to one that others stand on. */
  cut(): void
  close(): Promise<void>
}

/**
 * A database on a server of ours, so that a kill takes the house and not the database.
 * @param look what looks at its wire; null: the wire is left as it is
 */
export async function serverBase(server: Server, look: Look | null): Promise<Base> {
  const database = await server.database()
  const { db, url, port } = database
  const wire = look && (await tap(() => databaseWire(look)))
  wire?.lead(port)
  const through = new URL(url)
  if (wire) through.port = String(wire.port)
  const { dir: cwd, drop } = scratch()
  return {
    settings: { DATABASE_URL: through.href },
    cwd,
    db: () => db,
    cut: () => {},
    async close() {
      await wire?.close()
      await database.drop()
      drop()
    },
  }
}

/** The embedded default: the house starts its own PostgreSQL, which outlives it when it is killed. */
export function embeddedBase(): Base {
  const { dir: cwd, drop } = scratch()
  let db: Db | null = null
  const cut = () => {
    try {
      process.kill(postmasterOf(cwd), 'SIGKILL')
    } catch {
      // It has ended with its owner, or was never started.
    }
  }
  const isOver = atEnd(cut)
  return {
    settings: { DATA_DIR: cwd },
    cwd,
    db: () => (db ??= onlook(JSON.parse(readFileSync(join(cwd, 'postgres.json'), 'utf8')).url)),
    cut,
    async close() {
      await db?.close()
      isOver()
      cut()
      drop()
    },
  }
}

const postmasterOf = (dataDir: string) =>
  Number(readFileSync(join(dataDir, 'postgres/cluster/data/postmaster.pid'), 'utf8').split('\n')[0])
