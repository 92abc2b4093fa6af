import { expect, test } from 'vitest'
import { startApiServer } from '../server.ts'
import { type Person, refusal, stage } from './paygo-stage.ts'

const built = await startApiServer()
const { call, db, lines } = built
const world = stage(built)
const { member, kept, number, terminal, paid } = world

interface Given {
  key?: string
  body?: object
}
const pay = ({ token }: Person, terminal_id: string, amount: unknown = 1500, { key, body }: Given = {}) =>
  call('POST', '/api/v1/transactions', {
    token,
    body: { amount, terminal_id, payment_method: 'nfc', ...body },
    ...(key ? { headers: { 'idempotency-key': key } } : {}),
  })
const refund = ({ token }: Person, id: string, body?: unknown, key?: string) =>
  call('POST', `/api/v1/transactions/${id}/refund`, {
    token,
    ...(body === undefined ? {} : { body }),
    ...(key ? { headers: { 'idempotency-key': key } } : {}),
  })
const read = ({ token }: Person, id: string) => call('GET', `/api/v1/transactions/${id}`, { token })
const list = async ({ token }: Person, query = '') => await call('GET', `/api/v1/transactions?${query}`, { token })

/** Somebody with a card, at a terminal that is signed on. */
async function scene() {
  const payer = await member()
  const own = number()
  return { payer, own, cardId: await kept(payer, own), till: await terminal() }
}

test('a payment with a stored card is settled within the call', async () => {
  const { payer, cardId, till } = await scene()
  const { status, body } = await pay(payer, till.terminalId, 1500.5, { body: { description: 'Кофе' } })
  expect(status).toBe(201)
  expect(body).toMatchObject({
    ...{ amount: 1500.5, currency: 'RUB', status: 'completed', terminal_id: till.terminalId, card_id: cardId },
    ...{ user_id: payer.userId, payment_method: 'nfc', refunded_amount: 0, description: 'Кофе' },
    completed_at: expect.stringMatching(/Z$/),
  })
  expect((await read(payer, body.id)).body).toEqual(body)
  expect((await pay(payer, till.terminalId, 10.05)).body).toMatchObject({ status: 'failed', completed_at: null })
})

test('an acquirer that is silent is asked, and what it has taken is paid once', async () => {
  const { payer, till } = await scene()
  const { status, body } = await pay(payer, till.terminalId, 10.68, { key: 'silent' })
  expect(status).toBe(201)
  await expect.poll(async () => (await read(payer, body.id)).body.status).toBe('completed')
  expect((await pay(payer, till.terminalId, 10.68, { key: 'silent' })).body.id).toBe(body.id)
  const purchases = await db.sql`
    select 1 from acquirer_acts where transaction_id = ${Number(body.id.replace('txn', ''))} and act = 'purchase'`
  expect(purchases).toHaveLength(1)
})

test('the same key is the same payment, twenty times at once; with another body it is refused', async () => {
  const { payer, till } = await scene()
  const same = await Promise.all(Array.from({ length: 20 }, () => pay(payer, till.terminalId, 100, { key: 'k1' })))
  expect(new Set(same.map(({ status, body }) => `${status} ${body.id}`)).size).toBe(1)
  expect(await pay(payer, till.terminalId, 101, { key: 'k1' })).toMatchObject(refusal(409, 'IDEMPOTENCY_CONFLICT'))
  expect((await pay(payer, till.terminalId, 100, { key: 'k1' })).body).toMatchObject({
    id: same[0]!.body.id,
    status: 'completed',
  })
  expect((await list(payer)).body.pagination.total).toBe(1)
  const other = await scene()
  expect((await pay(other.payer, till.terminalId, 100, { key: 'k1' })).body.id).not.toBe(same[0]!.body.id)
})

