import { expect, test } from 'vitest'
import { refusal, rest } from './rest-stage.ts'

const { admin, call, customer, login, person, post, read, lines, db } = await rest()
const elsewhere = await person('service_admin')

test('who has a place here logs in with a password, and is told who they are', async () => {
  const { body } = await read('/auth/me', admin.token)
  expect(body).toMatchObject({ status: 'success', data: { login_id: admin.id, roles: ['admin'] } })
  const wrong = { body: { login: admin.email, password: 'another' } }
  expect(await call('POST', '/auth/login', wrong)).toMatchObject(refusal(401, 'UNAUTHORIZED'))
  const unknown = { body: { login: 'nobody@example.com', password: 'secure_password' } }
  const answers = [await call('POST', '/auth/login', wrong), await call('POST', '/auth/login', unknown)]
  expect(answers[0]!.body.error).toEqual(answers[1]!.body.error)
})

test.each([['loyalty', 'admin'] as const, ['powerbank', 'service_admin'] as const])(
  'a login of %s is no login here, though its password is right',
  async (surface, role) => {
    const stranger = await login(role, surface)
    expect(stranger.token).toBe('')
    const body = { login: stranger.email, password: 'secure_password' }
    expect(await call('POST', '/auth/login', { body })).toMatchObject(refusal(403, 'FORBIDDEN'))
  },
)

test('a token of another surface opens nothing here without a role', async () => {
  for (const path of ['/auth/me', '/users', '/users/1', '/users/1/balance'])
    expect(await read(path, elsewhere.token), path).toMatchObject(refusal(403, 'FORBIDDEN'))
})

test('a refresh token is traded once; two tabs at once both live, and an older one ends the session', async () => {
  const one = await login('user')
  const trade = (token: string) => call('POST', '/auth/refresh', { body: { refresh_token: token } })
  const [left, right] = await Promise.all([trade(one.refreshToken), trade(one.refreshToken)])
  expect([left.status, right.status]).toEqual([200, 200])
  expect(left.body.data.refresh_token).toBe(right.body.data.refresh_token)
  await db.sql`update sessions set refreshed_at = array[now() - interval '1 hour'] where user_id = ${one.id}`
  expect(await trade(one.refreshToken)).toMatchObject(refusal(401, 'UNAUTHORIZED'))
  expect(await trade(left.body.data.refresh_token)).toMatchObject(refusal(401, 'UNAUTHORIZED'))
  expect(await read('/auth/me', left.body.data.access_token)).toMatchObject(refusal(401, 'UNAUTHORIZED'))
  expect(await trade('eyJ.eyJ.x')).toMatchObject(refusal(401, 'UNAUTHORIZED'))
})

test('a customer is made once, by whoever asks first, and knows who invited them', async () => {
  const inviter = await customer()
  const given = { telegram_id: 555_001, username: 'ivan', referral_code: inviter.referralCode.toLowerCase() }
  const answers = await Promise.all([1, 2, 3].map(() => post('/users', admin.token, given)))
  expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409])
  expect(answers.find(({ status }) => status === 409)).toMatchObject(refusal(409, 'DUPLICATE'))
  const { body } = await read('/users?telegram_id=555001', admin.token)
  expect(body.data).toMatchObject({ total: 1, items: [{ username: 'ivan', inviter_id: inviter.id, login_id: null }] })
  expect(await post('/users', admin.token, { telegram_id: 555_002, inviter_id: 999_999 })).toMatchObject(
    refusal(404, 'NOT_FOUND'),
  )
  const twice = { telegram_id: 555_002, inviter_id: inviter.id, referral_code: inviter.referralCode }
  expect(await post('/users', admin.token, twice)).toMatchObject(refusal(422, 'VALIDATION_ERROR'))
})

test('the e-mail of a customer is kept and shown to nobody', async () => {
  const { id } = await customer({ email: 'receipts@example.com' })
  const [row] = await db.sql<{ email: string }[]>`select email from getpro_accounts where id = ${id}`
  expect(row!.email).toBe('receipts@example.com')
  const said = [await read(`/users/${id}`, admin.token), await read('/users', admin.token)]
  expect(JSON.stringify(said.map(({ body }) => body))).not.toContain('receipts@')
})

test('customers see themselves, and cannot tell who else there is', async () => {
  const [one, other] = [await customer(), await customer()]
  expect((await read(`/users/${one.id}`, one.token)).body.data).toMatchObject({ telegram_id: one.telegramId })
  const foreign = await read(`/users/${other.id}`, one.token)
  const nobody = await read('/users/999999', one.token)
  expect(foreign).toMatchObject(refusal(403, 'FORBIDDEN'))
  expect(nobody.body.error).toEqual(foreign.body.error)
  expect(await read('/users', one.token)).toMatchObject(refusal(403, 'FORBIDDEN'))
  expect(await post('/users', one.token, { telegram_id: 1 })).toMatchObject(refusal(403, 'FORBIDDEN'))
  const link = { token: one.token, body: { login_id: one.loginId } }
  expect(await call('PUT', `/users/${other.id}/login`, link)).toMatchObject(refusal(403, 'FORBIDDEN'))
})

test('a login belongs to one customer, and sees nothing once the link is taken away', async () => {
  const [one, other] = [await customer(), await customer()]
  const linkTo = (id: number, login: number | null) =>
    call('PUT', `/users/${id}/login`, { token: admin.token, body: { login_id: login } })
  expect(await linkTo(other.id, one.loginId)).toMatchObject(refusal(409, 'DUPLICATE'))
  expect(await linkTo(other.id, 999_999)).toMatchObject(refusal(404, 'USER_NOT_FOUND'))
  expect(await linkTo(one.id, one.loginId)).toMatchObject({ status: 200 })
  expect((await linkTo(one.id, null)).body.data).toMatchObject({ login_id: null })
  expect(await read(`/users/${one.id}`, one.token)).toMatchObject(refusal(403, 'FORBIDDEN'))
})

test('none of this was a bug of ours', () => {
  expect(lines.filter(({ event }) => event === 'request.failed')).toEqual([])
})
