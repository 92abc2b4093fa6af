import { randomUUID } from 'node:crypto'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import * as accounts from '../db/getpro/accounts.ts'
import * as balance from '../db/getpro/balance.ts'
import * as payments from '../db/getpro/payments.ts'
import * as promoCodes from '../db/getpro/promo-codes.ts'
import * as refunds from '../db/getpro/refunds.ts'
import { Refused } from '../db/getpro/refused.ts'
import * as subscriptions from '../db/getpro/subscriptions.ts'
import { paymentProviders, paymentStatuses } from '../db/getpro/words.ts'
import { backlog, openEvents } from '../db/messages/backlog.ts'
import { BadSettings, databaseSettings, readSettings, startOrExit } from '../db/platform/config.ts'
import { jsonLog } from '../db/platform/log.ts'
import type { Db } from '../db/postgres/connect.ts'
import { open } from '../db/postgres/open.ts'
import { apiSettings } from './config.ts'
import { payment } from './getpro/payments.ts'
import { promoCode } from './getpro/promo-codes.ts'
import { subscription } from './getpro/subscription-view.ts'
import { shown } from './getpro/surface.ts'
import { user } from './getpro/users.ts'
import { Bound, period } from './instants.ts'

const usage = `npm run -s getpro -- COMMAND [ID] [--option VALUE]…

  users list [--telegram-id N]          users show ID
  users create --telegram-id N [--username U] [--inviter ID]
  balance show ID                       balance history ID
  balance add ID --kopecks N --reason TEXT [--key KEY]
  balance deduct ID --kopecks N --reason TEXT [--key KEY]
  subscription show ID
  subscription grant ID [--months N] [--days N] [--key KEY]     opens it where there is none
  subscription extend ID [--months N] [--days N] [--key KEY]    only where there is one
  promo list
  promo create --code CODE --days N --activations N [--until 2036-12-31]
  payments list [--user ID] [--status STATUS] [--provider NAME]
  payments show ID                      with its refunds
  inbox                                 how many webhook events are open, and since when (npm run inbox works them)

ID is of a user of 2GETPRO, or of a payment. What is said again under its KEY counts once; without one it counts every time.
A list takes --page and --limit. Everything is printed as one JSON object, in the words of /api/getpro. Also beside a
running server. Ends with 0 when it is done, 1 when it is not.

  STATUS  ${paymentStatuses.join(' ')}
  NAME    ${paymentProviders.join(' ')}
`

const options = {
  'telegram-id': { type: 'string' },
  username: { type: 'string' },
  inviter: { type: 'string' },
  kopecks: { type: 'string' },
  reason: { type: 'string' },
  key: { type: 'string' },
  months: { type: 'string' },
  days: { type: 'string' },
  code: { type: 'string' },
  activations: { type: 'string' },
  until: { type: 'string' },
  user: { type: 'string' },
  status: { type: 'string' },
  provider: { type: 'string' },
  page: { type: 'string' },
  limit: { type: 'string' },
  help: { type: 'boolean' },
} as const

/** Whoever may type here may do all; in the audit log it is nobody's act of the surface. */
const operator = { userId: 0, roles: [] }
/** What is the same as over HTTP. */
const kopecksMax = 1_000_000_000
const monthsMax = 120
const daysMax = 3_650
const activationsMax = 1_000_000
const pageRows = 20
const pageRowsMax = 1_000
const keyCharactersMax = 255
const textCharactersMax = 300

const whole = (option: string, max: number = Number.MAX_SAFE_INTEGER) =>
  z
    .string(`--${option} is required`)
    .regex(/^\d{1,15}$/, `--${option} must be a whole number`)
    .transform(Number)
    .refine((number) => number >= 1 && number <= max, `--${option} must be from 1 to ${max}`)
const words = (option: string, max: number) =>
  z
    .string(`--${option} is required`)
    .trim()
    .regex(new RegExp(`^[^\\p{C}]{1,${max}}$`, 'u'), `--${option} must have 1 to ${max} visible characters`)
const key = words('key', keyCharactersMax).default(() => randomUUID())
const paging = { page: whole('page').default(1), limit: whole('limit', pageRowsMax).default(pageRows) }
const oneOf = <T extends string>(option: string, list: readonly T[]) =>
  z.enum(list, `--${option} must be one of ${list.join(' ')}`).optional()

