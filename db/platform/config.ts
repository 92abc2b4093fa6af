import { randomBytes } from 'node:crypto'
import * as fs from 'node:fs'
import { join } from 'node:path'
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

/** What every command needs to find its database. */
export const databaseSettings = {
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\/\S+$/, 'must look like postgres://user:password@host:5432/name')
    .optional()
    .describe('PostgreSQL (15 or newer) to use; unset: an embedded one in DATA_DIR'),
  DATA_DIR: z.string().default('./data').describe('where the embedded database and generated secrets are kept'),
  JWT_SECRET: z.string().optional().describe('signs logins; unset: made in DATA_DIR, required beside DATABASE_URL'),
  KEYS_SECRET: z.string().optional().describe("closes the cabinets' keys at rest; unset: the same"),
}

/** Reads settings out of an environment. An empty text counts as unset. @throws BadSettings */
export function parseSettings<S extends Settings>(schema: S, env: Environment): z.output<S> {
  const given = Object.keys(schema.shape).map((name) => [name, env[name] === '' ? undefined : env[name]])
  const result = schema.safeParse(Object.fromEntries(given))
  if (result.success) return result.data
  throw new BadSettings(
    result.error.issues.map((issue) => {
      const name = String(issue.path[0] ?? 'settings')
      return `${name} ${env[name] ? issue.message : 'is required'}`
    }),
  )
}

/** The settings of this process (`.env` beside package.json included), or a line per mistake on stderr and exit 1. */
export function readSettings<S extends Settings>(schema: S): z.output<S> {
  try {
    if (fs.existsSync('.env')) process.loadEnvFile('.env')
    return parseSettings(schema, process.env)
  } catch (error) {
    return giveUp(error)
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
const forPeople = new Set(['BadSettings', 'EmbeddedFailed', 'MigrationMismatch', 'Refused'])

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
    if (given.length < secretCharsMin)
      throw new BadSettings([`${name} must have at least ${secretCharsMin} characters`])
    return given
  }
  if (!embedded) throw new BadSettings([`${name} is required when DATABASE_URL is set`])
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
