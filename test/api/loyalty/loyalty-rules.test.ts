import { expect, test } from 'vitest'
import * as identity from '../../../db/identity/identity.ts'
import { startApiServer } from '../server.ts'

const { call, person, db } = await startApiServer()
const admin = await person()
await db.transaction((tx) => identity.grant(tx, admin.id, { surface: 'loyalty', role: 'admin' }))
const list = async () => (await call('GET', '/api/admin/reward-rules', { token: admin.token })).body.rules as any[]
const rental = (await list()).find(({ event_type }) => event_type === 'rental')
const put = (body: object, id = rental.id, token = admin.token) =>
  call('PUT', `/api/admin/reward-rules/${id}`, { token, body })
const audits = async () =>
  await db.sql`select user_id, old_values, new_values from audit_log where entity_type = 'reward_rule' order by id`

test('rentals earn nothing until an administrator says so', async () => {
  expect(rental).toMatchObject({ reward_type: 'points', value: 10, is_active: false, referrer_type: null })
  expect(await list()).toHaveLength(5)
})

test('a rule is switched on once, holds from then on, and is audited', async () => {
  await db.sql`update reward_rules set activated_at = '2020-01-01'`
  const on = await put({ is_active: true, value: 12.5 })
  expect(on).toMatchObject({
    status: 200,
    body: { id: rental.id, is_active: true, value: 12.5, reward_type: 'points' },
  })
  expect(on.body.activated_at > '2026').toBe(true)
  await db.sql`update reward_rules set activated_at = '2020-01-01'`
  const again = await put({ is_active: true, value: 12.5 })
  expect(again.body.activated_at).toBe('2020-01-01T00:00:00Z')
  expect(await audits()).toEqual([
    {
      userId: admin.id,
      oldValues: { rewardType: 'points', value: 1_000, isActive: false },
      newValues: { rewardType: 'points', value: 1_250, isActive: true },
    },
  ])
})

test('twenty administrators at once change it once', async () => {
  const before = (await audits()).length
  await Promise.all(Array.from({ length: 20 }, () => put({ value: 7 })))
  expect((await audits()).length).toBe(before + 1)
})

test.each([
  [{ value: -1 }, 422],
  [{ value: 0.001 }, 422],
  [{ value: '1' }, 422],
  [{ is_active: 'yes' }, 422],
  [{ reward_type: 'gold' }, 422],
  [{ reward_type: 'percentage', value: 100.01 }, 400],
])('%j is no rule', async (body, status) => {
  const before = await list()
  const refused = await put(body)
  expect(refused.status).toBe(status)
  expect(refused.body.detail).toBeDefined()
  expect(await list()).toEqual(before)
})

test('rules are an administrator’s', async () => {
  const { token, id } = await person('service_admin')
  await db.transaction((tx) => identity.grant(tx, id, { surface: 'loyalty', role: 'cashier' }))
  expect((await call('GET', '/api/admin/reward-rules', { token })).status).toBe(403)
  expect((await put({ value: 1 }, rental.id, token)).status).toBe(403)
  expect((await call('PUT', `/api/admin/reward-rules/${rental.id}`, { body: {} })).status).toBe(401)
  expect((await put({ value: 1 }, 999_999)).status).toBe(404)
  expect((await put({ value: 1 }, 'x')).status).toBe(422)
})
