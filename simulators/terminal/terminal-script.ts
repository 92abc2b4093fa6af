import { commandKinds } from '../../protocol/terminal.ts'
import * as scripts from '../script.ts'
import { act, endings, has, hexOf, plain, type Step, usageOf, type Verb, waits, wantedOf } from '../script.ts'
import { type CardName, card, cardNames, entryModes, type Entry as Reading } from './cards.ts'
import { faultNames, isFault } from './faults.ts'
import type { Payment, Terminal } from './simulated-terminal.ts'
import { type Answered, acts, type Entry, type Happening, kindOf } from './terminal-journal.ts'
import { amountOf, amountText } from './wire-lines.ts'

/** One line of a terminal's script. */
export type ScriptLine = scripts.ScriptLine<Terminal>

const answers: Answered[] = [
  ...(['login', 'heartbeat', 'sign_off', 'purchase', 'authorisation'] as const),
  ...(['advice', 'reversal', 'totals'] as const),
]
const events = ['connected', 'refused', 'closed', 'unreadable']
const words = [...answers, ...commandKinds, ...acts, ...events]

/** `purchase code=00`: what was heard, done or happened to the line; never what the terminal itself said. */
function matcher([kind = '', ...fields]: string[]): (entry: Entry) => boolean {
  if (!(words as string[]).includes(kind))
    throw new RangeError(`"${kind}" never happens: one of ${words.join(', ')} does`)
  const wanted = wantedOf(fields)
  return (entry) => {
    if (entry.event === 'said' || kindOf(entry) !== kind) return false
    if (entry.event === 'told') return has({ ...entry.words, ...entry.words.data }, wanted)
    return has(entry.event === 'heard' ? entry.words : entry, wanted)
  }
}

const facts: Record<string, (terminal: Terminal) => string> = {
  link: ({ online }) => (online ? 'online' : 'offline'),
  volume: ({ device }) => `${device.volume}`,
  condition: ({ device }) => device.condition,
  software: ({ device }) => device.software,
  waiting: ({ waiting }) => `${waiting}`,
  debits: ({ till }) => `${till.totals.debits}`,
  debited: ({ till }) => amountText(till.totals.debitsMinor),
  reversals: ({ till }) => `${till.totals.debitsReversed}`,
  reversed: ({ till }) => amountText(till.totals.debitsReversedMinor),
  last: ({ till }) => till.sales.at(-1)?.state ?? 'none',
}

/** What a terminal is now, each fact under its name. */
export const statusOf = (terminal: Terminal): Record<string, string> =>
  Object.fromEntries(Object.entries(facts).map(([name, fact]) => [name, fact(terminal)]))

function expect([subject = '', wanted, ...more]: string[]): Step<Terminal> {
  const fact = Object.hasOwn(facts, subject) && facts[subject]
  if (!fact || wanted === undefined || more.length > 0)
    throw new RangeError(`expect one of ${Object.keys(facts).join(', ')}, and what it is to be`)
  return ({ device }) => {
    const found = fact(device)
    if (found !== wanted) throw new Error(`it is ${found}`)
  }
}

const isCard = (word: string): word is CardName => (cardNames as string[]).includes(word)
const isReading = (word: string): word is Reading => Object.hasOwn(entryModes, word)

/** `150.00 mastercard nfc`; a chip of the first card unless told. @throws RangeError something else */
function paymentOf([amount, ...how]: string[]): () => Payment {
  const amountMinor = amountOf(amount)
  let [name, reading]: [CardName, Reading] = [cardNames[0]!, 'chip']
  for (const word of how) {
    if (isCard(word)) name = word
    else if (isReading(word)) reading = word
    else throw new RangeError(`"${word}" is none of ${[...cardNames, ...Object.keys(entryModes)].join(', ')}`)
  }
  return () => ({ amountMinor, card: card(name, reading) })
}

const paying =
  (work: (terminal: Terminal, payment: Payment) => void): Verb<Terminal>['read'] =>
  (given) => {
    const payment = paymentOf(given)
    return act((terminal) => work(terminal, payment()))
  }

function complete([amount]: string[]): Step<Terminal> {
  const due = amount === undefined ? undefined : amountOf(amount)
  return act((terminal) => terminal.complete(due))
}

function reverse([stan]: string[]): Step<Terminal> {
  if (stan !== undefined && !/^\d{6}$/.test(stan)) throw new RangeError(`"${stan}" is no number of a sale`)
  return act((terminal) => terminal.reverse(stan))
}

