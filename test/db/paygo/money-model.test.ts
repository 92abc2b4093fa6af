import fc from 'fast-check'
import { expect, test } from 'vitest'
import { answersOf } from '../../../db/paygo/answers.ts'
import { endHold, refund } from '../../../db/paygo/payments.ts'
import { Refused } from '../../../db/paygo/refused.ts'
import { answered, settle, sweep } from '../../../db/paygo/settle.ts'
import { simulatedAcquirer } from '../../../db/paygo/simulated-acquirer.ts'
import type { TerminalMessage } from '../../../db/paygo/terminal-messages.ts'
import { testDb } from '../../postgres.ts'
import { act, actor } from '../world.ts'
import {
  advice,
  asks,
  hold,
  overdue,
  purchase,
  reversal,
  says,
  sentAt,
  terminal,
  totals,
  transactions,
} from './till.ts'
import { countedBy, type Fate, failing, KilledError, recover, wrongs } from './till-audit.ts'

const { db } = await testDb()
const willing = simulatedAcquirer(db, { limitMs: 5_000 })

const STANS = 6
const stan = fc.integer({ min: 1, max: STANS }).map((n) => String(n).padStart(6, '0'))
const amountMinor = fc.constantFrom(10_000, 10_000, 25_000, 10_051)
const original = fc.record({ mti: fc.constantFrom('0200', '0200', '0100', '0220'), stan, sentAt: fc.constant(sentAt) })

const message: fc.Arbitrary<TerminalMessage> = fc.oneof(
  { arbitrary: fc.tuple(stan, amountMinor).map(([stan, minor]) => purchase(stan, minor)), weight: 4 },
  { arbitrary: fc.tuple(stan, amountMinor).map(([stan, minor]) => hold(stan, minor)), weight: 2 },
  fc.tuple(stan, amountMinor).map(([stan, minor]) => advice(stan, minor, { approval: 'OFF123' })),
  {
    // The completions of a terminal have STANs of their own.
    arbitrary: fc
      .tuple(stan, stan, fc.constantFrom(4_000, 10_000))
      .map(([stan, about, minor]) =>
        advice(`7${stan.slice(1)}`, minor, { original: { mti: '0100', stan: about, sentAt } }),
      ),
    weight: 2,
  },
  {
    arbitrary: fc
      .tuple(stan, original, amountMinor)
      .map(([stan, of, minor]) => reversal(`9${stan.slice(1)}`, of, minor)),
    weight: 4,
  },
)

/** One thing that happens. `isLeft`: the process dies once the message is stored. */
type Step =
  | { kind: 'says'; message: TerminalMessage; isLeft: boolean }
  | { kind: 'both'; messages: [TerminalMessage, TerminalMessage] }
  | { kind: 'refund'; at: number; amountMinor: number; beside: TerminalMessage | null }
  | { kind: 'house'; at: number; amountMinor: number; beside: TerminalMessage | null }
  | { kind: 'late'; at: number }
  | { kind: 'sweep' }

const step: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: fc.record({ kind: fc.constant('says' as const), message, isLeft: fc.boolean() }), weight: 6 },
  {
    arbitrary: fc
      .oneof(
        fc.tuple(message, message),
        message.map((one): [TerminalMessage, TerminalMessage] => [one, one]),
      )
      .map((messages) => ({ kind: 'both' as const, messages })),
    weight: 3,
  },
  {
    arbitrary: fc.record({
      kind: fc.constant('refund' as const),
      at: fc.nat(10),
      amountMinor: fc.constantFrom(4_000, 10_000),
      beside: fc.option(message),
    }),
    weight: 2,
  },
  fc.record({
    kind: fc.constant('house' as const),
    at: fc.nat(10),
    amountMinor: fc.constantFrom(0, 4_000),
    beside: fc.option(message),
  }),
  fc.record({ kind: fc.constant('late' as const), at: fc.nat(10) }),
  fc.constant({ kind: 'sweep' as const }),
)

