import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { connect } from '../db/postgres/connect.ts'
import { startEmbedded } from '../db/postgres/embedded.ts'
import { isAlive } from '../db/postgres/embedded-cluster.ts'
import { migrate } from '../db/postgres/migrations.ts'
import {
  type BrokerChoice,
  brokerFor,
  hasContainers,
  localMosquitto,
  type PostgresChoice,
  postgresFor,
} from './engines.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** A superuser's address of the run's server. */
    server: string
    /** Its migrated database, which is only ever copied; what every other database of the run begins with. */
    template: string
    /** What stands for a broker of somebody else; null: there is none. */
    broker: BrokerChoice
  }
}

/** What directories of a run are called, so that the next run can sweep up after one that was killed. */
export const scratchPrefix = 'voltbay-test-'

/** The address of another database on the same server. */
export function within(server: string, name: string): string {
  const url = new URL(server)
  url.pathname = name
  return url.href
}

/**
 * One PostgreSQL a run (vitest's globalSetup): `TEST_DATABASE_URL` names a server where we may create databases; else
 * one in a container, else the embedded one, in a directory of its own and without fsync. Migrated once, into a template.
 */
export async function setup({ provide }: TestProject) {
  const containers = await hasContainers()
  const broker = brokerFor(process.env, containers, localMosquitto)
  if (broker === null)
    console.warn('No Mosquitto and no container engine here: what is promised behind them is skipped.')
  provide('broker', broker)
  const server = await startServer(postgresFor(process.env, containers))
  const template = `voltbay_test_${process.pid}`
  const admin = connect(server.url, { max: 1 })
  await admin.sql`create database ${admin.sql(template)}`
  await migrate(within(server.url, template))
  provide('server', server.url)
  provide('template', template)
  return async () => {
    // The template, and what a file that crashed could not drop.
    const left = await admin.sql<{ name: string }[]>`
      select datname as name from pg_database where datname = ${template} or datname like ${`${template}\\_%`}`
    for (const { name } of left) await admin.sql`drop database ${admin.sql(name)} with (force)`
    await admin.close()
    await server.stop()
  }
}

async function startServer(choice: PostgresChoice) {
  if (choice !== 'embedded') {
    if ('url' in choice) return { url: choice.url, stop: async () => {} }
    const { startPostgres } = await import('./containers.ts')
    return await startPostgres(choice.image)
  }
  sweep()
  const dataDir = mkdtempSync(join(tmpdir(), `${scratchPrefix}${process.pid}-`))
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
    const owner = Number(new RegExp(`^${scratchPrefix}(\\d+)-`).exec(name)?.[1])
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
