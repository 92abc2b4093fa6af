import type { Command, Report } from '../../protocol/cabinet.ts'
import { commandKinds, type Overrides, type Reach, type Reply } from './behaviours.ts'
import type { Family } from './box.ts'

/** Longer than any server waits for an answer (docs/protocol.md 4: 15 s). */
const lateMilliseconds = 20_000
/** A flapping link lives for so many frames after its login. */
const flapFrames = 3

/** One way to misbehave, added to a cabinet that is otherwise well-behaved. */
export interface Fault {
  doc: string
  /** The only wire that can have it; both unless told. */
  only?: Family
  /** What becomes of a command. */
  on?: Overrides
  /** What is written in place of one frame; each buffer is one write. Undefined: the frame as it is. */
  out?(frame: Buffer, report: Report, reach: Reach): Buffer[] | undefined
}

type Any = (command: Command, usual: () => Promise<Reply>, reach: Reach) => Promise<Reply>

const every = (take: Any): Overrides => Object.fromEntries(commandKinds.map((kind) => [kind, take]))
const movements = (take: Any): Overrides => ({ eject: take, force_eject: take })

// What moves metal or money: the frames whose loss or repetition a server must survive.
const weighs = ({ kind }: Report) => kind === 'returned' || kind === 'eject' || kind === 'force_eject'
// With these two broken the link would not last long enough to see anything else.
const keepsLink = ({ kind }: Report) => kind === 'login' || kind === 'heartbeat'

/** A copy with one byte that is wrong. */
export const flipped = (frame: Buffer, at: number): Buffer => {
  const copy = Buffer.from(frame)
  copy[at]! ^= 0xff
  return copy
}
const tokenAt = 5

/** Another bank of the same make: one that this cabinet does not hold. */
function another(bankId: string | null) {
  if (bankId === null) return null
  const [from, kept] = [bankId.length >> 1, bankId.length >> 3]
  return bankId.slice(0, from) + 'E'.repeat(from - kept) + bankId.slice(-kept)
}

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

function redelivery(): Fault {
  const said = new Set<string>()
  return {
    doc: 'answers to movements and returns lose their link before the acknowledgement and are said again by the next',
    out(frame, report, { drop, again }) {
      if (!weighs(report)) return undefined
      const once = frame.toString('hex')
      // Its repetition goes through.
      if (said.delete(once)) return undefined
      // Returns are said until they are acknowledged, as they are.
      if (report.kind === 'returned') said.add(once)
      else again(frame, report)
      queueMicrotask(drop)
      return [frame]
    },
  }
}

/** A switch of the cabinet itself, which asks for it by name. */
const own = (doc: string) => (): Fault => ({ doc, only: 'mqtt' })

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
    out: (frame, report, { spoiled }) => (keepsLink(report) ? undefined : [spoiled(frame)]),
  }),
  'bad-token': () => ({
    only: 'tcp',
    doc: 'a wrong token on everything but login and heartbeat (means nothing in TCP-A)',
    out: (frame, report) => (keepsLink(report) ? undefined : [flipped(frame, tokenAt)]),
  }),
  glued: () => ({
    only: 'tcp',
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
      eject: ({ slot, bankId }, _, { box }) => refused('eject', slot, bankId ?? box.banks.get(slot)?.bankId),
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
  redelivery,
  'ignores-ttl': own('ejects however old the command is, as some firmware does'),
  'wants-timestamp': own('refuses pop-ups that do not say when they were given (state 0x87)'),
  'unheard-echo': own('never hears its heartbeats come back: reboots after two'),
  'http-return': own('a successful return is said over HTTP as well'),
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

/**
 * A fault for one cabinet.
 * @throws RangeError its wire cannot have it
 */
export function faultOf(name: FaultName, family: Family): Fault {
  const fault: Fault = faults[name]()
  if (fault.only !== undefined && fault.only !== family)
    throw new RangeError(`${name} is a fault of ${fault.only.toUpperCase()} cabinets`)
  return fault
}
