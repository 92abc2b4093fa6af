import type { ChildProcess } from 'node:child_process'
import * as fs from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Log } from '../platform/log.ts'
import { connect } from './connect.ts'
import { type Cluster, freePort, inspect, isPostgres, makeCluster, superuser } from './embedded-cluster.ts'
import { EmbeddedFailed, type Engine, install, settle } from './engine.ts'

/** A real PostgreSQL of our own on loopback, for trying, teaching and small pilots. */
export interface Embedded {
  /** `postgres://voltbay:…@127.0.0.1:port/postgres`; also in `DATA_DIR/postgres.json` (0600), for people and `psql`. */
  url: string
  /** Process number of the server now; another after it was restarted. */
  pid(): number
  /** True when it was already running: another command of ours, or left by one that was killed. */
  found: boolean
  /** Shuts the server down, unless another of our processes is connected: the last one out turns off the light. */
  stop(): Promise<void>
}

export interface EmbeddedOptions {
  dataDir: string
  log: Log
  /** False: no fsync. For tests only. */
  durable?: boolean
}

const startSecondsMax = 60
const failedStartsMax = 20
const failedStartPauseMs = 100
const pollMs = 5
const watchMs = 500
const stopSecondsMax = 20
const leavingLooksMax = 6
const leavingPauseMs = 25
const logBytesMax = 10 * 1024 * 1024
const logTailBytes = 600

const tuning = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: 100,
  shared_buffers: '128MB',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_line_prefix: '%m [%p] %a ',
  // Without what an email or a phone was that is there already.
  log_error_verbosity: 'terse',
  jit: 'off',
}
const careless = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }

/** One server as this process keeps it. */
interface Keeper {
  cluster: Cluster
  engine: Engine
  options: EmbeddedOptions
  logFile: string
  port: number
  pid: number
  /** The one this process started, whoever may serve by now. */
  launched: number | undefined
  stopped: boolean
}

/**
 * Finds the server of `dataDir` or starts it, and keeps it up until `stop`: whoever is connected restarts it within a
 * second when it dies. A server whose owner was killed is adopted; one that is just going down is waited for.
 * @throws EmbeddedFailed with one line that says why
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<Embedded> {
  const { home, account } = settle(options.dataDir)
  const engine = install(home, account)
  const cluster = await makeCluster(home, engine, account)
  const logFile = join(resolve(options.dataDir), 'postgres.log')
  const port = rememberedPort(options)
  const keeper: Keeper = { cluster, engine, options, logFile, port, pid: 0, launched: undefined, stopped: false }
  // Not one that was found: its owner may have only been killed, and somebody else may have taken it up.
  const drop = () => keeper.pid === keeper.launched && signal(keeper.pid, 'SIGINT')
  process.once('exit', drop)
  const found = await up(keeper)
  remember(keeper)
  options.log(found ? 'database.found' : 'database.started', { port: keeper.port, pid: keeper.pid })

  let mending: Promise<void> | undefined
  const watch = setInterval(() => {
    limitLog(keeper.logFile)
    if (!isPostgres(keeper.pid)) mending ??= mend(keeper).finally(() => (mending = undefined))
  }, watchMs).unref()
  return {
    url: urlOf(keeper),
    pid: () => keeper.pid,
    found,
    stop: async () => {
      clearInterval(watch)
      keeper.stopped = true
      await mending
      await shutDown(keeper)
      process.removeListener('exit', drop)
    },
  }
}

/** Resolves when the server answers; true if it was running already. */
async function up(keeper: Keeper): Promise<boolean> {
  const deadline = performance.now() + startSecondsMax * 1000
  let failedStarts = 0
  while (performance.now() < deadline) {
    const seen = inspect(keeper.cluster)
    if (seen.state === 'absent') {
      if (await launch(keeper)) return false
      // Another process may have been faster, or the memory of a killed server is not free yet.
      if (++failedStarts >= failedStartsMax) break
      await pause(failedStartPauseMs)
    } else if (seen.state === 'ready') {
      Object.assign(keeper, { port: seen.port, pid: seen.pid })
      if (await answers(keeper)) return true
      await pause(failedStartPauseMs)
    } else await pause(pollMs)
  }
  throw new EmbeddedFailed(`PostgreSQL in ${keeper.cluster.data} does not start: ${tail(keeper.logFile)}`)
}

