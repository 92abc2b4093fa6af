import type { Acknowledgement, BankId, Command, Report } from '../../protocol/cabinet.ts'
import type { Box } from './box.ts'
import type { FaultName } from './faults.ts'
import type { Journal } from './journal.ts'

/** A command by its kind, or what was acknowledged: the two never share a name. */
export type HeardKind = Command['kind'] | Acknowledgement['report']
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
  toggle(fault: FaultName): void
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

/** How long things take, from–to. */
export interface Latency {
  ejectMilliseconds: readonly [number, number]
  forceEjectMilliseconds: readonly [number, number]
  queryMilliseconds: readonly [number, number]
}

/** As captured (docs/protocol.md 0x64, 0x65, 0x80). */
export const realLatency: Latency = {
  ejectMilliseconds: [710, 1130],
  forceEjectMilliseconds: [550, 650],
  queryMilliseconds: [30, 60],
}

/** Over MQTT a cabinet checks itself for 3 s after a pop-up; a server waits 15 s for it and 10 s for a check (5.4). */
export const realLatencyMqtt: Latency = {
  ejectMilliseconds: [2000, 4000],
  forceEjectMilliseconds: [1500, 3500],
  queryMilliseconds: [200, 900],
}

/** Nothing takes time. */
export const noLatency: Latency = {
  ejectMilliseconds: [0, 0],
  forceEjectMilliseconds: [0, 0],
  queryMilliseconds: [0, 0],
}

/** How long a command takes this time. @param random 0–1 */
export function latencyOf(latency: Latency, kind: Command['kind'], random: number): number {
  const from = { eject: latency.ejectMilliseconds, force_eject: latency.forceEjectMilliseconds }
  const [least, most] = kind === 'eject' || kind === 'force_eject' ? from[kind] : latency.queryMilliseconds
  return least + (most - least) * random
}
