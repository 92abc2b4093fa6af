import { randomBytes } from 'node:crypto'
import * as fs from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { type Account, EmbeddedFailed, type Engine, moveInto } from './engine.ts'

/** One cluster on disk: `home/cluster/{data,password}`. */
export interface Cluster {
  home: string
  data: string
  account: Account
  password: string
}

/** What `postmaster.pid` says (its lines: pid, data directory, start, port, socket, address, shared memory, status). */
export type Seen = { state: 'absent' } | { state: 'changing' | 'ready'; pid: number; port: number }

export const superuser = 'voltbay'
const messageCharsMax = 500
const emptyPidFileSecondsMax = 5

/**
 * Makes the cluster unless it is there. It is made in a draft and renamed, so an interrupted first start leaves nothing
 * half-made, and of two first starts at once one wins and both use it: no lock file that could go stale.
 *
 * UTF-8 with PostgreSQL's own C.UTF-8: sorts by code point, and `lower()` knows Cyrillic.
 * @throws EmbeddedFailed
 */
export async function makeCluster(home: string, engine: Engine, account: Account): Promise<Cluster> {
  const place = join(home, 'cluster')
  const data = join(place, 'data')
  if (!fs.existsSync(place)) {
    const draft = join(home, `draft-${randomBytes(6).toString('hex')}`)
    fs.mkdirSync(draft, { mode: 0o700 })
    const passwordFile = join(draft, 'password')
    fs.writeFileSync(passwordFile, randomBytes(24).toString('base64url'), { mode: 0o600 })
    if (account) for (const path of [draft, passwordFile]) fs.chownSync(path, account.uid, account.gid)
    await initdb(engine, draft, passwordFile)
    moveInto(draft, place)
  }
  const major = fs.readFileSync(join(data, 'PG_VERSION'), 'utf8').trim()
  const ours = engine.version.split('.')[0]
  if (major !== ours)
    throw new EmbeddedFailed(`${data} is of PostgreSQL ${major}, this is ${ours}: dump and restore it`)
  return { home, data, account, password: fs.readFileSync(join(place, 'password'), 'utf8') }
}

async function initdb(engine: Engine, draft: string, passwordFile: string) {
  const data = join(draft, 'data')
  const args = ['-D', data, '-U', superuser, '-A', 'scram-sha-256', '--pwfile', passwordFile, '-E', 'UTF8']
  const locale = ['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8']
  await run(engine, [...args, ...locale, '--no-sync', '--no-instructions'])
  await run(engine, ['-D', data, '--sync-only'])
}

async function run(engine: Engine, args: string[]) {
  const child = engine.run('initdb', args, { stdio: ['ignore', 'ignore', 'pipe'] })
  const drop = () => child.kill()
  process.once('exit', drop)
  let said = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-messageCharsMax)))
  const code = await new Promise<number | null>((done, fail) =>
    child.once('close', done).once('error', (cause) => fail(new EmbeddedFailed(`initdb: ${cause.message}`, { cause }))),
  )
  process.removeListener('exit', drop)
  if (code !== 0) throw new EmbeddedFailed(`initdb failed (${code}): ${said.trim().replace(/\s+/g, ' ')}`)
}

/** Is somebody serving this cluster? A file left by a process that is gone counts as nobody. */
export function inspect({ data }: Cluster): Seen {
  const file = join(data, 'postmaster.pid')
  let lines: string[]
  try {
    lines = fs.readFileSync(file, 'utf8').split('\n')
  } catch {
    return { state: 'absent' }
  }
  const pid = Number(lines[0])
  // Made this instant and not yet filled, or left so by a power cut.
  if (!pid) return age(file) < emptyPidFileSecondsMax ? { state: 'changing', pid, port: 0 } : drop(file)
  if (!isPostgres(pid)) {
    // In a restarted container the number may be somebody else's by now; PostgreSQL would take that for a live one.
    return isAlive(pid) ? drop(file) : { state: 'absent' }
  }
  return { state: lines[7]?.trim() === 'ready' ? 'ready' : 'changing', pid, port: Number(lines[3]) }
}

function drop(file: string): Seen {
  fs.rmSync(file, { force: true })
  return { state: 'absent' }
}

const age = (file: string) => (Date.now() - (fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0)) / 1000

/** Does a process of this number exist? */
export function isAlive(pid: number) {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Is it a running PostgreSQL? One that ended and is not yet reaped by whoever adopted it (a container's init) is not. */
export function isPostgres(pid: number) {
  if (!isAlive(pid)) return false
  try {
    return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('postgres')
  } catch {
    // No /proc (macOS, Windows): take its word. Gone since we asked: not alive.
    return process.platform !== 'linux'
  }
}

/** `preferred` if it can be had on loopback, else any free port. */
export async function freePort(preferred = 0): Promise<number> {
  const server = createServer()
  const port = await new Promise<number>((done) => {
    server.once('error', () => done(0))
    server.listen(preferred, '127.0.0.1', () => done((server.address() as { port: number }).port))
  })
  if (port === 0) return preferred === 0 ? Promise.reject(new EmbeddedFailed('no free port')) : freePort()
  return new Promise((done) => server.close(() => done(port)))
}
