import { once } from 'node:events'
import type { RecordableHistogram } from 'node:perf_hooks'
import { setTimeout as after } from 'node:timers/promises'
import { mayDial } from './dial.ts'
import type { RunningFleet } from './fleet.ts'
import { fleet, fleetSlotsMax } from './fleet.ts'
import { dialling, fileOf, numberOf, portOf, tool, wholeOf } from './options.ts'

const cabinetsMax = 100_000
const reportMilliseconds = 1_000

interface Who {
  boxId: string
  key?: string
}

/** Lines of `boxId key`; `#` begins a comment. */
function whoFrom(path: string): Who[] {
  const lines = fileOf('keys-file', path).split('\n')
  return lines.flatMap((line) => {
    const [boxId, key] = line.replace(/#.*/, '').trim().split(/\s+/)
    return boxId ? [{ boxId, ...(key !== undefined && { key }) }] : []
  })
}

/** `SIM000001`, `SIM000002` … with one key for all. */
const numbered = (prefix: string, first: number, key: string | undefined) => (index: number) => ({
  boxId: `${prefix}${`${first + index}`.padStart(6, '0')}`,
  ...(key !== undefined && { key }),
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
  await Promise.race([after(seconds * 1000), once(process, 'SIGINT'), once(process, 'SIGTERM')])
  clearInterval(timer)
  const { online } = running
  await running.stop()
  return { online, elapsed: (performance.now() - start) / 1000 }
}

/** For --help. */
export const fleetManual = `Figures of each second go to standard error, a summary in JSON to standard output.
Exit 1 when a cabinet was not online at the end, a login was refused or a link failed.
`

/** `npm run sim -- fleet`: very many cabinets that log in and live; figures each second and at the end. */
export const fleetTool = tool({
  meta: {
    name: 'fleet',
    description: 'Thousands of cabinets in one process; stops by itself',
  },
  args: {
    cabinets: { type: 'string', default: '100', description: 'How many' },
    dialect: { type: 'enum', options: ['A', 'B'], default: 'B', description: 'Which TCP dialect they speak' },
    'box-prefix': { type: 'string', default: 'SIM', description: 'Names: this and six digits' },
    first: { type: 'string', default: '1', description: 'The first of those numbers' },
    key: { type: 'string', valueHint: 'K', description: "TCP-B's secret, one for all" },
    'keys-file': { type: 'string', valueHint: 'FILE', description: 'Instead: lines of "boxId key"' },
    slots: { type: 'string', default: '8', description: `Slots of each, 1-${fleetSlotsMax}` },
    banks: { type: 'string', default: '4', description: 'Banks in each' },
    rate: { type: 'string', default: '1000', description: 'Logins a second at most' },
    heartbeat: {
      type: 'string',
      default: '30',
      valueHint: 'seconds',
      description: 'Between heartbeats of one cabinet',
    },
    seconds: { type: 'string', default: '60', description: 'How long to run, logins included' },
    sources: { type: 'string', description: 'Dial from so many 127.0.0.x addresses; as many as needed unless told' },
    json: { type: 'boolean', default: false, description: 'Figures of each second as JSON too' },
    ...dialling,
  },
  async run(args) {
    mayDial(args.host, args['allow-remote'])
    const list = args['keys-file'] === undefined ? undefined : whoFrom(args['keys-file'])
    const slots = wholeOf('slots', args.slots, 1, fleetSlotsMax)
    const first = wholeOf('first', args.first, 0, 999_999)
    const cabinets = list ? list.length : wholeOf('cabinets', args.cabinets, 1, cabinetsMax)
    const seconds = numberOf('seconds', args.seconds, 0.1, 604_800)
    const one = numbered(args['box-prefix'], first, args.key)
    const running = fleet({
      cabinets,
      dialect: args.dialect,
      who: (index) => list?.[index] ?? one(index),
      slots,
      banks: wholeOf('banks', args.banks, 0, slots),
      host: args.host,
      port: portOf(args.port, args.dialect),
      loginsPerSecond: numberOf('rate', args.rate, 0.1, 100_000),
      heartbeatSeconds: numberOf('heartbeat', args.heartbeat, 0.1, 3600),
      ...(args.sources !== undefined && { sources: wholeOf('sources', args.sources, 1, 250) }),
    })
    const { online, elapsed } = await watched(running, seconds, args.json)
    const counts = { ...counted(running), online }
    const { login, heartbeat } = running.latency
    const memory = Math.round(process.memoryUsage().rss / 1_048_576)
    const summary = { cabinets, seconds: Math.round(elapsed * 10) / 10, ...counts, login: spread(login) }
    process.stdout.write(`${JSON.stringify({ ...summary, heartbeat: spread(heartbeat), rss_mb: memory })}\n`)
    if (online < cabinets || counts.refusals > 0 || counts.failed > 0) process.exitCode = 1
  },
})
