import { describe, expect, test } from 'vitest'
import { startApiServer } from '../server.ts'
import { stage } from './contract-loyalty-stage.ts'

// Whatever belongs to one patient is closed to every other (docs/contracts.md 3).
const built = await startApiServer()
const { call, db, lines } = built

const tables = [
  'certificates',
  'certificate_transfers',
  'certificate_redemptions',
  'referral_codes',
  'referral_events',
  'loyalty_transactions',
  'loyalty_accounts',
  'ledger_postings',
]
const state = () =>
  Promise.all(
    tables.map(async (table) => {
      const [row] =
        await db.sql`select count(*) as n, md5(string_agg(t::text, '|' order by id)) as sum from ${db.sql(table)} t`
      return `${table} ${row!.n} ${row!.sum}`
    }),
  )
const world = await stage(built)
const certificateId = await world.certificate()
await world.referral()
await world.accrue(100)
const { user, member } = world
const [stranger, doctor] = [await member(null), await member('doctor')]
const amount = { account_id: user.accountId, amount: 1, currency: 'points', source: 'visit' }

const acts: [string, string, object?][] = [
  ['GET', `/api/certificates/${certificateId}`],
  ['POST', '/api/certificates/transfer', { certificate_id: certificateId, to_user_email: 'x@example.com' }],
  ['POST', `/api/certificates/${certificateId}/cancel`],
  ['POST', '/api/certificates/redeem', { code: 'CERT-A1B2C3D4E5F6G7H8', amount: 1, cashier_id: user.id }],
  ['POST', '/api/certificates/create', { initial_amount: 1, owner_id: user.id }],
  ['POST', '/api/loyalty/accrue', amount],
  ['POST', '/api/loyalty/deduct', amount],
  ['POST', '/api/referrals/create-code', { user_id: user.id, referrer_type: 'patient' }],
  [
    'POST',
    '/api/referrals/register-event',
    { referral_code: 'REF-ABC12345', referred_user_id: stranger.id, event_type: 'first_visit' },
  ],
]
describe.each(acts)('%s %s', (method, path, body) => {
  test.each([
    ['another patient', stranger],
    ['a doctor', doctor],
  ])('is closed to %s, and changes nothing', async (_, { token }) => {
    const before = await state()
    const answer = await call(method, path, { token, ...(body ? { body } : {}) })
    expect([answer.status, answer.body]).toEqual([403, { detail: expect.any(String) }])
    expect(await state()).toEqual(before)
  })
})

test('nothing of one patient is in what another one sees', async () => {
  const paths = ['loyalty/balance', 'loyalty/transactions', 'referrals/my-code', 'referrals/stats', 'referrals/rewards']
  const mine = ['REF-ABC12345', `"account_id":${user.accountId},`]
  for (const path of [...paths, 'auth/me']) {
    const { status, body } = await call('GET', `/api/${path}`, { token: stranger.token })
    expect(status, path).toBe(200)
    for (const one of mine) expect(JSON.stringify(body), path).not.toContain(one)
  }
  expect((await call('GET', '/api/loyalty/transactions', { token: stranger.token })).body.total).toBe(0)
})

test('a patient is nobody in the fleet, and its chief nobody here', async () => {
  const chief = await built.person('service_admin')
  expect(await call('GET', '/api/admin/pending-users', { token: user.token })).toMatchObject({ status: 403 })
  expect(await call('GET', '/api/admin/users', { token: chief.token })).toMatchObject({ status: 403 })
  expect(lines.filter(({ event }) => event === 'request.failed')).toEqual([])
})
