import { setTimeout as after } from 'node:timers/promises'
import type { Report } from '../../protocol/cabinet.ts'
import { durationOf, durationText } from '../options.ts'
import { commandKinds } from './behaviours.ts'
import { bankIdOf, nextBank } from './box.ts'
import { faultNames, isFault } from './faults.ts'
import { acts, type Entry, kindOf } from './journal.ts'
import type { Cabinet } from './simulated-cabinet.ts'

const withinMilliseconds = 30_000
const stepsMax = 10_000

/** Where a script is: the journal number up to which it has looked, and the cabinet it plays. */
interface Stage {
  cabinet: Cabinet
  seen: number
  quit: boolean
}
type Step = (stage: Stage) => void | Promise<void>

/** One line of a script, read but not run. */
export interface ScriptLine {
  line: number
  text: string
  step: Step
}

function number(text = ''): number {
  if (!/^\d{1,3}$/.test(text)) throw new RangeError(`"${text}" is no slot or number`)
  return Number(text)
}

const reports: Report['kind'][] = ['heartbeat', 'returned', 'abnormal']
const happenings = ['login', ...reports, ...commandKinds, ...acts]
const events = ['connected', 'closed', 'unreadable', 'bootstrap', 'upload', 'http_return', 'upload_all', 'load_ad']
const words = [...happenings, ...events]

/** What the server turned away did not happen, unless a script names its `result`, over HTTP its `answer`. */
function isRefusal(entry: Entry, named: readonly string[]): boolean {
  if (entry.event === 'asked') return entry.answer !== '200' && !named.includes('answer')
  if (entry.event !== 'heard' || !('report' in entry.words) || !('result' in entry.words)) return false
  return entry.words.result !== 1 && !named.includes('result')
}

/** `eject slot=3`: what was heard, done or happened to the link; never what the cabinet itself said. */
function matcher([kind = '', ...fields]: string[]): (entry: Entry) => boolean {
  if (!words.includes(kind)) throw new RangeError(`"${kind}" never happens: one of ${words.join(', ')} does`)
  const wanted = fields.map((field) => {
    const [name = '', value] = field.split('=', 2)
    if (value === undefined) throw new RangeError(`"${field}" is no field=value`)
    return [name, value] as const
  })
  const named = wanted.map(([name]) => name)
  return (entry) => {
    if (entry.event === 'said' || kindOf(entry) !== kind) return false
    if (isRefusal(entry, named)) return false
    const about = entry.event === 'heard' ? entry.words : entry
    return wanted.every(([name, value]) => String(Object.entries(about).find(([key]) => key === name)?.[1]) === value)
  }
}

/** The words before `marker`, and the duration behind it. */
function timed(given: string[], marker: string, standard?: number): [string[], number] {
  const at = given.lastIndexOf(marker)
  if (at >= 0) return [given.slice(0, at), durationOf(given.slice(at + 1).join(' '))]
  if (standard === undefined) throw new RangeError(`"${marker} 5s" is missing`)
  return [given, standard]
}

/** The next match after what was seen, or null when time is up. */
async function sight(stage: Stage, match: (entry: Entry) => boolean, milliseconds: number): Promise<Entry | null> {
  const signal = AbortSignal.timeout(milliseconds)
  try {
    const entry = await stage.cabinet.journal.next(match, { since: stage.seen, signal })
    stage.seen = entry.number + 1
    return entry
  } catch (error) {
    if (!signal.aborted) throw error
    return null
  }
}

function wait(given: string[]): Step {
  const [what, milliseconds] = timed(given, 'within', withinMilliseconds)
  const match = matcher(what)
  return async (stage) => {
    if (await sight(stage, match, milliseconds)) return
    const closed = stage.cabinet.journal.entries.findLast(({ event }) => event === 'closed')
    const last = closed?.event === 'closed' ? `; the link was closed last: ${closed.reason}` : ''
    throw new Error(`did not happen within ${durationText(milliseconds)}${last}`)
  }
}

function never(given: string[]): Step {
  const [what, milliseconds] = timed(given, 'for')
  const match = matcher(what)
  return async (stage) => {
    if (await sight(stage, match, milliseconds)) throw new Error('happened')
  }
}

const facts: Record<string, (cabinet: Cabinet, subject: string) => string> = {
  slot: ({ box }, slot) => box.banks.get(number(slot))?.bankId ?? 'empty',
  banks: ({ box }) => `${box.banks.size}`,
  volume: ({ box }) => `${box.volume}`,
  link: ({ online }) => (online ? 'online' : 'offline'),
}

function expect(given: string[]): Step {
  const [subject = '', ...rest] = given
  const fact = facts[subject]
  const wanted = rest.at(-1)
  if (!fact || wanted === undefined || rest.length !== (subject === 'slot' ? 2 : 1))
    throw new RangeError('expect slot 3 empty, slot 3 BANK, banks 4, volume 5, link online or link offline')
  if (subject === 'slot') number(rest[0])
  const want = subject === 'slot' && wanted !== 'empty' ? bankIdOf(wanted) : wanted
  return ({ cabinet }) => {
    const found = fact(cabinet, rest[0] ?? '')
    if (found !== want) throw new Error(`it is ${found}`)
  }
}

