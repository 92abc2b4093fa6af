import { parseArgs } from 'node:util'
import * as inbox from '../db/messages/inbox.ts'
import { type InboxState, inboxStates } from '../db/messages/words.ts'
import { readSettings, startOrExit } from '../db/platform/config.ts'
import { jsonLog } from '../db/platform/log.ts'
import { Refused } from '../db/platform/refused.ts'
import type { Db } from '../db/postgres/connect.ts'
import { open } from '../db/postgres/open.ts'
import { apiConfig, apiSettings } from './config.ts'
import { paymentApis } from './providers/payment-apis.ts'
import { type Match, Unreadable } from './providers/provider.ts'
import { providersOf, replay } from './providers/webhook-events.ts'

const usage = `npm run -s inbox -- list [--state STATE] [--provider NAME] [--limit N]
npm run -s inbox -- show ID [--raw]
npm run -s inbox -- replay ID
npm run -s inbox -- match ID payment:N|account:N

What providers told us, as it was stored, newest first; one JSON object a line. The bytes themselves, which may name
people, are printed by --raw only. "replay" works a webhook event again that is not done; one that is done stays as it is.
"match" does the same, and says which payment, or whose account, it is about: one that names nothing we know is unmatched.
Its amount has to fit all the same. Also beside a running server. Ends with 0 when it is done (or was), 1 when it is not,
2 when asked wrongly.

  STATE  received unmatched failed ignored done
  NAME   1c bitrix24 yookassa cryptopay freekassa tribute stars panel
`

const listRows = 20
const listRowsMax = 1_000
const options = {
  state: { type: 'string' },
  provider: { type: 'string' },
  limit: { type: 'string', default: String(listRows) },
  raw: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const

/** What is asked for; null: nothing that there is. */
type Asked =
  | { command: 'help' }
  | { command: 'list'; state: InboxState | undefined; provider: string | undefined; limit: number }
  | { command: 'show'; id: number; raw: boolean }
  | { command: 'replay'; id: number; match: Match | undefined }

/** `payment:17`; null: no match of anything. */
function matchOf(text: string | undefined): Match | null {
  const [, kind, id] = /^(payment|account):(\d{1,15})$/.exec(text ?? '') ?? []
  return kind ? { kind: kind as Match['kind'], id: Number(id) } : null
}

/** Reads the command line. Null: it asks for nothing there is. */
function parse(args: string[]): Asked | null {
  try {
    const { values, positionals } = parseArgs({ args, options, allowPositionals: true })
    const [command, id, to, ...rest] = positionals
    const { provider, raw } = values
    const limit = Number(values.limit)
    const state = inboxStates.find((one) => one === values.state)
    if (values.help) return { command: 'help' }
    if (rest.length > 0 || (values.state && !state) || !(limit >= 1 && limit <= listRowsMax)) return null
    if (command === 'list' && id === undefined) return { command, state, provider, limit }
    if (!/^\d{1,15}$/.test(id ?? '')) return null
    if (command === 'match') {
      const match = matchOf(to)
      return match && { command: 'replay', id: Number(id), match }
    }
    if (to !== undefined) return null
    if (command === 'replay') return { command, id: Number(id), match: undefined }
    return command === 'show' ? { command, id: Number(id), raw } : null
  } catch {
    // An option there is not.
    return null
  }
}

/** What an operator needs to know of a webhook event; no bytes, no address. */
const line = (webhookEvent: inbox.WebhookEvent) => ({
  id: webhookEvent.id,
  provider: webhookEvent.provider,
  key: webhookEvent.dedupKey,
  state: webhookEvent.state,
  attempts: webhookEvent.attempts,
  repeats: webhookEvent.repeats,
  received_at: webhookEvent.receivedAt,
  worked_at: webhookEvent.workedAt,
  last_error: webhookEvent.lastError,
})

/** Does what is asked for; returns the exit code. */
async function run(asked: Exclude<Asked, { command: 'help' }>, db: Db, config: ReturnType<typeof apiConfig>) {
  const print = (value: object) => process.stdout.write(`${JSON.stringify(value)}\n`)
  if (asked.command === 'list') {
    for (const webhookEvent of await inbox.list(db.sql, asked)) print(line(webhookEvent))
    return 0
  }
  const stored = await inbox.get(db.sql, asked.id)
  if (!stored) {
    process.stderr.write(`there is no webhook event ${asked.id}\n`)
    return 1
  }
  if (asked.command === 'show') {
    if (asked.raw) process.stdout.write(stored.raw)
    else print({ ...line(stored), headers: stored.headers, bytes: stored.raw.length, result: stored.result })
    return 0
  }
  try {
    const { webhookEvent, isWorked } = await replay(
      db,
      providersOf(config, paymentApis(config.providers.payments)),
      asked.id,
      asked.match,
    )
    const said = isWorked ? 'worked' : `nothing was done: it is ${webhookEvent.state} already`
    print({ ...line(webhookEvent), result: webhookEvent.result, replay: said })
    return webhookEvent.state === 'done' || webhookEvent.state === 'ignored' ? 0 : 1
  } catch (error) {
    if (!(error instanceof Refused) && !(error instanceof Unreadable)) throw error
    print({ ...line((await inbox.get(db.sql, asked.id))!), replay: `not worked: ${error.message}` })
    return 1
  }
}

/** `npm run inbox`. */
async function main() {
  const asked = parse(process.argv.slice(2))
  if (asked === null || asked.command === 'help') {
    ;(asked ? process.stdout : process.stderr).write(usage)
    process.exitCode = asked ? 0 : 2
    return
  }
  const { DATABASE_URL: databaseUrl, DATA_DIR: dataDir, ...settings } = await readSettings(apiSettings)
  // Nobody logs in here: the secrets of logins are not asked for.
  const config = apiConfig(settings, { jwtSecret: '', keysSecret: '', cardKey: Buffer.alloc(0) })
  const { db, stop } = await open({ databaseUrl, dataDir, log: jsonLog({ level: 'error' }) })
  try {
    process.exitCode = await run(asked, db, config)
  } finally {
    await stop()
  }
}

if (import.meta.main) await startOrExit(main)
