import type { Saying } from '../terminal.ts'
import { told } from './command.ts'
import type { AnyRequest, AnyTold } from './define.ts'
import { network } from './network.ts'
import { reversal, reversalAdvice } from './reversal.ts'
import { advice, authorisation, purchase } from './sale.ts'
import { totals } from './totals.ts'

/** Every pair of messages, by rising MTI. */
export const definitions: readonly (AnyRequest | AnyTold)[] = [
  authorisation,
  purchase,
  advice,
  reversal,
  reversalAdvice,
  totals,
  told,
  network,
]

const byMti = new Map(definitions.map((definition) => [definition.mti, definition]))

const answerBit = 0x10
const repeatBit = 0x01

/** True for the MTI of an answer: the third digit is odd. */
export const isAnswer = (mti: number): boolean => (mti & answerBit) !== 0
/** True where the last digit says that it is said again. */
export const isRepeat = (mti: number): boolean => (mti & repeatBit) !== 0
/** The MTI of the answer: that of the first time, also to a repeat (0401 is answered 0410). */
export const answerTo = (mti: number): number => (mti | answerBit) & ~repeatBit
/** As four digits. */
export const mtiText = (mti: number): string => mti.toString(16).padStart(4, '0')

/** The definition that a question, an answer or a repeat belongs to. */
export const definitionOf = (mti: number): AnyRequest | AnyTold | undefined => byMti.get(mti & ~answerBit & ~repeatBit)

/** The definition of what a terminal says. */
export function toSay({ kind, ...report }: Saying<unknown>): AnyRequest | AnyTold {
  if (kind === 'reversal' && 'isAdvice' in report) return reversalAdvice
  // There is one for every kind.
  return definitions.find(({ kinds }) => kinds.includes(kind))!
}

export { told }