const act =
  (work: (cabinet: Cabinet) => void): Step =>
  ({ cabinet }) =>
    work(cabinet)

function fault([name = '']: string[]): Step {
  if (!isFault(name)) throw new RangeError(`"${name}" is no fault: ${faultNames.join(', ')}`)
  return act((cabinet) => cabinet.toggle(name))
}

function send([hex = '']: string[]): Step {
  if (!/^([0-9a-f]{2})+$/i.test(hex)) throw new RangeError('send needs bytes in hex')
  return act((cabinet) => cabinet.send(Buffer.from(hex, 'hex')))
}

function insert([slot, bank]: string[]): Step {
  const at = number(slot)
  const bankId = bank === undefined ? undefined : bankIdOf(bank)
  return act((cabinet) => void cabinet.insert(bankId ?? nextBank(cabinet.box), at))
}

interface Verb {
  usage: string
  doc: string
  read(words: string[]): Step
}

const onSlot =
  (work: (cabinet: Cabinet, slot: number) => void) =>
  ([slot]: string[]) => {
    const at = number(slot)
    return act((cabinet) => work(cabinet, at))
  }
const plain = (work: (cabinet: Cabinet) => void) => () => act(work)

const verbs: Record<string, Verb> = {
  wait: {
    usage: 'wait WHAT [FIELD=VALUE …] [within 30s]',
    doc: 'until it happens, looking on from where the last wait ended',
    read: wait,
  },
  never: { usage: 'never WHAT [FIELD=VALUE …] for 5s', doc: 'fails if it does happen', read: never },
  expect: { usage: 'expect slot 3 empty', doc: 'or: slot 3 BANK, banks 4, volume 5, link online', read: expect },
  insert: {
    usage: 'insert SLOT [BANK]',
    doc: "put a bank in; unless named, the one that went out last, or a stranger's",
    read: insert,
  },
  pull: { usage: 'pull SLOT', doc: 'take a bank out without a command', read: onSlot((c, slot) => void c.pull(slot)) },
  jam: { usage: 'jam SLOT', doc: 'the lock sticks; again: it works', read: onSlot((c, slot) => c.jam(slot)) },
  empty: { usage: 'empty SLOT', doc: 'a return without a bank', read: onSlot((c, slot) => c.emptyReturn(slot)) },
  heartbeat: { usage: 'heartbeat', doc: 'one out of turn', read: plain((c) => c.heartbeat()) },
  reboot: { usage: 'reboot', doc: 'power off and on', read: plain((c) => c.restart()) },
  drop: { usage: 'drop', doc: 'the link breaks', read: plain((c) => c.drop()) },
  'half-open': {
    usage: 'half-open',
    doc: 'the link dies unseen, another is dialled',
    read: plain((c) => c.halfOpen()),
  },
  fault: { usage: 'fault NAME[=VALUE]', doc: 'turn a fault on, or off again', read: fault },
  send: { usage: 'send HEX', doc: 'any bytes', read: send },
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

/** The language, for --help. */
export const scriptHelp: string = [
  ...Object.values(verbs).map(({ usage, doc }) => `  ${usage.padEnd(40)} ${doc}`),
  'One action a line; # begins a comment. The exit code is 1 when a wait, never or expect fails.',
  'WHAT is a command or acknowledgement heard, something done to the metal, or the state of the link:',
  `  ${words.slice(0, 8).join(' ')}`,
  `  ${words.slice(8, 16).join(' ')}`,
  `  ${words.slice(16, 25).join(' ')}`,
  `  ${words.slice(25).join(' ')}`,
].join('\n')

/**
 * A script read whole, so that a mistake in its last line shows before its first is run.
 * @throws RangeError with the number of the line
 */
export function readScript(text: string): ScriptLine[] {
  const lines = text.split('\n').map((line, at) => ({ line: at + 1, text: line.replace(/#.*/, '').trim() }))
  const spoken = lines.filter(({ text }) => text !== '')
  if (spoken.length > stepsMax) throw new RangeError(`a script of more than ${stepsMax} steps`)
  return spoken.map(({ line, text }) => {
    const [verb = '', ...given] = text.split(/\s+/)
    try {
      const found = Object.hasOwn(verbs, verb) && verbs[verb]
      if (!found) throw new RangeError(`"${verb}" is none of ${Object.keys(verbs).join(', ')}`)
      return { line, text, step: found.read(given) }
    } catch (error) {
      throw new RangeError(`line ${line}: ${text}: ${error instanceof Error ? error.message : error}`, { cause: error })
    }
  })
}

/**
 * Plays a script to its end.
 * @throws Error with the number of the line that failed
 */
export async function play(cabinet: Cabinet, script: readonly ScriptLine[]): Promise<void> {
  const stage: Stage = { cabinet, seen: 0, quit: false }
  for (const { line, text, step } of script) {
    try {
      await step(stage)
    } catch (error) {
      throw new Error(`line ${line}: ${text}: ${error instanceof Error ? error.message : error}`, { cause: error })
    }
    if (stage.quit) return
  }
}
