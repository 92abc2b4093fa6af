import { randomBytes } from 'node:crypto'
import { register, settled } from './cabinets.ts'
import type { Child } from './child.ts'
import type { EchoChild } from './echo-child.ts'
import type { LinksChild } from './links-child.ts'
import { alternate, compared } from './pairs.ts'
import type { HouseChild } from './server-child.ts'
import type { Bench } from './stage.ts'
import { milliseconds, type Row, thousands } from './table.ts'

const linkCounts = [1, 200, 1_000]
const throughputRatioMin = 0.8
const p99RatioMax = 1.5
const sides = ['ours', 'echo'] as const

/** What one run came to: beats a second, milliseconds to an answer, and the server's processor time for each. */
interface Figures {
  perSecond: number
  p99: number
  microsEach: number
}

type Round = Record<(typeof sides)[number], Figures>

function rowsOf(count: number, rounds: readonly Round[]): Row[] {
  const rate = compared(rounds, ({ perSecond }) => perSecond, sides)
  const wait = compared(rounds, ({ p99 }) => p99, sides)
  const name = `heartbeat, ${count.toLocaleString('en')} link${count === 1 ? '' : 's'}`
  return [
    {
      what: `${name}: answered`,
      ours: `${thousands(rate.ours)}/s`,
      baseline: `echo ${thousands(rate.baseline)}/s`,
      ratio: rate.ratio,
      goal: `≥ ${throughputRatioMin}×`,
      met: rate.ratio.median >= throughputRatioMin,
    },
    {
      what: `${name}: p99`,
      ours: milliseconds(wait.ours),
      baseline: `echo ${milliseconds(wait.baseline)}`,
      ratio: wait.ratio,
      goal: `≤ ${p99RatioMax}×`,
      met: wait.ratio.median <= p99RatioMax,
    },
  ]
}

/**
 * Heartbeats of logged-in TCP-B cabinets against the same bytes to a bare `net` echo. Each link says its next one when
 * the last was answered, so at 200 and 1,000 links both servers are as busy as the client can make them.
 */
export async function heartbeat(bench: Bench): Promise<Row[]> {
  const { quick, start, progress, note } = bench
  const [keysSecret, jwtSecret] = [randomBytes(32).toString('hex'), randomBytes(32).toString('hex')]
  const { db, url } = await bench.database()
  await register(db, Math.max(...linkCounts), keysSecret)
  const house = start<HouseChild>('server-child.ts', { isUnderTest: true })
  const echo = start<EchoChild>('echo-child.ts')
  const links = start<LinksChild>('links-child.ts')
  const { cabinetPort } = await house.ask('open', { url, keysSecret, jwtSecret, hasApi: false })
  const echoPort = await echo.ask('listen', undefined)

  async function run(side: 'ours' | 'echo', server: Child<Pick<EchoChild, 'usage'>>): Promise<Figures> {
    const before = await server.ask('usage', undefined)
    const { perSecond, beats, p99 } = await links.ask('beat', { side, ms: quick ? 500 : 2_500 })
    const after = await server.ask('usage', undefined)
    return { perSecond, p99, microsEach: (after.cpuMicros - before.cpuMicros) / beats }
  }

  const rows: Row[] = []
  const costs: string[] = []
  for (const count of linkCounts) {
    progress(`  ${count} links`)
    await links.ask('dial', { side: 'ours', port: cabinetPort, count })
    await links.ask('dial', { side: 'echo', port: echoPort, count })
    await settled(db)
    const ways = { ours: () => run('ours', house), echo: () => run('echo', echo) }
    const rounds = await alternate(quick ? 3 : 9, ways)
    rows.push(...rowsOf(count, rounds))
    const cost = compared(rounds, ({ microsEach }) => microsEach, sides)
    costs.push(`${cost.ours.toFixed(1)} against ${cost.baseline.toFixed(1)} at ${count}`)
  }
  note(`heartbeat: the server's processor time for one, µs: ${costs.join('; ')}.`)
  for (const child of [links, house, echo]) await child.end()
  return rows
}
