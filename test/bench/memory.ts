import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { Db } from '../../db/postgres/connect.ts'
import { register, settled } from './cabinets.ts'
import type { Child, Usage } from './child.ts'
import type { EchoChild } from './echo-child.ts'
import type { FleetChild } from './fleet-child.ts'
import { alternate, compared, spread } from './pairs.ts'
import type { HouseChild } from './server-child.ts'
import type { Bench } from './stage.ts'
import { kilobytes, type Row, thousands } from './table.ts'

const cabinetsFull = 10_000
const cabinetsQuick = 1_000
const bytesEachMax = 8 * 1_024
/** Memory a process has given up is returned a little later. */
const restMs = 2_000

/** Bytes of one process, for each link it holds, over the same process idle. */
interface Weight {
  rss: number
  heap: number
}

/** What each of so many links weighs: the server at rest before and after `load`. */
export async function weigh(
  server: Child<{ usage: () => Usage }>,
  count: number,
  load: () => Promise<void>,
): Promise<Weight> {
  const rested = async () => {
    await server.ask('usage', undefined)
    await pause(restMs)
    return await server.ask('usage', undefined)
  }
  const idle = await rested()
  await load()
  const full = await rested()
  return { rss: (full.rssBytes - idle.rssBytes) / count, heap: (full.heapBytes - idle.heapBytes) / count }
}

interface Load {
  bench: Bench
  count: number
}

/** A gateway of its own, and cabinets with 8 banks each that log in to it. Also says how many came in a second. */
async function cabinets({ bench, count }: Load, { db, url, keysSecret }: { db: Db; url: string; keysSecret: string }) {
  bench.progress(`  ${count} cabinets`)
  const house = bench.start<HouseChild>('server-child.ts', { isUnderTest: true, collectsGarbage: true })
  const fleet = bench.start<FleetChild>('fleet-child.ts')
  const { cabinetPort } = await house.ask('open', { url, keysSecret, jwtSecret: keysSecret, hasApi: false })
  let perSecond = 0
  const weight = await weigh(house, count, async () => {
    const from = performance.now()
    await fleet.ask('login', { port: cabinetPort, count, banks: 8 })
    perSecond = (count * 1_000) / (performance.now() - from)
    await settled(db)
  })
  const online = await fleet.ask('online', undefined)
  if (online < count) throw new Error(`${count - online} cabinets are not online any more`)
  await house.end()
  await fleet.end()
  return { ...weight, perSecond }
}

/** A server that does nothing, and connections that say nothing. */
async function bareLinks({ bench, count }: Load) {
  bench.progress(`  ${count} bare links`)
  const echo = bench.start<EchoChild>('echo-child.ts', { collectsGarbage: true })
  const fleet = bench.start<FleetChild>('fleet-child.ts')
  const port = await echo.ask('listen', undefined)
  const weight = await weigh(echo, count, () => fleet.ask('dial', { port, count }))
  await echo.end()
  await fleet.end()
  return { ...weight, perSecond: 0 }
}

/** What a logged-in cabinet with 8 banks weighs in the gateway, and what a bare link weighs in a server that does nothing. */
export async function memory(bench: Bench): Promise<Row[]> {
  const { quick, note } = bench
  const count = quick ? cabinetsQuick : cabinetsFull
  const keysSecret = randomBytes(32).toString('hex')
  const { db, url } = await bench.database()
  await register(db, count, keysSecret)
  const rounds = await alternate(
    quick ? 1 : 2,
    {
      ours: () => cabinets({ bench, count }, { db, url, keysSecret }),
      bare: () => bareLinks({ bench, count }),
    },
    { warmsUp: false },
  )
  const rss = compared(rounds, (weight) => weight.rss, ['ours', 'bare'])
  const heap = compared(rounds, (weight) => weight.heap, ['ours', 'bare'])
  const { median: logins } = spread(rounds.map(({ ours }) => ours.perSecond))
  note(`memory: of that ${kilobytes(heap.ours)} in the heap, against ${kilobytes(heap.baseline)} of a bare link.`)
  note(`memory: ${thousands(logins)} logins/s of 8 slots while they came in.`)
  return [
    {
      what: `memory of a cabinet logged in, at ${count.toLocaleString('en')}`,
      ours: kilobytes(rss.ours),
      baseline: `bare link ${kilobytes(rss.baseline)}`,
      ratio: rss.ratio,
      goal: `≤ ${kilobytes(bytesEachMax)}`,
      met: rss.ours <= bytesEachMax,
    },
  ]
}