/** What a command is given. */
export interface Given {
  db: Db
  timeZone: string
  /** What stands behind the command. */
  ids: string[]
  values: Record<string, unknown>
}

function parse<S extends z.ZodRawShape>(values: Record<string, unknown>, shape: S): z.output<z.ZodObject<S>> {
  const { success, data, error } = z.strictObject(shape).safeParse(values)
  if (success) return data
  const said = error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((name) => `--${name} is not for this command`)
      : [issue.message],
  )
  throw new BadSettings(said)
}

function idOf({ ids }: Given): number {
  const [id = '', ...more] = ids
  if (!/^\d{1,15}$/.test(id) || more.length > 0) throw new BadSettings(['one ID is required'])
  return Number(id)
}
const noId = ({ ids }: Given) => {
  if (ids.length > 0) throw new BadSettings([`there is nothing to be done with ${ids.join(' ')}`])
}

async function accountOf(given: Given): Promise<accounts.Account> {
  const account = await accounts.get(given.db.sql, idOf(given))
  if (account) return account
  throw new Refused('not_found', 'there is no such account', { reason: 'account_unknown' })
}

const rowsOf = ({ page, limit }: { page: number; limit: number }) => ({ limit, offset: (page - 1) * limit })

/** Gives to a balance, or takes from it. */
const moved = (sign: 1 | -1) => async (given: Given) => {
  const accountId = idOf(given)
  const shape = { kopecks: whole('kopecks', kopecksMax), reason: words('reason', textCharactersMax), key }
  const { kopecks, ...about } = parse(given.values, shape)
  const change = { accountId, amountKopecks: sign * kopecks, ...about }
  const { postingId, balanceKopecks } = await given.db.transaction((tx) => balance.change(tx, null, change))
  return { movement_id: postingId, user_id: accountId, balance_kopecks: balanceKopecks, key: about.key }
}

/** Access that nobody pays for. */
const granted = (isOpened: boolean) => async (given: Given) => {
  const { id: accountId } = await accountOf(given)
  const asked = { months: whole('months', monthsMax).optional(), days: whole('days', daysMax).optional(), key }
  const { months = 0, days = 0, key: said } = parse(given.values, asked)
  if (months + days === 0) throw new BadSettings(['--months or --days is required'])
  const gift = { accountId, by: { months, days }, key: said }
  const made = await given.db.transaction(async (tx) => {
    await accounts.hold(tx, accountId)
    if (!isOpened && !(await subscriptions.of(tx, accountId)))
      throw new Refused('not_found', 'there is no subscription to extend', { reason: 'subscription_unknown' })
    return await subscriptions.gift(tx, null, gift, given.timeZone)
  })
  return { ...subscription(made.subscription), key: said }
}

