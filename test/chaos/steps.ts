import type { Look, Sighting } from './wires.ts'

/**
 * A place between two steps of the house where it can be killed. Whatever a process does shows on its wires, so what
 * lies between two sightings is the same to everybody outside, and the list is complete: every message that carries a
 * borrow, a return or a doubt, before it arrives.
 */
export interface Step {
  name: string
  of: 'borrow' | 'return' | 'look' | 'till'
  wire: Sighting['wire']
  way: Sighting['way']
  what: RegExp
  /** It arrives all the same, and the house is killed just after. */
  arrives?: true
  /** The house does not know afterwards whether a bank went out: an inventory must decide. */
  leavesDoubt?: true
}

type Place = Pick<Step, 'wire' | 'way' | 'what'>

/** A statement that does not reach the database: as if it had never been. */
export const before = (what: RegExp): Place => ({ wire: 'database', way: 'from the house', what })
/** A statement that is done, and the house will never know. */
export const after = (what: RegExp): Place => ({ wire: 'database', way: 'to the house', what })
/** A frame of the house that no cabinet hears, or one of a cabinet that the house does not; by code. */
const toCabinet = (code: string): Place => ({ wire: 'cabinet', way: 'from the house', what: new RegExp(code) })
const fromCabinet = (code: string): Place => ({ wire: 'cabinet', way: 'to the house', what: new RegExp(code) })
const toClient: Place = { wire: 'http', way: 'from the house', what: /^HTTP\/1.1 200 .*to POST \/api\/borrow/ }

// Codes of frames (docs/protocol.md 3).
const [login, inventory, eject, returned] = ['0x60', '0x64', '0x65', '0x66'] as const
/** The commands that a claim marks as sent are known by the code in their bytes. */
const claimOf = (code: string) => new RegExp(`status = 'sent'.*[{,"]0[0-9A-F]{3}${code.slice(2)}`, 's')
const claimed = claimOf(eject)
const opened = /^commit.*order\.requested/s
const answered = /^commit.*order\.borrowed.*eject answer/s
const closed = /^commit.*order\.returned.*return frame/s
const connected = /^commit.*station\.connected/s
const decided = /^commit.*order\.[a-z]+.*"evidence":"(?:inventory|login)/s

/** Every step of a borrow and of a return, in the order in which they happen. */
export const steps: readonly Step[] = [
  { name: 'order being written', of: 'borrow', ...before(/^\s*insert into orders/) },
  { name: 'order written, not committed', of: 'borrow', ...before(opened) },
  { name: 'order committed, house unaware', of: 'borrow', ...after(opened) },
  { name: 'eject queued, not claimed', of: 'borrow', ...before(claimed) },
  { name: 'eject claimed, house unaware', of: 'borrow', ...after(claimed), leavesDoubt: true },
  { name: 'eject on the wire', of: 'borrow', ...toCabinet(eject), leavesDoubt: true },
  { name: 'eject heard, motor turning', of: 'borrow', ...toCabinet(eject), arrives: true, leavesDoubt: true },
  { name: 'eject answer on the wire', of: 'borrow', ...fromCabinet(eject), leavesDoubt: true },
  { name: 'eject answer not committed', of: 'borrow', ...before(answered), leavesDoubt: true },
  { name: 'eject answer committed, house unaware', of: 'borrow', ...after(answered) },
  { name: 'client answer on the wire', of: 'borrow', ...toClient },
  { name: 'client answered', of: 'borrow', ...toClient, arrives: true },
  { name: 'return on the wire', of: 'return', ...fromCabinet(returned) },
  { name: 'return not committed', of: 'return', ...before(closed) },
  { name: 'return committed, house unaware', of: 'return', ...after(closed) },
  { name: 'return answer on the wire', of: 'return', ...toCabinet(returned) },
  { name: 'return answered', of: 'return', ...toCabinet(returned), arrives: true },
]

/** Steps of coming back and of looking, for a second kill while the house mends the first. */
export const lookSteps: readonly Step[] = [
  { name: 'login on the wire', of: 'look', ...fromCabinet(login) },
  { name: 'login not committed', of: 'look', ...before(connected) },
  { name: 'login committed, house unaware', of: 'look', ...after(connected) },
  { name: 'login answer on the wire', of: 'look', ...toCabinet(login) },
  { name: 'inventory claimed, house unaware', of: 'look', ...after(claimOf(inventory)) },
  { name: 'inventory question on the wire', of: 'look', ...toCabinet(inventory) },
  { name: 'inventory on the wire', of: 'look', ...fromCabinet(inventory) },
]

/** Steps of deciding what the first kill left in doubt. */
export const doubtSteps: readonly Step[] = [
  { name: 'doubt decided, not committed', of: 'look', ...before(decided) },
  { name: 'doubt decided, house unaware', of: 'look', ...after(decided) },
]

/** A step waited for on the wires. */
export interface Trap {
  look: Look
  /** Resolves when the step was met and `spring` has been called. */
  sprung: Promise<void>
  isSprung(): boolean
}

/** Calls `spring` when the step is met for the `nth` time. */
export function trap(step: Step, nth: number, spring: () => void): Trap {
  const { promise, resolve } = Promise.withResolvers<void>()
  let left = nth
  const go = () => {
    spring()
    resolve()
  }
  return {
    sprung: promise,
    isSprung: () => left <= 0,
    look({ wire, way, what }) {
      if (left <= 0 || wire !== step.wire || way !== step.way || !step.what.test(what) || --left > 0) return false
      if (!step.arrives) {
        go()
        return true
      }
      // The bytes are written as soon as this returns.
      setImmediate(go)
      return false
    },
  }
}
