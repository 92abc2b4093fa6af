import { expect, test } from 'vitest'
import { refusal, rest } from './rest-stage.ts'

const { admin, customer, held, post, read, rich, call, lines } = await rest()
const change = (amount_kopecks: number, reason = 'Возврат за простой') => ({ amount_kopecks, reason })

test('an admin gives and takes to the kopeck, and the customer sees both', async () => {
  const one = await customer()
  const added = await post(`/users/${one.id}/balance/add`, admin.token, change(10_001))
  expect(added).toMatchObject({ status: 201, body: { data: { user_id: one.id, balance_kopecks: 10_001 } } })
  await post(`/users/${one.id}/balance/deduct`, admin.token, change(1, 'Ошибка'))
  expect((await read(`/users/${one.id}/balance`, one.token)).body.data).toEqual({
    user_id: one.id,
    balance_kopecks: 10_000,
  })
  const { body } = await read(`/users/${one.id}/balance/history?page_size=1&page=2`, one.token)
  expect(body.data).toMatchObject({ total: 2, page: 2, page_size: 1 })
  expect(body.data.items).toEqual([
    {
      id: added.body.data.movement_id,
      kind: 'balance_add',
      amount_kopecks: 10_001,
      reason: 'Возврат за простой',
      payment_id: null,
      created_at: expect.stringMatching(/Z$/),
    },
  ])
  const beyond = await read(`/users/${one.id}/balance/history?page=9`, one.token)
  expect(beyond.body.data).toMatchObject({ total: 2, items: [] })
})

test.each(['add', 'deduct'])('%s said twice with one key moves once; with another body it is refused', async (act) => {
  const one = await rich(5_000)
  const path = `/users/${one.id}/balance/${act}`
  const key = `k-${one.id}`
  const answers = await Promise.all([1, 2, 3, 4, 5].map(() => post(path, admin.token, change(1_000), key)))
  expect(answers.map(({ status }) => status)).toEqual([201, 201, 201, 201, 201])
  expect(new Set(answers.map(({ body }) => body.data.movement_id)).size).toBe(1)
  const now = act === 'add' ? 6_000 : 4_000
  expect(await held(one.id)).toBe(now)
  expect(await post(path, admin.token, change(999), key)).toMatchObject(refusal(409, 'IDEMPOTENCY_CONFLICT'))
  const other = await customer()
  const elsewhere = await post(`/users/${other.id}/balance/${act}`, admin.token, change(1_000), key)
  expect(elsewhere).toMatchObject(refusal(409, 'IDEMPOTENCY_CONFLICT'))
  expect(await held(one.id)).toBe(now)
})

test('twenty at once take what there is, and never more', async () => {
  const one = await rich(1_000)
  const path = `/users/${one.id}/balance/deduct`
  const answers = await Promise.all(Array.from({ length: 20 }, () => post(path, admin.token, change(300))))
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(3)
  const refused = answers.find(({ status }) => status !== 201)
  expect(refused).toMatchObject(refusal(400, 'INSUFFICIENT_FUNDS'))
  expect(refused!.body.error.details).toEqual({ available: 100 })
  expect(await held(one.id)).toBe(100)
})

test('nobody but an admin moves a balance, and nobody sees a foreign one', async () => {
  const [one, other] = [await rich(100), await rich(100)]
  for (const id of [one.id, other.id])
    for (const act of ['add', 'deduct'])
      expect(await post(`/users/${id}/balance/${act}`, one.token, change(1))).toMatchObject(refusal(403, 'FORBIDDEN'))
  expect(await read(`/users/${other.id}/balance`, one.token)).toMatchObject(refusal(403, 'FORBIDDEN'))
  expect(await read(`/users/${other.id}/balance/history`, one.token)).toMatchObject(refusal(403, 'FORBIDDEN'))
  expect(await call('GET', `/users/${one.id}/balance`)).toMatchObject(refusal(401, 'UNAUTHORIZED'))
  expect([await held(one.id), await held(other.id)]).toEqual([100, 100])
})

test.each([[0], [-5], [1.5], ['100'], [1_000_000_001], [null]])('%j is no amount', async (amount) => {
  const one = await rich(100)
  const refused = await post(`/users/${one.id}/balance/add`, admin.token, { amount_kopecks: amount, reason: 'x' })
  expect(refused).toMatchObject(refusal(422, 'VALIDATION_ERROR'))
  expect(refused.body.error.details.fields).toMatchObject([{ field: 'amount_kopecks' }])
  expect(await held(one.id)).toBe(100)
})

test('the customer has to be there', async () => {
  const refused = await post('/users/999999/balance/add', admin.token, change(1))
  expect(refused).toMatchObject(refusal(404, 'USER_NOT_FOUND'))
})

test('none of this was a bug of ours', () => {
  expect(lines.filter(({ event }) => event === 'request.failed')).toEqual([])
})
