/** Scripts for simulated devices: one action a line. What can be done and waited for, each device says. */
import { setTimeout as after } from 'node:timers/promises'
import type { Entry, Journal } from './journal.ts'
import { durationOf, durationText } from './options.ts'

const withinMilliseconds = 30_000
const stepsMax = 10_000

/** Where a script is: the device it plays, and the journal number up to which it has looked. */
export interface Stage<T> {
  device: T
  seen: number
  quit: boolean
}
export type Step<T> = (stage: Stage<T>) => void | Promise<void>

/** One word of a script, and what it makes of those behind it. */
export interface Verb<T> {
  usage: string
  doc: string
  /** @throws RangeError what it does not take */
  read(words: string[]): Step<T>
}

/** One line of a script, read but not run. */
export interface ScriptLine<T> {
  line: number
  text: string
  step: Step<T>
}

/** A step that does something with the device. */
export const act =
  <T>(work: (device: T) => unknown): Step<T> =>
  ({ device }) =>
    void work(device)

/** The reader of a word that takes nothing. */
export const plain =
  <T>(work: (device: T) => unknown): Verb<T>['read'] =>
  () =>
    act(work)

/** The `field=value`s of a line. @throws RangeError something else */
export const wantedOf = (fields: string[]): (readonly [string, string])[] =>
  fields.map((field) => {
    const [name = '', value] = field.split('=', 2)
    if (value === undefined) throw new RangeError(`"${field}" is no field=value`)
    return [name, value] as const
  })

/** Whether all that is wanted of something is so. */
export const has = (about: object, wanted: readonly (readonly [string, string])[]): boolean =>
  wanted.every(([name, value]) => String(Object.entries(about).find(([key]) => key === name)?.[1]) === value)

/** Bytes, in hex. @throws RangeError no such text */
export function hexOf(hex = ''): Buffer {
  if (!/^([0-9a-f]{2})+$/i.test(hex)) throw new RangeError('send needs bytes in hex')
  return Buffer.from(hex, 'hex')
}

/** The words before `marker`, and the duration behind it. */
function timed(given: string[], marker: string, standard?: number): [string[], number] {
  const at = given.lastIndexOf(marker)
  if (at >= 0) return [given.slice(0, at), durationOf(given.slice(at + 1).join(' '))]
  if (standard === undefined) throw new RangeError(`"${marker} 5s" is missing`)
  return [given, standard]
}

/** What has happened or has not: a device's words for what may. `matcher` throws RangeError for what never does. */
export function waits<H extends { event: string; reason?: string }, T extends { journal: Journal<H> }>(
  matcher: (words: string[]) => (entry: Entry<H>) => boolean,
): Record<'wait' | 'never', Verb<T>> {
  /** The next match after what was seen, or null when time is up. */
  async function sight(stage: Stage<T>, match: (entry: Entry<H>) => boolean, milliseconds: number) {
    const signal = AbortSignal.timeout(milliseconds)
    try {
      const entry = await stage.device.journal.next(match, { since: stage.seen, signal })
      stage.seen = entry.number + 1
      return entry
    } catch (error) {
      if (!signal.aborted) throw error
      return null
    }
  }
  return {
    wait: {
      usage: 'wait WHAT [FIELD=VALUE …] [within 30s]',
      doc: 'until it happens, looking on from where the last wait ended',
      read(given) {
        const [what, milliseconds] = timed(given, 'within', withinMilliseconds)
        const match = matcher(what)
        return async (stage) => {
          if (await sight(stage, match, milliseconds)) return
          const closed = stage.device.journal.entries.findLast(({ event }) => event === 'closed')
          const last = closed ? `; the link was closed last: ${closed.reason}` : ''
          throw new Error(`did not happen within ${durationText(milliseconds)}${last}`)
        }
      },
    },
    never: {
      usage: 'never WHAT [FIELD=VALUE …] for 5s',
      doc: 'fails if it does happen',
      read(given) {
        const [what, milliseconds] = timed(given, 'for')
        const match = matcher(what)
        return async (stage) => {
          if (await sight(stage, match, milliseconds)) throw new Error('happened')
        }
      },
    },
  }
}

/** What every device's scripts can do at the end. */
export const endings: Record<'sleep' | 'quit', Verb<unknown>> = {
  sleep: {
    usage: 'sleep 500ms',
    doc: 'do nothing',
    read([time]) {
      const milliseconds = durationOf(time)
      return () => after(milliseconds)
    },
  },
  quit: {
    usage: 'quit',
    doc: 'the end, as is the end of the script',
    read: () => (stage) => {
      stage.quit = true
    },
  },
}

/** The words of a language, for --help. */
export const usageOf = <T>(verbs: Record<string, Verb<T>>): string[] =>
  Object.values(verbs).map(({ usage, doc }) => `  ${usage.padEnd(40)} ${doc}`)

/** One line. @throws RangeError it is none of these words, or not what the word takes */
export function readLine<T>(verbs: Record<string, Verb<T>>, text: string): Step<T> {
  const [verb = '', ...given] = text.split(/\s+/)
  const found = Object.hasOwn(verbs, verb) && verbs[verb]
  if (!found) throw new RangeError(`"${verb}" is none of ${Object.keys(verbs).join(', ')}`)
  return found.read(given)
}

/**
 * A script read whole, so that a mistake in its last line shows before its first is run.
 * @throws RangeError with the number of the line
 */
export function readScript<T>(verbs: Record<string, Verb<T>>, text: string): ScriptLine<T>[] {
  const lines = text.split('\n').map((line, at) => ({ line: at + 1, text: line.replace(/#.*/, '').trim() }))
  const spoken = lines.filter(({ text }) => text !== '')
  if (spoken.length > stepsMax) throw new RangeError(`a script of more than ${stepsMax} steps`)
  return spoken.map(({ line, text }) => {
    try {
      return { line, text, step: readLine(verbs, text) }
    } catch (error) {
      throw new RangeError(`line ${line}: ${text}: ${error instanceof Error ? error.message : error}`, { cause: error })
    }
  })
}

/**
 * Plays a script to its end.
 * @param since the journal number from which on it looks
 * @returns the number up to which it has looked
 * @throws Error with the number of the line that failed
 */
export async function play<T>(device: T, script: readonly ScriptLine<T>[], since = 0): Promise<number> {
  const stage: Stage<T> = { device, seen: since, quit: false }
  for (const { line, text, step } of script) {
    try {
      await step(stage)
    } catch (error) {
      throw new Error(`line ${line}: ${text}: ${error instanceof Error ? error.message : error}`, { cause: error })
    }
    if (stage.quit) break
  }
  return stage.seen
}
