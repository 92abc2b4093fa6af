import { expect, test } from 'vitest'
import { testDb } from '../../postgres.ts'
import { asks, hold, money, purchase, reversal, says, terminal, transactions } from './till.ts'

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
  expect(await money(db, till)).toEqual(bothHave(15_000))
})

test('twenty at once are one purchase', async () => {
  const till = await terminal(db)
  const answers = await Promise.all(Array.from({ length: 20 }, () => says(db, till, purchase('000001'))))
  expect(new Set(answers.map(({ messageId }) => messageId)).size).toBe(1)
  expect(answers.flatMap(({ told }) => told)).toHaveLength(1)
})

test('a deposit is held, a reversal releases it', async () => {
  const till = await terminal(db)
  expect(await asks(db, till, hold('000001'))).toMatchObject({ code: '00' })
  expect(await money(db, till)).toEqual(bothHave(0, 50_000))
  expect(await asks(db, till, reversal('900001', { mti: '0100', stan: '000001' }, 50_000))).toEqual({ code: '00' })
  expect(await money(db, till)).toEqual(bothHave(0))
  expect(await transactions(db, till)).toMatchObject([{ status: 'cancelled', act: null }])
})
