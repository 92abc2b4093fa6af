import fc from 'fast-check'
import { expect, test } from 'vitest'
import * as ledger from '../../../db/ledger/ledger.ts'
import * as holds from '../../../db/ledger/ledger-holds.ts'
import { verify } from '../../../db/ledger/ledger-verify.ts'
import { Refused } from '../../../db/platform/refused.ts'
import type { Tx } from '../../../db/postgres/connect.ts'
import { testDb } from '../../postgres.ts'
import { act, next } from '../world.ts'
import { foretell, model, owners, type Step, step } from './ledger-model.ts'
import { purse } from './purse.ts'

const { db } = await testDb()
const histories = 40
const [stepsMin, stepsMax] = [15, 35]
const by = { createdBy: null }

/** A history in which every verb does something, and is repeated. */
const everything: [Step, twice: boolean][] = [
  [{ do: 'post', owner: 0, key: 0, amount: 500 }, true],
  [{ do: 'post', owner: 0, key: 1, amount: 300 }, true],
  [{ do: 'transfer', owner: 0, to: 1, key: 0, amount: 50 }, true],
  [{ do: 'hold', owner: 0, key: 0, amount: 100 }, true],
  [{ do: 'confirm', key: 0, amount: 40 }, true],
  [{ do: 'hold', owner: 1, key: 1, amount: 10 }, true],
  [{ do: 'release', key: 1 }, true],
  [{ do: 'reverse', key: 1, by: 0 }, true],
]

/** Owners that nobody has yet, and the real verbs for the steps of a model. */
function stage() {
  const purses = Array.from({ length: owners }, () => purse(db))
  const round = next()
  const ids = new Map<number, number>()
  const at = (n: number) => ({ owner: purses[n]!.owner, unit: 'points' as const })
  const key = (kind: string, n: number) => `${kind} ${round} ${n}`

  const verbs: { [K in Step['do']]: (tx: Tx, step: Step & { do: K }) => Promise<ledger.Posted> } = {
    async post(tx, { owner, key: n, amount }) {
      const posted = await ledger.post(tx, purses[owner]!.moving(amount, { key: key('post', n) }))
      ids.set(n, posted.id)
      return posted
    },
    async transfer(tx, { owner, to, key: n, amount }) {
      const gift = { from: at(owner).owner, to: at(to).owner, unit: 'points', kind: 'gift', ...by } as const
      return (await ledger.transfer(tx, { ...gift, amount, key: key('gift', n) }))[0]
    },
    hold: (tx, { owner, key: n, amount }) => holds.hold(tx, { ...at(owner), ...by, amount, key: key('hold', n) }),
    confirm: (tx, { key: n, amount }) =>
      holds.confirm(tx, key('hold', n), { ...by, ...(amount === undefined ? {} : { amount }) }),
    release: (tx, { key: n }) => holds.release(tx, key('hold', n), by),
    reverse: (tx, { key: n, by: undo }) => ledger.reverse(tx, ids.get(n) ?? 0, { ...by, key: key('undo', undo) }),
  }

  /** What the ledger answers to a step. */
  const answer = (one: Step): Promise<string> =>
    // Each verb takes its own kind of step.
    act(db, (tx) => verbs[one.do](tx, one as never)).then(
      ({ repeated }) => (repeated ? 'again' : 'done'),
      (error: unknown) => {
        if (error instanceof Refused) return error.code
        throw error
      },
    )
  return { purses, answer }
}

test('whatever is tried in whatever order, the ledger answers and holds what a simple model of it says', async () => {
  const answered = new Set<string>()
  const live = async (said: [Step, twice: boolean][]) => {
    const steps = said.flatMap(([one, twice]) => (twice ? [one, one] : [one]))
    const { purses, answer } = stage()
    const expected = model()
    for (const one of steps) {
      const said = await answer(one)
      expect([one, said]).toEqual([one, foretell[one.do](expected, one as never)])
      answered.add(`${one.do} ${said}`)
    }
    for (const [n, { balance }] of purses.entries()) {
      const accounts = ['balance', 'held', 'house', 'clearing'] as const
      const found = await Promise.all(accounts.map(async (name) => [name, await balance(name)]))
      expect(Object.fromEntries(found)).toEqual(expected.accounts[n])
    }
  }
  const history = fc.array(fc.tuple(step, fc.boolean()), { minLength: stepsMin, maxLength: stepsMax })
  await fc.assert(fc.asyncProperty(history, live), { numRuns: histories, examples: [[everything]] })
  // The histories have been somewhere.
  for (const verb of Object.keys(foretell))
    expect([...answered]).toEqual(expect.arrayContaining([`${verb} done`, `${verb} again`]))
  expect(await verify(db)).toMatchObject({ broken: null })
}, 60_000)
