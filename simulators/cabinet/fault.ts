import type { Acknowledgement, Command, Report } from '../../protocol/cabinet.ts'
import type { Overrides, Reach } from './behaviours.ts'

/** What comes down. */
export type Told = Command | Acknowledgement

/** One way to misbehave, added to a cabinet that is otherwise well-behaved. */
export interface Fault {
  /** What becomes of a command. */
  on?: Overrides
  /** What is heard in place of what was told. */
  hears?(words: Told): Told
  /** What is said in place of the truth. */
  says?(report: Report, reach: Reach): Report
  /** What is written in place of one frame; each buffer is one write. Undefined: the frame as it is. */
  out?(frame: Buffer, report: Report, reach: Reach): Buffer[] | undefined
  /** When it is turned on while the cabinet runs. */
  begins?(reach: Reach): void
  /** From a movement on nothing comes down for so long; then all of it does, unless the link has ended by then. */
  stallMilliseconds?: number
  /** How far the cabinet's clock is ahead. */
  clockSeconds?: number
}

/** A fault for one cabinet, because some count. @throws RangeError no such value */
export type Maker = (value?: string) => Fault

// What moves metal or money: the frames whose loss or repetition a server must survive.
/** Whether a report is a return, or the answer to a movement. */
export const weighs = ({ kind }: Report): boolean => kind === 'returned' || isAnswer(kind)

const isAnswer = (kind: Report['kind']) => kind === 'eject' || kind === 'force_eject'

/** Whether a report says that a bank went out. */
export const saysOut = (report: Report): report is Extract<Report, { kind: 'eject' | 'force_eject' }> =>
  (report.kind === 'eject' || report.kind === 'force_eject') && report.ok
