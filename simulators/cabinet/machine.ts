import { setTimeout as after } from 'node:timers/promises'
import type { Bank, Command, Report } from '../../protocol/cabinet.ts'
import { hangUp, type Line, type LineSettings, newLine } from '../line.ts'
import { behave, type Overrides, obey, type Reach, type Reply } from './behaviours.ts'
import { type Box, type BoxSettings, makeBox, take } from './box.ts'
import type { Fault, Told } from './fault.ts'
import { type FaultName, type FaultWish, faultOf } from './faults.ts'
import { type Journal, journal } from './journal.ts'
import { type Latency, latencyOf } from './latency.ts'

export interface MachineSettings extends BoxSettings, LineSettings {
  /** In front of everything, faults included. */
  on?: Overrides
  faults?: readonly FaultWish[]
  /** Absent: everything is done at once. */
  latency?: Latency | undefined
  /** Lets time pass; tests bring their own. */
  wait?: (milliseconds: number, signal: AbortSignal) => Promise<void>
  /** After so many unanswered heartbeats it gives the link up: 60–91 s at 30 s each (docs/protocol.md 4, 5.6). 2 unless told. */
  missedHeartbeatsMax?: number
}

/** What a wire does for a machine. */
export interface Wire {
  dial(): void
  hangUp(stream: NonNullable<Line['stream']>): void
  /** Before a link is forsaken. */
  deafen?(): void
  /** Whether a report can be written now. */
  canSay(report: Report): boolean
  frameOf(report: Report): Buffer
  /** The same frame with a checksum that is wrong. */
  spoiled(frame: Buffer): Buffer
  /** The same frame with a byte behind all that it says, and right otherwise. */
  longer(frame: Buffer): Buffer
  /** One write. @param isAgain it was written before, and the wire may mark it so */
  write(frame: Buffer, report: Report, isAgain: boolean): void
  send(bytes: Buffer): void
  restart(): void
  /** The server is silent. */
  giveUp(reason: string): void
}

/** The part of a cabinet that knows no wire: metal, faults, what was not acknowledged yet. */
export interface Machine extends Line {
  settings: MachineSettings
  journal: Journal
  box: Box
  faults: Map<FaultName, Fault>
  unacknowledged: Bank[]
  /** Written once more after the next login. */
  again: { frame: Buffer; report: Report }[]
  /** A cabinet moves one lock at a time, in the order of the commands (docs/protocol.md 0x80). */
  movements: Promise<void>
  /** What a stalled way down holds back. */
  stalled: { stream: Line['stream']; held: (() => void)[] } | undefined
  wire: Wire
}

/** @throws RangeError a box that cannot be, or a fault that its wire cannot have */
export const newMachine = (settings: MachineSettings, redials: boolean): Omit<Machine, 'wire'> => ({
  ...newLine(settings, journal(), redials),
  settings,
  box: makeBox(settings),
  faults: new Map((settings.faults ?? []).map((wish) => faultOf(wish, settings.family ?? 'tcp'))),
  unacknowledged: [],
  again: [],
  movements: Promise.resolve(),
  stalled: undefined,
})

/** What faults and overrides of this cabinet may reach. */
export const reachOf = (machine: Machine): Reach => ({
  box: machine.box,
  drop: () => hangUp(machine, 'dropped'),
  restart: () => machine.wire.restart(),
  again: (frame, report) => void machine.again.push({ frame, report }),
  hush: () => void (machine.hushed = true),
  frameOf: machine.wire.frameOf,
  spoiled: machine.wire.spoiled,
  longer: machine.wire.longer,
  wait: (milliseconds) => pause(machine, milliseconds),
  work: (kind) => work(machine, kind),
  leave: (slot) => leave(machine, slot),
  later: (milliseconds, work) => void settled(machine, pause(machine, milliseconds).then(work)),
  repeat(frame, report) {
    if (!machine.hushed && machine.wire.canSay(report)) write(machine, report, report, frame, [frame], true)
  },
})

/** As long as the metal takes. */
const work = async (machine: Machine, kind: Command['kind']) => {
  const { latency } = machine.settings
  if (latency) await pause(machine, latencyOf(latency, kind))
}

function leave({ box, journal }: Machine, slot: number) {
  const bank = take(box, slot)
  if (bank) journal.add({ event: 'did', act: 'ejected', slot, bankId: bank.bankId })
}

/** What was under way when the cabinet was switched off is never finished. */
const settled = (machine: Machine, work: Promise<void>) =>
  work.catch((error: unknown) => {
    if (!machine.end.signal.aborted) throw error
  })

async function pause({ settings, end }: Machine, milliseconds: number) {
  if (settings.wait) await settings.wait(milliseconds, end.signal)
  else await after(milliseconds, undefined, { signal: end.signal })
}

/** Writes a report as its faults leave it, if there is a link. */
export function say(machine: Machine, report: Report, isAgain = false): void {
  if (machine.hushed || !machine.wire.canSay(report)) return
  const { said, frame, writes } = spelt(machine, report)
  write(machine, report, said, frame, writes, isAgain)
}

