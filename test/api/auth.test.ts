import { SignJWT, UnsecuredJWT } from 'jose'
import { expect, test } from 'vitest'
import { config, startApiServer } from './server.ts'

const { call, person, db, stage, lines } = await startApiServer()
const { call: limited } = await startApiServer({ loginsPerMinute: 3, phoneFailuresMax: 2, registrationsPerMinute: 2 })
const key = new TextEncoder().encode(config.jwtSecret)

let phones = 79_110_000_000
const newcomer = () => {
  const phone_e164 = `+${++phones}`
  return { fio: 'Иван Иванов', phone_e164, email: `n${phones}@example.com`, password: 'password123' }
}
const admit = async (phone: string) => db.sql`update users set status = 'active' where phone = ${phone}`

test('somebody registers, waits, is let in, logs in and reads their profile', async () => {
  const body = newcomer()
  const { phone_e164, password } = body
  const registered = await call('POST', '/api/auth/register', { body })
  expect(registered.status).toBe(201)
  const { user_id } = registered.body
  expect(registered.body).toMatchObject({ success: true, user_id: expect.any(Number), status: 'pending' })
  expect(registered.body.message).toEqual(expect.any(String))
  expect(registered.body.data).toEqual({ user_id, status: 'pending' })

  const early = await call('POST', '/api/auth/login', { body: { phone_e164, password } })
  expect(early.status).toBe(401)

  await admit(phone_e164)
  const login = await call('POST', '/api/auth/login', { body: { phone_e164, password } })
  expect(login.status).toBe(200)
  expect(login.body.user).toMatchObject({
    user_id,
    phone_e164,
    email: body.email,
    fio: body.fio,
    status: 'active',
    role: 'user',
  })
  expect(login.body.data).toEqual({ token: login.body.token, user: login.body.user })
  expect(login.body.user.created_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+03:00$/)

  const profile = await call('GET', '/api/auth/profile', { token: login.body.token })
  expect(profile.status).toBe(200)
  expect(profile.body.user).toEqual({ ...login.body.user, last_login_at: expect.any(String) })
  expect(profile.body.data).toEqual(profile.body.user)
  expect(JSON.stringify([login.body.user, profile.body])).not.toMatch(/argon2|password/)
})

test('one phone registered twenty times at once is one account', async () => {
  const body = newcomer()
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, n) =>
      call('POST', '/api/auth/register', { body: { ...body, email: `t${n}@e.com` } }),
    ),
  )
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(1)
  expect(answers.filter(({ status }) => status === 400)).toHaveLength(19)
  const refused = answers.find(({ status }) => status === 400)!
  expect(refused.body).toEqual({
    success: false,
    error: 'Пользователь с таким телефоном уже существует',
    field: 'phone',
  })
  const [count] = await db.sql`select count(*) as n from users where phone = ${body.phone_e164}`
  expect(count!.n).toBe(1)
})

test('an email is taken in any case of its letters', async () => {
  const first = newcomer()
  expect((await call('POST', '/api/auth/register', { body: first })).status).toBe(201)
  const second = await call('POST', '/api/auth/register', { body: { ...newcomer(), email: first.email.toUpperCase() } })
  expect(second.status).toBe(400)
  expect(second.body.error).toBe('Пользователь с таким email уже существует')
})

test.each([
  ['fio', undefined],
  ['phone_e164', undefined],
  ['email', undefined],
  ['password', ''],
  ['fio', '   '],
  ['fio', 7],
  ['phone_e164', '89001234567'],
  ['phone_e164', '+7 (900) 123'],
  ['email', 'ivan'],
  ['email', `${'a'.repeat(300)}@example.com`],
  ['password', '123'],
  ['password', 'x'.repeat(129)],
])('a registration with a bad %s (%s) is refused and names the field', async (field, value) => {
  const { status, body } = await call('POST', '/api/auth/register', { body: { ...newcomer(), [field]: value } })
  expect(status).toBe(400)
  expect(body).toMatchObject({ success: false, errors: [{ field }] })
  expect(body.error).toContain(field)
})

test('a text PostgreSQL cannot hold is the client’s mistake, not ours', async () => {
  const { status, body } = await call('POST', '/api/auth/register', { body: { ...newcomer(), fio: 'a\u0000b' } })
  expect(status).toBe(400)
  expect(body).toMatchObject({ success: false, error: expect.any(String) })
})

test('a wrong password, an unknown phone and a blocked account hear the same', async () => {
  const known = newcomer()
  await call('POST', '/api/auth/register', { body: known })
  const blocked = newcomer()
  await call('POST', '/api/auth/register', { body: blocked })
  await admit(known.phone_e164)
  await db.sql`update users set status = 'blocked' where phone = ${blocked.phone_e164}`
  const answers = await Promise.all(
    [
      { phone_e164: known.phone_e164, password: 'password124' },
      { phone_e164: '+79009999999', password: 'password123' },
      { phone_e164: blocked.phone_e164, password: 'password123' },
      { phone_e164: 'no phone at all', password: '' },
    ].map((body) => call('POST', '/api/auth/login', { body })),
  )
  expect(new Set(answers.map(({ status, body }) => JSON.stringify([status, body]))).size).toBe(1)
  expect(answers[0]).toMatchObject({ status: 401, body: { success: false, error: 'Неверный телефон или пароль' } })
})

