import { expect, onTestFinished, test } from 'vitest'
import * as ledger from '../../../db/ledger/ledger.ts'
import type { Acquirer } from '../../../db/paygo/acquirer.ts'
import { bookOf } from '../../../db/paygo/books.ts'
import { hearAll } from '../../../db/paygo/hear.ts'
import { settle } from '../../../db/paygo/settle.ts'
import type { TerminalMessage } from '../../../db/paygo/terminal-messages.ts'
import { openTill } from '../../../gateway/terminal/till.ts'
import { testDb } from '../../postgres.ts'
import { act } from '../world.ts'
import {
  advice,
  asks,
  hold,
  impatient,
  money,
  purchase,
  reversal,
  says,
  sentAt,
  terminal,
  totals,
  transactions,
} from './till.ts'
import { wrongs } from './till-audit.ts'

// Messages of different terminals in one transaction, and what the acquirer says of them in another.

const { db } = await testDb()
const acquirer = impatient(db)
const nobody = 4_000_000_000

/** A till that hears together what comes at once, and the answer to a message. */
async function tillWith(acquirer: Acquirer) {
  const logged: string[] = []
  const till = await openTill({ db, acquirer, log: (event) => void logged.push(event) })
  onTestFinished(till.close)
  const ask = async (terminalId: number, message: TerminalMessage) => {
    const { verdict, committed, later } = await till.handleTogether(terminalId, message, `F${terminalId}`)
    committed?.()
    return later ? await new Promise((answered) => later(answered)) : verdict
  }
  return { ask, logged }
}

test('whatever terminals say together means what it means alone', async () => {
  const tills = await Promise.all(Array.from({ length: 6 }, () => terminal(db)))
  const [buyer, undoer, completer, counter, offline, early] = tills as [number, number, number, number, number, number]
  await asks(db, undoer, purchase('000001'))
  await asks(db, completer, hold('000001'))
  await asks(db, counter, purchase('000001', 20_000))
  const said = [
    { terminalId: buyer, message: purchase('000002') },
    { terminalId: undoer, message: reversal('900002', { stan: '000001' }), frame: 'ABCD' },
    { terminalId: completer, message: advice('000002', 12_000, { original: { mti: '0100', stan: '000001', sentAt } }) },
    { terminalId: counter, message: totals('000002', { debits: 1, debitsMinor: 20_000 }) },
    { terminalId: offline, message: advice('000002', 30_000, { approval: 'OFF123' }) },
    { terminalId: early, message: reversal('900002', { stan: '000001' }) },
  ]
  const heard = await act(db, (tx) => hearAll(tx, said))
  expect(heard.map(({ answer }) => answer?.code)).toEqual([undefined, '00', '00', '00', '00', '00'])
  const told = heard.flatMap(({ told }) => told)
  expect(told).toHaveLength(4)
  const answers = await settle(db, acquirer, told)
  expect(answers).toMatchObject([{ terminalId: buyer, messageId: heard[0]!.messageId, answer: { code: '00' } }])
  const taken = await Promise.all(tills.map(async (till) => (await money(db, till)).books.taken))
  expect(taken).toEqual([15_000, 0, 12_000, 20_000, 30_000, 0])
  for (const till of tills) expect(await wrongs(db, till)).toEqual([])
  // Each event keeps the bytes that made it true, and nobody else's.
  const [undone] = await db.sql`
    select frame from events where kind = 'transaction.cancelled' and data->>'terminalId' = ${String(undoer)}`
  expect(undone).toEqual({ frame: 'ABCD' })
  // Said again, all of them and one that is new: each hears what it heard.
  const again = await act(db, (tx) => hearAll(tx, said))
  expect(again.map(({ messageId, told }) => ({ messageId, told }))).toEqual(
    heard.map(({ messageId }) => ({ messageId, told: [] })),
  )
})

test('a message that cannot be stored fails alone, whoever it comes with', async () => {
  const { ask } = await tillWith(acquirer)
  const tills = await Promise.all([terminal(db), terminal(db), terminal(db)])
  const answers = await Promise.allSettled([...tills, nobody].map((till) => ask(till, purchase('000001'))))
  expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'rejected'])
  expect(answers.slice(0, 3)).toMatchObject(tills.map(() => ({ value: { kind: 'answered', code: '00' } })))
  for (const till of tills) expect(await wrongs(db, till)).toEqual([])
})

test('an acquirer that is slow with one keeps none of the others waiting', async () => {
  const [slow, quick] = [await terminal(db), await terminal(db)]
  const { ask } = await tillWith({
    ...acquirer,
    limitMs: 60_000,
    tell: async (order) => (order.amountMinor === 12_300 ? new Promise<never>(() => {}) : await acquirer.tell(order)),
  })
  void ask(slow, purchase('000001', 12_300))
  expect(await ask(quick, purchase('000001'))).toMatchObject({ code: '00' })
  expect(await ask(quick, purchase('000002'))).toMatchObject({ code: '00' })
  expect(await transactions(db, slow)).toMatchObject([{ status: 'pending' }])
})

test('what cannot be booked is settled by nobody, and the others that the acquirer answers with it are', async () => {
  const tills = await Promise.all([terminal(db), terminal(db), terminal(db)])
  const said = tills.map((terminalId) => ({ terminalId, message: purchase('000001') }))
  const told = (await act(db, (tx) => hearAll(tx, said))).flatMap(({ told }) => told)
  // Somebody has used the key of the second one's posting for something else.
  const entries = { balance: 1, house: -1 }
  const forged = { ...bookOf(tills[1]!), key: `act ${told[1]} take`, kind: 'forged', entries, createdBy: null }
  await act(db, (tx) => ledger.post(tx, forged))
  const settled = await Promise.allSettled(told.map((actId) => settle(db, acquirer, [actId])))
  expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  const rows = await Promise.all(tills.map((till) => transactions(db, till)))
  expect(rows.flat().map(({ status }) => status)).toEqual(['completed', 'pending', 'completed'])
})

test('batches of the same terminals, heard and settled by several at once, wait for each other and end', async () => {
  const tills = await Promise.all(Array.from({ length: 8 }, () => terminal(db)))
  const round = async (n: number) => {
    const order = tills.map((_, at) => tills[(at * 3 + n) % tills.length]!)
    const stan = String(n + 1).padStart(6, '0')
    const heard = await act(db, (tx) =>
      hearAll(
        tx,
        order.map((terminalId) => ({ terminalId, message: purchase(stan) })),
      ),
    )
    await settle(
      db,
      acquirer,
      heard.flatMap(({ told }) => told),
    )
    await Promise.all(order.slice(0, 3).map((till) => says(db, till, reversal(`9${stan.slice(1)}`, { stan }))))
  }
  await Promise.all(Array.from({ length: 6 }, (_, n) => round(n)))
  for (const till of tills) expect(await transactions(db, till)).toHaveLength(6)
})
