import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { type ArgsDef, type CommandDef, defineCommand, type ParsedArgs } from 'citty'

/** A subcommand: what it is given, and what it does. `all` gives every value of an option that may repeat. */
interface Tool<T extends ArgsDef> {
  meta: { name: string; description: string }
  args: T
  run(args: ParsedArgs<T>, all: (option: keyof T & string) => string[]): Promise<void> | void
}

// citty lets unknown options pass and keeps the last of several values; node's own parser does neither.
function valuesOf(rawArgs: string[], args: ArgsDef): Record<string, unknown> {
  const named = Object.entries(args).filter(([, { type }]) => type !== 'positional')
  const options = named.map(([name, { type }]) => {
    return [name, { type: type === 'boolean' ? ('boolean' as const) : ('string' as const), multiple: true }] as const
  })
  const placesMax = Object.keys(args).length - named.length
  const { values, positionals } = parseArgs({
    args: rawArgs,
    options: Object.fromEntries(options),
    allowNegative: true,
    allowPositionals: placesMax > 0,
  })
  if (positionals.length > placesMax) throw new RangeError(`"${positionals[placesMax]}": one word too many`)
  return values
}

const isMistake = (error: unknown): error is Error =>
  error instanceof RangeError ||
  (error instanceof TypeError && `${'code' in error && error.code}`.startsWith('ERR_PARSE'))

/** A subcommand whose mistakes of use (RangeError, unknown options) are one clear line and exit code 2. */
export const tool = <const T extends ArgsDef>({ meta, args, run }: Tool<T>): CommandDef<T> =>
  defineCommand({
    meta,
    args,
    async run({ args: given, rawArgs }) {
      try {
        const values = valuesOf(rawArgs, args)
        await run(given, (option) => [values[option] ?? []].flat().map(String))
      } catch (error) {
        if (!isMistake(error)) throw error
        process.stderr.write(`${meta.name}: ${error.message}\n`)
        process.exitCode = 2
      }
    },
  })

/** @throws RangeError not a number between the two */
export function numberOf(name: string, text: string, least: number, most: number): number {
  const value = Number(text)
  if (text.trim() === '' || !(value >= least && value <= most))
    throw new RangeError(`--${name} ${text}: a number from ${least} to ${most} is wanted`)
  return value
}

/** @throws RangeError not a whole number between the two */
export function wholeOf(name: string, text: string, least: number, most: number): number {
  const value = numberOf(name, text, least, most)
  if (!Number.isInteger(value)) throw new RangeError(`--${name} ${text}: a whole number is wanted`)
  return value
}

const units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const

/** A duration as people write it, in milliseconds. @throws RangeError it is none */
export function durationOf(text = ''): number {
  const [, count, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? []
  if (count === undefined) throw new RangeError(`"${text}" is no duration: 500ms, 20s, 2m or 1h`)
  return Number(count) * units[unit as keyof typeof units]
}

/** The text of a file an option names. @throws RangeError it cannot be read */
export function fileOf(name: string, path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new RangeError(`--${name} ${path}: ${error instanceof Error ? error.message : error}`, { cause: error })
  }
}

/** Where usage goes: to standard output when it was asked for, else beside the mistake. */
export const usageOutput = () =>
  process.argv.some((arg) => /^(?:--help|-h)$/.test(arg)) ? process.stdout : process.stderr

/** The options every simulator that dials has. */
export const dialling = {
  host: { type: 'string', default: '127.0.0.1', description: 'Server to dial' },
  port: { type: 'string', description: 'Its port; 9066, of MQTT 9068 (bootstrap) or 1883 (with --username)' },
  'allow-remote': { type: 'boolean', default: false, description: 'Dial other machines than this one' },
} as const satisfies ArgsDef

const portDefaults = { A: 9066, B: 9066, mqtt: 9068, broker: 1883 }

/** The port to dial, that of the documents unless told. @throws RangeError no port */
export const portOf = (port: string | undefined, of: keyof typeof portDefaults): number =>
  wholeOf('port', port ?? `${portDefaults[of]}`, 1, 65_535)
