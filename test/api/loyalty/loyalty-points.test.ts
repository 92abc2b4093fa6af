import { expect, test } from 'vitest'
import * as identity from '../../../db/identity/identity.ts'
import { startApiServer } from '../server.ts'

const { call, person, db, lines } = await startApiServer()

let people = 79_330_000_000
/** Somebody with a role on this surface, a card and a token. */
async function member(role = 'patient') {
  const phone = `+${++people}`
  const given = { email: `m${people}@example.com`, full_name: 'Анна Петрова', phone, password: 'secure_password' }
  const { body } = await call('POST', '/api/auth/register', { body: given })
  await db.transaction((tx) => identity.grant(tx, body.user.id, { surface: 'loyalty', role }))
  const [account] = await db.sql<{ id: number }[]>`select id from loyalty_accounts where user_id = ${body.user.id}`
  return { id: body.user.id as number, token: body.access_token as string, accountId: account!.id }
}
const cashier = await member('cashier')
const movement = (account_id: number, change: object = {}) => ({
  account_id,
  transaction_type: 'accrual',
  amount: 100,
  currency: 'points',
  source: 'visit',
  source_id: 'DOC-12345',
  description: 'Начисление за визит',
  ...change,
})
const accrue = (body: object, token = cashier.token) => call('POST', '/api/loyalty/accrue', { token, body })
const deduct = (body: object, token = cashier.token) => call('POST', '/api/loyalty/deduct', { token, body })
const balance = async (token: string) => (await call('GET', '/api/loyalty/balance', { token })).body

test('a cashier gives and takes, and the customer sees it to the kopeck', async () => {
  const { accountId, token } = await member()
  const given = await accrue(movement(accountId, { amount: 100.1 }))
  expect(given).toMatchObject({ status: 201 })
  expect(given.body).toEqual({
    id: expect.any(Number),
    account_id: accountId,
    transaction_type: 'accrual',
    amount: 100.1,
    currency: 'points',
    source: 'visit',
    source_id: 'DOC-12345',
    description: 'Начисление за визит',
    is_reversed: false,
    created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
  })
  await accrue(movement(accountId, { amount: 0.2 }))
  await accrue(movement(accountId, { amount: 5, currency: 'cashback' }))
  const taken = await deduct(movement(accountId, { amount: 0.3 }))
  // Whatever the body calls it.
  expect(taken.body).toMatchObject({ transaction_type: 'deduction', amount: 0.3 })
  expect(await balance(token)).toEqual({
    points_balance: 100,
    cashback_balance: 5,
    card_tier: 'bronze',
    transactions_count: 4,
  })
})

test.each([
  [accrue, 100],
  [deduct, 0],
])('%o said twice with one key is the first answer, and moves once', async (act, left) => {
  const { accountId, token } = await member()
  if (act === deduct) await accrue(movement(accountId))
  const body = movement(accountId, { idempotency_key: `k-${accountId}` })
  const first = await act(body)
  const again = await act({ ...body, transaction_type: 'anything' })
  expect([first.status, again.status]).toEqual([201, 201])
  expect(again.body).toEqual(first.body)
  expect(await balance(token)).toMatchObject({ points_balance: left })
  const other = await act({ ...body, amount: 1 })
  expect(other).toMatchObject({ status: 400, body: { detail: expect.stringContaining('Ключ') } })
  expect(await balance(token)).toMatchObject({ points_balance: left })
})

test('twenty cashiers at once take what there is once', async () => {
  const { accountId, token } = await member()
  await accrue(movement(accountId))
  const taken = await Promise.all(Array.from({ length: 20 }, () => deduct(movement(accountId))))
  expect(taken.map(({ status }) => status).sort()).toEqual([201, ...Array(19).fill(400)])
  expect(await balance(token)).toMatchObject({ points_balance: 0, transactions_count: 2 })
})

test('one key twenty times at once is one accrual, and everybody hears of it', async () => {
  const { accountId, token } = await member()
  const body = movement(accountId, { idempotency_key: `at-once-${accountId}` })
  const given = await Promise.all(Array.from({ length: 20 }, () => accrue(body)))
  expect(new Set(given.map(({ status, body: { id } }) => `${status} ${id}`)).size).toBe(1)
  expect(await balance(token)).toMatchObject({ points_balance: 100, transactions_count: 1 })
})

test('a client’s key is nobody else’s', async () => {
  const { accountId, token } = await member()
  const first = await accrue(movement(accountId, { idempotency_key: 'rental:1' }))
  expect(first.status).toBe(201)
  const [row] = await db.sql`select idempotency_key from loyalty_transactions where id = ${first.body.id}`
  expect(row).toEqual({ idempotencyKey: 'api:rental:1' })
  // No key is no key: two movements.
  for (const none of [{}, { idempotency_key: null }, { idempotency_key: '' }]) await accrue(movement(accountId, none))
  expect(await balance(token)).toMatchObject({ points_balance: 400 })
})