test('the profile changes name and email, nothing else, and not to a taken email', async () => {
  const { token, phone } = await person()
  const other = await person()
  const change = { fio: 'Пётр Петров', email: 'petr@example.com', role: 'service_admin', phone_e164: '+79000000001' }
  const changed = await call('PUT', '/api/auth/profile', { token, body: change })
  expect(changed.status).toBe(200)
  expect(changed.body.data).toMatchObject({ fio: 'Пётр Петров', email: 'petr@example.com', role: 'user' })
  expect(changed.body.data.phone_e164).toBe(phone)
  const taken = await call('PUT', '/api/auth/profile', { token, body: { email: other.email } })
  expect(taken).toMatchObject({ status: 400, body: { error: 'Пользователь с таким email уже существует' } })
  const again = await call('PUT', '/api/auth/profile', { token, body: {} })
  expect(again.body.data).toMatchObject({ fio: 'Пётр Петров', email: 'petr@example.com' })
})

test('a token dies with its session, its user’s status and its user', async () => {
  const deeds = [
    (id: number) => db.sql`update users set status = 'blocked' where id = ${id}`,
    (id: number) => db.sql`update users set deleted_at = now() where id = ${id}`,
    (id: number) => db.sql`update sessions set revoked_at = now() where user_id = ${id}`,
    (id: number) => db.sql`update sessions set expires_at = now() where user_id = ${id}`,
  ]
  for (const deed of deeds) {
    const { id, token } = await person()
    expect((await call('GET', '/api/auth/profile', { token })).status).toBe(200)
    await deed(id)
    expect(await call('GET', '/api/auth/profile', { token })).toMatchObject({ status: 401, body: { success: false } })
  }
})

test('no token but ours opens a door', async () => {
  const { id, sessionId, token } = await person()
  const claims = { sid: sessionId, type: 'access', surface: 'powerbank' }
  const made = (about: object, issuer = 'voltbay', exp = '1h') =>
    new SignJWT({ ...claims, ...about }).setSubject(String(id)).setIssuer(issuer).setIssuedAt().setExpirationTime(exp)
  const header = { alg: 'HS256' }
  const [head, payload] = token.split('.')
  const none = Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url')
  const forged = {
    unsigned: new UnsecuredJWT(claims).setSubject(String(id)).setIssuer('voltbay').setExpirationTime('1h').encode(),
    'alg none': `${none}.${payload}.`,
    'alg none, our signature': `${none}.${payload}.${token.split('.')[2]}`,
    'no signature': `${head}.${payload}.`,
    'another algorithm': await made({}).setProtectedHeader({ alg: 'HS512' }).sign(key),
    'another key': await made({})
      .setProtectedHeader(header)
      .sign(new TextEncoder().encode('x'.repeat(40))),
    'another issuer': await made({}, 'somebody').setProtectedHeader(header).sign(key),
    expired: await made({}, 'voltbay', '-1s').setProtectedHeader(header).sign(key),
    'a refresh token': await made({ type: 'refresh' }).setProtectedHeader(header).sign(key),
    'another session': await made({ sid: crypto.randomUUID() }).setProtectedHeader(header).sign(key),
    'no expiry': await new SignJWT(claims)
      .setSubject(String(id))
      .setIssuer('voltbay')
      .setProtectedHeader(header)
      .sign(key),
  }
  for (const [name, forgery] of Object.entries(forged))
    expect(await call('GET', '/api/auth/profile', { token: forgery }), name).toMatchObject({ status: 401 })
  const honest = await made({}).setProtectedHeader(header).sign(key)
  expect((await call('GET', '/api/auth/profile', { token: honest })).status).toBe(200)
})

test('guessing passwords of one phone ends in a wait, also for the right one', async () => {
  const body = { phone_e164: '+79005554433', password: 'password123' }
  expect((await limited('POST', '/api/auth/login', { body })).status).toBe(401)
  expect((await limited('POST', '/api/auth/login', { body })).status).toBe(401)
  const third = await limited('POST', '/api/auth/login', { body })
  expect(third).toMatchObject({ status: 429, body: { success: false, error: expect.any(String) } })
  expect(Number(third.headers.get('retry-after'))).toBeGreaterThan(0)
})

test('one address registers so many and no more', async () => {
  const tries = []
  for (let n = 0; n < 3; n++) tries.push((await limited('POST', '/api/auth/register', { body: newcomer() })).status)
  expect(tries).toEqual([201, 201, 429])
})

test('nothing a client should keep to itself reaches the log', async () => {
  const body = newcomer()
  await call('POST', '/api/auth/register', { body })
  await admit(body.phone_e164)
  const { token } = (await call('POST', '/api/auth/login', { body })).body
  await call('GET', `/api/auth/profile?token=${token}`, { token })
  const log = JSON.stringify(lines)
  for (const secret of [body.phone_e164, body.email, body.password, token, stage.config.jwtSecret])
    expect(log).not.toContain(secret)
  expect(lines.filter(({ event }) => event !== 'request.answered')).toEqual([])
})
