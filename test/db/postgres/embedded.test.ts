import { type ChildProcess, spawn } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, onTestFinished, test } from 'vitest'
import { connect } from '../../../db/postgres/connect.ts'
import { startEmbedded } from '../../../db/postgres/embedded.ts'
import { isPostgres } from '../../../db/postgres/embedded-cluster.ts'
import { tempDataDir } from '../../postgres.ts'

const root = process.getuid?.() === 0
/** For the tests that need no empty one; each leaves its server stopped. */
const dataDir = tempDataDir()

/** Another process with the database of `dataDir` open, as `npm start` or any command would have it. */
async function opener(dataDir: string) {
  const child = spawn(process.execPath, ['test/db/postgres/opener.ts', dataDir], { stdio: ['pipe', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const ended = new Promise<number | null>((done) => child.once('exit', done))
  const said = createInterface({ input: child.stdout })
  const [line] = await Promise.race([once(said), ended.then(() => ['{}'])])
  const { pid, url, found } = JSON.parse(line!) as { pid: number; url: string; found: boolean }
  return { pid, url, found, child, ended, leave: () => leave(child, ended) }
}

const once = (lines: ReturnType<typeof createInterface>) =>
  new Promise<string[]>((done) => lines.once('line', (line) => done([line])))

async function leave(child: ChildProcess, ended: Promise<number | null>) {
  child.stdin!.end()
  expect(await ended).toBe(0)
}

async function kill(child: ChildProcess, ended: Promise<number | null>) {
  child.kill('SIGKILL')
  await ended
}

async function query(url: string, work: (sql: ReturnType<typeof connect>['sql']) => Promise<unknown>) {
  const db = connect(url, { max: 1 })
  try {
    return await work(db.sql)
  } finally {
    await db.close()
  }
}

test('it runs as nobody when we are root, on loopback, behind a password kept for us alone', async () => {
  const one = await opener(dataDir)
  if (process.platform === 'linux') expect(statSync(`/proc/${one.pid}`).uid).toBe(root ? 65534 : process.getuid?.())
  expect(statSync(join(dataDir, 'postgres.json')).mode & 0o777).toBe(0o600)
  expect(JSON.parse(readFileSync(join(dataDir, 'postgres.json'), 'utf8'))).toEqual({ url: one.url })
  expect(new URL(one.url).hostname).toBe('127.0.0.1')

  const stranger = new URL(one.url)
  stranger.password = 'guess'
  await expect(query(stranger.href, (sql) => sql`select 1`)).rejects.toThrow('password authentication failed')
  await one.leave()
})

test('its log does not name what was refused: that may be an email or a phone', async () => {
  const one = await opener(dataDir)
  const { sql, close } = connect(one.url, { max: 1 })
  await sql`create table people (email text unique)`
  const add = () => sql`insert into people values (${'somebody@example.com'})`
  await add()
  await expect(add()).rejects.toThrow('duplicate key')
  await sql`drop table people`
  await close()
  await one.leave()
  const log = readFileSync(join(dataDir, 'postgres.log'), 'utf8')
  expect(log).toContain('duplicate key')
  expect(log).not.toContain('somebody@')
})

test('a command beside a running one uses the same server, and the last one out stops it', async () => {
  const first = await opener(dataDir)
  const second = await opener(dataDir)
  expect([first.found, second.found]).toEqual([false, true])
  expect(second.pid).toBe(first.pid)

  await first.leave()
  expect(await query(second.url, (sql) => sql`select 1 as one`)).toEqual([{ one: 1 }])
  await second.leave()
  expect(isPostgres(first.pid)).toBe(false)
})

test('a server left by a killed owner is adopted, with what was written', async () => {
  const first = await opener(dataDir)
  await query(first.url, (sql) => sql`create table kept as select 7 as n`)
  await kill(first.child, first.ended)

  const second = await opener(dataDir)
  expect(second).toMatchObject({ found: true, pid: first.pid, url: first.url })
  expect(await query(second.url, (sql) => sql`select n from kept`)).toEqual([{ n: 7 }])
  await second.leave()
  expect(isPostgres(first.pid)).toBe(false)
})

test('after the power went for both, a new start has everything that was committed, on the same port', async () => {
  const first = await opener(dataDir)
  await query(first.url, (sql) => sql`create table saved as select 7 as n`)
  await kill(first.child, first.ended)
  process.kill(first.pid, 'SIGKILL')

  const second = await opener(dataDir)
  expect(second).toMatchObject({ found: false, url: first.url })
  expect(await query(second.url, (sql) => sql`select n from saved`)).toEqual([{ n: 7 }])
  await second.leave()
})

test('two first starts at once end up with one server', async () => {
  const dataDir = tempDataDir()
  const both = await Promise.all([opener(dataDir), opener(dataDir)])
  expect(both[0].pid).toBe(both[1].pid)
  expect(both[0].url).toBe(both[1].url)
  expect(both.filter(({ found }) => found)).toHaveLength(1)
  await Promise.all(both.map(({ leave }) => leave()))
  expect(isPostgres(both[0].pid)).toBe(false)
  expect(readdirSync(join(dataDir, 'postgres')).sort()).toEqual(['cluster', expect.stringMatching(/^engine-/)])
})

test('a pid file of somebody else, and one left empty by a power cut, do not keep it from starting', async () => {
  const pidFile = join(dataDir, 'postgres/cluster/data/postmaster.pid')
  writeFileSync(pidFile, `${process.pid}\n/somewhere\n0\n5432\n\n127.0.0.1\n0 0\nready\n`)
  const one = await opener(dataDir)
  expect(one.found).toBe(false)
  await one.leave()

  writeFileSync(pidFile, '')
  utimesSync(pidFile, 0, 0)
  const two = await opener(dataDir)
  expect(two.found).toBe(false)
  await two.leave()
})

test('data of another PostgreSQL, or a server that is not ours, is one clear line', async () => {
  const one = await opener(dataDir)
  const password = join(dataDir, 'postgres/cluster/password')
  const ours = readFileSync(password)
  writeFileSync(password, 'guess')
  await expect(startEmbedded({ dataDir, log: () => {} })).rejects.toThrow(/^the PostgreSQL serving \S+ is not ours$/)
  writeFileSync(password, ours)
  await one.leave()

  writeFileSync(join(dataDir, 'postgres/cluster/data/PG_VERSION'), '15\n')
  await expect(startEmbedded({ dataDir, log: () => {} })).rejects.toThrow(/is of PostgreSQL 15, this is 18: dump/)
})

test.runIf(root)('a data directory that nobody cannot reach has its server elsewhere', async () => {
  const outer = tempDataDir()
  const dataDir = join(outer, 'data')
  mkdirSync(dataDir)
  chmodSync(outer, 0o700)
  const one = await opener(dataDir)
  const two = await opener(dataDir)
  expect(two.pid).toBe(one.pid)
  const [row] = (await query(one.url, (sql) => sql`show data_directory`)) as { dataDirectory: string }[]
  expect(row!.dataDirectory).toMatch(/^\/var\/lib\/voltbay\/[0-9a-f]{12}\/cluster\/data$/)
  await one.leave()
  await two.leave()
  rmSync(join(row!.dataDirectory, '../..'), { recursive: true })
  expect(existsSync(join(dataDir, 'postgres'))).toBe(false)
})