function fault([name = '']: string[]): Step<Terminal> {
  if (!isFault(name)) throw new RangeError(`"${name}" is no fault: ${faultNames.join(', ')}`)
  return act((terminal) => terminal.toggle(name))
}

function send([hex]: string[]): Step<Terminal> {
  const bytes = hexOf(hex)
  return act((terminal) => terminal.send(bytes))
}

const card0 = '[CARD] [chip|nfc|stripe|typed]'

/** What people do at a terminal; the prompt has the same words. */
export const verbs: Record<string, Verb<Terminal>> = {
  buy: { usage: `buy 150.00 ${card0}`, doc: 'a purchase (0200)', read: paying((t, payment) => t.buy(payment)) },
  authorise: { usage: 'authorise 500.00 …', doc: 'a deposit (0100)', read: paying((t, p) => t.authorise(p)) },
  complete: { usage: 'complete [200.00]', doc: 'takes what is due of the last deposit (0220)', read: complete },
  advice: {
    usage: 'advice 90.00 …',
    doc: 'a purchase that it approves by itself (0220)',
    read: paying((t, payment) => t.advise(payment)),
  },
  reverse: { usage: 'reverse [STAN]', doc: 'takes the last sale back, or that one (0400)', read: reverse },
  totals: { usage: 'totals', doc: 'settles (0500)', read: plain((t) => t.total()) },
  adopt: { usage: 'adopt', doc: "takes the host's figures for its own", read: plain((t) => t.adopt()) },
  echo: { usage: 'echo', doc: 'one out of turn (0800/301)', read: plain((t) => t.echo()) },
  'sign-off': { usage: 'sign-off', doc: 'signs off (0800/002), and dials no more', read: plain((t) => t.signOff()) },
  'sign-on': { usage: 'sign-on', doc: 'signs on (0800/001), dialling if need be', read: plain((t) => t.signOn()) },
  ...waits<Happening, Terminal>(matcher),
  expect: { usage: 'expect link online', doc: `or: ${Object.keys(facts).slice(1).join(', ')}`, read: expect },
  fault: { usage: 'fault NAME[=VALUE]', doc: 'turn a fault on, or off again', read: fault },
  reboot: { usage: 'reboot', doc: 'power off and on', read: plain((t) => t.restart()) },
  drop: { usage: 'drop', doc: 'the line breaks', read: plain((t) => t.drop()) },
  'half-open': {
    usage: 'half-open',
    doc: 'the line dies unseen, another is dialled',
    read: plain((t) => t.halfOpen()),
  },
  send: { usage: 'send HEX', doc: 'any bytes', read: send },
  ...endings,
}

/** The language, for --help. */
export const scriptHelp: string = [
  ...usageOf(verbs),
  'One action a line; # begins a comment. The exit code is 1 when a wait, never or expect fails, and when the sign-on is',
  'refused in a script that does not wait for that.',
  `CARD is one of ${cardNames.join(', ')}: numbers that are published for tests, the only ones it takes.`,
  'WHAT is an answer heard, a command, something done, or the state of the line:',
  `  ${answers.join(' ')}`,
  `  ${commandKinds.join(' ')}`,
  `  ${acts.join(' ')}`,
  `  ${events.join(' ')}`,
].join('\n')

/** A terminal's script. @throws RangeError with the number of the line */
export const readScript = (text: string): ScriptLine[] => scripts.readScript(verbs, text)

/**
 * Plays a script to its end.
 * @param since the journal number from which on it looks
 * @returns the number up to which it has looked
 * @throws Error with the number of the line that failed, or that the sign-on was refused, which no line waits for
 */
export async function play(terminal: Terminal, script: readonly ScriptLine[], since = 0): Promise<number> {
  const over = new AbortController()
  const { signal } = over
  const isExpected = script.some(({ text }) => /^(?:wait|never) refused\b/.test(text))
  const refusal = terminal.journal
    .next(({ event }) => event === 'refused' && !isExpected, { since, signal })
    .then((entry) => {
      throw new Error(`the sign-on was refused: ${entry.event === 'refused' ? entry.code : ''}`)
    })
  try {
    return await Promise.race([scripts.play(terminal, script, since), refusal])
  } finally {
    over.abort()
    // Nobody waits for it any more.
    refusal.catch(() => {})
  }
}
