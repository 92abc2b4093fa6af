import { parseArgs } from 'node:util'
import { liveMany, STEPS } from '../metal/run.ts'
import { type AwayReport, runAway } from './away.ts'
import { blank, type Report, run } from './kill.ts'
import { endNow } from './last-things.ts'
import { planOf } from './plan.ts'
import { doubtSteps, lookSteps, type Step, steps } from './steps.ts'
import { awayLine, line, summary } from './table.ts'
import { absences, startServer } from './test-database.ts'
import { tillSteps } from './till-steps.ts'
import { runTills, type TillReport, tillLine, tillsFailed } from './tills.ts'

/** Longer than everything together on a slow machine; beyond, something hangs. */
const minutesMax = 60
const runsMax = 100_000
const atOnceMax = 16
const interrupted = 130
const scenarios = ['kill', 'terminals', 'database', 'metal', 'all']
const livesPerRun = 100

const listed = (list: readonly Step[]) => list.map(({ of, name }) => `            ${of.padEnd(7)} ${name}`).join('\n')

const manual = `npm run chaos -- [--scenario kill|terminals|database|metal|all] [--runs 100] [--seed 1] [--at-once 6]

kill      The house is killed (kill -9) between two steps of a borrow or of a return, started again, and what its
          database says is compared with what the simulated cabinets really did: no return lost, no second eject, every
          order ends. All its wires are tapped, so each step is hit exactly. Some runs kill it again while it mends;
          some run on the embedded database and kill its owner, or the database as well. The steps:
${listed(steps)}
          and while it mends:
${listed([...lookSteps, ...doubtSteps])}
terminals The same between two steps of a terminal's money, of a refund or of a settlement, while three terminals sell: nothing
          lost, nothing twice; rows, ledger, simulated acquirer and terminals tell the same, and the batches agree. The steps:
${listed(tillSteps)}
database  The database is away for ten seconds in the middle of traffic (${absences.join(', ')}): no return is
          acknowledged, the API says 503 in its format, the service resumes by itself, nothing is lost.

metal     Lives of a street in virtual time against the rules of evidence: a hundred for each run; \`npm run metal\` tells of one.

Every run prints its seed, and --runs 1 --seed <that> lives through the same plan again. Everything stays on this machine, on
free ports and in directories of its own, and is gone afterwards. Exit 1: a promise was broken.
`

function options() {
  const { values } = parseArgs({
    options: {
      scenario: { type: 'string', default: 'all' },
      runs: { type: 'string', default: '100' },
      seed: { type: 'string', default: '1' },
      'at-once': { type: 'string', default: '6' },
      help: { type: 'boolean', default: false },
    },
  })
  const { scenario, help } = values
  if (!scenarios.includes(scenario)) throw new RangeError(`--scenario ${scenario}: ${scenarios.join(', ')}`)
  const whole = (name: 'runs' | 'seed' | 'at-once', most: number) => {
    const value = Number(values[name])
    if (!Number.isInteger(value) || value < 0 || value > most)
      throw new RangeError(`--${name} ${values[name]}: 0–${most}`)
    return value
  }
  return {
    scenario,
    help,
    runs: whole('runs', runsMax),
    seed: whole('seed', 2 ** 31),
    atOnce: Math.max(1, whole('at-once', atOnceMax)),
  }
}

/** The options, or null and a line that says what is wrong with them. */
function understood() {
  try {
    return options()
  } catch (error) {
    process.stderr.write(`chaos: ${(error as Error).message}\n`)
    process.exitCode = 2
    return null
  }
}

const say = (text: string) => void process.stdout.write(`${text}\n`)

/** Runs overlap: most of a run is waiting for a cabinet to settle. */
async function kills(seed: number, runs: number, atOnce: number): Promise<boolean> {
  const server = await startServer()
  const reports: Report[] = []
  let next = 0
  const lane = async () => {
    while (next < runs) {
      const plan = planOf(seed + next++)
      const failed = (error: Error): Report => ({ ...blank(plan), wrongs: [error.stack ?? error.message] })
      const report = await run(server, plan).catch(failed)
      reports.push(report)
      say(`${String(reports.length).padStart(3)}/${runs}  ${line(report)}`)
    }
  }
  try {
    await Promise.all(Array.from({ length: Math.min(atOnce, runs) }, lane))
  } finally {
    await server.close()
  }
  say(`\n${summary(reports)}`)
  return reports.every(({ wrongs }) => wrongs.length === 0)
}

/** Purchases, holds, advices, reversals, refunds and settlements. */
async function tills(seed: number, runs: number, atOnce: number): Promise<boolean> {
  const server = await startServer()
  const reports: TillReport[] = []
  let next = 0
  const lane = async () => {
    while (next < runs) {
      const mine = seed + next++
      const report = await runTills(server, mine).catch((error: Error) => tillsFailed(mine, error))
      reports.push(report)
      say(`${String(reports.length).padStart(3)}/${runs}  ${tillLine(report)}`)
    }
  }
  try {
    await Promise.all(Array.from({ length: Math.min(atOnce, runs) }, lane))
  } finally {
    await server.close()
  }
  return reports.every(({ wrongs }) => wrongs.length === 0)
}

/** One after the other: each has the machine to itself, because times are measured. */
async function outages(seed: number): Promise<boolean> {
  const reports: AwayReport[] = []
  for (const how of absences) {
    const report = await runAway(how, seed)
    reports.push(report)
    say(awayLine(report))
  }
  return reports.every(({ wrongs }) => wrongs.length === 0)
}

/** Lives from this seed on. */
function lives(seed: number, runs: number): boolean {
  const wrong = liveMany(seed, runs * livesPerRun, STEPS)
  return wrong === 0
}

async function main() {
  const given = understood()
  if (!given) return
  if (given.help) return say(manual)
  const { scenario, seed, runs, atOnce } = given
  const startedAt = performance.now()
  let isKept = true
  const isAsked = (name: string) => scenario === 'all' || scenario === name
  if (isAsked('metal')) isKept = lives(seed, runs)
  if (isAsked('kill')) isKept = (await kills(seed, runs, atOnce)) && isKept
  if (isAsked('terminals')) isKept = (await tills(seed, runs, atOnce)) && isKept
  if (isAsked('database')) isKept = (await outages(seed)) && isKept
  say(`${isKept ? 'every promise kept' : 'PROMISES BROKEN'}, ${Math.round((performance.now() - startedAt) / 1000)} s`)
  process.exitCode = isKept ? 0 : 1
}

process.once('exit', endNow)
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(interrupted))
setTimeout(() => {
  process.stderr.write(`chaos: not done after ${minutesMax} minutes\n`)
  process.exit(1)
}, minutesMax * 60_000).unref()
await main()
