import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { Db } from '../../db/connect.ts'
import { settled } from './cabinets.ts'
import type { Child, Usage } from './child.ts'
import type { Bench } from './ground.ts'
import type { HouseChild } from './house-child.ts'
import type { AedesChild } from './mqtt-aedes-child.ts'
import { registerMqtt } from './mqtt-cabinets.ts'
import type { MqttLinksChild } from './mqtt-links-child.ts'
import { alternate, compared } from './pairs.ts'
import { kilobytes, type Row } from './table.ts'

const linksFull = 5_000
const linksQuick = 500
const ratioMax = 1.2
/** Memory a process has given up is returned a little later. */
const restMs = 2_000

/** Bytes of one process, for each connection it holds, over the same process idle. */
interface Weight {
  rss: number
  heap: number
}

async function weigh(server: Child<{ usage: () => Usage }>, count: number, load: () => Promise<void>): Promise<Weight> {
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

/** A broker in a process of its own, and so many cabinets subscribed to their topics. */
async function weighed(
  bench: Bench,
  count: number,
  server: Child<{ usage: () => Usage }>,
  port: number,
  calm: () => Promise<void>,
): Promise<Weight> {
  const links = bench.start<MqttLinksChild>('mqtt-links-child.ts')
  const weight = await weigh(server, count, async () => {
    await links.ask('dial', { name: 'weighed', port, count, isEchoed: true, firstIndex: 0 })
    await calm()
  })
  const left = await links.ask('open', 'weighed')
  if (left < count) throw new Error(`${count - left} cabinets are not connected any more`)
  await server.end()
  await links.end()
  return weight
}

async function ours(bench: Bench, count: number, { db, url }: { db: Db; url: string }): Promise<Weight> {
  bench.progress(`  ${count} cabinets`)
  const house = bench.start<HouseChild>('house-child.ts', { isUnderTest: true, collectsGarbage: true })
  const secret = randomBytes(32).toString('hex')
  const { mqttPort } = await house.ask('open', { url, keysSecret: secret, jwtSecret: secret, hasApi: false })
  return await weighed(bench, count, house, mqttPort, () => settled(db))
}

async function plain(bench: Bench, count: number): Promise<Weight> {
  bench.progress(`  ${count} connections to aedes`)
  const broker = bench.start<AedesChild>('mqtt-aedes-child.ts', { collectsGarbage: true })
  return await weighed(bench, count, broker, await broker.ask('listen', undefined), async () => {})
}

/** What a cabinet on our broker weighs, logged in and subscribed, and what a client of plain aedes does with the same subscriptions. */
export async function mqttMemory(bench: Bench): Promise<Row[]> {
  const { quick, note } = bench
  const count = quick ? linksQuick : linksFull
  const database = await bench.database()
  await registerMqtt(database.db, count)
  const rounds = await alternate(
    quick ? 1 : 3,
    { ours: () => ours(bench, count, database), aedes: () => plain(bench, count) },
    { warmsUp: false },
  )
  const rss = compared(rounds, (weight) => weight.rss, ['ours', 'aedes'])
  const heap = compared(rounds, (weight) => weight.heap, ['ours', 'aedes'])
  note(
    `mqtt-memory: of that ${kilobytes(heap.ours)} in the heap against ${kilobytes(heap.baseline)} of plain aedes, ` +
      `${heap.ratio.median.toFixed(2)}×.`,
  )
  return [
    {
      what: `memory of an MQTT cabinet logged in, at ${count.toLocaleString('en')}`,
      ours: kilobytes(rss.ours),
      baseline: `aedes ${kilobytes(rss.baseline)}`,
      ratio: rss.ratio,
      goal: `≤ ${ratioMax}×`,
      met: rss.ratio.median <= ratioMax,
    },
  ]
}