test('more than there is is refused with what there is', async () => {
  const { accountId } = await member()
  await accrue(movement(accountId, { amount: 12.5 }))
  const refused = await deduct(movement(accountId, { amount: 12.51 }))
  expect(refused).toMatchObject({ status: 400, body: { detail: 'Недостаточно средств. Доступно: 12.50' } })
})

test('an unknown account is not found', async () => {
  for (const act of [accrue, deduct])
    expect(await act(movement(999_999_999))).toMatchObject({
      status: 404,
      body: { detail: 'Счёт лояльности не найден' },
    })
})

test('points are moved by cashiers and administrators, whatever a body says', async () => {
  const { accountId, token } = await member()
  const doctor = await member('doctor')
  const fleet = await person('service_admin')
  for (const who of [token, doctor.token, fleet.token])
    for (const act of [accrue, deduct])
      expect(await act(movement(accountId, { role: 'admin', cashier_id: cashier.id }), who)).toMatchObject({
        status: 403,
        body: { detail: expect.any(String) },
      })
  expect((await accrue(movement(accountId), (await member('admin')).token)).status).toBe(201)
  const bare = await call('POST', '/api/loyalty/accrue', { body: movement(accountId) })
  expect(bare).toMatchObject({ status: 401, body: { detail: expect.any(String) } })
  expect(bare.headers.get('www-authenticate')).toBe('Bearer')
  const [row] = await db.sql`select created_by from loyalty_transactions where account_id = ${accountId}`
  expect(row!.createdBy).not.toBe(cashier.id)
})

test.each([
  ['amount', 0, 'greater_than'],
  ['amount', -5, 'greater_than'],
  ['amount', 0.001, 'decimal_max_places'],
  ['amount', 10.005, 'decimal_max_places'],
  ['amount', 1e21, 'less_than_equal'],
  ['amount', 1_000_000_000.01, 'less_than_equal'],
  ['amount', '100', 'float_type'],
  ['amount', null, 'float_type'],
  ['amount', undefined, 'missing'],
  ['account_id', 0, 'greater_than_equal'],
  ['account_id', 1.5, 'int_type'],
  ['account_id', '1', 'float_type'],
  ['account_id', 1e300, 'less_than_equal'],
  ['currency', 'RUB', 'enum'],
  ['currency', undefined, 'missing'],
  ['source', '', 'string_too_short'],
  ['source', 'x'.repeat(51), 'string_too_long'],
  ['source_id', 7, 'string_type'],
  ['idempotency_key', 'x'.repeat(201), 'string_too_long'],
])('a movement whose %s is %s is 422 and says where', async (field, value, type) => {
  for (const act of [accrue, deduct]) {
    const { status, body } = await act(movement(1, { [field]: value }))
    expect(status).toBe(422)
    expect(body).toEqual({ detail: [{ loc: ['body', field], msg: expect.stringMatching(/[а-яё]/), type }] })
  }
})

test('NaN and Infinity are no JSON', async () => {
  for (const amount of ['NaN', 'Infinity', '1e999'])
    expect((await accrue(`{"account_id":1,"amount":${amount},"currency":"points","source":"x"}` as any)).status).toBe(
      422,
    )
})

test('the greatest amount there is is counted exactly', async () => {
  const { accountId, token } = await member()
  for (const amount of [999_999_999.99, 0.01, 123_456_789.01]) await accrue(movement(accountId, { amount }))
  expect(await balance(token)).toMatchObject({ points_balance: 1_123_456_789.01, card_tier: 'platinum' })
})

test('the history is one’s own, newest first, page by page', async () => {
  const [one, other] = [await member(), await member()]
  const ids = []
  for (let n = 1; n <= 5; n++) ids.unshift((await accrue(movement(one.accountId, { amount: n }))).body.id)
  const page = (query: string, token = one.token) => call('GET', `/api/loyalty/transactions${query}`, { token })
  const first = await page('?page=1&page_size=2')
  expect(first.body).toMatchObject({ total: 5, page: 1, page_size: 2 })
  expect(first.body.transactions.map(({ id }: any) => id)).toEqual(ids.slice(0, 2))
  expect((await page('?page=3&page_size=2')).body.transactions.map(({ id }: any) => id)).toEqual(ids.slice(4))
  expect((await page('?page=4&page_size=2')).body).toMatchObject({ transactions: [], total: 5 })
  expect((await page('')).body).toMatchObject({ total: 5, page: 1, page_size: 20 })
  expect((await page('', other.token)).body).toEqual({ transactions: [], total: 0, page: 1, page_size: 20 })
  for (const query of ['?page=0', '?page=x', '?page_size=0', '?page_size=101', '?page=1e3', '?page=-1'])
    expect((await page(query)).status, query).toBe(422)
})

test('none of this was a bug of ours', () => {
  expect(lines.filter(({ event }) => event !== 'request.answered')).toEqual([])
})