async function launch(keeper: Keeper): Promise<boolean> {
  const { cluster, engine, options } = keeper
  const port = await freePort(keeper.port)
  const settings = { ...tuning, ...(options.durable === false ? careless : {}), port }
  const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const output = fs.openSync(keeper.logFile, 'a', 0o600)
  // Detached: Ctrl-C in a terminal is for us, and the server must outlive our last transaction.
  const child = engine.run('postgres', ['-D', cluster.data, ...args], {
    stdio: ['ignore', output, output],
    detached: true,
  })
  fs.closeSync(output)
  child.unref()
  Object.assign(keeper, { port, pid: child.pid ?? 0, launched: child.pid })
  return isReady(child, cluster)
}

/** False when the child ended before it served. */
async function isReady(child: ChildProcess, cluster: Cluster): Promise<boolean> {
  let ended = child.pid === undefined
  child.once('exit', () => (ended = true)).once('error', () => (ended = true))
  for (;;) {
    const seen = inspect(cluster)
    if (seen.state === 'ready' && seen.pid === child.pid) return true
    if (ended) return false
    await pause(pollMs)
  }
}

/** @throws EmbeddedFailed when the server there does not know our password. */
async function answers(keeper: Keeper): Promise<boolean> {
  const db = connect(urlOf(keeper), { max: 1 })
  try {
    await db.sql`select 1`
    return true
  } catch (error) {
    const code = (error as { code?: string }).code
    if (code === '28P01') throw new EmbeddedFailed(`the PostgreSQL serving ${keeper.cluster.data} is not ours`)
    return false
  } finally {
    await db.close()
  }
}

async function mend(keeper: Keeper) {
  const { log } = keeper.options
  const { port } = keeper
  log('database.gone', { pid: keeper.pid })
  try {
    await up(keeper)
    remember(keeper)
    log('database.restarted', { pid: keeper.pid, port: keeper.port })
    if (keeper.port !== port) log('database.moved', { error: new EmbeddedFailed(`port ${port} was taken: restart us`) })
    if (keeper.stopped) await shutDown(keeper)
  } catch (error) {
    log('database.failed', { error })
  }
}

async function shutDown(keeper: Keeper) {
  const { log } = keeper.options
  if (!isPostgres(keeper.pid)) return
  if (await othersConnected(keeper)) return log('database.left', { pid: keeper.pid })
  signal(keeper.pid, 'SIGINT')
  const deadline = performance.now() + stopSecondsMax * 1000
  while (isPostgres(keeper.pid)) {
    // SIGQUIT: at once, without a checkpoint; the next start recovers from the log.
    if (performance.now() > deadline) signal(keeper.pid, 'SIGQUIT')
    await pause(pollMs)
  }
  log('database.stopped', { pid: keeper.pid })
}

/** Looks for a moment: connections just closed, ours and those of another who leaves now, take a little to go. */
async function othersConnected(keeper: Keeper): Promise<boolean> {
  const db = connect(urlOf(keeper), { max: 1, applicationName: 'voltbay leaving' })
  try {
    for (let look = 1; look <= leavingLooksMax; look++) {
      const others = await db.sql`
        select from pg_stat_activity
        where application_name like 'voltbay/%' and application_name <> ${`voltbay/${process.pid}`}`
      if (others.length === 0) return false
      await pause(leavingPauseMs)
    }
    return true
  } catch {
    // It does not answer any more: nobody is served by it.
    return false
  } finally {
    await db.close()
  }
}

function signal(pid: number, name: NodeJS.Signals) {
  try {
    process.kill(pid, name)
  } catch {
    // Gone already.
  }
}

const urlOf = ({ cluster, port }: Keeper) => `postgres://${superuser}:${cluster.password}@127.0.0.1:${port}/postgres`

const memoryOf = ({ dataDir }: EmbeddedOptions) => join(resolve(dataDir), 'postgres.json')

function rememberedPort(options: EmbeddedOptions): number {
  try {
    const { url } = JSON.parse(fs.readFileSync(memoryOf(options), 'utf8')) as { url: string }
    return Number(new URL(url).port)
  } catch {
    // First start, or a file somebody spoilt: any port will do.
    return 0
  }
}

function remember(keeper: Keeper) {
  const file = memoryOf(keeper.options)
  fs.writeFileSync(`${file}.${process.pid}`, `${JSON.stringify({ url: urlOf(keeper) })}\n`, { mode: 0o600 })
  fs.renameSync(`${file}.${process.pid}`, file)
}

/** The server appends, so the file may be cut under it. */
function limitLog(file: string) {
  if ((fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0) > logBytesMax) fs.truncateSync(file)
}

function tail(file: string): string {
  if (!fs.existsSync(file)) return 'it said nothing'
  return fs.readFileSync(file, 'utf8').slice(-logTailBytes).trim().replace(/\s+/g, ' ')
}
