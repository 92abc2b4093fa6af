import { expect, onTestFinished, test } from 'vitest'
import type { Acquirer } from '../../../db/paygo/acquirer.ts'
import { startSweeper } from '../../../db/paygo/sweeper.ts'
import { testDb } from '../../postgres.ts'
import { impatient, overdue, purchase, says, terminal, transactions } from './till.ts'

const { db } = await testDb()
const failed = (error: unknown) => expect.unreachable(String(error))

test('of two processes that look, one goes on with what nobody settled, and does not tell it', async () => {
  const till = await terminal(db)
  const { messageId } = await says(db, till, purchase('000001'))
  await overdue(db)
  const bank = impatient(db)
  const told: string[] = []
  const acquirer: Acquirer = {
    ...bank,
    tell: (order) => {
      told.push(order.act)
      return bank.tell(order)
    },
  }
  const answers: unknown[] = []
  const sweepers = [1, 2].map(() =>
    startSweeper({ db, acquirer, failed, answered: (given) => void answers.push(...given) }),
  )
  onTestFinished(async () => void (await Promise.all(sweepers.map((one) => one.close()))))
  await expect.poll(() => transactions(db, till)).toMatchObject([{ status: 'cancelled', bookedMinor: 0 }])
  await Promise.all(sweepers.splice(0).map((one) => one.close()))
  expect(answers).toEqual([{ terminalId: till, messageId, answer: { code: '68' } }])
  expect(told).not.toContain('purchase')
})

test('whoever stops does not wait for an acquirer that is silent', async () => {
  const till = await terminal(db)
  await says(db, till, purchase('000002'))
  await overdue(db)
  const asked = Promise.withResolvers<void>()
  const acquirer: Acquirer = {
    limitMs: 60_000,
    tell: () => new Promise(() => {}),
    stateOf: () => {
      asked.resolve()
      return new Promise(() => {})
    },
  }
  const sweeper = startSweeper({ db, acquirer, failed })
  await asked.promise
  await sweeper.close()
})
