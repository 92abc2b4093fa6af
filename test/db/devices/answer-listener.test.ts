import { expect, test } from 'vitest'
import { answers } from '../../../db/devices/answer-listener.ts'
import { connect } from '../../../db/postgres/connect.ts'
import { settled } from '../../../db/powerbank/orders.ts'
import { testDb } from '../../postgres.ts'
import { act, ask, asked, expire, lists, next, says, scene, seen, send, travel } from '../world.ts'

const { db, url } = await testDb()
const ear = await answers(db)
const order = (id: number, waitMs: number) => settled({ db, answers: ear }, id, waitMs)
const LONG_MS = 15_000
/** Well under the second that a missed bell costs. */
const AT_ONCE_MS = 700

/** What somebody hears who waits while `happens`, and after how long. */
async function waited<T>(waiting: Promise<T>, happens: () => Promise<unknown>) {
  // The first look at the row is over when a query that was asked after it has been answered.
  await db.sql`select 1`
  await happens()
  const began = performance.now()
  const row = await waiting
  return { row, ms: performance.now() - began }
}

test('whoever waits for an order hears of the loan at once', async () => {
  const it = await scene(db)
  const { orderId } = await asked(db, it)
  const { row, ms } = await waited(order(orderId, LONG_MS), () => says(db, it.station, 1, it.bank.bankId))
  expect(row).toMatchObject({ id: orderId, status: 'borrow' })
  expect(ms).toBeLessThan(AT_ONCE_MS)
})

test('whoever waits for a command hears its answer at once', async () => {
  const it = await scene(db)
  const { commandId } = await asked(db, it)
  const { row, ms } = await waited(ear.command(commandId, LONG_MS), () => says(db, it.station, 1, it.bank.bankId))
  expect(row).toMatchObject({ id: commandId, status: 'answered', answer: { ok: true, bankId: it.bank.bankId } })
  expect(ms).toBeLessThan(AT_ONCE_MS)
})

test('what is settled already is heard without waiting', async () => {
  const it = await scene(db)
  const { orderId, commandId } = await asked(db, it)
  await says(db, it.station, 1, it.bank.bankId)
  expect((await order(orderId, 0)).status).toBe('borrow')
  expect((await ear.command(commandId, 0)).status).toBe('answered')
})

test('a refusal is heard when the slots have decided', async () => {
  const it = await scene(db)
  const { orderId } = await asked(db, it)
  const waiting = order(orderId, LONG_MS)
  await says(db, it.station, 1, null, { ok: false })
  const { row } = await waited(waiting, () => lists(db, it.station, [seen(1, it.bank)]))
  expect(row.status).toBe('cancelled')
})

test('a cabinet that is silent is heard as unknown, one that never took the command as cancelled', async () => {
  const [silent, away] = [await scene(db), await scene(db)]
  const sent = await asked(db, silent)
  const queued = await ask(db, away)
  const waiting = Promise.all([
    order(sent.orderId, LONG_MS),
    order(queued.orderId, LONG_MS),
    ear.command(sent.commandId, LONG_MS),
  ])
  const { row } = await waited(waiting, async () => {
    await travel(db, 16)
    await act(db, expire)
  })
  expect(row.map(({ status }) => status)).toEqual(['pending', 'cancelled', 'unknown'])
})

test('when the time is up the row is told as it stands', async () => {
  const it = await scene(db)
  const { orderId, commandId } = await ask(db, it)
  expect((await order(orderId, 30)).status).toBe('pending')
  expect((await ear.command(commandId, 30)).status).toBe('queued')
})

test('many may wait for the same, and others are not woken for them', async () => {
  const [one, other] = [await scene(db), await scene(db)]
  const [first, second] = [await asked(db, one), await asked(db, other)]
  let isOtherDone = false
  const waiting = Promise.all(Array.from({ length: 20 }, () => order(first.orderId, LONG_MS)))
  const others = order(second.orderId, LONG_MS).then(() => (isOtherDone = true))
  await waited(waiting, () => says(db, one.station, 1, one.bank.bankId))
  expect(isOtherDone).toBe(false)
  await says(db, other.station, 1, other.bank.bankId)
  await others
})

test('an answer is heard though the listener was killed in the moment of the bell', async () => {
  const name = `answers ${next()}`
  const own = connect(url, { applicationName: name })
  const heard = await answers(own)
  const it = await scene(db)
  const { orderId, commandId } = await ask(db, it)
  const waiting = settled({ db: own, answers: heard }, orderId, LONG_MS)
  await send(db, commandId)
  await db.sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = ${name} and query ilike 'listen%'`
  await says(db, it.station, 1, it.bank.bankId)
  expect((await waiting).status).toBe('borrow')
  await heard.close()
  await own.close()
})

test('to wait for what does not exist is a mistake that is told', async () => {
  await expect(order(999_999, 10)).rejects.toThrow('order 999999')
  await expect(ear.command(999_999, 10)).rejects.toThrow('command 999999')
})
