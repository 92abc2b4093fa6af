import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { Db } from '../../db/postgres/connect.ts'
import { settled } from './cabinets.ts'
import type { Child, Usage } from './child.ts'
import type { AedesChild } from './mqtt-aedes-child.ts'
import { registerMqtt } from './mqtt-cabinets.ts'
import type { MqttLinksChild } from './mqtt-links-child.ts'
import { alternate, compared } from './pairs.ts'
import type { HouseChild } from './server-child.ts'
import type { Bench } from './stage.ts'
import { kilobytes, type Row } from './table.ts'

const linksFull = 5_000
const linksQuick = 500
/** Connected before anything is weighed: the first make tables, code and room for garbage, which are no cabinet's. */
const linksBefore = 500
const ratioMax = 1.2
/** Memory a process has given up is returned a little later. */
const restMs = 2_000

/** Bytes of one process, for each connection it holds beyond the first. */
interface Weight {
  rss: number
  heap: number
}

async function rested(server: Child<{ usage: () => Usage }>): Promise<Usage> {
  await server.ask('usage', undefined)
  await pause(restMs)
  return await server.ask('usage', undefined)
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
  const grown = async (to: number) => {
    await links.ask('dial', { name: 'weighed', port, count: to, isEchoed: true, firstIndex: 0 })
    await calm()
    return await rested(server)
  }
  const some = await grown(linksBefore)
  const full = await grown(linksBefore + count)
  const left = await links.ask('open', 'weighed')
  if (left < linksBefore + count) throw new Error(`${linksBefore + count - left} cabinets are not connected any more`)
  await server.end()
  await links.end()
  return { rss: (full.rssBytes - some.rssBytes) / count, heap: (full.heapBytes - some.heapBytes) / count }
}

async function ours(bench: Bench, count: number, { db, url }: { db: Db; url: string }): Promise<Weight> {
  bench.progress(`  ${count} cabinets`)
  const house = bench.start<HouseChild>('server-child.ts', { isUnderTest: true, collectsGarbage: true })
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
  await registerMqtt(database.db, linksBefore + count)
  const rounds = await alternate(
    quick ? 1 : 3,
    { ours: () => ours(bench, count, database), aedes: () => plain(bench, count) },
    { warmsUp: false },
  )
  const row = (what: string, figure: (weight: Weight) => number): Row => {
    const { ours, baseline, ratio } = compared(rounds, figure, ['ours', 'aedes'])
    return {
      what: `${what} of an MQTT cabinet logged in, at ${count.toLocaleString('en')}`,
      ours: kilobytes(ours),
      baseline: `aedes ${kilobytes(baseline)}`,
      ratio,
      goal: `≤ ${ratioMax}×`,
      met: ratio.median <= ratioMax,
    }
  }
  note(
    'mqtt-memory: the process grows by its garbage too, and Node gives little of that back; the heap is after collection.',
  )
  return [row('heap', (weight) => weight.heap), row('process memory', (weight) => weight.rss)]
}
