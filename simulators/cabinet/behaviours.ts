import type { Command, Report } from '../../protocol/cabinet.ts'
import { type Box, banksOf, take } from './box.ts'

type Kind = Command['kind']
type Told<K extends Kind> = Extract<Command, { kind: K }>
type Answer<K extends Kind> = Extract<Report, { kind: K }>

/** What a cabinet says to a command; undefined is silence. */
export type Reply = Report | undefined

/** What a behaviour may reach besides the command. */
export interface Reach {
  box: Box
  /** Hangs up; the cabinet dials again. */
  drop(): void
  /** Power off and on. */
  restart(): void
  /** Says it once more after the next login, marked as a repetition where the wire has a mark. */
  again(frame: Buffer, report: Report): void
  /** The link stays open and nothing is written any more, until the next dial. */
  hush(): void
  /** A report as this cabinet's wire has it. */
  frameOf(report: Report): Buffer
  /** The same frame with a checksum that is wrong. */
  spoiled(frame: Buffer): Buffer
  /** The same frame with a byte behind all that it says, and right otherwise. */
  longer(frame: Buffer): Buffer
  wait(milliseconds: number): Promise<void>
  /** As long as the metal takes to obey. */
  work(kind: Kind): Promise<void>
  /** Somebody takes what that slot holds, its lock being open. */
  leave(slot: number): void
  /** Does it after that long, unless the cabinet is switched off before. */
  later(milliseconds: number, work: () => void): void
  /** Writes a frame that was written before, if there is a link. */
  repeat(frame: Buffer, report: Report): void
}

/**
 * Ways to take a command that go in front of the usual one: `{ eject: () => undefined }` hears and does nothing.
 * `usual` does what comes next in line: moves the metal and makes the answer.
 */
export type Overrides = {
  [K in Kind]?: (command: Told<K>, usual: () => Promise<Reply>, reach: Reach) => Reply | Promise<Reply>
}

function move<K extends 'eject' | 'force_eject'>(kind: K, box: Box, slot: number) {
  const bankId = box.banks.get(slot)?.bankId ?? null
  const ok = bankId !== null && !box.jammed.has(slot)
  if (ok) take(box, slot)
  return { kind, slot, bankId, ok, result: ok ? 1 : 0 } as const
}

/** No bank of that serial number is in (docs/protocol.md 5.5). */
const snNotFound = 0xfc

/** An eject may name its bank, which is then what counts (5.4, popup_sn). */
function eject(box: Box, { slot, bankId }: Told<'eject'>): Answer<'eject'> {
  if (bankId === undefined) return move('eject', box, slot)
  const found = banksOf(box).find((bank) => bank.bankId === bankId)
  return found ? move('eject', box, found.slot) : { kind: 'eject', slot: 0, bankId, ok: false, result: snNotFound }
}

const noApn = { valid: false, operator: '', apn: '', user: '', password: '' }

const usual: { [K in Kind]: (box: Box, command: Told<K>) => Answer<K> } = {
  eject,
  force_eject: (box, { slot }) => move('force_eject', box, slot),
  inventory: (box) => ({ kind: 'inventory', slots: box.slots, banks: banksOf(box) }),
  restart: () => ({ kind: 'restart' }),
  iccid: ({ iccid }) => ({ kind: 'iccid', iccid }),
  volume: ({ volume }) => ({ kind: 'volume', level: volume }),
  set_volume(box, { level }) {
    box.volume = level
    return { kind: 'set_volume', ok: true }
  },
  server_address: ({ server, nextServer }) => ({ kind: 'server_address', ...(nextServer ?? server) }),
  set_server_address(box, { host, port, heartbeatSeconds }) {
    box.nextServer = { host, port, heartbeatSeconds }
    return { kind: 'set_server_address' }
  },
  apn: ({ apns }, { index }) => ({ kind: 'apn', index, ...(apns.get(index) ?? noApn) }),
  set_apn(box, { kind, index, ...apn }) {
    box.apns.set(index, apn)
    return { kind, ok: true }
  },
  software_version: ({ version }) => ({ kind: 'software_version', version }),
}

/** All commands there are. */
export const commandKinds = Object.keys(usual) as Kind[]

/** A well-behaved cabinet: does what it is told and says so. Metal and answer in one. */
export function obey(box: Box, command: Command): Report {
  // The kind chose the behaviour, so the command is its own.
  return usual[command.kind](box, command as never)
}

/** One command through the overrides, first to last, and at the end to `last`. */
export async function behave(
  overrides: readonly Overrides[],
  command: Command,
  reach: Reach,
  last: () => Promise<Reply>,
): Promise<Reply> {
  const [first, ...others] = overrides
  if (!first) return await last()
  const next = () => behave(others, command, reach, last)
  const override = first[command.kind]
  // As in `obey`.
  return await (override ? override(command as never, next, reach) : next())
}
