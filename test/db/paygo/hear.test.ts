import { expect, test } from 'vitest'
import { settle } from '../../../db/paygo/settle.ts'
import { dayOf } from '../../../db/paygo/terminal-messages.ts'
import { testDb } from '../../postgres.ts'
import { person } from '../world.ts'
import {
  advice,
  asks,
  events,
  exceptions,
  hold,
  impatient,
  money,
  purchase,
  reversal,
  says,
  terminal,
  totals,
  transactions,
} from './till.ts'

const { db } = await testDb()
const bothHave = (taken: number, held = 0) => ({ books: { taken, held }, acquirer: { taken, held } })

test('a purchase is told, booked and answered with its receipt', async () => {
  const till = await terminal(db)
  const answer = await asks(db, till, purchase('000001'))
  expect(answer).toEqual({ code: '00', approval: expect.any(String), rrn: expect.stringMatching(/^\d{12}$/) })
  expect(await transactions(db, till)).toMatchObject([
    { status: 'completed', code: '00', rrn: answer!.rrn, bookedMinor: 15_000 },
  ])
  expect(await money(db, till)).toEqual(bothHave(15_000))
})

test('said again it hears the same and is booked once; said otherwise under its STAN it is a mistake', async () => {
  const till = await terminal(db)
  const first = await asks(db, till, purchase('000001'))
  expect(await asks(db, till, purchase('000001'))).toEqual(first)
  expect(await asks(db, till, purchase('000001', 20_000))).toEqual({ code: '94' })
  expect(await asks(db, till, purchase('000001', 15_000, { sentAt: '1128203108' }))).toEqual({ code: '94' })
  expect(await money(db, till)).toEqual(bothHave(15_000))
})

test('the same STAN of another day, or of another terminal, is another purchase', async () => {
  const [till, other] = [await terminal(db), await terminal(db)]
  await asks(db, till, purchase('000001'))
  expect(await asks(db, till, purchase('000001', 15_000, { localDate: '1129' }))).toMatchObject({ code: '00' })
  expect(await asks(db, other, purchase('000001'))).toMatchObject({ code: '00' })
  expect(await money(db, till)).toEqual(bothHave(30_000))
})

test.each([
  ['1231', '2027-01-01T00:10:00Z', '2026-12-31'],
  ['0101', '2026-12-31T23:50:00Z', '2027-01-01'],
  ['0229', '2028-03-01T00:00:00Z', '2028-02-29'],
  ['0229', '2026-03-01T12:00:00Z', '2026-03-01'],
])('the day %s heard at %s is %s', (localDate, now, day) => {
  expect(dayOf(purchase('000001', 1, { localDate }), new Date(now))).toBe(day)
})

test('twenty at once are one purchase', async () => {
  const till = await terminal(db)
  const answers = await Promise.all(Array.from({ length: 20 }, () => says(db, till, purchase('000001'))))
  expect(new Set(answers.map(({ messageId }) => messageId)).size).toBe(1)
  expect(answers.flatMap(({ told }) => told)).toHaveLength(1)
})

test.each(['05', '51', '54', '55', '58', '61', '96'])('an amount that ends in %s is declined with it', async (code) => {
  const till = await terminal(db)
  expect(await asks(db, till, purchase('000001', 10_000 + Number(code)))).toEqual({ code })
  expect(await transactions(db, till)).toMatchObject([{ status: 'failed', code, bookedMinor: 0, act: null }])
  expect(await money(db, till)).toEqual(bothHave(0))
})

test.each([68, 69])('an amount that ends in %i is answered 68, and reversed by itself', async (cents) => {
  const till = await terminal(db)
  expect(await asks(db, till, purchase('000001', 10_000 + cents))).toEqual({ code: '68' })
  expect(await transactions(db, till)).toMatchObject([{ status: 'cancelled', code: '68', bookedMinor: 0, act: null }])
  expect(await money(db, till)).toEqual(bothHave(0))
})