test('what cannot be paid is refused for what it is', async () => {
  const { payer, till } = await scene()
  const stranger = await scene()
  const away = await terminal({ isOnline: false })
  const minded = await terminal()
  await db.sql`update terminals set condition = 'maintenance' where id = ${minded.id}`
  const penniless = await member()
  const cases: [Awaited<ReturnType<typeof pay>>, number, string][] = [
    [await pay(payer, 'terminal999999999'), 404, 'TERMINAL_NOT_FOUND'],
    [await pay(payer, away.terminalId), 400, 'TERMINAL_UNAVAILABLE'],
    [await pay(payer, minded.terminalId), 400, 'TERMINAL_UNAVAILABLE'],
    [
      await pay(payer, till.terminalId, 1, { body: { payment_method: 'card_insert' } }),
      400,
      'PAYMENT_METHOD_NOT_SUPPORTED',
    ],
    [await pay(payer, till.terminalId, 1, { body: { card_id: stranger.cardId } }), 404, 'CARD_NOT_FOUND'],
    [await pay(penniless, till.terminalId), 400, 'CARD_REQUIRED'],
  ]
  for (const [answer, status, code] of cases) expect(answer, code).toMatchObject(refusal(status, code))
  for (const amount of [0, -1, 1.005, '100', null])
    expect(await pay(payer, till.terminalId, amount), String(amount)).toMatchObject(refusal(422, 'VALIDATION_ERROR'))
  expect((await pay(payer, till.terminalId, 1, { body: { currency: 'USD' } })).status).toBe(422)
  expect((await list(payer)).body.pagination.total).toBe(0)
})

test('a refund gives back in parts and never more than was paid, also at once', async () => {
  const { payer, till } = await scene()
  const { id } = (await pay(payer, till.terminalId, 100)).body
  const part = await refund(payer, id, { amount: 30, reason: 'Возврат товара' }, 'r1')
  expect(part.body).toMatchObject({
    ...{ id, status: 'completed', amount: 100, refunded_amount: 30 },
    refund: { amount: 30, reason: 'Возврат товара', status: 'completed' },
  })
  expect((await refund(payer, id, { amount: 30, reason: 'Возврат товара' }, 'r1')).body).toEqual(part.body)
  expect(await refund(payer, id, { amount: 31 }, 'r1')).toMatchObject(refusal(409, 'IDEMPOTENCY_CONFLICT'))
  expect(await refund(payer, id, { amount: 70.01 })).toMatchObject(refusal(400, 'REFUND_AMOUNT_EXCEEDED'))
  const rest = await Promise.all(Array.from({ length: 10 }, () => refund(payer, id)))
  expect(rest.map(({ status }) => status).sort()).toEqual([200, ...Array(9).fill(400)])
  expect((await read(payer, id)).body).toMatchObject({ status: 'refunded', refunded_amount: 100 })
  expect(await refund(payer, id)).toMatchObject(refusal(400, 'INVALID_STATE'))
  for (const body of [{ amount: 0 }, { amount: 'all' }, { reason: 7 }])
    expect((await refund(payer, id, body)).status, JSON.stringify(body)).toBe(422)
})

test('who gives back: its owner, finance and admins, and nobody else', async () => {
  const { payer, own, till } = await scene()
  const twin = await member()
  await kept(twin, own)
  const { id } = (await pay(payer, till.terminalId, 100)).body
  for (const role of ['user', 'terminal_operator'] as const)
    expect(await refund(await member(role), id)).toMatchObject(refusal(404, 'TRANSACTION_NOT_FOUND'))
  expect(await refund(twin, id), 'another holder of the same card').toMatchObject(
    refusal(403, 'INSUFFICIENT_PERMISSIONS'),
  )
  expect((await refund(await member('finance_manager'), id, { amount: 1 })).status).toBe(200)
  expect((await refund(await member('admin'), id, { amount: 1 })).status).toBe(200)
  const failed = (await pay(payer, till.terminalId, 10.05)).body
  expect(await refund(payer, failed.id)).toMatchObject(refusal(400, 'INVALID_STATE'))
})

