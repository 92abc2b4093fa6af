import { setTimeout as after } from 'node:timers/promises'
import type { Heard } from '../../protocol/terminal.ts'
import { hangUp, type Line, type LineSettings, newLine } from '../line.ts'
import type { Device, HostAddress, Result } from './behaviours.ts'
import { type Card, hexWithout } from './cards.ts'
import { sentAtOf } from './clock.ts'
import type { Fault, Reach, Speech } from './fault.ts'
import { type FaultName, type FaultWish, faultOf } from './faults.ts'
import { type Answered, type Journal, journal, type Said } from './terminal-journal.ts'
import { newTill, nextStan, type Sale, type Till } from './till.ts'

/** Which way the messages go. */
export type Family = 'tcp' | 'mqtt'

export interface MachineSettings extends LineSettings {
  terminalCode: string
  /** 64 hex digits. */
  key: string
  host: HostAddress
  faults?: readonly FaultWish[]
  /** Between echoes; 60 unless told (docs/protocol.md 7.8). */
  echoSeconds?: number
  /** How long an answer to a sale is waited for; 60 unless told. */
  answerSeconds?: number
  /** Between the repetitions of reversals and advices; 30 unless told. */
  repeatSeconds?: number
  /** The number to go on from. */
  stan?: number | undefined
  /** What field 42 says; nothing unless told. */
  merchant?: string | undefined
  /** Lets time pass; tests bring their own. */
  wait?: (milliseconds: number, signal: AbortSignal) => Promise<void>
}

/** What a wire does for a terminal. */
export interface Wire {
  dial(): void
  hangUp(stream: NonNullable<Line['stream']>): void
  /** Before a link is forsaken. */
  deafen?(): void
  /** Whether anything can be written now. */
  canSay(): boolean
  /** @param code whose message it pretends to be @throws RangeError a value the wire cannot carry */
  frameOf(report: Speech, code?: string): Buffer
  /** The same message with one field more. */
  withField(frame: Buffer, number: number, hex: string): Buffer
  /** One write. */
  write(bytes: Buffer): void
}

/** A question about money and how often it was asked; one at a time is under way, and has a timer then. */
export interface Exchange {
  report: Exclude<Speech, { kind: 'login' | 'sign_off' | 'heartbeat' | 'result' }>
  /** What it is about; nothing: the totals. */
  sale?: Sale
  times: number
  timer?: NodeJS.Timeout | undefined
}

/** A terminal that knows no wire. */
export interface Machine extends Line {
  settings: MachineSettings
  journal: Journal
  family: Family
  device: Device
  till: Till
  faults: Map<FaultName, Fault>
  /** What is still to be asked or answered, in its order. */
  queue: Exchange[]
  /** What was asked with 0800, by its number. */
  asked: Map<string, 'login' | 'heartbeat' | 'sign_off'>
  /** What was answered to the host's commands, by their number: said again they are not done again. */
  answered: Map<string, Promise<Result | undefined>>
  /** Dials no more until somebody signs on again. */
  isSignedOff: boolean
  wire: Wire
}

/** @throws RangeError a fault that its wire cannot have */
export function newMachine(settings: MachineSettings, family: Family, redials: boolean): Omit<Machine, 'wire'> {
  const { terminalCode, host, stan, faults = [] } = settings
  const kept = journal()
  const device: Device = {
    ...{ terminalCode, volume: 50, condition: 'working', software: '1.0.0', config: {}, host, journal: kept },
  }
  return {
    ...newLine(settings, kept, redials),
    ...{ settings, family, device, queue: [], isSignedOff: false },
    till: newTill(new Date(), stan),
    faults: new Map(faults.map((wish) => faultOf(wish, family))),
    asked: new Map(),
    answered: new Map(),
  }
}

/** What time it is for this terminal. */
export function clockOf({ faults }: Machine): Date {
  let ahead = 0
  for (const { clockMilliseconds = 0 } of faults.values()) ahead += clockMilliseconds
  return new Date(Date.now() + ahead)
}

