import type { Acknowledgement, Bank, BankId, Command, Report } from '../../protocol/cabinet.ts'
import { forsake, hangUp, switchOff } from '../line.ts'
import { asReturned, type Box, place, take } from './box.ts'
import { type FaultName, type FaultWish, faultIn, faultOf } from './faults.ts'
import { type Journal, kindOf } from './journal.ts'
import { beat, type Machine, reachOf, say } from './machine.ts'

/** Returns kept until they are acknowledged; older ones give way. */
const unacknowledgedMax = 256

/** A command by its kind, or what was acknowledged: the two never share a name. */
type HeardKind = Command['kind'] | Acknowledgement['report']
/** What a cabinet heard under that name. */
export type Heard<K extends HeardKind> = K extends Command['kind']
  ? Extract<Command, { kind: K }>
  : Extract<Acknowledgement, { report: K }>

/** A simulated cabinet, whatever wire it speaks. The world outside acts on it by these; its server by the wire. */
export interface Cabinet {
  readonly box: Box
  readonly journal: Journal
  /** True between an accepted login and the end of its link. */
  readonly online: boolean
  /** Resolves once logged in. @throws Error the only link there is closed before */
  readonly loggedIn: Promise<void>
  /** Faults that are on, by name. */
  readonly faults: readonly FaultName[]
  /** Turns a fault on, or off if it is on. @throws RangeError this wire cannot have it */
  toggle(fault: FaultWish): void
  /** The next command or acknowledgement of this kind, counted from `since` (a journal number; default: from now on). */
  next<K extends HeardKind>(kind: K, since?: number): Promise<Heard<K>>
  /** The next report of this kind that was written, counted in the same way. */
  said<K extends Report['kind']>(kind: K, since?: number): Promise<Extract<Report, { kind: K }>>
  /**
   * Somebody puts a bank in; said to the server until it is acknowledged. Returns the slot, the first free one unless told.
   * @throws RangeError no such slot, slot taken, no free slot, or no such bank id
   */
  insert(bankId: BankId, slot?: number, levelPercent?: number): number
  /** Somebody pulls a bank out without an unlock command (0x83 event 1). @throws RangeError the slot is empty */
  pull(slot: number): BankId
  /** The lock of a slot sticks, or works again. */
  jam(slot: number): void
  /** Something that is no bank trips the switch of a slot (0x83 event 2). */
  emptyReturn(slot: number): void
  /** A heartbeat out of turn. */
  heartbeat(): void
  /** Power off and on: what 0x63 said comes into force, the clock starts anew. */
  restart(): void
  /** The link breaks; the cabinet dials again. */
  drop(): void
  /** The link dies without a word to the server, which still holds its socket; the cabinet dials another. */
  halfOpen(): void
  /** Any bytes, right or wrong. */
  send(bytes: Buffer): void
  /** The end: hangs up for good and stops every timer. */
  close(): Promise<void>
}

function insert(machine: Machine, placed: Bank): number {
  const { box, journal, unacknowledged, online } = machine
  const bank = asReturned(box, placed)
  journal.add({ event: 'did', act: 'inserted', slot: bank.slot, bankId: bank.bankId })
  unacknowledged.push(bank)
  if (unacknowledged.length > unacknowledgedMax) unacknowledged.shift()
  if (online) say(machine, { kind: 'returned', bank })
  return bank.slot
}

function pull(machine: Machine, slot: number): BankId {
  const bank = take(machine.box, slot)
  if (!bank) throw new RangeError(`slot ${slot} is empty`)
  machine.journal.add({ event: 'did', act: 'pulled', slot, bankId: bank.bankId })
  if (machine.online) say(machine, { kind: 'abnormal', event: 1, slot, bankId: bank.bankId })
  return bank.bankId
}

function jam({ box, journal }: Machine, slot: number) {
  const freed = box.jammed.delete(slot)
  if (!freed) box.jammed.add(slot)
  journal.add({ event: 'did', act: freed ? 'freed' : 'jammed', slot })
}

/** Until a login was accepted; on a wire that cannot dial again, until that can no longer be. */
async function loggedIn({ journal, online, redials }: Machine): Promise<void> {
  if (online) return
  const entry = await journal.next((entry) => {
    if (entry.event === 'closed') return !redials
    return entry.event === 'heard' && kindOf(entry) === 'login' && 'result' in entry.words && entry.words.result === 1
  })
  if (entry.event === 'closed') throw new Error(`${entry.reason} before the login was answered`)
}

/** A machine as tests, screens and scripts hold it. */
export function simulated(machine: Machine): Cabinet {
  const { box, journal, faults, wire } = machine
  return {
    box,
    journal,
    get online() {
      return machine.online
    },
    get loggedIn() {
      return loggedIn(machine)
    },
    get faults() {
      return [...faults.keys()]
    },
    toggle(fault) {
      if (faults.delete(faultIn(fault))) return
      const [name, made] = faultOf(fault, box.family)
      faults.set(name, made)
      made.begins?.(reachOf(machine))
    },
    async next(kind, since = journal.now) {
      const entry = await journal.next((entry) => entry.event === 'heard' && kindOf(entry) === kind, { since })
      // The kind was matched, which the compiler cannot follow; the same below.
      return (entry.event === 'heard' && entry.words) as Heard<typeof kind>
    },
    async said(kind, since = journal.now) {
      const entry = await journal.next((entry) => entry.event === 'said' && kindOf(entry) === kind, { since })
      return (entry.event === 'said' && entry.report) as Extract<Report, { kind: typeof kind }>
    },
    insert: (bankId, slot, levelPercent) => insert(machine, place(box, bankId, slot, levelPercent)),
    pull: (slot) => pull(machine, slot),
    jam: (slot) => jam(machine, slot),
    emptyReturn: (slot) => say(machine, { kind: 'abnormal', event: 2, slot, bankId: null }),
    heartbeat: () => beat(machine),
    restart: () => wire.restart(),
    drop: () => hangUp(machine, 'dropped'),
    halfOpen() {
      wire.deafen?.()
      forsake(machine)
    },
    send(bytes) {
      wire.send(bytes)
      journal.add({ event: 'sent', frame: bytes })
    },
    close: () => switchOff(machine),
  }
}
