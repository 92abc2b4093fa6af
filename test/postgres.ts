import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inject } from 'vitest'
import { connect, type Db } from '../db/postgres/connect.ts'
import { scratchPrefix, within } from './server.ts'

const testConnectionsMax = 5

const undo: (() => unknown)[] = []

/** Takes back all that a file has made. `each-file.ts` calls it: vitest forgets an `afterAll` said inside a test or hook. */
export async function undoAll() {
  for (const step of undo.splice(0).reverse()) await step()
}

/** An own copy of the migrated database (about 20 ms), dropped after the file's last test. */
export async function testDb(): Promise<{ db: Db; url: string }> {
  return await database(inject('template'))
}

/** The same, but with nothing in it: for tests of the migrations themselves. */
export async function freshDb(): Promise<{ db: Db; url: string }> {
  return await database('template0')
}

async function database(template: string) {
  const server = inject('server')
  const name = `${inject('template')}_${randomBytes(6).toString('hex')}`
  const admin = connect(server, { max: 1 })
  await admin.sql`create database ${admin.sql(name)} template ${admin.sql(template)}`
  const url = within(server, name)
  const db = connect(url, { max: testConnectionsMax })
  undo.push(async () => {
    await db.close()
    await admin.sql`drop database ${admin.sql(name)} with (force)`
    await admin.close()
  })
  return { db, url }
}

/** An empty data directory, removed after the file's last test. */
export function tempDataDir(): string {
  const dataDir = mkdtempSync(join(tmpdir(), `${scratchPrefix}${process.pid}-`))
  undo.push(() => rmSync(dataDir, { recursive: true, force: true }))
  return dataDir
}
