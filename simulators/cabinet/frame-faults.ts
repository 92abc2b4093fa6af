/** Faults of what is written, whatever it says. */
import type { Report } from '../../protocol/cabinet.ts'
import { durationOf } from '../options.ts'
import type { Reach } from './behaviours.ts'
import { type Fault, type Maker, saysOut, weighs } from './fault.ts'

/** A flapping link lives for so many frames after its login. */
export const flapFrames = 3

// With these two broken the link would not last long enough to see anything else.
const keepsLink = ({ kind }: Report) => kind === 'login' || kind === 'heartbeat'

/** A copy with one byte that is wrong. */
export const flipped = (frame: Buffer, at: number): Buffer => {
  const copy = Buffer.from(frame)
  copy[at]! ^= 0xff
  return copy
}
const tokenAt = 5

export function halfFrame(): Fault {
  let half = false
  return {
    out(frame, report, { hush }) {
      if (!weighs(report)) return undefined
      half = !half
      if (!half) return undefined
      hush()
      return [frame.subarray(0, frame.length >> 1)]
    },
  }
}

export function flap(): Fault {
  let frames = 0
  return {
    out(frame, { kind }, { drop }) {
      frames = kind === 'login' ? 0 : frames + 1
      // After the write: the frame itself is still sent.
      if (frames === flapFrames) queueMicrotask(drop)
      return [frame]
    },
  }
}

export function redelivery(): Fault {
  const said = new Set<string>()
  return {
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

export const twice: Maker = () => ({ out: (frame, report) => (weighs(report) ? [frame, frame] : undefined) })

export const badChecksum: Maker = () => ({
  out: (frame, report, { spoiled }) => (keepsLink(report) ? undefined : [spoiled(frame)]),
})

export const badToken: Maker = () => ({
  out: (frame, report) => (keepsLink(report) ? undefined : [flipped(frame, tokenAt)]),
})

export const glued: Maker = () => ({
  out(frame, report, { box, frameOf }) {
    if (!weighs(report)) return undefined
    const inventory = frameOf({ kind: 'inventory', slots: box.slots, banks: [...box.banks.values()] })
    return [Buffer.concat([frame, inventory, frameOf({ kind: 'heartbeat' })])]
  },
})

export const oddReturn: Maker = () => ({
  out: (frame, { kind }, { longer }) => (kind === 'returned' ? [longer(frame)] : undefined),
})

const repeated =
  (isMeant: (report: Report) => boolean): Maker =>
  (after = '1m') => {
    const milliseconds = durationOf(after)
    return {
      out(frame, report, { later, repeat }: Reach) {
        if (isMeant(report)) later(milliseconds, () => repeat(frame, report))
        return undefined
      },
    }
  }

export const answerAgain: Maker = repeated(saysOut)
export const returnAgain: Maker = repeated(({ kind }) => kind === 'returned')
