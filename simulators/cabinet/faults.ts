import type { Family } from './box.ts'
import type { Fault, Maker } from './fault.ts'
import * as frames from './frame-faults.ts'
import * as lists from './list-faults.ts'
import * as metal from './metal-faults.ts'

/** A fault in words: for `--help` and, with `must`, for docs/technician.md. */
export interface FaultWords {
  /** What it does. */
  doc: string
  /** What a server makes of it. */
  must: string
  /** The only wire that can have it; both unless told. */
  only?: Family
  /** What may be told it behind `=`, and what is meant when nothing is. */
  takes?: string
  make: Maker
}

/** A switch of the cabinet itself, which asks for it by name. */
const own: Maker = () => ({})

/** Every fault by its name. */
export const faults = {
  silent: {
    doc: 'hears commands, does nothing, says nothing',
    must: '408; unknown until an inventory',
    make: metal.silent,
  },
  mute: {
    doc: 'does what it is told and says nothing',
    must: '408, `pending`; the next inventory finds the bank gone: lent',
    make: metal.mute,
  },
  late: {
    doc: `does what it is told and says so ${metal.lateMilliseconds / 1000} s later`,
    must: 'a late answer is still an answer',
    make: metal.late,
  },
  twice: { doc: 'answers to movements and returns are sent twice', must: 'once counts', make: frames.twice },
  'wrong-id': { doc: 'ejects the right bank and names another', must: 'the slot decides', make: metal.wrongId },
  'half-frame': {
    doc: 'every other answer to a movement, or return, breaks off in the middle and the link hangs',
    must: 'closes after `CABINET_FRAME_SECONDS`',
    make: frames.halfFrame,
  },
  'bad-checksum': {
    doc: 'a wrong checksum on everything but login and heartbeat',
    must: 'five in a row: closes; over MQTT only warns',
    make: frames.badChecksum,
  },
  'bad-token': {
    only: 'tcp',
    doc: 'a wrong token on everything but login and heartbeat (means nothing in TCP-A)',
    must: 'five in a row: closes',
    make: frames.badToken,
  },
  glued: {
    only: 'tcp',
    doc: 'answers to movements and returns come in one write with an inventory and a heartbeat',
    must: 'takes them apart',
    make: frames.glued,
  },
  jam: {
    doc: 'every slot is jammed: an eject is refused',
    must: '400, the order is cancelled',
    make: metal.jam,
  },
  'drop-after-command': {
    doc: 'the bank goes out and the link drops before the answer',
    must: 'the next login decides',
    make: metal.dropAfterCommand,
  },
  flap: {
    doc: `the link drops after ${frames.flapFrames} frames, again and again`,
    must: 'keeps up',
    make: frames.flap,
  },
  redelivery: {
    doc: 'answers to movements and returns lose their link before the acknowledgement and are said again by the next',
    must: 'once counts',
    make: frames.redelivery,
  },
  unreadable: {
    takes: 'SLOT, the first with a bank',
    doc: 'the chip of what is in that slot is not read: in every other list its id is all zeros, else all ones',
    must: 'occupied by nobody knows what: no bank, no free port, no proof that a bank is gone; looks again',
    make: lists.unreadable,
  },
  'jam-unreadable': {
    doc: 'an eject is refused, and from then on the chip of that bank is not read',
    must: 'no loan: 400 or 408, and in doubt until the bank is read again',
    make: lists.jamUnreadable,
  },
  'slow-customer': {
    takes: 'TIME, 20s',
    doc: 'says that it ejected, and lists the bank until it is taken that much later',
    must: 'lent, and not given back by the lists in between',
    make: metal.slowCustomer,
  },
  'not-taken': {
    doc: 'says that it ejected, and nobody takes the bank',
    must: 'lent; closed as not taken when the taking time is over',
    make: metal.notTaken,
  },
  'still-readable': {
    only: 'mqtt',
    takes: 'TIME, 20s',
    doc: 'answers "not popped, still readable" (state 0x12), and the bank is taken that much later all the same',
    must: 'no loan yet, and a loan when the bank is gone',
    make: metal.stillReadableFirst,
  },
  'wrong-bank': {
    doc: 'lets another bank out than was asked for, and names it',
    must: 'the loan is of the bank that left',
    make: metal.wrongBank,
  },
  'obey-late': {
    takes: 'TIME, 40s',
    doc: 'does nothing and says nothing for that long after an eject, then obeys and says so',
    must: '408; then a loan whose holder is told',
    make: metal.obeyLate,
  },
  'stall-down': {
    takes: 'TIME, 40s',
    doc: 'from an eject on nothing comes down for that long, heartbeats go up; then all of it comes, unless the link has ended',
    must: '408 and a reset of the link, so that the eject is never obeyed',
    make: metal.stallDown,
  },
  'answer-again': {
    takes: 'TIME, 1m',
    doc: 'says the answer to an eject once more, that much later',
    must: 'once counts, and never for another command',
    make: frames.answerAgain,
  },
  'return-again': {
    takes: 'TIME, 1m',
    doc: 'says a return once more, that much later',
    must: 'ends no loan that began since, unless a look shows the bank',
    make: frames.returnAgain,
  },
  'odd-return': {
    doc: 'returns have one byte more than is known',
    must: 'cannot be read, and is looked at: the list closes the loan',
    make: frames.oddReturn,
  },
  twin: {
    takes: 'BANK, the one that went out last',
    doc: 'lists in its last free slot a bank that another cabinet has',
    must: 'an event that names both; closes no loan unless it was not listed before',
    make: lists.twin,
  },
  'one-bad-list': {
    doc: 'calls every bank faulty, in one list',
    must: 'no bank is withdrawn for good',
    make: lists.oneBadList,
  },
  'slot-zero': {
    only: 'tcp',
    doc: 'counts its slots from 0',
    must: 'slot 0 is one like the others',
    make: lists.slotZero,
  },
  'beyond-declared': {
    only: 'tcp',
    takes: 'SLOTS, half of them',
    doc: 'says that it has so few slots, and lists banks beyond them (TCP-A does not say how many it has)',
    must: 'what is listed exists: lends it, force-ejects it',
    make: lists.beyondDeclared,
  },
  replaced: {
    takes: 'BOX-ID, the same',
    doc: 'other metal with other banks dials in under that name',
    must: 'proves nothing about what the old metal held',
    make: lists.replaced,
  },
  'soc-255': {
    only: 'mqtt',
    doc: 'the charge of no bank is read',
    must: 'not for rent meanwhile, for rent with the first list that reads it',
    make: lists.soc255,
  },
  'dead-board': {
    only: 'mqtt',
    doc: 'the first control board answers nothing: its header stands in the list without a hole',
    must: 'reads the other boards; knows nothing of the holes of this one',
    make: lists.deadBoard,
  },
  'clock-off': {
    only: 'mqtt',
    takes: 'TIME, 1h',
    doc: 'its clock is ahead by that much: every pop-up is too old (state 0x88)',
    must: '400; the event `station.clock_wrong`',
    make: lists.clockOff,
  },
  retained: {
    only: 'mqtt',
    doc: 'its returns have the RETAIN flag',
    must: 'hears none that a broker has kept',
    make: own,
  },
  'ignores-ttl': {
    only: 'mqtt',
    doc: 'ejects however old the command is, as some firmware does',
    must: 'never leaves a pop-up in a queue',
    make: own,
  },
  'wants-timestamp': {
    only: 'mqtt',
    doc: 'refuses pop-ups that do not say when they were given (state 0x87)',
    must: 'says when',
    make: own,
  },
  'unheard-echo': {
    only: 'mqtt',
    doc: 'never hears its heartbeats come back: reboots after two',
    must: 'lets it in again',
    make: own,
  },
  'http-return': {
    only: 'mqtt',
    doc: 'a successful return is said over HTTP as well',
    must: 'once counts',
    make: own,
  },
} satisfies Record<string, FaultWords>

