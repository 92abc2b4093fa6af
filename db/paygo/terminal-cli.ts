import { randomBytes } from 'node:crypto'
import { text } from 'node:stream/consumers'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { BadSettings, databaseRule, databaseSettings, readSettings, secret, startOrExit } from '../platform/config.ts'
import { jsonLog } from '../platform/log.ts'
import type { Db } from '../postgres/connect.ts'
import { open } from '../postgres/open.ts'
import * as terminals from './terminals.ts'
import { paymentMethods } from './words.ts'

const usage = `npm run -s terminal -- create --serial S --name NAME --location PLACE --address ADDRESS
    --methods nfc,qr_code,biometric,card_insert [--code CODE] [--key HEX|-]

Registers a payment terminal (docs/protocol.md 7) and prints it as one JSON object: its id, serial_number, terminal_code,
key, and how it comes in over MQTT. CODE is what field 41 says, eight of A-Z and 0-9: the serial where it has that form,
else made. HEX is the key of its MACs, 64 hex digits: made when it is not given, and shown this once. "--key -" reads it
from standard input, where no list of processes shows it.

npm run -s terminal -- key S [--key HEX|-]     a second key; both are good for 24 hours
npm run -s terminal -- list [--page 1] [--limit 100]
npm run -s terminal -- disable S               lets it in no more, and ends its line

Everything is printed as one JSON object.
`

const options = {
  serial: { type: 'string' },
  code: { type: 'string' },
  key: { type: 'string' },
  name: { type: 'string' },
  location: { type: 'string' },
  address: { type: 'string' },
  methods: { type: 'string' },
  page: { type: 'string' },
  limit: { type: 'string' },
  help: { type: 'boolean' },
} as const

const limitMax = 1_000
const keyBytes = 32
const newKey = () => randomBytes(keyBytes).toString('hex')

/** Something that can be seen, and nothing that cannot: it stands in lists and on pages. */
const words = (option: string, max: number) =>
  z
    .string(`--${option} is required`)
    .trim()
    .regex(
      new RegExp(`^[^\\p{C}\\p{Zl}\\p{Zp}]{1,${max}}$`, 'u'),
      `--${option} must have 1 to ${max} visible characters`,
    )

const key = z.string().refine(terminals.isKey, '--key must be 64 hex digits').optional()
const isMethod = (word: string) => (paymentMethods as readonly string[]).includes(word)
const whole = (option: string, max: number) =>
  z
    .string()
    .regex(/^[1-9]\d{0,8}$/, `--${option} must be a number from 1 on`)
    .transform((digits) => Math.min(Number(digits), max))

const created = z.object({
  serial: z
    .string('--serial is required')
    .regex(/^[\x21-\x7e]{1,50}$/, '--serial must have 1 to 50 letters, digits or signs'),
  code: z.string().refine(terminals.isTerminalCode, '--code must be eight of A-Z and 0-9').optional(),
  key,
  name: words('name', 255),
  location: words('location', 255),
  address: words('address', 500),
  methods: z
    .string('--methods is required')
    .transform((list) => [...new Set(list.split(','))])
    .refine((list) => list.every(isMethod), `--methods must be of ${paymentMethods.join(',')}`)
    // Only words of that list are left.
    .transform((list) => list as (typeof paymentMethods)[number][]),
})

/** A terminal as every command prints it: in the words of the PayGo surface. */
const shown = (id: number, serial: string, terminalCode: string) => ({
  id: `terminal${id}`,
  serial_number: serial,
  terminal_code: terminalCode,
})

const topicsOf = (code: string) => ({ up: `terminals/${code}/up`, down: `terminals/${code}/down` })

/** What a command is given. */
interface Given {
  db: Db
  keysSecret: string
  /** Positional arguments behind the command. */
  names: string[]
  values: Record<string, unknown>
}