test('a house may keep refunds to its staff', async () => {
  const paygo = { ...built.stage.config.paygo, ownersRefund: false }
  const strict = await startApiServer({ paygo })
  const theirs = stage(strict)
  const [payer, till] = [await theirs.member(), await theirs.terminal()]
  await theirs.kept(payer)
  const body = { amount: 5, terminal_id: till.terminalId, payment_method: 'nfc' }
  const { id } = (await strict.call('POST', '/api/v1/transactions', { token: payer.token, body })).body
  const ask = ({ token }: Person) => strict.call('POST', `/api/v1/transactions/${id}/refund`, { token })
  expect(await ask(payer)).toMatchObject(refusal(403, 'INSUFFICIENT_PERMISSIONS'))
  expect((await ask(await theirs.member('finance_manager'))).status).toBe(200)
})

test('what is bought at a terminal is seen by who keeps the card, by finance, and by nobody else', async () => {
  const { payer, own, cardId, till } = await scene()
  const twin = await member()
  const theirs = await kept(twin, own)
  const id = `txn${await paid(till.id, own, 12_345)}`
  expect((await read(payer, id)).body).toMatchObject({ amount: 123.45, card_id: cardId, terminal_id: till.terminalId })
  expect((await read(twin, id)).body).toMatchObject({ card_id: theirs })
  for (const role of ['user', 'terminal_operator'] as const) {
    const stranger = await member(role)
    expect(await read(stranger, id)).toMatchObject(refusal(404, 'TRANSACTION_NOT_FOUND'))
    expect((await list(stranger)).body.transactions).toEqual([])
  }
  expect((await read(await member('finance_manager'), id)).body).toMatchObject({ id, user_id: payer.userId })
  await call('DELETE', `/api/v1/cards/${theirs}`, { token: twin.token })
  expect((await read(twin, id)).status, 'who takes a card away keeps its history').toBe(200)
  const finder = await member()
  await kept(finder, own)
  expect((await read(finder, id)).status, 'who keeps a found card later sees nothing of it').toBe(404)
})

test('the list is paged, filtered, and includes both of its dates as days of the house', async () => {
  const { payer, own, till } = await scene()
  const ids: number[] = []
  for (const amountMinor of [100, 105, 200]) ids.push(await paid(till.id, own, amountMinor))
  // Moscow is three hours ahead: the first is of the 15th there, the last one of the 16th.
  const at = ['2026-03-14T21:00:00Z', '2026-03-15T20:59:59.9Z', '2026-03-15T21:00:00Z']
  for (const [n, id] of ids.entries()) await db.sql`update transactions set created_at = ${at[n]!} where id = ${id}`
  const found = async (query: string) => (await list(payer, query)).body.transactions.map(({ id }: any) => id)
  const [a, b, c] = ids.map((id) => `txn${id}`)
  expect(await found('')).toEqual([c, b, a])
  expect(await found('start_date=2026-03-15&end_date=2026-03-15')).toEqual([b, a])
  expect(await found('start_date=2026-03-16')).toEqual([c])
  expect(await found('end_date=2026-03-14T21:00:00Z')).toEqual([a])
  expect(await found('end_date=2026-03-15T00:00:00')).toEqual([a])
  expect(await found(`start_date=${encodeURIComponent('2026-03-16T00:00:00+03:00')}`)).toEqual([c])
  expect(await found('start_date=2026-03-16T00:00:00+03:00')).toEqual([c])
  expect(await found('status=failed')).toEqual([b])
  const page = (await list(payer, 'page=2&limit=2')).body
  expect(page.transactions.map(({ id }: any) => id)).toEqual([a])
  expect(page.pagination).toEqual({ page: 2, limit: 2, total: 3, pages: 2 })
  expect((await list(payer, 'page=9')).body.transactions).toEqual([])
  expect(await list(payer, 'start_date=2026-03-16&end_date=2026-03-15')).toMatchObject(
    refusal(400, 'INVALID_DATE_RANGE'),
  )
  for (const query of ['start_date=tomorrow', 'end_date=2026-02-30', 'status=authorised', 'limit=101'])
    expect(await list(payer, query), query).toMatchObject(refusal(422, 'VALIDATION_ERROR'))
})

test('none of this was a bug of ours', () => {
  expect(lines.filter(({ event }) => event !== 'request.answered')).toEqual([])
})
