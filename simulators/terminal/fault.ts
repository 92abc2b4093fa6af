import type { Command, Heard, Presented, Saying } from '../../protocol/terminal.ts'
import type { Result } from './behaviours.ts'

/** What a terminal says, its card with it. */
export type Speech = Saying<Presented>

/** What a fault may reach. */
export interface Reach {
  /** Hangs up; the terminal dials again. */
  drop(): void
  /** The line stays open and nothing is written any more, until the next dial. */
  hush(): void
  /** There is no line for so long. */
  away(milliseconds: number): void
  /** A message as this terminal's wire has it. @param code whose it pretends to be */
  frameOf(report: Speech, code?: string): Buffer
  /** An echo with a number of its own, ready to be written. */
  echo(): Buffer
  /** The same message with one field more: hex of its bytes. */
  withField(frame: Buffer, number: number, hex: string): Buffer
  wait(milliseconds: number): Promise<void>
  /** Does it after that long, unless the terminal is switched off before. */
  later(milliseconds: number, work: () => void): void
  /** Writes a frame once more, if there is a line. */
  repeat(frame: Buffer): void
}

/** One way to misbehave, added to a terminal that is otherwise well-behaved. */
export interface Fault {
  /** What is said in place of the truth. */
  says?(report: Speech): Speech
  /** What is written in place of one frame; each buffer is one write. Undefined: the frame as it is. */
  out?(frame: Buffer, report: Speech, reach: Reach): Buffer[] | undefined
  /** False: this answer is not heard. */
  hears?(answer: Heard): boolean
  /** What becomes of a command; undefined is silence. */
  obeys?(command: Command, usual: () => Promise<Result>, reach: Reach): Promise<Result | undefined>
  /** When it is turned on. */
  begins?(reach: Reach): void
  /** How long it waits for the answer to a sale. */
  answerMilliseconds?: number
  /** How far the terminal's clock is ahead. */
  clockMilliseconds?: number
}

/** A fault for one terminal, because some count. @throws RangeError no such value */
export type Maker = (value?: string) => Fault
