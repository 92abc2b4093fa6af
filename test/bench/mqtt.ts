import { randomBytes } from 'node:crypto'
import { settled } from './cabinets.ts'
import type { Child, Usage } from './child.ts'
import type { AedesChild } from './mqtt-aedes-child.ts'
import { registerMqtt } from './mqtt-cabinets.ts'
import type { MqttLinksChild, Saying } from './mqtt-links-child.ts'
import { type Mosquitto, mosquitto } from './mqtt-mosquitto.ts'
import { alternate, compared, spread } from './pairs.ts'
import type { HouseChild } from './server-child.ts'
import type { Bench } from './stage.ts'
import { milliseconds, type Row, thousands } from './table.ts'

const heartbeatLinks = [1, 100, 1_000]
const returnLinks = [1, 100]
const ratioMin = { aedes: 1, mosquitto: 0.5 }

/** What is compared: ours echoes, and so do the brokers where the cabinet has subscribed to its own heartbeats. */
type Way = 'ours' | 'aedes' | 'aedes, echoing' | 'mosquitto' | 'mosquitto, echoing'

/** What one run came to; the processor time is that of a broker in a process of Node's. */
interface Figures {
  perSecond: number
  p50: number
  p99: number
  microsEach: number
}

type Rounds = Record<Way, Figures>[]

/** Everything that runs while this part does. */
interface Stand {
  bench: Bench
  links: Child<MqttLinksChild>
  /** Only the ways there are: without Mosquitto on this machine, none of its own. */
  ways: Way[]
  servers: Partial<Record<Way, Child<{ usage: () => Usage }>>>
  ports: Record<Way, number>
}

const plural = (count: number) => `${count.toLocaleString('en')} connection${count === 1 ? '' : 's'}`

async function dialled({ links, ways, ports }: Stand, count: number): Promise<void> {
  for (const name of ways) {
    const isEchoed = name === 'ours' || name.endsWith('echoing')
    // The same broker, other cabinets.
    const firstIndex = name !== 'ours' && isEchoed ? Math.max(...heartbeatLinks) : 0
    await links.ask('dial', { name, port: ports[name], count, isEchoed, firstIndex })
  }
}

async function run(stand: Stand, way: Way, count: number, saying: Saying): Promise<Figures> {
  const { links, servers, bench } = stand
  const server = servers[way]
  const before = await server?.ask('usage', undefined)
  const ms = bench.quick ? 300 : 1_500
  const { acknowledged, ...figures } = await links.ask('say', { side: way, count, ms, saying })
  const after = await server?.ask('usage', undefined)
  return { ...figures, microsEach: before && after ? (after.cpuMicros - before.cpuMicros) / acknowledged : Number.NaN }
}

function rowsOf({ ways }: Stand, count: number, rounds: Rounds): Row[] {
  const row = (baseline: 'aedes' | 'mosquitto'): Row => {
    const rate = compared(rounds, ({ perSecond }) => perSecond, ['ours', baseline])
    const goal = ratioMin[baseline]
    return {
      what: `MQTT heartbeat at QoS 1, ${plural(count)}: acknowledged`,
      ours: `${thousands(rate.ours)}/s`,
      baseline: `${baseline} ${thousands(rate.baseline)}/s`,
      ratio: rate.ratio,
      goal: `≥ ${goal.toFixed(1)}×`,
      met: rate.ratio.median >= goal,
    }
  }
  return ways.includes('mosquitto') ? [row('aedes'), row('mosquitto')] : [row('aedes')]
}

/** What the table has no room for. */
function notesOf({ ways, bench }: Stand, count: number, rounds: Rounds): void {
  const middle = (way: Way, figure: (run: Figures) => number) =>
    spread(rounds.map((round) => figure(round[way]))).median
  const waits = ways.map((way) => {
    const [p50, p99] = [middle(way, (run) => run.p50), middle(way, (run) => run.p99)]
    const micros = middle(way, (run) => run.microsEach)
    const cost = Number.isNaN(micros) ? '' : `, ${micros.toFixed(1)} µs of processor`
    return `${way} ${milliseconds(p50)} / ${milliseconds(p99)}${cost}`
  })
  bench.note(`mqtt, ${plural(count)}: p50 / p99 to the acknowledgement: ${waits.join('; ')}.`)
  const echoing = ways
    .filter((way) => way.endsWith('echoing'))
    .map((way) => {
      const { median } = spread(rounds.map(({ ours, [way]: other }) => ours.perSecond / other.perSecond))
      return `${way} ${thousands(middle(way, (run) => run.perSecond))}/s (ours ${median.toFixed(2)}×)`
    })
  bench.note(`mqtt, ${plural(count)}: those that bring the heartbeat back as ours does: ${echoing.join('; ')}.`)
}