const fate = fc.oneof(
  { arbitrary: fc.constant<Fate>('answers'), weight: 6 },
  fc.constantFrom<Fate>('lost', 'unanswered', 'late', 'dies before', 'dies after'),
)

const unlessKilled = async (done: Promise<unknown>) => {
  await done.catch((error) => {
    if (!(error instanceof KilledError)) throw error
  })
}

/** A terminal, people who refund, and processes that die; what was said, for the terminal's own counting. */
async function play(till: number, steps: readonly Step[], fates: readonly Fate[]) {
  const { acquirer, late } = failing(willing, fates)
  const said = new Map<number, TerminalMessage>()
  const say = async (message: TerminalMessage, isLeft = false) => {
    const { messageId, answer, told } = await says(db, till, message)
    // Under a STAN that it has used for something else it has said nothing.
    if (answer?.code !== '94') said.set(messageId, message)
    if (!isLeft) await settle(db, acquirer, told)
  }
  const give = async (at: number, amountMinor: number) => {
    const rows = await transactions(db, till)
    if (rows.length === 0) return
    const about = { amountMinor, reason: null, idempotencyKey: null, requestHash: null }
    const wanted = { transactionId: rows[at % rows.length]!.id, ...about }
    const { told } = await act(db, (tx) => refund(tx, actor(1), wanted)).catch((error) => {
      if (!(error instanceof Refused)) throw error
      return { told: [] }
    })
    await settle(db, acquirer, told)
  }
  /** The house ends a hold by itself. */
  const endOne = async (at: number, amountMinor: number) => {
    const rows = await transactions(db, till)
    if (rows.length > 0)
      await settle(db, acquirer, await act(db, (tx) => endHold(tx, rows[at % rows.length]!.id, amountMinor)))
  }
  const take = async (step: Step): Promise<unknown> => {
    if (step.kind === 'says') return await say(step.message, step.isLeft)
    if (step.kind === 'both') return await bothOf(step.messages.map((message) => say(message)))
    if (step.kind === 'refund')
      return await bothOf([give(step.at, step.amountMinor), ...(step.beside ? [say(step.beside)] : [])])
    if (step.kind === 'house')
      return await bothOf([endOne(step.at, step.amountMinor), ...(step.beside ? [say(step.beside)] : [])])
    if (step.kind === 'late') {
      const [one] = late.splice(step.at % Math.max(late.length, 1), 1)
      return one && (await answered(db, acquirer, one.number, one.reply))
    }
    await overdue(db)
    return await sweep(db, acquirer, 10)
  }
  for (const step of steps) await unlessKilled(take(step))
  return said
}

/** What it said, and was answered in the end. */
async function heard(said: ReadonlyMap<number, TerminalMessage>) {
  const answers = await answersOf(db.sql, [...said.keys()])
  return answers.map(({ messageId, answer }) => ({ message: said.get(messageId)!, answer }))
}

/** Both end before anything else happens. */
async function bothOf(done: Promise<unknown>[]): Promise<void> {
  const ended = await Promise.allSettled(done)
  for (const one of ended) if (one.status === 'rejected') throw one.reason
}

test('whatever is lost, late, doubled, at once or killed, rows, books and acquirer say the same', {
  timeout: 300_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 5, maxLength: 30, size: 'max' }),
      fc.array(fate, { minLength: 1, maxLength: 12 }),
      async (steps, fates) => {
        const till = await terminal(db)
        const said = await play(till, steps, fates)
        await recover(db, willing)
        expect(await wrongs(db, till)).toEqual([])
        const [exception] = await db.sql`select 1 from payment_exceptions where terminal_id = ${till}`
        // Where people have to look, terminal and host may have counted otherwise.
        if (exception) return
        expect(await asks(db, till, totals('800001', countedBy(await heard(said))), willing)).toEqual({ code: '00' })
      },
    ),
    { numRuns: 40, endOnFailure: true },
  )
})
