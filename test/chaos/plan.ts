import { type Dice, dice } from './dice.ts'
import { doubtSteps, lookSteps, type Step, steps } from './steps.ts'

/** Where to kill. */
export interface Target {
  step: Step
  /** Which time it is met. */
  nth: number
}

/** What one run will do; follows from its seed alone. */
export interface Plan {
  seed: number
  first: Target
  /** Killed again while it mends the first kill. */
  second: Target | null
  /** On the embedded database the killed process is its owner; with a power cut the database is killed as well. */
  database: 'own server' | 'embedded' | 'power cut'
}

/** Met when an old return is said again and its bank is going out already. */
const anewSteps = steps.filter(({ name }) =>
  ['eject heard, motor turning', 'eject answer on the wire', 'return answer on the wire'].includes(name),
)

/** Seeds in a row take the steps in turn; every round is of another kind. */
export function planOf(seed: number): Plan {
  const die = dice(seed)
  const step = steps[seed % steps.length]!
  const round = Math.floor(seed / steps.length)
  const first = { step, nth: die.whole(1, step.of === 'borrow' ? 4 : 2) }
  const plan = { seed, first, second: null, database: 'own server' } as const
  if (round % 3 === 0) return plan
  // There the wire of the database is not ours to tap.
  if (round % 3 === 1 && step.wire !== 'database')
    return { ...plan, database: die.chance(0.5) ? 'embedded' : 'power cut' }
  return { ...plan, second: { step: die.pick(secondOf(step, die)), nth: die.whole(1, 2) } }
}

/** While a doubt is looked into, while a bank that just came back is lent anew, or while the cabinets log in. */
function secondOf({ leavesDoubt, of }: Step, die: Dice): readonly Step[] {
  if (leavesDoubt) return die.chance(0.5) ? doubtSteps : lookSteps
  return of === 'return' ? anewSteps : lookSteps
}