/** What every message has: a number of its own, and when it is sent. */
export const spoken = (machine: Machine) => ({ stan: nextStan(machine.till), sentAt: sentAtOf(clockOf(machine)) })

/** A question that is not about money. */
export function network(machine: Machine, kind: 'login' | 'heartbeat' | 'sign_off'): Speech {
  const said = spoken(machine)
  machine.asked.set(said.stan, kind)
  return kind === 'login' ? { kind, terminalCode: machine.settings.terminalCode, ...said } : { kind, ...said }
}

/** What was under way when the terminal was switched off is never finished. */
const settled = (machine: Machine, work: Promise<void>) =>
  work.catch((error: unknown) => {
    if (!machine.end.signal.aborted) throw error
  })

/** Lets time pass. @throws AbortError it is switched off */
export async function pause({ settings, end }: Machine, milliseconds: number): Promise<void> {
  if (settings.wait) await settings.wait(milliseconds, end.signal)
  else await after(milliseconds, undefined, { signal: end.signal })
}

/** No line for so long. */
function away(machine: Machine, milliseconds: number) {
  if (machine.stream) return hangUp(machine, 'no line', milliseconds / 1000)
  clearTimeout(machine.redial)
  machine.redial = setTimeout(machine.wire.dial, milliseconds)
}

/** What the faults of this terminal may reach. */
export const reachOf = (machine: Machine): Reach => ({
  drop: () => hangUp(machine, 'dropped'),
  hush: () => void (machine.hushed = true),
  away: (milliseconds) => away(machine, milliseconds),
  frameOf: machine.wire.frameOf,
  echo: () => machine.wire.frameOf(network(machine, 'heartbeat')),
  withField: machine.wire.withField,
  wait: (milliseconds) => pause(machine, milliseconds),
  later: (milliseconds, work) => void settled(machine, pause(machine, milliseconds).then(work)),
  repeat(frame) {
    if (!machine.hushed && machine.wire.canSay()) machine.wire.write(frame)
  },
})

/** A message without its card. */
function shown(report: Speech, card: Card | undefined): Said {
  if (!('card' in report) || !card) return report as Said
  return { ...report, card: { name: card.name, masked: card.masked } }
}

/** Writes a message as its faults leave it, if there is a line. @param card the one that is in it */
export function say(machine: Machine, report: Speech, card?: Card): void {
  if (machine.hushed || !machine.wire.canSay()) return
  const { wire, faults, journal } = machine
  const reach = reachOf(machine)
  let said = report
  for (const { says } of faults.values()) said = says?.(said) ?? said
  const frame = wire.frameOf(said)
  let writes = [frame]
  for (const { out } of faults.values()) if (out) writes = writes.flatMap((bytes) => out(bytes, said, reach) ?? [bytes])
  // What was spelt otherwise is shown as it went out.
  const bytes = writes.length === 1 ? writes[0]! : frame
  const hex = card ? hexWithout(bytes, card) : bytes.toString('hex').toUpperCase()
  for (const written of writes) wire.write(written)
  journal.add({ event: 'said', report: shown(said, card), frame: hex })
}

const kinds: Record<string, Answered> = {
  '0110': 'authorisation',
  '0210': 'purchase',
  '0230': 'advice',
  '0410': 'reversal',
  '0430': 'reversal',
  '0510': 'totals',
}

/** What an answer is about; undefined: a question that nobody has asked. */
export function aboutOf({ asked }: Machine, { mti, stan = '' }: Heard): Answered | undefined {
  if (mti !== '0810') return kinds[mti]
  const kind = asked.get(stan)
  asked.delete(stan)
  return kind
}

/** How long an answer to a sale is waited for. */
export function answerMillisecondsOf({ faults, settings: { answerSeconds = 60 } }: Machine): number {
  let milliseconds = answerSeconds * 1000
  for (const { answerMilliseconds } of faults.values()) milliseconds = answerMilliseconds ?? milliseconds
  return milliseconds
}
