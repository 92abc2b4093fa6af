import { expect, test } from 'vitest'
import { startApiServer } from '../server.ts'

const { call, person, db, lines, stage } = await startApiServer()

let people = 79_310_000_000
const newcomer = () => {
  const phone = `+${++people}`
  return { email: `L${people}@example.com`, full_name: 'Анна Петрова', phone, password: 'secure_password' }
}
const form = { 'content-type': 'application/x-www-form-urlencoded' }
const login = (email: string, password: string, path = '/api/auth/login') =>
  call('POST', path, { headers: form, body: String(new URLSearchParams({ username: email, password })) })
const refresh = (token: string) => call('POST', `/api/auth/refresh?refresh_token=${token}`)
const me = (token: string) => call('GET', '/api/auth/me', { token })

async function registered() {
  const given = newcomer()
  const { status, body } = await call('POST', '/api/auth/register', { body: given })
  expect(status).toBe(201)
  return { ...given, ...body }
}

test('somebody registers, is a patient with a card, and reads who they are', async () => {
  const given = newcomer()
  const { status, body } = await call('POST', '/api/auth/register', { body: given })
  expect(status).toBe(201)
  expect(body).toEqual({
    access_token: expect.any(String),
    refresh_token: expect.any(String),
    token_type: 'bearer',
    user: {
      id: expect.any(Number),
      external_id: null,
      email: given.email,
      phone: given.phone,
      full_name: given.full_name,
      role: 'patient',
      is_active: true,
      is_verified: false,
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
    },
  })
  const who = await me(body.access_token)
  expect(who).toMatchObject({ status: 200, body: body.user })
  const [card] = await db.sql`select card_number, card_tier from loyalty_accounts where user_id = ${body.user.id}`
  expect(card).toEqual({ cardNumber: expect.stringMatching(/^ML\d{8}$/), cardTier: 'bronze' })
  const empty = await call('GET', '/api/loyalty/balance', { token: body.access_token })
  expect(empty.body).toEqual({ points_balance: 0, cashback_balance: 0, card_tier: 'bronze', transactions_count: 0 })
})

test.each([
  ['email', 'почта'],
  ['phone', 'телефон'],
])('a taken %s is refused in words', async (field) => {
  const first = await registered()
  const taken = field === 'email' ? first.email.toUpperCase() : first.phone
  const { status, body } = await call('POST', '/api/auth/register', { body: { ...newcomer(), [field]: taken } })
  expect(status).toBe(400)
  expect(body).toEqual({ detail: expect.stringContaining('уже зарегистрирован') })
})

test('one newcomer registered twenty times at once is one account with one card', async () => {
  const body = newcomer()
  const answers = await Promise.all(Array.from({ length: 20 }, () => call('POST', '/api/auth/register', { body })))
  expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array(19).fill(400)])
  const [count] = await db.sql`
    select count(*) as n from loyalty_accounts a join users u on u.id = a.user_id where u.phone = ${body.phone}`
  expect(count!.n).toBe(1)
})

test.each([
  ['email', undefined, 'missing'],
  ['full_name', undefined, 'missing'],
  ['password', undefined, 'missing'],
  ['email', 'anna', 'value_error'],
  ['email', 7, 'string_type'],
  ['phone', '89991234567', 'value_error'],
  ['password', '123', 'string_too_short'],
  ['full_name', '', 'string_too_short'],
  ['referral_code', 7, 'string_type'],
])('a registration with a bad %s (%s) is 422 and says where', async (field, value, type) => {
  const { status, body } = await call('POST', '/api/auth/register', { body: { ...newcomer(), [field]: value } })
  expect(status).toBe(422)
  expect(body).toEqual({ detail: [{ loc: ['body', field], msg: expect.stringMatching(/[а-я]/), type }] })
})

test('what is no JSON is 422 too', async () => {
  for (const body of ['{', 'nonsense'])
    expect(await call('POST', '/api/auth/register', { body })).toMatchObject({
      status: 422,
      body: { detail: [{ loc: ['body'], type: 'json_invalid' }] },
    })
  for (const body of ['null', '[]', '"x"', '7'])
    expect(await call('POST', '/api/auth/register', { body })).toMatchObject({
      status: 422,
      body: { detail: [{ loc: ['body'], type: 'model_attributes_type' }] },
    })
})

