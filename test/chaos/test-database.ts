import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { connect, type Db } from '../../db/postgres/connect.ts'
import {
  type Cluster,
  freePort,
  inspect,
  isPostgres,
  makeCluster,
  superuser,
} from '../../db/postgres/embedded-cluster.ts'
import { type Engine, install, settle } from '../../db/postgres/engine.ts'
import { migrate } from '../../db/postgres/migrations.ts'
import { scratchPrefix, within } from '../server.ts'
import { atEnd } from './last-things.ts'

/** Ways to be away: shut down in order, killed with `kill -9`, or frozen: it holds its connections and says nothing. */
export const absences = ['shut down', 'killed', 'frozen'] as const
export type Absence = (typeof absences)[number]

/** A PostgreSQL that nobody mends but us. */
export interface Server {
  /** A database as the house has it after its first start. */
  database(): Promise<{ db: Db; url: string; port: number; drop(): Promise<void> }>
  /** Resolves when it is away. */
  leave(how: Absence): Promise<void>
  /** Resolves when it serves again, on the same port. */
  comeBack(): Promise<void>
  /** Ends it and removes its files. */
  close(): Promise<void>
}

const connectionsMax = 250
const startSecondsMax = 60
const pollMs = 10
/** What `pg_stat_activity` shows of us; not `voltbay/…`, for whom an embedded server stays up. */
const applicationName = 'chaos'
const template = 'voltbay_chaos'

/** A directory of this run, gone at its end. The next test run sweeps it up if even that is not to be. */
export function scratch(): { dir: string; drop(): void } {
  const dir = mkdtempSync(join(tmpdir(), `${scratchPrefix}${process.pid}-`))
  // A server that was just killed may still write for a moment.
  const remove = () => rmSync(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  const isOver = atEnd(remove)
  const drop = () => {
    isOver()
    remove()
  }
  return { dir, drop }
}

/** Connects as an onlooker, who is none of the house's. */
export const onlook = (url: string): Db => connect(url, { max: 3, applicationName })

/** An own PostgreSQL with fsync, on a free port. */
export async function startServer(): Promise<Server> {
  const { dir: dataDir, drop } = scratch()
  const { home, account } = settle(dataDir)
  const engine = install(home, account)
  const cluster = await makeCluster(home, engine, account)
  const port = await freePort()
  const url = `postgres://${superuser}:${cluster.password}@127.0.0.1:${port}/postgres`
  const logFile = join(dataDir, 'postgres.log')
  let postmaster = await launch(engine, cluster, port, logFile)
  let frozen: number[] = []
  const isOver = atEnd(() => void postmaster.kill('SIGKILL'))
  await migrateTemplate(url)
  const thaw = () => {
    for (const pid of frozen.splice(0)) process.kill(pid, 'SIGCONT')
  }
  const admin = onlook(url)
  let databases = 0
  return {
    async database() {
      const name = `${template}_${++databases}`
      await admin.sql`create database ${admin.sql(name)} template ${admin.sql(template)}`
      const db = onlook(within(url, name))
      const drop = async () => {
        await db.close()
        await admin.sql`drop database ${admin.sql(name)} with (force)`
      }
      return { db, url: within(url, name), port, drop }
    },
    async leave(how) {
      if (how === 'frozen') frozen = await freeze(admin, postmaster)
      else await ended(postmaster, how === 'killed' ? 'SIGKILL' : 'SIGINT')
    },
    async comeBack() {
      if (frozen.length > 0) thaw()
      else postmaster = await launch(engine, cluster, port, logFile)
    },
    async close() {
      thaw()
      await admin.close()
      await ended(postmaster, 'SIGQUIT')
      isOver()
      drop()
      rmSync(home, { recursive: true, force: true })
    },
  }
}

async function migrateTemplate(url: string) {
  const admin = onlook(url)
  await admin.sql`create database ${admin.sql(template)}`
  await admin.close()
  await migrate(within(url, template))
}

/** @throws Error it does not serve in time */
async function launch(engine: Engine, cluster: Cluster, port: number, logFile: string): Promise<ChildProcess> {
  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: connectionsMax,
    timezone: 'UTC',
    jit: 'off',
    port,
  }
  const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const deadline = performance.now() + startSecondsMax * 1000
  while (performance.now() < deadline) {
    const output = openSync(logFile, 'a')
    // Detached: Ctrl-C is for us, who still have to look at what is in it.
    const child = engine.run('postgres', ['-D', cluster.data, ...args], {
      stdio: ['ignore', output, output],
      detached: true,
    })
    closeSync(output)
    if (await isServing(child, cluster)) return child
    // The memory of a killed server is not free before its last backend is gone.
    await pause(pollMs)
  }
  throw new Error(`PostgreSQL does not start, see ${logFile}`)
}

async function isServing(child: ChildProcess, cluster: Cluster): Promise<boolean> {
  let isGone = false
  child.once('exit', () => (isGone = true)).once('error', () => (isGone = true))
  while (!isGone) {
    const seen = inspect(cluster)
    if (seen.state === 'ready' && seen.pid === child.pid) return true
    await pause(pollMs)
  }
  return false
}

/** Ends a process that may have ended already. */
async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill(signal)
  await exit
}

/** Stops the postmaster first, so that no backend is born any more, then all but the one we ask. */
async function freeze(admin: Db, postmaster: ChildProcess): Promise<number[]> {
  const backends = await admin.transaction(async (tx) => {
    await tx`select 1`
    postmaster.kill('SIGSTOP')
    const rows = await tx<{ pid: number }[]>`select pid from pg_stat_activity where pid <> pg_backend_pid()`
    return rows.map(({ pid }) => pid).filter(isPostgres)
  })
  for (const pid of backends) process.kill(pid, 'SIGSTOP')
  return [postmaster.pid!, ...backends]
}
