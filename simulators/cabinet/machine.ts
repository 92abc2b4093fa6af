import { setTimeout as after } from 'node:timers/promises'
import type { Bank, Command, Report } from '../../protocol/cabinet.ts'
import type { Overrides, Reach, Reply } from './behaviours.ts'
import { behave, obey } from './behaviours.ts'
import type { Box, BoxSettings } from './box.ts'
import { asReturned, makeBox, place, take } from './box.ts'
import type { Fault, FaultName } from './faults.ts'
import { faultOf } from './faults.ts'
import type { Journal } from './journal.ts'
import { journal, kindOf } from './journal.ts'
import type { Cabinet, Heard, Latency } from './simulated-cabinet.ts'
import { latencyOf } from './simulated-cabinet.ts'

/** Returns kept until they are acknowledged; older ones give way. */
const unacknowledgedMax = 256

export interface ActorSettings extends BoxSettings {
  /** In front of everything, faults included. */
  on?: Overrides
  faults?: readonly FaultName[]
  /** Absent: everything is done at once. */
  latency?: Latency
  /** Lets time pass; tests bring their own. */
  wait?: (milliseconds: number, signal: AbortSignal) => Promise<void>
}

/** The part of a cabinet that knows no wire: metal, faults, what was not acknowledged yet. */
export interface Actor {
  settings: ActorSettings
  box: Box
  journal: Journal
  faults: Map<FaultName, Fault>
  unacknowledged: Bank[]
  /** A cabinet moves one lock at a time, in the order of the commands (docs/protocol.md 0x80). */
  movements: Promise<void>
  /** Aborted when the cabinet is switched off for good. */
  end: AbortController
}

/** What a wire does for an actor. */
export interface Wire {
  readonly online: boolean
  /** Writes a report, if there is a link. */
  say(report: Report): void
  frameOf(report: Report): Buffer
  spoiled(frame: Buffer): Buffer
  again(frame: Buffer, report: Report): void
  hush(): void
  beat(): void
  restart(): void
  drop(): void
  halfOpen(): void
  send(bytes: Buffer): void
  close(): Promise<void>
}

/** @throws RangeError a box that cannot be, or a fault that its wire cannot have */
export const makeActor = (settings: ActorSettings): Actor => ({
  settings,
  box: makeBox(settings),
  journal: journal(),
  faults: new Map((settings.faults ?? []).map((name) => [name, faultOf(name, settings.family ?? 'tcp')])),
  unacknowledged: [],
  movements: Promise.resolve(),
  end: new AbortController(),
})

/** What faults and overrides of this cabinet may reach. */
export const reachOf = (actor: Actor, wire: Wire): Reach => ({
  box: actor.box,
  drop: () => wire.drop(),
  again: (frame, report) => wire.again(frame, report),
  hush: () => wire.hush(),
  frameOf: (report) => wire.frameOf(report),
  spoiled: (frame) => wire.spoiled(frame),
  wait: (milliseconds) => pause(actor, milliseconds),
})

async function pause({ settings, end }: Actor, milliseconds: number) {
  if (settings.wait) await settings.wait(milliseconds, end.signal)
  else await after(milliseconds, undefined, { signal: end.signal })
}

const asIs = (reply: Report) => reply

/**
 * Takes a command: queries at once, movements one after the other.
 * @param told how the reply is worded, where the question allows for less than the whole truth
 */
export function perform(actor: Actor, wire: Wire, command: Command, told: (reply: Report) => Report = asIs): void {
  const moves = command.kind === 'eject' || command.kind === 'force_eject'
  const work = () => answer(actor, wire, command, told)
  const done = moves ? actor.movements.then(work) : work()
  const settled = done.catch((error: unknown) => {
    // What was under way when the cabinet was switched off is never finished.
    if (!actor.end.signal.aborted) throw error
  })
  if (moves) actor.movements = settled
}

