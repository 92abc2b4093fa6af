import { hkdfSync, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import * as fs from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join, resolve } from 'node:path'
import { z } from 'zod'

/** Settings as the environment has them: names to texts. */
export type Environment = Record<string, string | undefined>

/** A room's settings: names as in the environment, each with `.describe(…)`, which `--help` and .env.example show. */
export type Settings = z.ZodObject

/** Settings that cannot be used; one line per mistake. Never carries a value: it may be a secret. */
export class BadSettings extends Error {
  readonly mistakes: string[]
  constructor(mistakes: string[]) {
    super(mistakes.join('\n'))
    this.name = 'BadSettings'
    this.mistakes = mistakes
  }
}

const secretBytes = 32
const secretCharsMin = 32
const tooShort = `must have at least ${secretCharsMin} characters`
const requiredBesideUrl = 'is required when DATABASE_URL is set'
const long = () => z.string().min(secretCharsMin, tooShort)

/** A whole number within bounds. */
export const whole = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d+$/, 'must be a whole number')
    .transform(Number)
    .refine((value) => value >= min && value <= max, `must be from ${min} to ${max}`)

/** A TCP port; 0 takes a free one. */
export const port = () => whole(0, 65_535)

/** `true` or `false` (1 and 0 do as well). */
export const flag = () => z.enum(['true', 'false', '1', '0'], 'must be true or false').transform((v) => /^[t1]/.test(v))

/** A text that `read` takes; the message of what it throws says what is wrong with it. */
export const readBy = (read: (text: string) => unknown) =>
  z.string().superRefine((text, about) => {
    try {
      read(text)
    } catch (error) {
      about.addIssue({ code: 'custom', message: (error as Error).message })
    }
  })

/** An address with a host, by one of these protocols (without colon), whose name and password can be read. */
export const address = (protocols: string[], example: string) =>
  z.string().refine((text) => {
    const url = URL.parse(text)
    return url !== null && protocols.includes(url.protocol.slice(0, -1)) && url.hostname !== '' && isDecodable(text)
  }, `must look like ${example}`)

const isTimeZone = (name: string) => {
  try {
    return Boolean(new Intl.DateTimeFormat('en-US', { timeZone: name }))
  } catch {
    return false
  }
}

/** A time zone by its IANA name. */
export const timeZone = () => z.string().refine(isTimeZone, 'must be a time zone like Europe/Moscow')

const isDecodable = (text: string) => {
  try {
    return Boolean(decodeURIComponent(text))
  } catch {
    return false
  }
}

/** As the driver takes it: several hosts with commas between them, or none. */
const isDatabase = (text: string) => {
  const [, before, hosts = ''] = /^(postgres(?:ql)?:\/\/(?:[^/?@]*@)?)([^/?]*)\S*$/.exec(text) ?? []
  return before !== undefined && isDecodable(text) && hosts.split(',').every((host) => URL.canParse(`tcp://${host}`))
}

/** What every command needs to find its database. */
export const databaseSettings = {
  DATABASE_URL: z
    .string()
    .refine(isDatabase, 'must look like postgres://user:password@host:5432/name')
    .optional()
    .describe('PostgreSQL (15 or newer) to use; unset: an embedded one in DATA_DIR'),
  DATA_DIR: z.string().default('./data').describe('where the embedded database and generated secrets are kept'),
  JWT_SECRET: long().optional().describe('signs logins; unset: made in DATA_DIR, required beside DATABASE_URL'),
  KEYS_SECRET: long().optional().describe("closes the devices' keys at rest; unset: the same"),
  PAYMENT_CARD_KEY: long()
    .optional()
    .describe('tells that two card numbers are one, without keeping any; unset: derived from KEYS_SECRET'),
}

/**
 * What is wrong between settings, or with what they point at: lines that begin with the name of a setting. It is given
 * what could be read; what is wrong by itself is not there.
 */
export type Rule<T> = (given: Partial<T>) => string[] | Promise<string[]>

/** @throws BadSettings unless there are none */
export function refuse(mistakes: string[]) {
  if (mistakes.length > 0) throw new BadSettings(mistakes)
}

/** Each setting by itself. */
function readEach<S extends Settings>(schema: S, env: Environment) {
  const mistakes: string[] = []
  const values = Object.entries(schema.shape).map(([name, kind]) => {
    const { success, data, error } = (kind as z.ZodType).safeParse(env[name] || undefined)
    if (!success) mistakes.push(`${name} ${env[name] ? error.issues[0]!.message : 'is required'}`)
    return [name, data]
  })
  // Whole where there are no mistakes: each value is what its own kind gave.
  return { mistakes, given: Object.fromEntries(values) as z.output<S> }
}

/** Reads settings out of an environment. An empty text counts as unset. @throws BadSettings */
export function parseSettings<S extends Settings>(schema: S, env: Environment): z.output<S> {
  const { mistakes, given } = readEach(schema, env)
  refuse(mistakes)
  return given
}

/** The same, and the rules: all mistakes at once, one for a setting. @throws BadSettings */
export async function checkSettings<S extends Settings>(
  schema: S,
  rules: Rule<z.output<S>>[],
  env: Environment,
): Promise<z.output<S>> {
  const { mistakes, given } = readEach(schema, env)
  const wrong = new Set(mistakes.map(subjectOf))
  for (const line of (await Promise.all(rules.map((rule) => rule(given)))).flat()) {
    if (!wrong.has(subjectOf(line))) mistakes.push(line)
    wrong.add(subjectOf(line))
  }
  refuse(mistakes)
  return given
}

const subjectOf = (line: string) => line.split(' ')[0]

