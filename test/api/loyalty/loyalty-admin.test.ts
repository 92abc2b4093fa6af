import { describe, expect, test } from 'vitest'
import * as identity from '../../../db/identity/identity.ts'
import { startApiServer } from '../server.ts'

const { call, person, db } = await startApiServer()
const { sql } = db
let people = 79_440_000_000

/** Somebody who registered on this surface, with a role of it. */
async function member(role?: string) {
  const phone = `+${++people}`
  const given = { email: `a${people}@example.com`, full_name: 'Анна Петрова', phone, password: 'secure_password' }
  const { body } = await call('POST', '/api/auth/register', { body: given })
  if (role) await db.transaction((tx) => identity.grant(tx, body.user.id, { surface: 'loyalty', role }))
  const [account] = await sql<{ id: number }[]>`select id from loyalty_accounts where user_id = ${body.user.id}`
  return { id: body.user.id as number, token: body.access_token as string, accountId: account!.id }
}
const [admin, cashier, patient] = [await member('admin'), await member('cashier'), await member()]
const look = async (path: string, token = admin.token) => (await call('GET', `/api/admin/${path}`, { token })).body
const create = (body: object) => call('POST', '/api/certificates/create', { token: cashier.token, body })
const move = (kind: 'accrue' | 'deduct', currency: string, amount: number) =>
  call('POST', `/api/loyalty/${kind}`, {
    token: cashier.token,
    body: { account_id: patient.accountId, transaction_type: kind, amount, currency, source: 'visit' },
  })

describe('the dashboard', () => {
  test('counts what there is, and follows what happens', async () => {
    const before = await look('dashboard')
    expect(before).toEqual({
      total_users: 3,
      active_certificates: 0,
      total_certificates_value: 0,
      total_loyalty_points: 0,
      total_loyalty_cashback: 0,
      active_referral_codes: 0,
      today_transactions: 0,
    })
    await person('user')
    const blocked = await member()
    await sql`update users set status = 'blocked' where id = ${blocked.id}`
    await move('accrue', 'points', 100.5)
    await move('accrue', 'cashback', 20)
    await move('deduct', 'points', 0.25)
    const [sold, , lapsed] = [
      await create({ initial_amount: 5000 }),
      await create({ initial_amount: 100 }),
      await create({ initial_amount: 7 }),
    ]
    await call('POST', '/api/certificates/redeem', {
      token: cashier.token,
      body: { code: sold.body.code, amount: 1499.99, cashier_id: cashier.id },
    })
    await sql`update certificates set valid_until = now() where id = ${lapsed.body.id}`
    await call('GET', '/api/referrals/my-code', { token: patient.token })
    await sql`update loyalty_transactions set created_at = now() - interval '2 days' where currency = 'cashback'`
    expect(await look('dashboard')).toEqual({
      total_users: 3,
      active_certificates: 2,
      total_certificates_value: 3600.01,
      total_loyalty_points: 100.25,
      total_loyalty_cashback: 20,
      active_referral_codes: 1,
      today_transactions: 2,
    })
  })

  test('begins its day where the clinic is', async () => {
    const [moscow] = await sql<{ began: Date }[]>`
      select date_trunc('day', now(), 'Europe/Moscow') as began`
    await sql`update loyalty_transactions set created_at = ${moscow!.began}`
    const { today_transactions: all } = await look('dashboard')
    await sql`update loyalty_transactions set created_at = ${new Date(moscow!.began.getTime() - 1)}`
    expect([all, (await look('dashboard')).today_transactions]).toEqual([3, 0])
  })
})

describe('the list of users', () => {
  test('has the members by role, newest first, and nobody else’s people', async () => {
    const { users, total, page, page_size } = await look('users')
    expect([total, page, page_size]).toEqual([users.length, 1, 20])
    const ids = users.map(({ id }: any) => id)
    expect(ids).toEqual([...ids].sort((a, b) => b - a))
    expect(ids).toEqual(expect.arrayContaining([admin.id, cashier.id, patient.id]))
    const stranger = await person('user')
    expect(JSON.stringify(await look('users?page_size=100'))).not.toContain(stranger.email)
    expect((await look('users?role=cashier')).users.map(({ id }: any) => id)).toEqual([cashier.id])
    expect((await look('users?role=admin')).users.map(({ id }: any) => id)).toEqual([admin.id])
    const patients = (await look('users?role=patient')).users
    expect(patients.map(({ id }: any) => id)).toContain(patient.id)
    expect(new Set(patients.map(({ role }: any) => role))).toEqual(new Set(['patient']))
    expect((await look('users?role=doctor')).total).toBe(0)
  })

  test('shows the weightiest role of somebody with two, and under that role only', async () => {
    const both = await member('doctor')
    await db.transaction((tx) => identity.grant(tx, both.id, { surface: 'loyalty', role: 'cashier' }))
    expect((await look('users?role=doctor')).total).toBe(0)
    const cashiers = (await look('users?role=cashier')).users
    expect(cashiers.find(({ id }: any) => id === both.id)).toMatchObject({ role: 'cashier', is_active: true })
    await sql`delete from user_roles where user_id = ${both.id} and role = 'cashier'`
  })

  test('comes in pages that hold everybody once', async () => {
    const { total } = await look('users')
    const seen: number[] = []
    for (let page = 1; page <= Math.ceil(total / 2); page++)
      seen.push(...(await look(`users?page=${page}&page_size=2`)).users.map(({ id }: any) => id))
    expect(new Set(seen).size).toBe(total)
    expect(await look('users?page=1000')).toMatchObject({ users: [], total, page: 1000 })
  })
})

