import type { Fault, Maker } from './fault.ts'
import * as makers from './fault-makers.ts'
import type { Family } from './machine.ts'

/** A fault in words: for `--help` and, with `must`, for docs/technician.md. */
export interface FaultWords {
  /** What it does. */
  doc: string
  /** What a host makes of it. */
  must: string
  /** The only wire that can have it; both unless told. */
  only?: Family
  /** What may be told it behind `=`, and what is meant when nothing is. */
  takes?: string
  make: Maker
}

/** A switch of the terminal itself, which asks for it by name. */
const own: Maker = () => ({})

/** Every fault by its name. */
export const faults = {
  'lost-answer': {
    takes: 'TIME, 5s',
    doc: 'hears no answer to a sale: after that long says it again (0201), then takes it back (0400)',
    must: 'one purchase, both times the same answer, and then its reversal: nothing is taken',
    make: makers.lostAnswer,
  },
  'duplicate-stan': {
    doc: 'gives a sale the number of the one before',
    must: '94, and no second row',
    make: own,
  },
  'wrong-mac': {
    doc: 'a wrong MAC on everything about money',
    must: 'A0 each time and nothing booked; five in a row close the line',
    make: makers.wrongMac,
  },
  'reversal-storm': {
    takes: 'TIMES, 10',
    doc: 'says a reversal (0400) and its repetitions (0401) all at once, so many times',
    must: '0410 each time, reversed once',
    make: makers.storm,
  },
  'reversal-first': {
    doc: 'takes a sale back before it is said',
    must: '00 to the reversal, then 21 to the sale, which is booked nowhere',
    make: own,
  },
  'store-and-forward': {
    takes: 'TIME, 20s',
    doc: 'has no line for that long and approves by itself; then says all of it as 0220 and 0420',
    must: 'books each once, also those that were reversed meanwhile',
    make: makers.storeAndForward,
  },
  'drop-after-sale': {
    doc: 'the line drops behind each sale, and the reversal comes over the next',
    must: 'whatever became of the sale, nothing is taken in the end',
    make: makers.dropAfterSale,
  },
  'half-frame': {
    only: 'tcp',
    doc: 'every other sale breaks off in the middle and the line hangs',
    must: 'closes after `CABINET_FRAME_SECONDS`; the reversal of what never came is answered 00',
    make: makers.halfFrame,
  },
  crumbs: {
    only: 'tcp',
    doc: 'each byte is a write of its own',
    must: 'puts them together',
    make: makers.crumbs,
  },
  glued: {
    only: 'tcp',
    doc: 'what is about money comes in one write with an echo',
    must: 'takes them apart, and answers both',
    make: makers.glued,
  },
  twice: {
    doc: 'everything about money is sent twice',
    must: 'once counts; of a purchase that is under way the newest question hears the answer',
    make: makers.twice,
  },
  'late-0610': {
    takes: 'TIME, 15s',
    doc: 'does what it is told and says so (0610) that much later',
    must: 'says it again as 0601 after 10 s; a late answer is still an answer',
    make: makers.late,
  },
  'no-0610': {
    doc: 'hears commands, does nothing, says nothing',
    must: 'says it again once, then gives the command up',
    make: makers.silent,
  },
  'answer-again': {
    takes: 'TIME, 5s',
    doc: 'says each 0610 once more, that much later',
    must: 'once counts, and never for another command',
    make: makers.answerAgain,
  },
  'no-paper': {
    doc: 'print_receipt fails (96)',
    must: 'the command is failed, with what the terminal says',
    make: makers.paperless,
  },
  'no-echo': {
    doc: 'never says that it is there',
    must: 'away after two intervals: the line is closed',
    make: own,
  },
  'foreign-code': {
    doc: 'sales have the code of another terminal in 41',
    must: '58, and nothing booked',
    make: makers.foreignCode,
  },
  'pin-block': {
    doc: 'sales have a PIN block (52)',
    must: '40, and nothing of it is kept',
    make: makers.withPin,
  },
  'clock-off': {
    takes: 'TIME, 1h',
    doc: 'its clock is ahead by that much',
    must: 'keeps what it says; nothing is ordered by it',
    make: makers.clockOff,
  },
  'wrong-totals': {
    doc: 'settles with a purchase of 1.00 too many',
    must: '95 and its own figures; the batch stays open',
    make: makers.wrongTotals,
  },
  retained: {
    only: 'mqtt',
    doc: 'its messages have the RETAIN flag',
    must: 'hears it once, and nothing is kept for anybody',
    make: own,
  },
} satisfies Record<string, FaultWords>

export type FaultName = keyof typeof faults

/** A fault as it is wished for: its name, or its name and what it takes, as `late-0610=3s`. */
export type FaultWish = FaultName | `${FaultName}=${string}`

/** The names, as the command line offers them. */
export const faultNames = Object.keys(faults) as FaultName[]

/** The name in a wish. */
export const faultIn = (wish: FaultWish): FaultName => wish.split('=', 1)[0] as FaultName

/** Whether a word wishes for a fault. */
export const isFault = (word: string): word is FaultWish => Object.hasOwn(faults, word.split('=', 1)[0]!)

/**
 * A fault for one terminal.
 * @throws RangeError its wire cannot have it, or it takes no such value
 */
export function faultOf(wish: FaultWish, family: Family): [FaultName, Fault] {
  const name = faultIn(wish)
  const { only, takes, make }: FaultWords = faults[name]
  if (only !== undefined && only !== family) throw new RangeError(`${name} is a fault over ${only.toUpperCase()}`)
  const value = wish === name ? undefined : wish.slice(name.length + 1)
  if (value !== undefined && takes === undefined) throw new RangeError(`${name} takes no value`)
  return [name, make(value)]
}
