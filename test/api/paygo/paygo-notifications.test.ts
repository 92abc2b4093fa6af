import { expect, test } from 'vitest'
import { startApiServer } from '../server.ts'
import { type Person, refusal, stage } from './paygo-stage.ts'

const built = await startApiServer()
const { call, db, lines } = built
const { member, kept, number, terminal } = stage(built)

async function scene() {
  const payer = await member()
  await kept(payer, number())
  return { payer, till: await terminal() }
}
const pay = ({ token }: Person, terminal_id: string, amount: number) =>
  call('POST', '/api/v1/transactions', { token, body: { amount, terminal_id, payment_method: 'nfc' } })
const list = async ({ token }: Person, query = '') =>
  (await call('GET', `/api/v1/users/notifications?${query}`, { token })).body
const read = ({ token }: Person, up_to: unknown) =>
  call('POST', '/api/v1/users/notifications/read', { token, body: { up_to } })
const settings = ({ token }: Person, body: object) =>
  call('PUT', '/api/v1/users/notification-settings', { token, body })

test('what a payment came to is told once, in the words of its owner’s list', async () => {
  const { payer, till } = await scene()
  const { body: paid } = await pay(payer, till.terminalId, 1500)
  await pay(payer, till.terminalId, 10.05)
  for (const amount of [500, 1000])
    await call('POST', `/api/v1/transactions/${paid.id}/refund`, { token: payer.token, body: { amount } })
  const { notifications, unread, pagination } = await list(payer)
  expect(notifications.map(({ kind }: any) => kind)).toEqual([
    'transaction.refunded',
    'transaction.refunded',
    'transaction.failed',
    'transaction.completed',
  ])
  expect([unread, pagination.total]).toEqual([4, 4])
  expect(notifications[3]).toMatchObject({
    title: 'Платёж прошёл',
    body: expect.stringMatching(/^Оплачено 1\s500,00\s₽/),
    read_at: null,
  })
  expect(notifications[0].body).toMatch(/1\s500,00\s₽/)
  expect(await db.sql`select 1 from notifications where user_id = ${payer.id} and channel = 'email'`).toEqual([])
})

test('payments are told by letter to whoever wants it, and not at all to whoever does not', async () => {
  const { payer, till } = await scene()
  await settings(payer, { email_notifications: true })
  await pay(payer, till.terminalId, 100)
  const letters = await db.sql`select kind from notifications where user_id = ${payer.id} and channel = 'email'`
  expect([...letters]).toEqual([{ kind: 'transaction.completed' }])
  await settings(payer, { transaction_alerts: false })
  await pay(payer, till.terminalId, 200)
  expect((await list(payer)).unread).toBe(1)
})

test('what was read is read once, by its owner alone, up to where they say', async () => {
  const { payer, till } = await scene()
  const other = await member()
  for (const amount of [100, 200]) await pay(payer, till.terminalId, amount)
  const [last, first] = (await list(payer)).notifications
  expect((await read(other, last.id)).body).toEqual({ unread: 0 })
  expect((await list(payer)).unread).toBe(2)
  expect((await read(payer, first.id)).body).toEqual({ unread: 1 })
  const at = (await list(payer)).notifications[1].read_at
  expect(at).toEqual(expect.any(String))
  expect((await read(payer, last.id)).body).toEqual({ unread: 0 })
  expect((await list(payer)).notifications[1].read_at).toBe(at)
  expect((await list(payer, 'page=2&limit=1')).notifications.map(({ id }: any) => id)).toEqual([first.id])
  expect(await read(payer, 'card5')).toMatchObject(refusal(422, 'VALIDATION_ERROR'))
  expect((await list(other)).notifications).toEqual([])
})

test('none of this was a bug of ours', () => {
  expect(lines.filter(({ event }) => event !== 'request.answered')).toEqual([])
})