test('the list of certificates has them by status, and a lapsed one is expired', async () => {
  const { body } = await create({ initial_amount: 10 })
  await sql`update certificates set valid_until = now() where id = ${body.id}`
  const ids = async (query: string) => (await look(`certificates${query}`)).certificates.map(({ id }: any) => id)
  expect(await ids('?status=expired')).toContain(body.id)
  expect(await ids('?status=active')).not.toContain(body.id)
  expect(await ids('')).toContain(body.id)
  expect(await ids('?status=cancelled')).toEqual([])
})

describe('the audit log', () => {
  test('says who did what, what was before and what after, newest first', async () => {
    await sql`update loyalty_transactions set created_at = now()`
    const { body } = await move('accrue', 'points', 1)
    const { logs, total, page, page_size } = await look('audit-log')
    expect([page, page_size, total >= logs.length]).toEqual([1, 50, true])
    expect(logs[0]).toMatchObject({
      user_id: cashier.id,
      surface: 'loyalty',
      action: 'loyalty.accrual',
      entity_type: 'loyalty_account',
      entity_id: patient.accountId,
      new_values: { amountMinor: 100, transactionId: body.id },
    })
    expect(logs[0].new_values.balanceMinor - logs[0].old_values.balanceMinor).toBe(100)
    const ids = logs.map(({ id }: any) => id)
    expect(ids).toEqual([...ids].sort((a, b) => b - a))
  })

  test('is filtered by entity, action and actor, all together', async () => {
    const only = async (query: string) => (await look(`audit-log?page_size=200&${query}`)).logs as any[]
    const accruals = await only('action=loyalty.accrual')
    expect(accruals.length).toBeGreaterThan(2)
    expect(accruals.every(({ action }) => action === 'loyalty.accrual')).toBe(true)
    expect((await only('entity_type=certificate')).every(({ entity_type }) => entity_type === 'certificate')).toBe(true)
    expect((await only(`user_id=${patient.id}`)).every(({ user_id }) => user_id === patient.id)).toBe(true)
    expect(await only(`action=loyalty.accrual&user_id=${patient.id}`)).toEqual([])
    expect(await only('action=no.such')).toEqual([])
  })

  test('shows a surface to those at its head only', async () => {
    const record = (surface: string) => sql`
      insert into audit_log (surface, action, entity_type, entity_id) values (${surface}, 'test.fleet', 'order', 1)`
    for (const surface of ['powerbank', 'loyalty']) await record(surface)
    const surfaces = async () => (await look('audit-log?action=test.fleet')).logs.map(({ surface }: any) => surface)
    expect(await surfaces()).toEqual(['loyalty'])
    await db.transaction((tx) => identity.grant(tx, admin.id, { surface: 'powerbank', role: 'service_admin' }))
    expect(await surfaces()).toEqual(['loyalty', 'powerbank'])
    await sql`delete from user_roles where user_id = ${admin.id} and surface = 'powerbank'`
  })

  test.each(['update audit_log set action = action', 'delete from audit_log', 'truncate audit_log'])(
    'is only ever added to: %s is refused',
    async (statement) => {
      await expect(sql.unsafe(statement)).rejects.toMatchObject({ code: '23001' })
    },
  )

  test('holds at most 200 a page', async () => {
    for (const query of ['page_size=201', 'page_size=0', 'user_id=x', 'action=%00', `entity_type=${'x'.repeat(101)}`])
      expect((await call('GET', `/api/admin/audit-log?${query}`, { token: admin.token })).status, query).toBe(422)
  })
})

test.each(['dashboard', 'users', 'certificates', 'audit-log'])('%s is the admin’s alone', async (path) => {
  const fleet = await person('service_admin')
  for (const { token } of [cashier, patient, fleet])
    expect(await call('GET', `/api/admin/${path}`, { token })).toMatchObject({
      status: 403,
      body: { detail: expect.any(String) },
    })
  expect((await call('GET', `/api/admin/${path}`)).status).toBe(401)
})