test('a form logs in, so does a multipart form, so does JSON with an email', async () => {
  const { email, password, user } = await registered()
  const multipart = new FormData()
  multipart.set('username', email)
  multipart.set('password', password)
  const answers = [
    await login(email, password),
    await login(email.toUpperCase(), password, '/api/auth/login/'),
    await call('POST', '/api/auth/login', { body: multipart }),
    await call('POST', '/api/auth/login', { body: { email, password } }),
  ]
  for (const { status, body } of answers) {
    expect(status).toBe(200)
    expect(body).toEqual({
      access_token: expect.any(String),
      refresh_token: expect.any(String),
      token_type: 'bearer',
      user,
    })
    expect((await me(body.access_token)).status).toBe(200)
  }
})

test('a wrong password and an unknown address hear the same', async () => {
  const { email } = await registered()
  const answers = await Promise.all([
    login(email, 'wrong'),
    login('nobody@example.com', 'wrong'),
    login('no address at all', 'wrong'),
  ])
  for (const { status, body, headers } of answers) {
    expect([status, body]).toEqual([401, { detail: 'Неверный email или пароль' }])
    expect(headers.get('www-authenticate')).toBe('Bearer')
  }
})

test('who is not active hears so, and only with the right password', async () => {
  for (const status of ['blocked', 'pending']) {
    const { email, password, user, access_token, refresh_token } = await registered()
    await db.sql`update users set status = ${status} where id = ${user.id}`
    expect(await login(email, password)).toMatchObject({
      status: 400,
      body: { detail: 'Учётная запись не активна' },
    })
    expect((await login(email, 'wrong')).status).toBe(401)
    expect((await me(access_token)).status).toBe(401)
    expect((await refresh(refresh_token)).status).toBe(401)
  }
})

test.each([
  [
    '',
    [
      ['body', 'username'],
      ['body', 'password'],
    ],
  ],
  ['username=a', [['body', 'password']]],
  ['password=a', [['body', 'username']]],
  ['username=&password=a', [['body', 'username']]],
])('the form %s is 422 and says what is missing', async (body, locs) => {
  const answer = await call('POST', '/api/auth/login', { headers: form, body })
  expect(answer.status).toBe(422)
  expect(answer.body.detail.map(({ loc }: { loc: unknown }) => loc)).toEqual(locs)
})

test('a login that is neither form nor JSON is 422', async () => {
  for (const body of ['{}', '{"email":"a@b.c"}', '{', 'null'])
    expect((await call('POST', '/api/auth/login', { body })).status, body).toBe(422)
  expect((await call('POST', '/api/auth/login', { headers: { 'content-type': 'text/plain' }, body: 'x' })).status).toBe(
    422,
  )
})

test('a login of one surface is good on the other', async () => {
  const { access_token, user } = await registered()
  const profile = await call('GET', '/api/auth/profile', { token: access_token })
  expect(profile).toMatchObject({ status: 200, body: { user: { user_id: user.id, role: 'user' } } })
  const fleet = await person('service_admin')
  expect(await me(fleet.token)).toMatchObject({ status: 200, body: { id: fleet.id, role: 'patient' } })
  // A role of the other surface is none here.
  const movement = { account_id: 1, amount: 1, currency: 'points', source: 'x' }
  expect(await call('POST', '/api/loyalty/accrue', { token: fleet.token, body: movement })).toMatchObject({
    status: 403,
    body: { detail: expect.any(String) },
  })
})

