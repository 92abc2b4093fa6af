import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { type ArgsDef, type CommandDef, defineCommand, type ParsedArgs, renderUsage } from 'citty'
import { type Door, serverPort } from './config.ts'

/** A subcommand: what it is given, and what it does. `all` gives every value of an option that may repeat. */
interface Tool<T extends ArgsDef> {
  meta: { name: string; description: string }
  args: T
  /** Any number of words may follow: something that was pasted without quotes. */
  isPasted?: boolean
  run(args: ParsedArgs<T>, all: (option: keyof T & string) => string[]): Promise<void> | void
}

// citty lets unknown options pass and keeps the last of several values; node's own parser does neither.
function valuesOf(rawArgs: string[], args: ArgsDef, isPasted: boolean): Record<string, unknown> {
  const named = Object.entries(args).filter(([, { type }]) => type !== 'positional')
  const options = named.map(([name, { type }]) => {
    return [name, { type: type === 'boolean' ? ('boolean' as const) : ('string' as const), multiple: true }] as const
  })
  const placesMax = isPasted ? Number.POSITIVE_INFINITY : Object.keys(args).length - named.length
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
export const tool = <const T extends ArgsDef>({ meta, args, isPasted = false, run }: Tool<T>): CommandDef<T> =>
  defineCommand({
    meta,
    args,
    async run({ args: given, rawArgs }) {
      try {
        const values = valuesOf(rawArgs, args, isPasted)
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

/** A duration as people write it: `durationOf` of it is the same. */
export const durationText = (milliseconds: number): string =>
  milliseconds % 1000 === 0 ? `${milliseconds / 1000}s` : `${milliseconds}ms`

/** The text of a file an option names. @throws RangeError it cannot be read */
export function fileOf(name: string, path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new RangeError(`--${name} ${path}: ${error instanceof Error ? error.message : error}`, { cause: error })
  }
}

/** Shows usage: on standard output when it was asked for, else beside the mistake. @param manuals what follows that of a command */
export const usage =
  (manuals: ReadonlyMap<unknown, string> = new Map()) =>
  async <T extends ArgsDef>(command: CommandDef<T>, parent?: CommandDef<T>): Promise<void> => {
    const output = process.argv.some((arg) => /^(?:--help|-h)$/.test(arg)) ? process.stdout : process.stderr
    const text = `${await renderUsage(command, parent)}\n\n${manuals.get(command) ?? ''}`
    // citty fills its columns up with blanks.
    output.write(`${text.replace(/[^\S\n]+$/gm, '').trimEnd()}\n`)
  }

/** The options every simulator that dials has. */
export const dialling = {
  host: { type: 'string', default: '127.0.0.1', description: 'Server to dial' },
  port: {
    type: 'string',
    description:
      'Its port; unless told CABINET_PORT (9066), of MQTT CABINET_HTTP_PORT (9068), with --username MQTT_PORT (1883)',
  },
  'allow-remote': { type: 'boolean', default: false, description: 'Dial other machines than this one' },
} as const satisfies ArgsDef

/** The port to dial, that of the settings or of the documents unless told. @throws RangeError no port */
export const portOf = (port: string | undefined, door: Door): number =>
  wholeOf('port', port ?? serverPort(door), 1, 65_535)
