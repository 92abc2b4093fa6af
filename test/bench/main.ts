import { parseArgs } from 'node:util'
import { endOnSignals } from '../../db/platform/signals.ts'
import { borrow } from './borrow.ts'
import { codec } from './codec.ts'
import { command } from './command.ts'
import { heartbeat } from './heartbeat.ts'
import { ledger } from './ledger.ts'
import { list } from './list.ts'
import { memory } from './memory.ts'
import { mqtt } from './mqtt.ts'
import { mqttMemory } from './mqtt-memory.ts'
import { sockets } from './sockets.ts'
import { type AppContext, type Bench, newGround } from './stage.ts'
import { machine, type Row, table } from './table.ts'
import { terminalEcho, terminalMemory, terminals } from './terminals.ts'
import { webhooks, webhooksHang } from './webhooks.ts'

/** Longer than all parts together on a slow machine; beyond, something hangs. */
const minutesMax = 45

const parts: Record<string, { about: string; run(bench: Bench): Promise<Row[]> }> = {
  heartbeat: { about: 'heartbeats against a bare net echo at 1, 200 and 1,000 links', run: heartbeat },
  codec: { about: 'frames a second one core reads', run: codec },
  memory: { about: 'memory of a logged-in cabinet of 8 slots at 10,000', run: memory },
  command: { about: 'command round trip through HTTP at 1,000 cabinets', run: command },
  borrow: { about: 'the borrow transaction against the same statements sent by others', run: borrow },
  mqtt: { about: 'QoS 1 heartbeats through our broker against plain aedes and Mosquitto; returns', run: mqtt },
  'mqtt-memory': { about: 'memory of an MQTT cabinet at 5,000 against plain aedes', run: mqttMemory },
  ledger: { about: 'a posting of the ledger against the same statements sent by a bare client', run: ledger },
  list: { about: 'pages of a plain table composed by drizzle against the same statements by hand', run: list },
  terminals: { about: 'purchases of 16 and 200 terminals against one-row commits of pgbench', run: terminals },
  'terminal-echo': { about: 'network echoes of terminals against a bare net echo', run: terminalEcho },
  'terminal-memory': { about: 'memory of a terminal that has signed on, at 2,000', run: terminalMemory },
  sockets: { about: 'memory of a WebSocket of people, 5,000 held, against a bare server of ws', run: sockets },
  webhooks: { about: 'notices of payment providers against one-row commits of pgbench', run: webhooks },
  'webhooks-hang': { about: 'p99 of a notice while the API of a provider hangs', run: webhooksHang },
}

const manual = `npm run bench -- [--only ${Object.keys(parts).join(',')}] [--quick] [--json] [--profile DIR]

Our path and its baseline run in alternating pairs; the table shows medians, and the median of the paired ratios.
Everything stays on this machine, on ports and in directories of its own, and ends by itself.

${Object.entries(parts)
  .map(([name, { about }]) => `  ${name.padEnd(16)} ${about}`)
  .join('\n')}

  --quick        short runs: tries the benchmark, gives no figures worth quoting
  --json         the rows as JSON instead of the table
  --profile DIR  a CPU profile of each process that is measured; slows it down
TEST_DATABASE_URL names a PostgreSQL where databases may be made; else an embedded one is started, with fsync.
`

/** @throws RangeError a part nobody knows */
function chosen(only: string | undefined): string[] {
  const names = only?.split(',') ?? Object.keys(parts)
  const unknown = names.find((name) => !parts[name])
  if (unknown !== undefined) throw new RangeError(`--only ${unknown}: ${Object.keys(parts).join(', ')} are there`)
  return names
}

async function measure(stage: AppContext, names: readonly string[]): Promise<Row[]> {
  const rows: Row[] = []
  for (const name of names) {
    stage.progress(`${name} …`)
    rows.push(...(await parts[name]!.run(stage)))
  }
  return rows
}

function options() {
  try {
    const { values } = parseArgs({
      options: {
        only: { type: 'string' },
        quick: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        profile: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    })
    return { ...values, names: chosen(values.only) }
  } catch (error) {
    process.stderr.write(`bench: ${(error as Error).message}\n`)
    return null
  }
}

async function main() {
  const given = options()
  if (!given) {
    process.exitCode = 2
    return
  }
  if (given.help) {
    process.stdout.write(manual)
    return
  }
  const stage = newGround({ quick: given.quick, profileDir: given.profile })
  const giveUp = async (why: string) => {
    process.stderr.write(`bench: ${why}\n`)
    process.exitCode = 1
    await stage.close().finally(() => process.exit())
  }
  const watchdog = setTimeout(() => giveUp(`not done after ${minutesMax} minutes`), minutesMax * 60_000)
  endOnSignals().by(giveUp)
  try {
    const rows = await measure(stage, given.names)
    const about = [machine(), stage.server].filter(Boolean).join(', ')
    if (given.json) process.stdout.write(`${JSON.stringify({ about, rows, notes: stage.notes })}\n`)
    else process.stdout.write(`${[table(rows), '', about, ...stage.notes.map((line) => `- ${line}`)].join('\n')}\n`)
  } finally {
    clearTimeout(watchdog)
    await stage.close()
  }
}

await main()
