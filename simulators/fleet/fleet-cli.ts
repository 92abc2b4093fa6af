import type { RecordableHistogram } from 'node:perf_hooks'
import { setTimeout as after } from 'node:timers/promises'
import type { ArgsDef, ParsedArgs } from 'citty'
import { imeiOf, imeiSerialMax } from '../cabinet/imei.ts'
import { mayDial } from '../dial.ts'
import { dialling, fileOf, numberOf, portOf, tool, wholeOf } from '../options.ts'
import { stopped } from '../stopped.ts'
import { type FleetLatency, type FleetSettings, fleetLatency, type RunningFleet, together } from './fleet.ts'
import { mqttFleet } from './mqtt-fleet.ts'
import { fleet, fleetSlotsMax } from './tcp-fleet.ts'

const cabinetsMax = 100_000
/** Whole cabinets, with a box and a journal each. */
const mqttMax = 10_000
const reportMilliseconds = 1_000

type Who = ReturnType<FleetSettings['who']>

/** Lines of `boxId key`; `#` begins a comment. */
function whoFrom(path: string): Who[] {
  const lines = fileOf('keys-file', path).split('\n')
  return lines.flatMap((line) => {
    const [boxId, key] = line.replace(/#.*/, '').trim().split(/\s+/)
    return boxId ? [{ boxId, key }] : []
  })
}

/** `SIM000001`, `SIM000002` … with one key for all. */
const numbered = (prefix: string, first: number, key: string | undefined) => (index: number) => ({
  boxId: `${prefix}${`${first + index}`.padStart(6, '0')}`,
  key,
})

const milliseconds = (micros: number) => Math.round(micros / 10) / 100

const spread = (histogram: RecordableHistogram) =>
  histogram.count === 0
    ? null
    : {
        p50_ms: milliseconds(histogram.percentile(50)),
        p99_ms: milliseconds(histogram.percentile(99)),
        max_ms: milliseconds(histogram.max),
      }

function counted({ online, counts }: RunningFleet) {
  const { logins, refusals, heartbeats, answered, commands, unreadable, failures } = counts
  const failed = Object.values(failures).reduce((sum, count) => sum + count, 0)
  return { online, logins, refusals, heartbeats, answered, commands, unreadable, failed, failures }
}

function second(running: RunningFleet, seconds: number, json: boolean) {
  const { failures, ...counts } = counted(running)
  const latency = spread(running.latency.now)
  running.latency.now.reset()
  if (json) return process.stderr.write(`${JSON.stringify({ seconds, ...counts, failures, latency })}\n`)
  const numbers = Object.entries(counts).map(([name, count]) => `${name} ${count}`)
  const times = latency ? `p50 ${latency.p50_ms} ms  p99 ${latency.p99_ms} ms  max ${latency.max_ms} ms` : ''
  const reasons = Object.entries(failures).map(([reason, count]) => `${reason} ×${count}`)
  process.stderr.write(`${`${seconds}`.padStart(4)} s  ${[...numbers, times, ...reasons].filter(Boolean).join('  ')}\n`)
}

/** Until the time is up or somebody interrupts; a line each second. */
async function watched(running: RunningFleet, seconds: number, json: boolean) {
  const start = performance.now()
  const timer = setInterval(
    () => second(running, Math.round((performance.now() - start) / 1000), json),
    reportMilliseconds,
  )
  await Promise.race([after(seconds * 1000), stopped()])
  clearInterval(timer)
  const { online } = running
  await running.stop()
  return { online, elapsed: (performance.now() - start) / 1000 }
}

/** For --help. */
export const fleetManual = `Figures of each second go to standard error, a summary in JSON to standard output.
MQTT cabinets have IMEIs from 00101001 000001 on (the test range, with their check digits), or those of the keys file.
Exit 1 when a cabinet was not online at the end, a login was refused or a link failed.
`

const args = {
  cabinets: { type: 'string', default: '100', description: 'How many over TCP' },
  dialect: {
    type: 'enum',
    options: ['A', 'B', 'mqtt'],
    default: 'B',
    description: 'Which they speak; mqtt: none of TCP',
  },
  'box-prefix': { type: 'string', default: 'SIM', description: 'Names: this and six digits' },
  first: { type: 'string', default: '1', description: 'The first of those numbers, and of the IMEIs' },
  key: { type: 'string', valueHint: 'K', description: "TCP-B's secret, one for all" },
  'keys-file': { type: 'string', valueHint: 'FILE', description: 'Instead: lines of "boxId key"' },
  mqtt: { type: 'string', default: '0', description: 'How many over MQTT beside them' },
  'mqtt-port': { type: 'string', description: 'Where those ask for their broker; 9068' },
  'mqtt-heartbeat': { type: 'string', default: '540', valueHint: 'seconds', description: 'Between two of theirs' },
  slots: { type: 'string', default: '8', description: `Slots of each, 1-${fleetSlotsMax}` },
  banks: { type: 'string', default: '4', description: 'Banks in each' },
  rate: { type: 'string', default: '1000', description: 'Logins a second at most' },
  heartbeat: { type: 'string', default: '30', valueHint: 'seconds', description: 'Between heartbeats of one cabinet' },
  seconds: { type: 'string', default: '60', description: 'How long to run, logins included' },
  sources: { type: 'string', description: 'Dial from so many 127.0.0.x addresses; as many as needed unless told' },
  json: { type: 'boolean', default: false, description: 'Figures of each second as JSON too' },
  ...dialling,
} as const satisfies ArgsDef

type Given = ParsedArgs<typeof args>

/** How many of each kind; a dialect `mqtt` makes all of them that. */
function sizes(given: Given, listed: number | undefined) {
  const cabinets = listed ?? wholeOf('cabinets', given.cabinets, 1, cabinetsMax)
  if (given.dialect === 'mqtt') return { tcp: 0, mqtt: cabinets }
  return { tcp: cabinets, mqtt: wholeOf('mqtt', given.mqtt, 0, mqttMax) }
}

const shape = (given: Given) => {
  const slots = wholeOf('slots', given.slots, 1, fleetSlotsMax)
  const loginsPerSecond = numberOf('rate', given.rate, 0.1, 100_000)
  return { slots, banks: wholeOf('banks', given.banks, 0, slots), host: given.host, loginsPerSecond }
}

function overTcp(given: Given, cabinets: number, list: Who[] | undefined, latency: FleetLatency): RunningFleet[] {
  if (given.dialect === 'mqtt' || cabinets === 0) return []
  const one = numbered(given['box-prefix'], wholeOf('first', given.first, 0, 999_999), given.key)
  const settings = {
    ...shape(given),
    cabinets,
    dialect: given.dialect,
    who: (index: number) => list?.[index] ?? one(index),
    port: portOf(given.port, given.dialect),
    heartbeatSeconds: numberOf('heartbeat', given.heartbeat, 0.1, 3600),
    ...(given.sources !== undefined && { sources: wholeOf('sources', given.sources, 1, 250) }),
  }
  return [fleet(settings, latency)]
}

function overMqtt(given: Given, cabinets: number, list: Who[] | undefined, latency: FleetLatency): RunningFleet[] {
  if (cabinets === 0) return []
  const first = wholeOf('first', given.first, 0, imeiSerialMax + 1 - cabinets)
  const settings = {
    ...shape(given),
    cabinets,
    who: (index: number) => (given.dialect === 'mqtt' && list?.[index]) || { boxId: imeiOf(first + index) },
    port: portOf(given['mqtt-port'] ?? (given.dialect === 'mqtt' ? given.port : undefined), 'mqtt'),
    heartbeatSeconds: numberOf('mqtt-heartbeat', given['mqtt-heartbeat'], 0.1, 3600),
  }
  return [mqttFleet(settings, latency)]
}

/** `npm run sim -- fleet`: very many cabinets that log in and live; figures each second and at the end. */
export const fleetTool = tool({
  meta: { name: 'fleet', description: 'Thousands of cabinets in one process; stops by itself' },
  args,
  async run(given) {
    mayDial(given.host, given['allow-remote'])
    const list = given['keys-file'] === undefined ? undefined : whoFrom(given['keys-file'])
    const { tcp, mqtt } = sizes(given, list?.length)
    const seconds = numberOf('seconds', given.seconds, 0.1, 604_800)
    const latency = fleetLatency()
    const running = together([...overTcp(given, tcp, list, latency), ...overMqtt(given, mqtt, list, latency)])
    const { online, elapsed } = await watched(running, seconds, given.json)
    const counts = { ...counted(running), online }
    const memory = Math.round(process.memoryUsage().rss / 1_048_576)
    const cabinets = tcp + mqtt
    const summary = { cabinets, seconds: Math.round(elapsed * 10) / 10, ...counts, login: spread(latency.login) }
    process.stdout.write(`${JSON.stringify({ ...summary, heartbeat: spread(latency.heartbeat), rss_mb: memory })}\n`)
    if (counts.logins === 0)
      process.stderr.write(
        'fleet: nobody logged in; of a server that closes or refuses: does it know these box ids and keys (GET /api/admin/quarantine)?\n',
      )
    if (online < cabinets || counts.refusals > 0 || counts.failed > 0) process.exitCode = 1
  },
})