test('a reversal gives back, said twice and ten times at once it gives back once', async () => {
  const till = await terminal(db)
  await asks(db, till, purchase('000001'))
  await asks(db, till, purchase('000002'))
  const back = reversal('900001', { stan: '000001' })
  const heard = await Promise.all(Array.from({ length: 10 }, () => says(db, till, back)))
  expect(heard.map(({ answer }) => answer)).toEqual(heard.map(() => ({ code: '00' })))
  const told = heard.flatMap(({ told }) => told)
  expect(told).toHaveLength(1)
  await settle(db, impatient(db), told)
  expect(await asks(db, till, back)).toEqual({ code: '00' })
  expect(await asks(db, till, reversal('900002', { stan: '000001' }))).toEqual({ code: '00' })
  expect(await money(db, till)).toEqual(bothHave(15_000))
  expect(await transactions(db, till)).toMatchObject([{ status: 'cancelled', code: '00' }, { status: 'completed' }])
})

test('a repetition of a reversal may have been sent later', async () => {
  const till = await terminal(db)
  await asks(db, till, purchase('000001'))
  const back = reversal('900001', { stan: '000001' })
  const { messageId } = await says(db, till, back)
  const again = await says(db, till, { ...back, sentAt: '1128203137' })
  expect(again).toMatchObject({ messageId, answer: { code: '00' }, told: [] })
})

test('a reversal of another amount is refused', async () => {
  const till = await terminal(db)
  await asks(db, till, purchase('000001'))
  expect(await asks(db, till, reversal('900001', { stan: '000001' }, 14_999))).toEqual({ code: '13' })
  expect(await money(db, till)).toEqual(bothHave(15_000))
})

test('a purchase that comes after its reversal is booked nowhere', async () => {
  const till = await terminal(db)
  expect(await asks(db, till, reversal('900001', { stan: '000001' }))).toEqual({ code: '00' })
  expect(await asks(db, till, purchase('000001'))).toEqual({ code: '21' })
  expect(await transactions(db, till)).toEqual([])
})

test('a purchase that is reversed under way hears 21, and its approval goes straight back', async () => {
  const till = await terminal(db)
  const waiting = await says(db, till, purchase('000001'))
  const back = await says(db, till, reversal('900001', { stan: '000001' }))
  expect(back).toMatchObject({
    answer: { code: '00' },
    told: [],
    answers: [{ terminalId: till, messageId: waiting.messageId, answer: { code: '21' } }],
  })
  await settle(db, impatient(db), waiting.told)
  expect(await transactions(db, till)).toMatchObject([{ status: 'cancelled', code: '21', bookedMinor: 0, act: null }])
  expect(await money(db, till)).toEqual(bothHave(0))
})

test('a purchase and its reversal at once never leave money behind', async () => {
  const till = await terminal(db)
  for (let n = 1; n <= 8; n++) {
    const stan = `00000${n}`
    const ended = await Promise.all([asks(db, till, purchase(stan)), asks(db, till, reversal(`90000${n}`, { stan }))])
    expect(ended[1]).toEqual({ code: '00' })
  }
  expect(await money(db, till)).toEqual(bothHave(0))
})

test('a deposit is held; its completion takes what is due and lets the rest go', async () => {
  const till = await terminal(db)
  const { rrn } = (await asks(db, till, hold('000001')))!
  expect(await money(db, till)).toEqual(bothHave(0, 50_000))
  expect(await asks(db, till, advice('000002', 12_000, { rrn: rrn! }))).toEqual({ code: '00' })
  expect(await asks(db, till, advice('000002', 12_000, { rrn: rrn! }))).toEqual({ code: '00' })
  expect(await money(db, till)).toEqual(bothHave(12_000))
  expect(await transactions(db, till)).toMatchObject([
    { status: 'completed', amountMinor: 12_000, bookedMinor: 12_000 },
  ])
})

test('all of a deposit may be taken, by the name of its message; then a reversal gives it back', async () => {
  const till = await terminal(db)
  await asks(db, till, hold('000001'))
  const original = { mti: '0100', stan: '000001', sentAt: '1128203107' }
  await asks(db, till, advice('000002', 50_000, { original }))
  expect(await money(db, till)).toEqual(bothHave(50_000))
  expect(await asks(db, till, reversal('900001', original, 50_000))).toEqual({ code: '00' })
  expect(await money(db, till)).toEqual(bothHave(0))
})

