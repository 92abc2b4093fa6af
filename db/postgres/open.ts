import { setTimeout as pause } from 'node:timers/promises'
import type { Log } from '../platform/log.ts'
import { connect, type Db } from './connect.ts'
import { startEmbedded } from './embedded.ts'
import { migrate } from './migrations.ts'

export interface OpenOptions {
  /** `DATABASE_URL`. Undefined: the embedded PostgreSQL of `dataDir`. */
  databaseUrl?: string | undefined
  dataDir: string
  log: Log
}

/** The database, migrated and ready. */
export interface Opened {
  db: Db
  url: string
  embedded: boolean
  /** Names of the migrations that this call applied. */
  migrated: string[]
  /** Closes the connections, and the embedded server unless another of our processes uses it. */
  stop(): Promise<void>
}

const waitForDatabaseSeconds = 30
const waitPauseMs = 500
/** Nobody there yet, or there and still starting: a restart may bring both up together. */
const notYet = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'CONNECT_TIMEOUT', 'CONNECTION_CLOSED', '57P03'])

/**
 * Opens the database of this installation. Waits half a minute for one that is still coming up.
 * @throws EmbeddedFailed | MigrationMismatch | the driver's error
 */
export async function open({ databaseUrl, dataDir, log }: OpenOptions): Promise<Opened> {
  const own = databaseUrl ? undefined : await startEmbedded({ dataDir, log })
  const url = databaseUrl || own!.url
  const migrated = await migrateWhenThere(url, log).catch(async (error) => {
    await own?.stop()
    const { message, code } = error as Error & { code?: string }
    if (databaseUrl && error instanceof Error && code !== undefined) error.message = `DATABASE_URL: ${message || code}`
    throw error
  })
  if (migrated.length > 0) log('database.migrated', { tags: migrated })
  const db = connect(url)
  return {
    db,
    url,
    embedded: own !== undefined,
    migrated,
    stop: async () => {
      await db.close()
      await own?.stop()
    },
  }
}

async function migrateWhenThere(url: string, log: Log): Promise<string[]> {
  const deadline = performance.now() + waitForDatabaseSeconds * 1000
  for (let attempt = 1; ; attempt++) {
    try {
      return await migrate(url)
    } catch (error) {
      const code = (error as { code?: string }).code ?? ''
      if (!notYet.has(code) || performance.now() > deadline) throw error
      if (attempt === 1) log('database.awaited', { code })
      await pause(waitPauseMs)
    }
  }
}
