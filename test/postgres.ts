import { randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, inject } from 'vitest'
import type { TestProject } from 'vitest/node'
import { isAlive } from '../db/cluster.ts'
import { connect, type Db } from '../db/connect.ts'
import { startEmbedded } from '../db/embedded.ts'
import { migrate } from '../db/migrations.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** A superuser's address of the run's server. */
    server: string
    /** Its migrated database, which is only ever copied. */
    template: string
  }
}

const prefix = 'voltbay-test-'
const testConnectionsMax = 5

/**
 * One PostgreSQL a run (vitest's globalSetup): `TEST_DATABASE_URL` names a server where we may create databases; else
 * the embedded one, in a directory of its own and without fsync. Migrated once, into a template.
 */
export async function setup({ provide }: TestProject) {
  const server = await startServer()
  const template = `voltbay_template_${process.pid}`
  const admin = connect(server.url, { max: 1 })
  await admin.sql`create database ${admin.sql(template)}`
  await migrate(within(server.url, template))
  provide('server', server.url)
  provide('template', template)
  return async () => {
    await admin.sql`drop database ${admin.sql(template)} with (force)`
    await admin.close()
    await server.stop()
  }
}

/** This file's own copy of the migrated database (about 20 ms), dropped after the file's last test. */
export async function testDb(): Promise<{ db: Db; url: string }> {
  return await database(inject('template'))
}

/** The same, but with nothing in it: for tests of the migrations themselves. */
export async function freshDb(): Promise<{ db: Db; url: string }> {
  return await database('template0')
}

async function database(template: string) {
  const server = inject('server')
  const name = `t_${randomBytes(6).toString('hex')}`
  const admin = connect(server, { max: 1 })
  await admin.sql`create database ${admin.sql(name)} template ${admin.sql(template)}`
  const url = within(server, name)
  const db = connect(url, { max: testConnectionsMax })
  afterAll(async () => {
    await db.close()
    await admin.sql`drop database ${admin.sql(name)} with (force)`
    await admin.close()
  })
  return { db, url }
}

/** An empty data directory, removed by `after`: vitest's `afterAll`, or `onTestFinished` inside a test. */
export function tempDataDir(after: (remove: () => void) => void): string {
  const dataDir = mkdtempSync(join(tmpdir(), `${prefix}${process.pid}-`))
  after(() => rmSync(dataDir, { recursive: true, force: true }))
  return dataDir
}

function within(server: string, name: string) {
  const url = new URL(server)
  url.pathname = name
  return url.href
}

async function startServer() {
  const given = process.env.TEST_DATABASE_URL
  if (given) return { url: given, stop: async () => {} }
  sweep()
  const dataDir = mkdtempSync(join(tmpdir(), `${prefix}${process.pid}-`))
  const { url, stop } = await startEmbedded({ dataDir, log: () => {}, durable: false })
  return {
    url,
    stop: async () => {
      await stop()
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}

/** Ends what a killed run left behind. */
function sweep() {
  for (const name of readdirSync(tmpdir())) {
    const owner = Number(new RegExp(`^${prefix}(\\d+)-`).exec(name)?.[1])
    if (!owner || isAlive(owner)) continue
    const dataDir = join(tmpdir(), name)
    try {
      const pid = Number(readFileSync(join(dataDir, 'postgres/cluster/data/postmaster.pid'), 'utf8').split('\n')[0])
      process.kill(pid, 'SIGQUIT')
    } catch {
      // It had none, or it is gone.
    }
    rmSync(dataDir, { recursive: true, force: true })
  }
}