async function answer(actor: Actor, wire: Wire, command: Command, told: (reply: Report) => Report) {
  const layers = [actor.settings.on ?? {}, ...[...actor.faults.values()].map(({ on }) => on ?? {})]
  const reply = await behave(layers, command, reachOf(actor, wire), () => act(actor, command))
  if (!reply) return
  wire.say(told(reply))
  if (command.kind === 'restart') wire.restart()
}

async function act(actor: Actor, command: Command): Promise<Reply> {
  const { settings, box, journal } = actor
  if (settings.latency) await pause(actor, latencyOf(settings.latency, command.kind, Math.random()))
  const reply = obey(box, command)
  if ((reply.kind === 'eject' || reply.kind === 'force_eject') && reply.ok && reply.bankId !== null)
    journal.add({ event: 'did', act: 'ejected', slot: reply.slot, bankId: reply.bankId })
  return reply
}

/** After a login: what was said and not acknowledged is said again. */
export function sayAgain({ unacknowledged }: Actor, wire: Wire): void {
  for (const bank of unacknowledged) wire.say({ kind: 'returned', bank })
}

/** The server has taken the return of that slot. */
export function forget({ unacknowledged }: Actor, slot: number): void {
  const at = unacknowledged.findIndex((bank) => bank.slot === slot)
  if (at >= 0) unacknowledged.splice(at, 1)
}

function insert(actor: Actor, wire: Wire, placed: Bank): number {
  const bank = asReturned(actor.box, placed)
  actor.journal.add({ event: 'did', act: 'inserted', slot: bank.slot, bankId: bank.bankId })
  actor.unacknowledged.push(bank)
  if (actor.unacknowledged.length > unacknowledgedMax) actor.unacknowledged.shift()
  if (wire.online) wire.say({ kind: 'returned', bank })
  return bank.slot
}

function pull({ box, journal }: Actor, wire: Wire, slot: number): string {
  const bank = take(box, slot)
  if (!bank) throw new RangeError(`slot ${slot} is empty`)
  journal.add({ event: 'did', act: 'pulled', slot, bankId: bank.bankId })
  if (wire.online) wire.say({ kind: 'abnormal', event: 1, slot, bankId: bank.bankId })
  return bank.bankId
}

function jam({ box, journal }: Actor, slot: number) {
  const freed = box.jammed.delete(slot)
  if (!freed) box.jammed.add(slot)
  journal.add({ event: 'did', act: freed ? 'freed' : 'jammed', slot })
}

/** Until a login was accepted; on a wire that cannot dial again, until that can no longer be. */
async function loggedIn({ journal }: Actor, wire: Wire, redials: boolean): Promise<void> {
  if (wire.online) return
  const entry = await journal.next((entry) => {
    if (entry.event === 'closed') return !redials
    return entry.event === 'heard' && kindOf(entry) === 'login' && 'result' in entry.words && entry.words.result === 1
  })
  if (entry.event === 'closed') throw new Error(`${entry.reason} before the login was answered`)
}

/** An actor on its wire, as tests, screens and scripts hold it. */
export function makeCabinet(actor: Actor, wire: Wire, redials: boolean): Cabinet {
  const { box, journal, faults: on } = actor
  return {
    box,
    journal,
    get online() {
      return wire.online
    },
    get loggedIn() {
      return loggedIn(actor, wire, redials)
    },
    get faults() {
      return [...on.keys()]
    },
    toggle(fault) {
      if (!on.delete(fault)) on.set(fault, faultOf(fault, box.family))
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
    insert: (bankId, slot, levelPercent) => insert(actor, wire, place(box, bankId, slot, levelPercent)),
    pull: (slot) => pull(actor, wire, slot),
    jam: (slot) => jam(actor, slot),
    emptyReturn: (slot) => wire.say({ kind: 'abnormal', event: 2, slot, bankId: null }),
    heartbeat: () => wire.beat(),
    restart: () => wire.restart(),
    drop: () => wire.drop(),
    halfOpen: () => wire.halfOpen(),
    send(bytes) {
      wire.send(bytes)
      journal.add({ event: 'sent', frame: bytes })
    },
    close: () => wire.close(),
  }
}