const commands: Record<string, (given: Given) => Promise<object>> = {
  'users list': async (given) => {
    noId(given)
    const shape = { ...paging, 'telegram-id': whole('telegram-id').optional() }
    const { 'telegram-id': telegramId, ...at } = parse(given.values, shape)
    const { rows, total } = await accounts.list(given.db.sql, { telegramId, ...rowsOf(at) })
    return { users: rows.map(user), total }
  },
  'users show': async (given) => {
    parse(given.values, {})
    return user(await accountOf(given))
  },
  'users create': async (given) => {
    noId(given)
    const username = words('username', 100).nullable().default(null)
    const shape = { 'telegram-id': whole('telegram-id'), username, inviter: whole('inviter').optional() }
    const { 'telegram-id': telegramId, inviter, ...about } = parse(given.values, shape)
    const told = { ...about, telegramId, inviter: inviter === undefined ? null : { id: inviter } }
    return user(await given.db.transaction((tx) => accounts.register(tx, null, told)))
  },
  'balance show': async (given) => {
    parse(given.values, {})
    const { id } = await accountOf(given)
    return { user_id: id, balance_kopecks: await balance.get(given.db.sql, id) }
  },
  'balance history': async (given) => {
    const at = parse(given.values, paging)
    const { rows, total } = await balance.history(given.db.sql, (await accountOf(given)).id, rowsOf(at))
    return { movements: rows.map((row) => shown(row)), total }
  },
  'balance add': moved(1),
  'balance deduct': moved(-1),
  'subscription show': async (given) => {
    parse(given.values, {})
    const { id } = await accountOf(given)
    const one = await subscriptions.of(given.db.sql, id)
    return { user_id: id, subscription: one ? subscription(one) : null }
  },
  'subscription grant': granted(true),
  'subscription extend': granted(false),
  'promo list': async (given) => {
    noId(given)
    const at = parse(given.values, paging)
    const { rows, total } = await promoCodes.list(given.db.sql, operator, rowsOf(at))
    return { promo_codes: rows.map(promoCode), total }
  },
  'promo create': async (given) => {
    noId(given)
    const code = z
      .string('--code is required')
      .regex(/^[\p{L}\d_-]{3,40}$/u, '--code must have 3 to 40 letters, digits, - and _')
    const until = z
      .string()
      .refine((text) => Bound.safeParse(text).success, '--until must be a date or an instant')
      .optional()
    const shape = { code, days: whole('days', daysMax), activations: whole('activations', activationsMax), until }
    const asked = parse(given.values, shape)
    const validUntil = asked.until === undefined ? null : period(undefined, asked.until, given.timeZone).before
    const made = { code: asked.code, bonusDays: asked.days, activationsMax: asked.activations, validUntil }
    return promoCode(await given.db.transaction((tx) => promoCodes.create(tx, null, made)))
  },
  'payments list': async (given) => {
    noId(given)
    const about = { status: oneOf('status', paymentStatuses), provider: oneOf('provider', paymentProviders) }
    const shape = { ...paging, ...about, user: whole('user').optional() }
    const { user: accountId = null, status, provider, ...at } = parse(given.values, shape)
    const found = await payments.list(given.db.sql, { accountId, status, provider, ...rowsOf(at) })
    return { payments: found.rows.map(payment), total: found.total }
  },
  'payments show': async (given) => {
    parse(given.values, {})
    const one = await payments.get(given.db.sql, idOf(given))
    if (!one) throw new Refused('not_found', 'there is no such payment', { reason: 'payment_unknown' })
    const all = await refunds.of(given.db.sql, one.id)
    return { ...payment(one), refunds: all.map((refund) => shown(refund)) }
  },
  inbox: async (given) => {
    noId(given)
    parse(given.values, {})
    const [events, due] = await Promise.all([openEvents(given.db.sql), backlog(given.db.sql)])
    return {
      open: events.map((one) => shown(one)),
      due: due.inboxDue,
      oldest_due_seconds: Math.round(due.inboxSeconds),
    }
  },
}

/** Splits what was typed: the command, of one word or two, and what stands behind it; null: no command there is. */
export function commandOf(words: readonly string[]): { command: string; ids: string[] } | null {
  for (const length of [2, 1]) {
    const command = words.slice(0, length).join(' ')
    if (words.length >= length && Object.hasOwn(commands, command)) return { command, ids: words.slice(length) }
  }
  return null
}

/**
 * One command, by its name.
 * @throws BadSettings a line per mistake @throws Refused what the verbs refuse
 */
export const run = (command: string, given: Given): Promise<object> => commands[command]!(given)

/** `npm run getpro`. */
async function main() {
  const { values: given, positionals } = parseArgs({ options, allowPositionals: true })
  const { help, ...values } = given
  const asked = commandOf(positionals)
  if (help || !asked) {
    ;(help ? process.stdout : process.stderr).write(usage)
    process.exitCode = help ? 0 : 1
    return
  }
  const { TIME_ZONE } = apiSettings.shape
  const settings = await readSettings(z.object({ ...databaseSettings, TIME_ZONE }))
  const { DATABASE_URL: databaseUrl, DATA_DIR: dataDir, TIME_ZONE: timeZone } = settings
  const { db, stop } = await open({ databaseUrl, dataDir, log: jsonLog({ level: 'error' }) })
  try {
    const said = await run(asked.command, { db, timeZone, ids: asked.ids, values })
    process.stdout.write(`${JSON.stringify(said)}\n`)
  } finally {
    await stop()
  }
}

if (import.meta.main) await startOrExit(main)