export type FaultName = keyof typeof faults

/** A fault as it is wished for: its name, or its name and what it takes, as `unreadable=3`. */
export type FaultWish = FaultName | `${FaultName}=${string}`

/** The names, as the command line offers them. */
export const faultNames = Object.keys(faults) as FaultName[]

/** The same of one wire. */
export const faultsOf = (family: Family): FaultName[] => {
  const words: Record<FaultName, FaultWords> = faults
  return faultNames.filter((name) => (words[name].only ?? family) === family)
}

/** The name in a wish. */
export const faultIn = (wish: FaultWish): FaultName => wish.split('=', 1)[0] as FaultName

/** Whether a word wishes for a fault. */
export const isFault = (word: string): word is FaultWish => Object.hasOwn(faults, word.split('=', 1)[0]!)

/**
 * A fault for one cabinet.
 * @throws RangeError its wire cannot have it, or it takes no such value
 */
export function faultOf(wish: FaultWish, family: Family): [FaultName, Fault] {
  const name = faultIn(wish)
  const { only, takes, make }: FaultWords = faults[name]
  if (only !== undefined && only !== family)
    throw new RangeError(`${name} is a fault of ${only.toUpperCase()} cabinets`)
  const value = wish === name ? undefined : wish.slice(name.length + 1)
  if (value !== undefined && takes === undefined) throw new RangeError(`${name} takes no value`)
  return [name, make(value)]
}
