import { expect, test } from 'vitest'
import { verify } from '../../../db/ledger/ledger-verify.ts'
import type { Acquirer, AcquirerState } from '../../../db/paygo/acquirer.ts'
import { answersOf } from '../../../db/paygo/answers.ts'
import { hear } from '../../../db/paygo/hear.ts'
import { refund } from '../../../db/paygo/payments.ts'
import { answered, settle, sweep } from '../../../db/paygo/settle.ts'
import { simulatedAcquirer } from '../../../db/paygo/simulated-acquirer.ts'
import type { TerminalMessage } from '../../../db/paygo/terminal-messages.ts'
import type { Db } from '../../../db/postgres/connect.ts'
import { testDb } from '../../postgres.ts'
import { actor } from '../world.ts'
import {
  advice,
  asks,
  exceptions,
  hold,
  impatient,
  money,
  overdue,
  purchase,
  reversal,
  says,
  terminal,
  totals,
  transactions,
} from './till.ts'
import { countedBy, KilledError, recover, wrongs } from './till-audit.ts'

const { db } = await testDb()
const acquirer = impatient(db)
const silent: Acquirer = {
  limitMs: 10,
  tell: async () => ({ result: 'silent' }),
  stateOf: async () => ({ known: 'silent' }),
}

test('a purchase whose process died before it was told is answered 68 by another, and not made', async () => {
  const till = await terminal(db)
  const { messageId } = await says(db, till, purchase('000001'))
  expect(await sweep(db, acquirer, 10)).toEqual([])
  await overdue(db)
  expect(await sweep(db, acquirer, 10)).toEqual([{ terminalId: till, messageId, answer: { code: '68' } }])
  expect(await transactions(db, till)).toMatchObject([{ status: 'cancelled', bookedMinor: 0 }])
  expect(await wrongs(db, till)).toEqual([])
})

test.each([
  ['is taken all the same', 30_000, 'completed', 30_000],
  ['is for people where it is declined', 30_051, 'failed', 0],
])(
  'what a terminal approved, whose process died before the acquirer was told, %s',
  async (_, amount, status, taken) => {
    const till = await terminal(db)
    await says(db, till, advice('000001', amount, { approval: 'OFF123' }))
    await recover(db, acquirer)
    expect(await transactions(db, till)).toMatchObject([{ status }])
    expect((await money(db, till)).books).toEqual({ taken, held: 0 })
    expect(await exceptions(db, till)).toHaveLength(taken === 0 ? 1 : 0)
  },
)

test('whoever waits in another process is rung', async () => {
  const till = await terminal(db)
  const rung: string[] = []
  const forget = await db.listen('terminal_answers', (payload) => void rung.push(payload))
  const { messageId, told } = await says(db, till, purchase('000001'))
  expect(await answersOf(db.sql, [messageId])).toEqual([])
  const answers = await settle(db, acquirer, told)
  await expect.poll(() => rung).toEqual([`${till}:${messageId}`])
  await forget()
  expect(await answersOf(db.sql, [messageId])).toEqual(answers)
})

test('an act is settled once, by five processes that know of it and five that find it', async () => {
  const till = await terminal(db)
  const { told } = await says(db, till, purchase('000001'))
  await overdue(db)
  const five = Array.from({ length: 5 })
  await Promise.all([...five.map(() => settle(db, acquirer, told)), ...five.map(() => sweep(db, acquirer, 10))])
  await recover(db, acquirer)
  expect(await wrongs(db, till)).toEqual([])
  expect(await transactions(db, till)).toHaveLength(1)
})

test('an answer said twice, or after all is settled, changes nothing', async () => {
  const till = await terminal(db)
  const said: Promise<unknown>[] = []
  const twice = simulatedAcquirer(db, {
    limitMs: 100,
    // Long after the silence is written, on a slow machine as well: until then a late answer is an answer.
    lateMs: 1_500,
    unasked: (number, reply) => void said.push(answered(db, twice, number, reply)),
  })
  expect(await asks(db, till, purchase('000001', 10_070), twice)).toMatchObject({ code: '00' })
  expect(await asks(db, till, purchase('000002', 10_069), twice)).toEqual({ code: '68' })
  await expect.poll(() => said, { timeout: 10_000 }).toHaveLength(2)
  await Promise.all(said)
  expect(await transactions(db, till)).toMatchObject([{ status: 'completed' }, { status: 'cancelled' }])
  expect(await wrongs(db, till)).toEqual([])
})

test('an approval that comes while nobody knows is reversed: the terminal was told 68', async () => {
  const till = await terminal(db)
  const { told } = await says(db, till, purchase('000001'))
  const { result: _, ...order } = { result: '', number: told[0]!, transactionId: (await transactions(db, till))[0]!.id }
  const reply = await acquirer.tell({
    ...{ ...order, act: 'purchase', amountMinor: 15_000, cardToken: null, cardFingerprint: null },
  })
  await settle(db, silent, told)
  expect(await transactions(db, till)).toMatchObject([{ status: 'pending', code: '68' }])
  if (reply.result === 'silent') throw new Error('it answers')
  await answered(db, acquirer, told[0]!, reply)
  expect(await transactions(db, till)).toMatchObject([{ status: 'cancelled', code: '68', act: null }])
  expect(await wrongs(db, till)).toEqual([])
})