function parse<S extends z.ZodObject>(schema: S, values: Record<string, unknown>): z.output<S> {
  const { success, data, error } = schema.safeParse(values)
  if (!success) throw new BadSettings(error.issues.map(({ message }) => message))
  return data
}

/** The serial behind the command. */
function serialOf({ names }: Given): string {
  const [serial, ...more] = names
  if (serial === undefined || more.length > 0) throw new BadSettings(['one serial is required'])
  return serial
}

/**
 * Registers a terminal, as the command line says.
 * @throws BadSettings a line per mistake @throws Refused duplicate
 */
async function create({ db, keysSecret, values }: Given): Promise<object> {
  const { serial, code, key = newKey(), ...about } = parse(created, values)
  const { id, terminalCode } = await db.transaction((tx) =>
    terminals.create(tx, null, { ...about, serial, terminalCode: code, key }, keysSecret),
  )
  const mqtt = { username: terminalCode, password: key, topics: topicsOf(terminalCode) }
  return { ...shown(id, serial, terminalCode), key, mqtt }
}

async function addKey(given: Given): Promise<object> {
  const { db, keysSecret, values } = given
  const serial = serialOf(given)
  const { key: second = newKey() } = parse(z.object({ key }), values)
  const { id, terminalCode } = await terminals.bySerial(db.sql, serial)
  await db.transaction((tx) => terminals.addKey(tx, null, { id, key: second }, keysSecret))
  return { ...shown(id, serial, terminalCode), key: second }
}

async function list({ db, values }: Given): Promise<object> {
  const asked = z.object({ page: whole('page', 1e9).default(1), limit: whole('limit', limitMax).default(100) })
  const { page, limit } = parse(asked, values)
  const { rows, total } = await terminals.list(db.sql, { page, limit })
  const found = rows.map(({ id, serial, terminalCode, keys, ...terminal }) => ({
    ...shown(id, serial, terminalCode),
    ...{ name: terminal.name, location: terminal.location, address: terminal.address },
    supported_payment_methods: terminal.methods,
    status: terminal.condition === 'working' ? (terminal.isOnline ? 'online' : 'offline') : terminal.condition,
    is_active: terminal.isActive,
    last_ping: terminal.seenAt,
    keys: keys.map(({ hint, validUntil }) => ({ ends_in: hint, valid_until: validUntil })),
  }))
  return { terminals: found, page, limit, total }
}

async function disable(given: Given): Promise<object> {
  const { db } = given
  const serial = serialOf(given)
  const { id, terminalCode } = await terminals.bySerial(db.sql, serial)
  await db.transaction((tx) => terminals.disable(tx, null, id))
  return { ...shown(id, serial, terminalCode), is_active: false }
}

const commands: Record<string, (given: Given) => Promise<object>> = { create, key: addKey, list, disable }

/**
 * One command. @param args as they were typed; `-` for a key is replaced already
 * @throws BadSettings, Refused
 */
export const run = (command: string, given: Given): Promise<object> => commands[command]!(given)

/** `npm run terminal`. */
async function main() {
  const { values, positionals } = parseArgs({ options, allowPositionals: true })
  const [command = '', ...names] = positionals
  const isKnown = Object.hasOwn(commands, command)
  if (values.help || !isKnown) {
    ;(values.help ? process.stdout : process.stderr).write(usage)
    process.exitCode = values.help ? 0 : 1
    return
  }
  if (values.key === '-') values.key = (await text(process.stdin)).trim()
  const { DATABASE_URL: databaseUrl, DATA_DIR: dataDir } = await readSettings(z.object(databaseSettings), [
    databaseRule('KEYS_SECRET'),
  ])
  const { db, stop, embedded } = await open({ databaseUrl, dataDir, log: jsonLog({ level: 'error' }) })
  try {
    const keysSecret = secret('KEYS_SECRET', dataDir, embedded)
    process.stdout.write(`${JSON.stringify(await run(command, { db, keysSecret, names, values }))}\n`)
  } finally {
    await stop()
  }
}

if (import.meta.main) await startOrExit(main)