test('a deposit is released by a reversal', async () => {
  const till = await terminal(db)
  expect(await asks(db, till, hold('000001'))).toMatchObject({ code: '00' })
  expect(await asks(db, till, reversal('900001', { mti: '0100', stan: '000001' }, 50_000))).toEqual({ code: '00' })
  expect(await money(db, till)).toEqual(bothHave(0))
  expect(await transactions(db, till)).toMatchObject([{ status: 'cancelled', act: null }])
})

test('what a terminal approved itself is stored first and booked then; a known purchase is not booked twice', async () => {
  const till = await terminal(db)
  expect(await asks(db, till, advice('000001', 20_000, { approval: 'OFF123' }))).toEqual({ code: '00' })
  await asks(db, till, purchase('000002'))
  expect(await asks(db, till, advice('000002', 15_000, { approval: 'OFF124' }))).toEqual({ code: '00' })
  expect(await asks(db, till, advice('000002', 15_000, { approval: 'OFF124' }))).toEqual({ code: '00' })
  expect(await asks(db, till, advice('000002', 15_001, { approval: 'OFF124' }))).toEqual({ code: '94' })
  expect(await money(db, till)).toEqual(bothHave(35_000))
  expect(await exceptions(db, till)).toEqual([])
})

test('an acquirer that disagrees with a terminal is for people', async () => {
  const till = await terminal(db)
  expect(await asks(db, till, advice('000001', 20_051, { approval: 'OFF123' }))).toEqual({ code: '00' })
  expect(await asks(db, till, advice('000002', 1_000, { rrn: '633300000000' }))).toEqual({ code: '00' })
  expect(await transactions(db, till)).toMatchObject([{ status: 'failed', code: '00' }])
  expect(await exceptions(db, till)).toHaveLength(2)
  expect(await events(db, till)).toContain('transaction.exception')
})

test('totals that agree close the batch once, whoever says them again; ours are said where they differ', async () => {
  const till = await terminal(db)
  await asks(db, till, purchase('000001'))
  await asks(db, till, purchase('000002', 50_000))
  await asks(db, till, reversal('900001', { stan: '000002' }, 50_000))
  const ours = { debits: 2, debitsMinor: 65_000, debitsReversed: 1, debitsReversedMinor: 50_000 }
  const wrong = await asks(db, till, totals('000003', { ...ours, debitsMinor: 1 }))
  expect(wrong).toEqual({ code: '95', figures: totals('', ours).totals })
  expect(await asks(db, till, totals('000003', { ...ours, debitsMinor: 1 }))).toEqual(wrong)
  const said = await Promise.all(Array.from({ length: 5 }, () => says(db, till, totals('000004', ours))))
  expect(said.map(({ answer }) => answer)).toEqual(said.map(() => ({ code: '00' })))
  expect(await asks(db, till, totals('000005', ours))).toMatchObject({ code: '95' })
  await asks(db, till, purchase('000006', 1_000))
  expect(await asks(db, till, totals('000007', { debits: 1, debitsMinor: 1_000 }))).toEqual({ code: '00' })
})

test('whose card it is sees the purchase, and hears of it; no event tells the card', async () => {
  const till = await terminal(db)
  const userId = await person(db)
  const fingerprint = 'a'.repeat(64)
  await db.sql`
    insert into payment_cards (user_id, token, masked_number, fingerprint, expires_at)
    values (${userId}, 'token', '************4242', ${fingerprint}, '2029-12-31')`
  const card = { masked: '424242******4242', fingerprint }
  await asks(db, till, purchase('000001', 15_000, { card }))
  await asks(db, till, reversal('900001', { stan: '000001' }))
  const rows = await db.sql<{ kind: string; data: object }[]>`
    select kind, data from events where user_id = ${userId} order by id`
  const kinds = ['transaction.pending', 'transaction.completed', 'transaction.cancelled']
  expect(rows.map(({ kind }) => kind)).toEqual(kinds)
  expect(JSON.stringify(rows)).not.toMatch(/4242|aaaa/)
  const [row] = await db.sql`select user_id, card_id is not null as known from transactions where terminal_id = ${till}`
  expect(row).toEqual({ userId, known: true })
})
