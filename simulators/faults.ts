import type { Report } from '../protocol/cabinet.ts'
import type { Overrides, Reach, Reply } from './behaviours.ts'

/** Longer than any server waits for an answer (cabinet-protocol section 4: 15 s). */
const lateMilliseconds = 20_000
/** A flapping link lives for so many frames after its login. */
const flapFrames = 3

/** One way to misbehave, added to a cabinet that is otherwise well-behaved. */
export interface Fault {
  doc: string
  /** What becomes of a command. */
  on?: Overrides
  /** What is written in place of one frame; each buffer is one write. Undefined: the frame as it is. */
  out?(frame: Buffer, report: Report, reach: Reach): Buffer[] | undefined
}

const commands = [
  'eject',
  'force_eject',
  'inventory',
  'restart',
  'iccid',
  'volume',
  'set_volume',
  'server_address',
  'set_server_address',
  'apn',
  'set_apn',
  'software_version',
] as const

type Any = (command: { kind: (typeof commands)[number] }, usual: () => Promise<Reply>, reach: Reach) => Promise<Reply>

const every = (take: Any): Overrides => Object.fromEntries(commands.map((kind) => [kind, take]))
const movements = (take: Any): Overrides => ({ eject: take, force_eject: take })

// What moves metal or money: the frames whose loss or repetition a server must survive.
const weighs = ({ kind }: Report) => kind === 'returned' || kind === 'eject' || kind === 'force_eject'
// With these two broken the link would not last long enough to see anything else.
const keepsLink = ({ kind }: Report) => kind === 'login' || kind === 'heartbeat'

const flipped = (frame: Buffer, at: number): Buffer => {
  const copy = Buffer.from(frame)
  copy[at]! ^= 0xff
  return copy
}
const checksumAt = 4
const tokenAt = 5

/** Another bank of the same make: one that this cabinet does not hold. */
const another = (bankId: string | null) => (bankId === null ? null : `${bankId.slice(0, 8)}EEEEEE${bankId.slice(14)}`)

function halfFrame(): Fault {
  let half = false
  return {
    doc: 'every other answer to a movement, or return, breaks off in the middle and the link hangs',
    out(frame, report, { hush }) {
      if (!weighs(report)) return undefined
      half = !half
      if (!half) return undefined
      hush()
      return [frame.subarray(0, frame.length >> 1)]
    },
  }
}

function flap(): Fault {
  let frames = 0
  return {
    doc: `the link drops after ${flapFrames} frames, again and again`,
    out(frame, { kind }, { drop }) {
      frames = kind === 'login' ? 0 : frames + 1
      // After the write: the frame itself is still sent.
      if (frames === flapFrames) queueMicrotask(drop)
      return [frame]
    },
  }
}

/** Every fault by its name; each call makes one for one cabinet, because some count. */
export const faults = {
  silent: () => ({ doc: 'hears commands, does nothing, says nothing', on: every(async () => undefined) }),
  mute: () => ({
    doc: 'does what it is told and says nothing',
    on: every(async (_, usual) => void (await usual())),
  }),
  late: () => ({
    doc: `does what it is told and says so ${lateMilliseconds / 1000} s later`,
    on: every(async (_, usual, { wait }) => {
      const reply = await usual()
      await wait(lateMilliseconds)
      return reply
    }),
  }),
  twice: () => ({
    doc: 'answers to movements and returns are sent twice',
    out: (frame, report) => (weighs(report) ? [frame, frame] : undefined),
  }),
  'wrong-id': () => ({
    doc: 'ejects the right bank and names another',
    on: movements(async (_, usual) => {
      const reply = await usual()
      return reply && 'bankId' in reply ? { ...reply, bankId: another(reply.bankId) } : reply
    }),
  }),
  'half-frame': halfFrame,
  'bad-checksum': () => ({
    doc: 'a wrong checksum on everything but login and heartbeat',
    out: (frame, report) => (keepsLink(report) ? undefined : [flipped(frame, checksumAt)]),
  }),
  'bad-token': () => ({
    doc: 'a wrong token on everything but login and heartbeat (means nothing in TCP-A)',
    out: (frame, report) => (keepsLink(report) ? undefined : [flipped(frame, tokenAt)]),
  }),
  glued: () => ({
    doc: 'answers to movements and returns come in one write with an inventory and a heartbeat',
    out(frame, report, { box, frameOf }) {
      if (!weighs(report)) return undefined
      const inventory = frameOf({ kind: 'inventory', slots: box.slots, banks: [...box.banks.values()] })
      return [Buffer.concat([frame, inventory, frameOf({ kind: 'heartbeat' })])]
    },
  }),
  jam: () => ({
    doc: 'every slot is jammed: an eject is refused',
    on: {
      eject: ({ slot }, _, { box }) => refused('eject', slot, box.banks.get(slot)?.bankId),
      force_eject: ({ slot }, _, { box }) => refused('force_eject', slot, box.banks.get(slot)?.bankId),
    },
  }),
  'drop-after-command': () => ({
    doc: 'the bank goes out and the link drops before the answer',
    on: movements(async (_, usual, { drop }) => {
      await usual()
      drop()
      return undefined
    }),
  }),
  flap,
} satisfies Record<string, () => Fault>

const refused = (kind: 'eject' | 'force_eject', slot: number, bankId: string | undefined): Report => ({
  kind,
  slot,
  bankId: bankId ?? null,
  ok: false,
  result: 0,
})

export type FaultName = keyof typeof faults

/** The names, as the command line offers them. */
export const faultNames = Object.keys(faults) as FaultName[]

/** Whether a word is the name of a fault. */
export const isFault = (name: string): name is FaultName => Object.hasOwn(faults, name)
