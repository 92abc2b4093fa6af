import { parseArgs } from 'node:util'
import { z } from 'zod'
import { BadSettings, databaseSettings, readSettings, startOrExit, timeZone } from '../platform/config.ts'
import { jsonLog } from '../platform/log.ts'
import type { Db } from '../postgres/connect.ts'
import { open } from '../postgres/open.ts'
import * as billing from './billing.ts'
import { countDue, preview } from './billing-due.ts'
import { plusDays } from './decide/periods.ts'

const usage = `npm run billing -- run [--until DATE] [--dry]
npm run billing -- status

run     charges the monthly fee of each contract for each period that has begun until DATE (today unless told), once,
        also beside a running server; goes on with a run that was left. Progress goes to stderr.
  --dry   prints what would be charged and suspended, and writes nothing; DATE may be ahead then.
status  the last ten runs, and how many contracts are due.

Ends with 0; with 1 when contracts could not be charged, of which the last is named; with 2 when asked wrongly.
`

const options = { dry: { type: 'boolean' }, until: { type: 'string' }, help: { type: 'boolean' } } as const
const minorInUnit = 100
const runsShown = 10

const money = (minor: number) => (minor / minorInUnit).toFixed(2)

/** Where a command writes to. */
interface Paper {
  out(text: string): void
  err(text: string): void
}

const told = ({ id, untilDay, status, contracts, charges, amountMinor, suspended, failures, error }: billing.Run) =>
  `run ${id} until ${untilDay}: ${status}, ${contracts} contracts, ${charges} periods, ${money(amountMinor)}, ` +
  `${suspended} suspended, ${failures} failed${error === null ? '' : ` (${error})`}`

async function dry(db: Db, until: string, { out }: Paper) {
  const total = { contracts: 0, periods: 0, amountMinor: 0, suspended: 0 }
  for await (const { contract, charges, isSuspended } of preview(db.sql, until)) {
    for (const { periodStart, periodEnd, amountMinor, balanceAfterMinor } of charges)
      out(
        `${contract.number} ${periodStart} – ${plusDays(periodEnd, -1)} ${money(amountMinor)}, then ${money(balanceAfterMinor)}\n`,
      )
    if (isSuspended) out(`${contract.number} suspended\n`)
    total.contracts++
    total.periods += charges.length
    total.amountMinor += charges.reduce((sum, { amountMinor }) => sum + amountMinor, 0)
    if (isSuspended) total.suspended++
  }
  const { contracts, periods, amountMinor, suspended } = total
  out(`until ${until}: ${contracts} contracts, ${periods} periods, ${money(amountMinor)}, ${suspended} suspended\n`)
}

async function charge(db: Db, until: string, { out, err }: Paper): Promise<number> {
  const began = performance.now()
  const seconds = () => `${((performance.now() - began) / 1_000).toFixed(1)} s`
  const progress = (run: billing.Run) => err(`${told(run)}, ${seconds()}\n`)
  const run = await billing.run(db, { until, isPatient: true, progress })
  out(`${run === null ? `until ${until}: nothing is due` : told(run)}\n`)
  return run?.status === 'failed' ? 1 : 0
}

async function status(db: Db, today: string, { out }: Paper) {
  for (const run of await billing.runs(db.sql, runsShown)) out(`${told(run)}\n`)
  out(`due today, ${today}: ${await countDue(db.sql, today)} contracts\n`)
}

/** The day that is asked for. @throws BadSettings */
function untilOf(given: string | undefined, today: string, isDry: boolean): string {
  if (given === undefined) return today
  if (!z.iso.date().safeParse(given).success) throw new BadSettings(['--until must be a day like 2026-01-31'])
  if (given > today && !isDry) throw new BadSettings([`--until is after today, ${today}: only --dry may look ahead`])
  return given
}

/** What was asked for; null: nothing that there is. */
function asked(args: readonly string[]) {
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true })
    const command = positionals.join(' ')
    if (values.help || command === 'run' || command === 'status') return { command, ...values }
  } catch {
    // An option that there is not.
  }
  return null
}

/** Does what the command line says over a database, and returns what the process ends with. */
export async function command(db: Db, zone: string, args: readonly string[], paper: Paper): Promise<number> {
  const given = asked(args)
  const today = await billing.today(db.sql, zone)
  try {
    if (given === null) throw new BadSettings([usage])
    const until = untilOf(given.until, today, given.dry === true)
    if (given.command === 'run' && !given.dry) return await charge(db, until, paper)
    await (given.command === 'status' ? status(db, today, paper) : dry(db, until, paper))
    return 0
  } catch (error) {
    if (!(error instanceof BadSettings)) throw error
    paper.err(`${error.message}\n`)
    return 2
  }
}

/** `npm run billing`. */
async function main() {
  const args = process.argv.slice(2)
  const given = asked(args)
  if (given === null || given.help) {
    ;(given ? process.stdout : process.stderr).write(usage)
    process.exitCode = given ? 0 : 2
    return
  }
  const settings = await readSettings(z.object({ ...databaseSettings, TIME_ZONE: timeZone().default('Europe/Moscow') }))
  const { DATABASE_URL: databaseUrl, DATA_DIR: dataDir, TIME_ZONE: zone } = settings
  const { db, stop } = await open({ databaseUrl, dataDir, log: jsonLog({ level: 'error' }) })
  try {
    process.exitCode = await command(db, zone, args, {
      out: (text) => void process.stdout.write(text),
      err: (text) => void process.stderr.write(text),
    })
  } finally {
    await stop()
  }
}

if (import.meta.main) await startOrExit(main)