/** The settings of this process (`.env` beside package.json included), or a line per mistake on stderr and exit 1. */
export async function readSettings<S extends Settings>(
  schema: S,
  rules: Rule<z.output<S>>[] = [],
): Promise<z.output<S>> {
  try {
    if (fs.existsSync('.env')) process.loadEnvFile('.env')
    return await checkSettings(schema, rules, process.env)
  } catch (error) {
    return giveUp(error)
  }
}

type DatabaseSettings = z.output<z.ZodObject<typeof databaseSettings>>

/** What a process with a database of its own or a shared one needs: a place for it, or the secrets that are to be shared. */
export const databaseRule =
  (...secrets: ('JWT_SECRET' | 'KEYS_SECRET')[]): Rule<DatabaseSettings> =>
  ({ DATABASE_URL, DATA_DIR, ...given }) => {
    if (DATABASE_URL !== undefined)
      return secrets.filter((name) => given[name] === undefined).map((name) => `${name} ${requiredBesideUrl}`)
    if (DATA_DIR === undefined) return []
    let place = resolve(DATA_DIR)
    while (!fs.existsSync(place)) place = dirname(place)
    try {
      // With the dot it must be a directory.
      fs.accessSync(`${place}/.`, fs.constants.W_OK | fs.constants.X_OK)
      return []
    } catch (error) {
      return [`DATA_DIR cannot be used: ${(error as NodeJS.ErrnoException).code}`]
    }
  }

/** HOST is an address of this machine. Only the system knows: names and addresses that wander are good ones too. */
export const hostRule: Rule<{ HOST: string }> = async ({ HOST }) => {
  if (HOST === undefined) return []
  const server = createServer()
  try {
    await once(server.listen(0, HOST), 'listening')
    return []
  } catch (error) {
    return [`HOST cannot be listened on: ${(error as NodeJS.ErrnoException).code}`]
  } finally {
    server.close()
  }
}

/**
 * Runs the start of a command. What a person can mend (a setting, a taken port, a database that is away) becomes one
 * line per mistake on stderr and exit 1; a bug keeps its stack.
 */
export async function startOrExit<T>(start: () => T | Promise<T>): Promise<T> {
  try {
    return await start()
  } catch (error) {
    return giveUp(error)
  }
}

/** Errors of the system and of PostgreSQL have a code; ours that are meant for a person are listed. */
const forPeople = new Set(['BadSettings', 'EmbeddedFailed', 'MigrationFailed', 'MigrationMismatch', 'Refused'])

function giveUp(error: unknown): never {
  const { name, code, message } = error as Error & { code?: string }
  if (!forPeople.has(name) && code === undefined) throw error
  // An attempt on several addresses (::1 and 127.0.0.1) fails with an empty message of its own.
  const advice = code === 'EADDRINUSE' ? ' (a port of the settings is taken: name another, or 0 for any free one)' : ''
  process.stderr.write(`${message || code}${advice}\n`)
  process.exit(1)
}

/** What there is to say about each setting: name, meaning, default ('' if none). */
function tellSettings(schema: Settings) {
  return Object.entries(schema.shape).map(([name, kind]) => {
    const { description = '' } = kind as z.ZodType
    const standard = (kind as z.ZodType).safeParse(undefined)
    return { name, meaning: description, standard: standard.success ? String(standard.data ?? '') : '' }
  })
}

/** One line per setting for `--help`: name, meaning, default. */
export function describeSettings(schema: Settings): string[] {
  const told = tellSettings(schema)
  const width = Math.max(...told.map(({ name }) => name.length)) + 2
  return told.map(({ name, meaning, standard }) => name.padEnd(width) + meaning + (standard && ` (${standard})`))
}

/** The text of .env.example: everything that may be set, and what holds when it is not. */
export function exampleSettings(schema: Settings): string {
  const told = tellSettings(schema).map(({ name, meaning, standard }) => `# ${meaning}\n#${name}=${standard}\n`)
  return ['# Copy to .env and change what you need; the environment itself comes first.\n', ...told].join('\n')
}

/**
 * A secret of this installation (`JWT_SECRET`, `KEYS_SECRET`): from the environment, or made once and kept in
 * DATA_DIR (0600) when the database is embedded. Many processes over one database must be given the same one, so
 * nothing is made up for them.
 * @throws BadSettings
 */
export function secret(name: string, dataDir: string, embedded: boolean, env: Environment = process.env): string {
  const given = env[name]
  if (given) {
    if (given.length < secretCharsMin) throw new BadSettings([`${name} ${tooShort}`])
    return given
  }
  if (!embedded) throw new BadSettings([`${name} ${requiredBesideUrl}`])
  const file = join(dataDir, `${name.toLowerCase()}.txt`)
  if (!fs.existsSync(file)) {
    const draft = `${file}.${process.pid}`
    fs.mkdirSync(dataDir, { recursive: true, mode: 0o711 })
    fs.writeFileSync(draft, randomBytes(secretBytes).toString('base64url'), { mode: 0o600, flush: true })
    try {
      fs.linkSync(draft, file)
    } catch (error) {
      // Another process was faster: its secret stands.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    } finally {
      fs.rmSync(draft)
    }
  }
  return fs.readFileSync(file, 'utf8')
}

const cardKeyBytes = 32

/**
 * The key under which card numbers and biometric templates are fingerprinted (`PAYMENT_CARD_KEY`), the same for the API and
 * the gateways; unless it is set it follows from KEYS_SECRET, which they share.
 * @throws BadSettings
 */
export function cardKey(keysSecret: string, env: Environment = process.env): Buffer {
  const given = env.PAYMENT_CARD_KEY
  if (given && given.length < secretCharsMin) throw new BadSettings([`PAYMENT_CARD_KEY ${tooShort}`])
  return Buffer.from(hkdfSync('sha256', given || keysSecret, '', 'voltbay payment cards', cardKeyBytes))
}
