import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import * as registered from '../../db/paygo/terminals.ts'
import type { Db } from '../../db/postgres/connect.ts'
import type { EchoChild } from './echo-child.ts'
import { alternate, compared, spread } from './pairs.ts'
import { oneRowCommits } from './pgbench.ts'
import type { HouseChild } from './server-child.ts'
import type { Bench } from './stage.ts'
import { kilobytes, milliseconds, type Row, thousands } from './table.ts'
import type { BenchTerminal, TerminalsChild } from './terminals-child.ts'

const purchaseCounts = [16, 200]
const purchaseRatioMin = 0.5
const clients = 16
const echoCounts = [1, 200]
const echoRatioMin = 0.8
const bytesEachMax = 10 * 1_024
/** Connected before anything is weighed: the first make tables, code and room for garbage, which are no terminal's. */
const linesBefore = 200
const weighedFull = 2_000
const weighedQuick = 400
/** Memory a process has given up is returned a little later. */
const restMs = 2_000

/** Registers so many terminals, each with a key of its own. */
async function register(db: Db, count: number, keysSecret: string): Promise<BenchTerminal[]> {
  return await db.transaction(async (tx) => {
    const made: BenchTerminal[] = []
    for (let n = 0; n < count; n++) {
      const [serial, key] = [`B${String(n).padStart(7, '0')}`, randomBytes(32).toString('hex')]
      const about = { name: 'Till', location: 'Hall', address: 'Street 1', methods: ['nfc'] as const }
      const { terminalCode } = await registered.create(tx, null, { serial, key, ...about }, keysSecret)
      made.push({ code: terminalCode, key })
    }
    return made
  })
}

/** A gateway with a database of its own, and a process with so many terminals that are not connected yet. */
async function open(bench: Bench, count: number) {
  const keysSecret = randomBytes(32).toString('hex')
  const { db, url } = await bench.database()
  const terminals = await register(db, count, keysSecret)
  // Not the others: of a table known to be empty the sessions would never use an index again.
  await db.sql`vacuum analyze devices, terminals`
  const house = bench.start<HouseChild>('server-child.ts', { isUnderTest: true, collectsGarbage: true })
  const { terminalPort: port } = await house.ask('open', { url, keysSecret, jwtSecret: keysSecret, hasApi: false })
  const lines = bench.start<TerminalsChild>('terminals-child.ts')
  return { db, url, house, lines, terminals, port }
}

/** Purchases that are answered when they are booked and durable, against the least that PostgreSQL can commit. */
export async function terminals(bench: Bench): Promise<Row[]> {
  const { quick, progress, note } = bench
  const { db, url, house, lines, terminals, port } = await open(bench, Math.max(...purchaseCounts))
  await lines.ask('dial', { side: 'ours', port, terminals })
  const tool = await oneRowCommits(db)
  if (!tool) note('terminals: pgbench is not installed here, so nothing is compared with it.')
  const rows: Row[] = []
  for (const count of purchaseCounts) {
    progress(`  ${count} terminals`)
    const waits: number[] = []
    const ours = async () => {
      const { perSecond, p50 } = await lines.ask('run', { side: 'ours', what: 'buy', count, ms: quick ? 500 : 1_500 })
      waits.push(p50)
      return perSecond
    }
    const commits = async () => (tool ? await tool.run({ url, clients, each: quick ? 32 : 128 }) : Number.NaN)
    const rounds = await alternate(quick ? 2 : 4, { ours, commits })
    const figures = compared(rounds, (rate) => rate, ['ours', 'commits'])
    rows.push({
      what: `purchases answered after the durable commit, ${count} terminals`,
      ours: `${thousands(figures.ours)}/s`,
      ...(tool && { baseline: `pgbench one-row commits, ${clients} clients ${thousands(figures.baseline)}/s` }),
      ...(tool && { ratio: figures.ratio }),
      goal: `≥ ${purchaseRatioMin}×`,
      met: figures.ratio.median >= purchaseRatioMin,
    })
    note(`terminals: a purchase at ${count} terminals is answered after ${milliseconds(spread(waits).median)} (p50).`)
  }
  const [written] = await db.sql<{ approved: number; other: number }[]>`
    select count(*) filter (where code = '00') as approved, count(*) filter (where code is distinct from '00') as other
    from transactions`
  note(`terminals: ${written!.approved} purchases are approved in the database, ${written!.other} are not.`)
  tool?.end()
  for (const child of [lines, house]) await child.end()
  return rows
}

/** 0800 with 301 of signed-on terminals, authenticated both ways, against the same bytes to a bare `net` echo. */
export async function terminalEcho(bench: Bench): Promise<Row[]> {
  const { quick, progress, start } = bench
  const { house, lines, terminals, port } = await open(bench, Math.max(...echoCounts))
  const echo = start<EchoChild>('echo-child.ts')
  await lines.ask('dial', { side: 'ours', port, terminals })
  await lines.ask('dial', { side: 'echo', port: await echo.ask('listen', undefined), terminals })
  const rows: Row[] = []
  for (const count of echoCounts) {
    progress(`  ${count} terminals`)
    const run = (side: 'ours' | 'echo') => () =>
      lines.ask('run', { side, what: 'beat', count, ms: quick ? 300 : 1_000 })
    const rounds = await alternate(quick ? 2 : 5, { ours: run('ours'), echo: run('echo') })
    const { ours, baseline, ratio } = compared(rounds, ({ perSecond }) => perSecond, ['ours', 'echo'])
    rows.push({
      what: `terminal echo, ${count} terminal${count === 1 ? '' : 's'}: answered`,
      ours: `${thousands(ours)}/s`,
      baseline: `echo ${thousands(baseline)}/s`,
      ratio,
      goal: `≥ ${echoRatioMin}×`,
      met: ratio.median >= echoRatioMin,
    })
  }
  for (const child of [lines, house, echo]) await child.end()
  return rows
}

/** What a terminal that has signed on weighs in the gateway. */
export async function terminalMemory(bench: Bench): Promise<Row[]> {
  const { quick, note } = bench
  const count = quick ? weighedQuick : weighedFull
  const { house, lines, terminals, port } = await open(bench, linesBefore + count)
  const grown = async (to: number) => {
    await lines.ask('dial', { side: 'ours', port, terminals: terminals.slice(0, to) })
    await house.ask('usage', undefined)
    await pause(restMs)
    return await house.ask('usage', undefined)
  }
  const some = await grown(linesBefore)
  const full = await grown(linesBefore + count)
  const left = await lines.ask('open', undefined)
  if (left < linesBefore + count) throw new Error(`${linesBefore + count - left} terminals are not connected any more`)
  for (const child of [lines, house]) await child.end()
  const [rss, heap] = [(full.rssBytes - some.rssBytes) / count, (full.heapBytes - some.heapBytes) / count]
  note(`terminal-memory: of that ${kilobytes(heap)} in the heap after collection.`)
  return [
    {
      what: `memory of a terminal signed on, at ${count.toLocaleString('en')}`,
      ours: kilobytes(rss),
      goal: `≤ ${kilobytes(bytesEachMax)}`,
      met: rss <= bytesEachMax,
    },
  ]
}
