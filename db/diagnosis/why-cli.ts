import { parseArgs } from 'node:util'
import { z } from 'zod'
import { databaseRule, databaseSettings, readSettings, startOrExit } from '../platform/config.ts'
import { jsonLog } from '../platform/log.ts'
import { within } from '../platform/patience.ts'
import { connect, type Db, type Queryable } from '../postgres/connect.ts'
import { open } from '../postgres/open.ts'
import { type Cause, diagnose } from './decide/causes.ts'
import { factsOf } from './facts.ts'
import type { CauseCode } from './words.ts'

const usage = `npm run -s why -- BOX_ID [--json]

Why is this station off line? What may be the reason, the likeliest first, each with what speaks for it (docs/technician.md).
Exit 0: it is on line; 1: it is not, or the database is away; 2: there is no such station.
`

/** A technician does not wait for a database that will not come. */
const patienceMs = 5_000

const words: Record<CauseCode, string> = {
  database_away: 'our own database does not answer',
  gateway_down: 'no cabinet of its wire is heard any more: our gateway, or the network in front of it',
  broker_down: 'no cabinet over MQTT is heard any more: the broker, or our connection to it',
  wrong_key: 'it dials in, and its key is not the one that is stored here',
  no_key: 'it dials in, and no key of it is stored here: store it',
  wrong_dialect: 'it dials in, and speaks another dialect than it did or has a key for',
  sim_changed: 'it dials in with another SIM: adopt it if that was changed on purpose',
  unknown_box_id: 'a box id that nobody knows dials in, and it is much like this one',
  sim_blocked: 'its SIM is blocked',
  contract_in_debt: 'the contract of its SIM is suspended for want of money',
  sim_not_active: 'its SIM is not active',
  site_down: 'its neighbours fell silent with it: power or network of the place',
  power_schedule: 'it goes off at this hour day by day: somebody switches it off',
  weak_link: 'its connection breaks all the time: a weak signal, or power that comes and goes',
  never_connected: 'it was never connected: look at its server address, APN and SIM',
  silent: 'nothing that we know explains it: power, SIM or network at the place',
}

const evidenceOf = ({ evidence }: Cause) =>
  Object.entries(evidence)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ')

/** What the command prints, and what it ends with. */
export interface Answer {
  boxId: string
  isOnline: boolean
  causes: Cause[]
}

/** @returns null: there is no such station */
export async function why(q: Queryable, boxId: string): Promise<Answer | null> {
  const [station] = await q<{ id: number }[]>`select id from stations where box_id = ${boxId} and deleted_at is null`
  const facts = station ? await factsOf(q, station.id) : null
  return facts && { boxId, isOnline: facts.station.isOnline, causes: diagnose(facts) }
}

/** For people: a line a cause. */
export const told = ({ boxId, isOnline, causes }: Answer): string =>
  isOnline
    ? `${boxId} is on line\n`
    : causes
        .map((cause, n) => `${n + 1}. ${words[cause.code]} (${cause.certainty} %)\n   ${evidenceOf(cause)}\n`)
        .join('')

/** The database as it is: one that is not there is an answer, too. */
async function reach(databaseUrl: string | undefined, dataDir: string): Promise<{ db: Db; stop(): Promise<void> }> {
  if (databaseUrl === undefined) return await open({ databaseUrl, dataDir, log: jsonLog({ level: 'error' }) })
  const db = connect(databaseUrl, { max: 1 })
  return { db, stop: () => db.close() }
}

/** The answer in time. @returns what the database's absence looks like, where it is away */
async function ask(db: Db, boxId: string): Promise<Answer | null> {
  const away = (error: string): Answer => ({
    boxId,
    isOnline: false,
    causes: [{ code: 'database_away', certainty: 100, evidence: { error } }],
  })
  let answer: Answer | null = away(`no answer within ${patienceMs / 1_000} s`)
  const asked = why(db.sql, boxId).then(
    (found) => {
      answer = found
    },
    (error: Error & { code?: string }) => {
      answer = away(error.code ?? error.message)
    },
  )
  await within(patienceMs, asked)
  return answer
}

/** `npm run why`. */
async function main() {
  const { values, positionals } = parseArgs({
    options: { json: { type: 'boolean' }, help: { type: 'boolean' } },
    allowPositionals: true,
  })
  const [boxId, ...more] = positionals
  if (values.help || boxId === undefined || more.length > 0) {
    ;(values.help ? process.stdout : process.stderr).write(usage)
    process.exitCode = values.help ? 0 : 1
    return
  }
  const { DATABASE_URL: databaseUrl, DATA_DIR: dataDir } = await readSettings(z.object(databaseSettings), [
    databaseRule(),
  ])
  const { db, stop } = await reach(databaseUrl, dataDir)
  const answer = await ask(db, boxId)
  const isAway = answer?.causes[0]?.code === 'database_away'
  if (answer) process.stdout.write(values.json ? `${JSON.stringify(answer)}\n` : told(answer))
  else process.stderr.write(`There is no station ${boxId}.\n`)
  process.exitCode = answer === null ? 2 : answer.isOnline ? 0 : 1
  // Closing waits for a server that does not answer.
  if (isAway) process.exit()
  await stop()
}

if (import.meta.main) await startOrExit(main)