async function heartbeats(stand: Stand): Promise<Row[]> {
  const { bench, ways } = stand
  const rows: Row[] = []
  for (const count of heartbeatLinks) {
    bench.progress(`  heartbeats, ${plural(count)}`)
    const each = Object.fromEntries(ways.map((way) => [way, () => run(stand, way, count, 'heartbeat')]))
    const rounds = (await alternate(bench.quick ? 3 : 9, each)) as Rounds
    rows.push(...rowsOf(stand, count, rounds))
    notesOf(stand, count, rounds)
  }
  return rows
}

/** Nobody else stores anything before it acknowledges: nothing to compare with, so what it costs is said. */
async function returns(stand: Stand): Promise<void> {
  for (const count of returnLinks) {
    stand.bench.progress(`  returns, ${plural(count)}`)
    const rounds = await alternate(stand.bench.quick ? 1 : 3, { ours: () => run(stand, 'ours', count, 'returned') })
    const of = (figure: (run: Figures) => number) => spread(rounds.map(({ ours }) => figure(ours))).median
    const waits = `p50 ${milliseconds(of(({ p50 }) => p50))}, p99 ${milliseconds(of(({ p99 }) => p99))}`
    stand.bench.note(
      `mqtt, ${plural(count)}: a return at QoS 1, acknowledged after the durable commit: ` +
        `${thousands(of(({ perSecond }) => perSecond))}/s, ${waits}, ` +
        `${milliseconds(of(({ microsEach }) => microsEach) / 1_000)} of the gateway's processor.`,
    )
  }
}

/** Starts what is compared; the database is durable. */
async function newStand(bench: Bench, there: Mosquitto | null): Promise<Stand> {
  const { start } = bench
  const { db, url } = await bench.database()
  const linksMax = Math.max(...heartbeatLinks)
  await registerMqtt(db, linksMax)
  const house = start<HouseChild>('server-child.ts', { isUnderTest: true })
  const plain = start<AedesChild>('mqtt-aedes-child.ts', { isUnderTest: true })
  const links = start<MqttLinksChild>('mqtt-links-child.ts')
  const secrets = { keysSecret: randomBytes(32).toString('hex'), jwtSecret: randomBytes(32).toString('hex') }
  const { mqttPort } = await house.ask('open', { url, ...secrets, hasApi: false })
  const aedesPort = await plain.ask('listen', undefined)
  const ways: Way[] = ['ours', 'aedes', 'aedes, echoing']
  if (there) ways.push('mosquitto', 'mosquitto, echoing')
  const theirs = there?.port ?? 0
  const stand: Stand = {
    bench,
    links,
    ways,
    servers: { ours: house, aedes: plain, 'aedes, echoing': plain },
    ports: {
      ours: mqttPort,
      aedes: aedesPort,
      'aedes, echoing': aedesPort,
      mosquitto: theirs,
      'mosquitto, echoing': theirs,
    },
  }
  await dialled(stand, linksMax)
  await settled(db)
  return stand
}

/**
 * QoS 1 through our broker and our handlers, against plain aedes and Mosquitto: heartbeats of cabinets that are logged
 * in, each said when the one before was acknowledged. Ours also brings it back, which the baselines are spared unless
 * they say so. Returns wait for the database, so they are ours alone.
 */
export async function mqtt(bench: Bench): Promise<Row[]> {
  const there = await mosquitto()
  if (!there) bench.note('mqtt: Mosquitto is not installed here, so nothing is compared with it.')
  try {
    const stand = await newStand(bench, there)
    const rows = await heartbeats(stand)
    await returns(stand)
    for (const child of [stand.links, ...new Set(Object.values(stand.servers))]) await child.end()
    return rows
  } finally {
    await there?.end()
  }
}
