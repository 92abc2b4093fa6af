import { expect, test } from 'vitest'
import { startInbox } from '../../../api/tasks/inbox.ts'
import { npm } from '../../npm-child.ts'
import { tempDataDir } from '../../postgres.ts'
import { heard, order, paid, paidOnce, secrets, standing, stored } from './stage.ts'

const house = await heard()
const { db, url, stage } = house

/** An API of its own process, on this file's database. */
async function child() {
  const secret = 's'.repeat(40)
  const { said, pid, gone } = npm(['api'], {
    ...{
      DATABASE_URL: url,
      DATA_DIR: tempDataDir(),
      JWT_SECRET: secret,
      KEYS_SECRET: secret,
      PAYMENT_CARD_KEY: secret,
    },
    CRYPTOPAY_TOKEN: secrets.cryptopay,
  })
  const { port } = await said('api.ready')
  return { address: `http://127.0.0.1:${port}/webhook/cryptopay`, kill: () => process.kill(-pid, 'SIGKILL'), gone }
}

test('a process that is killed between the row and its effect, or in the middle of it, has paid nothing twice or never', async () => {
  const payment = await order(db, 'cryptopay')
  const { body, headers } = paid.cryptopay(payment)
  const { address, kill, gone } = await child()
  const held = Promise.withResolvers<void>()
  const locked = Promise.withResolvers<void>()
  // Its work waits for the payment, in the middle of its transaction.
  const holding = db.transaction(async (tx) => {
    await tx`select 1 from subscription_payments where id = ${payment.id} for update`
    locked.resolve()
    await held.promise
  })
  await locked.promise
  const answer = await fetch(address, { method: 'POST', body: String(body), headers: headers! })
  expect(answer.status).toBe(200)
  const waiting = () => db.sql`
    select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
  await expect.poll(async () => (await waiting()).length, { timeout: 10_000 }).toBe(1)
  kill()
  await gone
  expect((await stored(house)).map(({ state }) => state)).toEqual(['received'])
  held.resolve()
  await holding
  expect(await standing(db, payment.accountId)).toEqual({ payments: ['pending'], moved: [], periods: [] })

  const tasks = await Promise.all([1, 2].map(() => startInbox({ db, log: stage.log, providers: stage.providers })))
  await expect.poll(() => standing(db, payment.accountId), { timeout: 20_000 }).toEqual(paidOnce)
  await Promise.all(tasks.map((task) => task.close()))
  expect(await stored(house)).toMatchObject([{ state: 'done', repeats: 0 }])
}, 90_000)