test('what the acquirer says it has is not taken for an answer to what was told after the question', async () => {
  const till = await terminal(db)
  const { told } = await says(db, till, purchase('000001'))
  const { promise, resolve } = Promise.withResolvers<AcquirerState>()
  const slow: Acquirer = {
    limitMs: 10_000,
    tell: (order) => acquirer.tell(order).then(() => ({ result: 'silent' })),
    stateOf: () => promise,
  }
  const settling = settle(db, slow, told)
  const results = () => db.sql`
    select a.act, a.result from acquirer_acts a join transactions t on t.id = a.transaction_id
    where t.terminal_id = ${till} order by a.id`
  await expect.poll(results).toEqual([{ act: 'purchase', result: 'silent' }])
  // The approval comes after all and is reversed; who told that died with the answer.
  const dying: Acquirer = {
    ...slow,
    tell: (order) => acquirer.tell(order).then(() => Promise.reject(new KilledError())),
  }
  await expect(answered(db, dying, told[0]!, { result: 'approved' })).rejects.toThrow(KilledError)
  resolve({ known: 'reversed', amountMinor: 15_000, refundedMinor: 0 })
  await settling
  expect(await results()).toEqual([
    { act: 'purchase', result: 'approved' },
    { act: 'reverse', result: null },
  ])
  await recover(db, acquirer)
  expect(await results()).toEqual([
    { act: 'purchase', result: 'approved' },
    { act: 'reverse', result: 'approved' },
  ])
  expect(await wrongs(db, till)).toEqual([])
})

test('an acquirer that stays silent is asked again, each time later', async () => {
  const till = await terminal(db)
  await asks(db, till, purchase('000001'), silent)
  const due = async () => {
    const [row] = await db.sql<{ seconds: number }[]>`
      select round(extract(epoch from due_at - now()))::int as seconds from acquirer_acts a
      join transactions t on t.id = a.transaction_id where t.terminal_id = ${till}`
    return row!.seconds
  }
  const waits: number[] = [await due()]
  for (let round = 0; round < 3; round++) {
    await overdue(db)
    await sweep(db, silent, 10)
    waits.push(await due())
  }
  expect(waits).toEqual([60, 120, 240, 480])
  await recover(db, acquirer)
  expect(await wrongs(db, till)).toEqual([])
})

/** A process that dies before its step of that number: a transaction, or a word with the acquirer, there and back. */
function mortal(at: number) {
  let step = 0
  const live = () => {
    if (step++ >= at) throw new KilledError()
  }
  const mine: Db = {
    ...db,
    transaction: async (work, attempts) => {
      live()
      return await db.transaction(work, attempts)
    },
  }
  const theirs: Acquirer = {
    limitMs: 5_000,
    tell: async (order) => {
      live()
      const reply = await simulatedAcquirer(db).tell(order)
      live()
      return reply
    },
    stateOf: async (id) => {
      live()
      return await acquirer.stateOf(id)
    },
  }
  return { db: mine, acquirer: theirs, steps: () => step }
}

/** What a terminal says in a day, and what people refund meanwhile. */
const day: readonly TerminalMessage[] = [
  purchase('000001'),
  purchase('000002', 20_000),
  reversal('900001', { stan: '000002' }, 20_000),
  hold('000003'),
  advice('000004', 12_000, { original: { mti: '0100', stan: '000003', sentAt: '1128203107' } }),
  hold('000005'),
  reversal('900002', { mti: '0100', stan: '000005' }, 50_000),
  advice('000006', 30_000, { approval: 'OFF123' }),
  purchase('000007', 10_051),
]

async function live(till: number, process: ReturnType<typeof mortal>): Promise<void> {
  for (const message of day) {
    const { told } = await process.db.transaction((tx) => hear(tx, till, message))
    await settle(process.db, process.acquirer, told)
  }
  const [first] = await transactions(db, till)
  const about = { amountMinor: 5_000, reason: null, idempotencyKey: 'key', requestHash: 'hash' }
  const { told } = await process.db.transaction((tx) => refund(tx, actor(1), { transactionId: first!.id, ...about }))
  await settle(process.db, process.acquirer, told)
}

test('killed between any two steps, nothing is lost and nothing is done twice', { timeout: 120_000 }, async () => {
  const whole = mortal(Number.POSITIVE_INFINITY)
  const reference = await terminal(db)
  await live(reference, whole)
  const expected = await money(db, reference)
  expect(expected.books).toEqual({ taken: 15_000 + 12_000 + 30_000 - 5_000, held: 0 })
  let same = 0
  for (let at = 0; at < whole.steps(); at++) {
    const till = await terminal(db)
    await expect(live(till, mortal(at))).rejects.toThrow(KilledError)
    await recover(db, acquirer)
    expect(await wrongs(db, till)).toEqual([])
    // The terminal says the whole day again, as it does with what it has no answer to.
    const said = []
    for (const message of day) said.push({ message, answer: await asks(db, till, message) })
    await recover(db, acquirer)
    expect(await wrongs(db, till)).toEqual([])
    if ((await transactions(db, till)).every(({ code }) => code !== '68')) same++
    const answer = await asks(db, till, totals('800001', countedBy(said)))
    const [exception] = await db.sql`select 1 from payment_exceptions where terminal_id = ${till}`
    if (!exception) expect(answer).toEqual({ code: '00' })
  }
  expect(whole.steps()).toBeGreaterThan(25)
  expect(same).toBeGreaterThan(whole.steps() / 2)
})

test('books and transactions prove each other: a payment that was changed by hand is found', async () => {
  const till = await terminal(db)
  for (const message of day) await asks(db, till, message)
  expect((await verify(db)).broken).toBe(null)
  await db.sql`update transactions set booked_minor = 14_999 where terminal_id = ${till} and stan = '000001'`
  expect((await verify(db)).broken).toMatch(`terminal ${till} is not what the ledger says`)
})
