import fc from 'fast-check'

/** What somebody may try. Owners, keys and holds are small numbers, so that they meet again. */
export type Step =
  | { do: 'post'; owner: number; key: number; amount: number }
  | { do: 'transfer'; owner: number; to: number; key: number; amount: number }
  | { do: 'hold'; owner: number; key: number; amount: number }
  | { do: 'confirm'; key: number; amount: number | undefined }
  | { do: 'release'; key: number }
  | { do: 'reverse'; key: number; by: number }

export const owners = 3
const most = Number.MAX_SAFE_INTEGER

const owner = fc.nat({ max: owners - 1 })
const key = fc.nat({ max: 3 })
const amount = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 100 }) },
  { weight: 1, arbitrary: fc.constantFrom(0, -1, 0.5, most) },
)
/** Mostly much comes in, so that there is something to be moved. */
const either = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 100, max: 1_000 }) },
  { weight: 2, arbitrary: amount.map((n) => -n) },
  { weight: 1, arbitrary: amount },
)
const named = <T extends string>(name: T) => fc.constant(name)

/** Any step. */
export const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: named('post'), owner, key, amount: either }),
  fc.record({ do: named('transfer'), owner, to: owner, key, amount }),
  fc.record({ do: named('hold'), owner, key, amount }),
  fc.record({ do: named('confirm'), key, amount: fc.option(amount, { nil: undefined }) }),
  fc.record({ do: named('release'), key }),
  fc.record({ do: named('reverse'), key, by: key }),
)

type Accounts = Record<'balance' | 'held' | 'house' | 'clearing', number>
type Answer = 'done' | 'again' | 'not_found' | 'conflict' | 'invalid' | 'insufficient_funds' | 'idempotency_mismatch'

/** What a ledger is: accounts, and what was said under each key. */
export interface Model {
  accounts: Accounts[]
  said: Map<string, string>
  posted: Map<number, { owner: number; amount: number; isReversed: boolean }>
  held: Map<number, { owner: number; amount: number; end: string | null }>
}

export const model = (): Model => ({
  accounts: Array.from({ length: owners }, () => ({ balance: 0, held: 0, house: 0, clearing: 0 })),
  said: new Map(),
  posted: new Map(),
  held: new Map(),
})

/** Moves all of it, or says why not. */
function move({ accounts }: Model, moves: [owner: number, entries: Partial<Accounts>][]): Answer {
  for (const [owner, entries] of moves) {
    const sums = Object.entries(entries).map(
      ([name, n]) => [name, accounts[owner]![name as keyof Accounts] + n] as const,
    )
    if (sums.some(([name, sum]) => sum < 0 && (name === 'balance' || name === 'held'))) return 'insufficient_funds'
    if (sums.some(([, sum]) => Math.abs(sum) > most)) return 'invalid'
  }
  for (const [owner, entries] of moves)
    for (const [name, n] of Object.entries(entries)) accounts[owner]![name as keyof Accounts] += n
  return 'done'
}

/** Says something under a key. */
function say(to: Model, name: string, content: string, ...moves: Parameters<typeof move>[1]): Answer {
  const before = to.said.get(name)
  if (before !== undefined) return before === content ? 'again' : 'idempotency_mismatch'
  const answer = move(to, moves)
  if (answer === 'done') to.said.set(name, content)
  return answer
}

const good = (n: number) => Number.isSafeInteger(n) && n !== 0

function end(to: Model, key: number, taken: number, kind: string): Answer {
  const of = to.held.get(key)!
  const content = `${kind} ${taken}`
  if (of.end !== null) return of.end === content ? 'again' : 'conflict'
  const answer = move(to, [[of.owner, { held: -of.amount, house: taken, balance: of.amount - taken }]])
  if (answer === 'done') of.end = content
  return answer
}

/** What a ledger answers to a step, and what it holds then. */
export const foretell: { [K in Step['do']]: (to: Model, step: Step & { do: K }) => Answer } = {
  post(to, { owner, key, amount }) {
    if (!good(amount)) return 'invalid'
    const answer = say(to, `post ${key}`, `${owner} ${amount}`, [owner, { balance: amount, house: -amount }])
    if (answer === 'done') to.posted.set(key, { owner, amount, isReversed: false })
    return answer
  },
  transfer(to, { owner, to: other, key, amount }) {
    if (!good(amount) || amount < 0 || owner === other) return 'invalid'
    const moves: Parameters<typeof move>[1] = [
      [owner, { balance: -amount, clearing: amount }],
      [other, { balance: amount, clearing: -amount }],
    ]
    return say(to, `gift ${key}`, `${owner} ${other} ${amount}`, ...moves)
  },
  hold(to, { owner, key, amount }) {
    if (!good(amount) || amount < 0) return 'invalid'
    const answer = say(to, `hold ${key}`, `${owner} ${amount}`, [owner, { balance: -amount, held: amount }])
    if (answer === 'done') to.held.set(key, { owner, amount, end: null })
    return answer
  },
  confirm(to, { key, amount }) {
    const of = to.held.get(key)
    if (!of) return 'not_found'
    const taken = amount ?? of.amount
    return good(taken) && taken > 0 && taken <= of.amount ? end(to, key, taken, 'confirm') : 'invalid'
  },
  release: (to, { key }) => (to.held.has(key) ? end(to, key, 0, 'release') : 'not_found'),
  reverse(to, { key, by }) {
    const of = to.posted.get(key)
    if (!of) return 'not_found'
    if (!to.said.has(`undo ${by}`) && of.isReversed) return 'conflict'
    const answer = say(to, `undo ${by}`, `${key}`, [of.owner, { balance: -of.amount, house: of.amount }])
    if (answer === 'done') of.isReversed = true
    return answer
  },
}