test('who came by another surface has no account until the first login here', async () => {
  const stranger = {
    fio: 'Иван Иванов',
    phone_e164: `+${++people}`,
    email: `f${people}@example.com`,
    password: 'password123',
  }
  await call('POST', '/api/auth/register', { body: stranger })
  await db.sql`update users set status = 'active' where phone = ${stranger.phone_e164}`
  const fleet = await call('POST', '/api/auth/login', { body: stranger })
  const without = await call('GET', '/api/loyalty/balance', { token: fleet.body.token })
  expect(without).toMatchObject({ status: 404, body: { detail: 'Счёт лояльности не найден' } })
  const here = await Promise.all(Array.from({ length: 5 }, () => login(stranger.email, stranger.password)))
  expect(here.map(({ status }) => status)).toEqual(Array(5).fill(200))
  expect((await call('GET', '/api/loyalty/balance', { token: fleet.body.token })).status).toBe(200)
  const [count] = await db.sql`select count(*) as n from loyalty_accounts where user_id = ${here[0]!.body.user.id}`
  expect(count!.n).toBe(1)
})

test('a referral code at registration pays whose it is, once; an unknown one is no obstacle', async () => {
  const referrer = await registered()
  const { body: code } = await call('GET', '/api/referrals/my-code', { token: referrer.access_token })
  const answer = await call('POST', '/api/auth/register', { body: { ...newcomer(), referral_code: code.code } })
  expect(answer.status).toBe(201)
  const balance = await call('GET', '/api/loyalty/balance', { token: referrer.access_token })
  expect(balance.body).toMatchObject({ points_balance: 100, transactions_count: 1 })
  const other = await call('POST', '/api/auth/register', { body: { ...newcomer(), referral_code: 'REF-UNKNOWN1' } })
  expect(other.status).toBe(201)
})

test('an address logs in and registers so often in a minute, and asks so often in a second', async () => {
  const auth = await startApiServer({ loyalty: { ...stage.config.loyalty, loginsPerMinute: 2 } })
  const tries = []
  for (let n = 0; n < 3; n++)
    tries.push(await auth.call('POST', '/api/auth/login', { headers: form, body: 'username=a@b.c&password=x' }))
  expect(tries.map(({ status }) => status)).toEqual([401, 401, 429])
  expect(tries[2]).toMatchObject({ body: { detail: expect.any(String) } })
  expect(Number(tries[2]!.headers.get('retry-after'))).toBeGreaterThan(0)
  expect((await auth.call('POST', '/api/auth/refresh?refresh_token=x')).status).toBe(429)
  expect((await auth.call('POST', '/api/auth/register', { body: newcomer() })).status).toBe(429)
  // The power banks' words on the same path are counted by the power banks.
  const theirs = await auth.call('POST', '/api/auth/login', { body: { phone_e164: '+79990000000', password: 'x' } })
  expect(theirs).toMatchObject({ status: 401, body: { success: false } })

  const asks = await startApiServer({ loyalty: { ...stage.config.loyalty, requestsPerSecond: 2 } })
  const statuses = await Promise.all(Array.from({ length: 6 }, () => asks.call('GET', '/api/auth/me')))
  expect(statuses.filter(({ status }) => status === 429).length).toBeGreaterThanOrEqual(2)
  expect((await asks.call('GET', '/api/auth/profile')).status).toBe(401)
  // Nobody there at all is nobody's request.
  expect((await asks.call('GET', '/api/nothing')).status).toBe(404)
})

test('guessing one person’s password ends in a wait, from wherever', async () => {
  const guessed = await startApiServer({ phoneFailuresMax: 2 })
  const statuses = []
  for (const name of ['victim@example.com', 'VICTIM@example.com', ' victim@example.com'])
    statuses.push((await guessed.call('POST', '/api/auth/login', { body: { email: name, password: 'x' } })).status)
  expect(statuses).toEqual([401, 401, 429])
})

test('nothing a client should keep to itself reaches the log or an answer', async () => {
  const one = await registered()
  const { body } = await refresh(one.refresh_token)
  const log = JSON.stringify(lines)
  for (const secret of [one.email, one.phone, one.password, one.access_token, one.refresh_token, body.refresh_token])
    expect(log).not.toContain(secret)
  expect(JSON.stringify([one.user, (await me(body.access_token)).body])).not.toMatch(/argon2|hash/)
  const unexpected = lines.filter(({ event }) => !['request.answered', 'session.reused'].includes(event))
  expect(unexpected).toEqual([])
})