/** A report as its faults leave it: in words, in bytes, and as it is to be written. */
export function spelt(machine: Machine, report: Report): { said: Report; frame: Buffer; writes: Buffer[] } {
  const { wire, faults } = machine
  const reach = reachOf(machine)
  let said = report
  for (const { says } of faults.values()) said = says?.(said, reach) ?? said
  const frame = wire.frameOf(said)
  let writes = [frame]
  for (const { out } of faults.values()) if (out) writes = writes.flatMap((bytes) => out(bytes, said, reach) ?? [bytes])
  return { said, frame, writes }
}

/** @param report what it means to the cabinet; @param said what its faults have made of it, `frame` in bytes */
function write(
  { wire, journal }: Machine,
  report: Report,
  said: Report,
  frame: Buffer,
  writes: Buffer[],
  isAgain: boolean,
) {
  for (const bytes of writes) wire.write(bytes, report, isAgain)
  // What was spelt otherwise is shown as it went out.
  journal.add({ event: 'said', report: said, frame: writes.length === 1 ? writes[0]! : frame })
}

/** What was told, as its faults hear it. */
export function heardBy({ faults }: Machine, words: Told): Told {
  let heard = words
  for (const { hears } of faults.values()) heard = hears?.(heard) ?? heard
  return heard
}

/**
 * Takes what came down, in its order. From a movement on a way down that stalls holds all of it back; what is held when
 * the link ends is lost.
 */
export function inItsTime(machine: Machine, isMovement: boolean, hear: () => void): void {
  const { stalled, stream, faults } = machine
  if (stalled && stalled.stream === stream) {
    stalled.held.push(hear)
    return
  }
  const { stallMilliseconds } = faults.get('stall-down') ?? {}
  if (!isMovement || stallMilliseconds === undefined) {
    hear()
    return
  }
  const stall = { stream, held: [hear] }
  machine.stalled = stall
  void settled(
    machine,
    pause(machine, stallMilliseconds).then(() => {
      if (machine.stalled === stall) machine.stalled = undefined
      for (const hear of stall.held) if (machine.stream === stream) hear()
    }),
  )
}

/** Whether that is to move metal. */
export const isMovement = ({ kind }: Told): boolean => kind === 'eject' || kind === 'force_eject'

/**
 * The server took the login: what was said and not acknowledged is said again.
 * @param isMarked whether it is marked as a repetition
 */
export function loggedIn(machine: Machine, isMarked = false): void {
  machine.online = true
  machine.unanswered = 0
  for (const { frame, report } of machine.again.splice(0)) write(machine, report, report, frame, [frame], true)
  for (const bank of machine.unacknowledged) say(machine, { kind: 'returned', bank }, isMarked)
}

/** The server has taken the return of that slot. */
export function forget({ unacknowledged }: Machine, slot: number): void {
  const at = unacknowledged.findIndex((bank) => bank.slot === slot)
  if (at >= 0) unacknowledged.splice(at, 1)
}

/** Heartbeats from now on, until the link ends or too many are unanswered. */
export function startHeartbeats(machine: Machine): void {
  const { missedHeartbeatsMax = 2 } = machine.settings
  machine.heartbeats = setInterval(() => {
    if (machine.unanswered >= missedHeartbeatsMax) machine.wire.giveUp('the server is silent')
    else beat(machine)
  }, machine.box.server.heartbeatSeconds * 1000)
}

/** A heartbeat; before the login it is only counted: a server that never answers a login is a silent server too. */
export function beat(machine: Machine): void {
  machine.unanswered++
  if (machine.online) say(machine, { kind: 'heartbeat' })
}

const asIs = (reply: Report) => reply

/**
 * Takes a command: queries at once, movements one after the other.
 * @param told how the reply is worded, where the question allows for less than the whole truth
 */
export function perform(machine: Machine, command: Command, told: (reply: Report) => Report = asIs): void {
  const moves = isMovement(command)
  const work = () => answer(machine, command, told)
  const done = settled(machine, moves ? machine.movements.then(work) : work())
  if (moves) machine.movements = done
}

async function answer(machine: Machine, command: Command, told: (reply: Report) => Report) {
  const layers = [machine.settings.on ?? {}, ...[...machine.faults.values()].map(({ on }) => on ?? {})]
  const reply = await behave(layers, command, reachOf(machine), () => act(machine, command))
  if (!reply) return
  say(machine, told(reply))
  if (command.kind === 'restart') machine.wire.restart()
}

async function act(machine: Machine, command: Command): Promise<Reply> {
  const { box, journal } = machine
  await work(machine, command.kind)
  const reply = obey(box, command)
  if ((reply.kind === 'eject' || reply.kind === 'force_eject') && reply.ok && reply.bankId !== null)
    journal.add({ event: 'did', act: 'ejected', slot: reply.slot, bankId: reply.bankId })
  return reply
}
