import type { Report } from '../../protocol/cabinet.ts'
import * as scripts from '../script.ts'
import { act, endings, has, hexOf, plain, type Step, usageOf, type Verb, waits, wantedOf } from '../script.ts'
import { commandKinds } from './behaviours.ts'
import { bankIdOf, nextBank } from './box.ts'
import { faultNames, isFault } from './faults.ts'
import { acts, type Entry, type Happening, kindOf } from './journal.ts'
import type { Cabinet } from './simulated-cabinet.ts'

/** One line of a cabinet's script. */
export type ScriptLine = scripts.ScriptLine<Cabinet>

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
  const wanted = wantedOf(fields)
  const named = wanted.map(([name]) => name)
  return (entry) => {
    if (entry.event === 'said' || kindOf(entry) !== kind || isRefusal(entry, named)) return false
    return has(entry.event === 'heard' ? entry.words : entry, wanted)
  }
}

const facts: Record<string, (cabinet: Cabinet, subject: string) => string> = {
  slot: ({ box }, slot) => box.banks.get(number(slot))?.bankId ?? 'empty',
  banks: ({ box }) => `${box.banks.size}`,
  volume: ({ box }) => `${box.volume}`,
  link: ({ online }) => (online ? 'online' : 'offline'),
}

function expect(given: string[]): Step<Cabinet> {
  const [subject = '', ...rest] = given
  const fact = facts[subject]
  const wanted = rest.at(-1)
  if (!fact || wanted === undefined || rest.length !== (subject === 'slot' ? 2 : 1))
    throw new RangeError('expect slot 3 empty, slot 3 BANK, banks 4, volume 5, link online or link offline')
  if (subject === 'slot') number(rest[0])
  const want = subject === 'slot' && wanted !== 'empty' ? bankIdOf(wanted) : wanted
  return ({ device }) => {
    const found = fact(device, rest[0] ?? '')
    if (found !== want) throw new Error(`it is ${found}`)
  }
}

function fault([name = '']: string[]): Step<Cabinet> {
  if (!isFault(name)) throw new RangeError(`"${name}" is no fault: ${faultNames.join(', ')}`)
  return act((cabinet) => cabinet.toggle(name))
}

function send([hex]: string[]): Step<Cabinet> {
  const bytes = hexOf(hex)
  return act((cabinet) => cabinet.send(bytes))
}

function insert([slot, bank]: string[]): Step<Cabinet> {
  const at = number(slot)
  const bankId = bank === undefined ? undefined : bankIdOf(bank)
  return act((cabinet) => cabinet.insert(bankId ?? nextBank(cabinet.box), at))
}

const onSlot =
  (work: (cabinet: Cabinet, slot: number) => void) =>
  ([slot]: string[]) => {
    const at = number(slot)
    return act<Cabinet>((cabinet) => work(cabinet, at))
  }

const verbs: Record<string, Verb<Cabinet>> = {
  ...waits<Happening, Cabinet>(matcher),
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
  ...endings,
}

/** The language, for --help. */
export const scriptHelp: string = [
  ...usageOf(verbs),
  'One action a line; # begins a comment. The exit code is 1 when a wait, never or expect fails.',
  'WHAT is a command or acknowledgement heard, something done to the metal, or the state of the link:',
  `  ${words.slice(0, 8).join(' ')}`,
  `  ${words.slice(8, 16).join(' ')}`,
  `  ${words.slice(16, 25).join(' ')}`,
  `  ${words.slice(25).join(' ')}`,
].join('\n')

/** A cabinet's script. @throws RangeError with the number of the line */
export const readScript = (text: string): ScriptLine[] => scripts.readScript(verbs, text)

/** Plays a script to its end. @throws Error with the number of the line that failed */
export const play = (cabinet: Cabinet, script: readonly ScriptLine[]): Promise<number> => scripts.play(cabinet, script)
