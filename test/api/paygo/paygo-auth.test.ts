import { decodeJwt } from 'jose'
import { expect, test } from 'vitest'
import { sign } from '../../../api/token.ts'
import { startApiServer } from '../server.ts'
import { refusal, secret, stage } from './paygo-stage.ts'

const built = await startApiServer()
const { call, db, lines, person } = built
const world = stage(built)
const { member, login, config } = world
const profile = (token: string) => call('GET', '/api/v1/users/profile', { token })
const refresh = (refresh_token: string) => call('POST', '/api/v1/auth/refresh', { body: { refresh_token } })
const changeTo = (token: string, current_password: string, new_password: string) =>
  call('POST', '/api/v1/users/change-password', { token, body: { current_password, new_password } })

test('an address in any case logs in, and whoever came from elsewhere takes part from then on', async () => {
  const stranger = await member(null)
  const admin = await member('admin')
  const isListed = async () => {
    const { body } = await call('GET', `/api/v1/admin/users?search=${stranger.email}`, { token: admin.token })
    return body.pagination.total as number
  }
  expect(await isListed()).toBe(0)
  const { status, body } = await login(stranger.email.toUpperCase())
  expect([status, body.user.role]).toEqual([200, 'user'])
  expect(await isListed()).toBe(1)
})

test('remember_me is what makes a refresh token last, and stays so when it is traded', async () => {
  const { email } = await member()
  const days = (token: string) => Math.round((decodeJwt(token).exp! - Date.now() / 1_000) / 86_400)
  const [short, long] = [(await login(email)).body, (await login(email, secret, { remember_me: true })).body]
  expect([days(short.refresh_token), days(long.refresh_token)]).toEqual([7, 30])
  expect(days((await refresh(long.refresh_token)).body.refresh_token)).toBe(30)
})

test('a wrong password and an unknown address hear the same', async () => {
  const { email } = await member()
  for (const answer of [await login(email, 'wrong'), await login('nobody@example.com')])
    expect(answer).toMatchObject({
      status: 401,
      body: { detail: 'Неверный email или пароль', error_code: 'INVALID_CREDENTIALS' },
    })
})

test('the fifth wrong password in a row locks, the right one too, for a quarter of an hour, and leaves sessions alone', async () => {
  const { id, email, token } = await member()
  for (let n = 0; n < 4; n++) expect((await login(email, 'wrong')).status).toBe(401)
  const locked = await login(email, 'wrong')
  expect(locked).toMatchObject(refusal(423, 'ACCOUNT_LOCKED'))
  expect(Number(locked.headers.get('retry-after'))).toBeGreaterThan(14 * 60)
  expect(await login(email)).toMatchObject(refusal(423, 'ACCOUNT_LOCKED'))
  expect((await profile(token)).status).toBe(200)
  const told = await db.sql`select kind from notifications where user_id = ${id} and surface = 'paygo'`
  expect(told).toEqual([{ kind: 'account.locked' }])
  await db.sql`update users set locked_until = now() - interval '1 second' where id = ${id}`
  expect((await login(email, 'wrong')).status, 'the count began anew').toBe(401)
  expect((await login(email)).status).toBe(200)
})

test('a right password in between begins the count anew', async () => {
  const { email } = await member()
  for (let n = 0; n < 4; n++) await login(email, 'wrong')
  expect((await login(email)).status).toBe(200)
  for (let n = 0; n < 4; n++) expect((await login(email, 'wrong')).status).toBe(401)
  expect((await login(email)).status).toBe(200)
})

test('of twenty wrong passwords at once five are told so, and ten right ones at once all come in', async () => {
  const { email } = await member()
  const right = await Promise.all(Array.from({ length: 10 }, () => login(email)))
  expect(right.map(({ status }) => status)).toEqual(Array(10).fill(200))
  const wrong = await Promise.all(Array.from({ length: 20 }, () => login(email, 'wrong')))
  expect(wrong.map(({ status }) => status).sort()).toEqual([...Array(4).fill(401), ...Array(16).fill(423)])
})

test('who is not active hears so, and only with the right password', async () => {
  const { id, email } = await member()
  await db.sql`update users set status = 'blocked' where id = ${id}`
  expect(await login(email)).toMatchObject(refusal(403, 'ACCOUNT_INACTIVE'))
  expect((await login(email, 'wrong')).status).toBe(401)
})

test('a refresh token comes in the body, the query or the header, and an access token is none', async () => {
  const { email, token } = await member()
  const { body: first } = await login(email)
  const inQuery = await call('POST', `/api/v1/auth/refresh?refresh_token=${first.refresh_token}`)
  const inHeader = await call('POST', '/api/v1/auth/refresh', { token: inQuery.body.refresh_token })
  const inBody = await refresh(inHeader.body.refresh_token)
  expect([inQuery.status, inHeader.status, inBody.status]).toEqual([200, 200, 200])
  expect((await profile(inBody.body.access_token)).status).toBe(200)
  expect(await refresh(token)).toMatchObject(refusal(401, 'UNAUTHORIZED'))
  for (const body of [undefined, {}, '', '{']) {
    const refused = await call('POST', '/api/v1/auth/refresh', body === undefined ? {} : { body })
    expect(refused, String(body)).toMatchObject(refusal(422, 'VALIDATION_ERROR'))
  }
})

test('two tabs that refresh at once both live; an older use ends the session, and that of no other login', async () => {
  const { id, email } = await member()
  const [first, other] = [(await login(email)).body, (await login(email)).body]
  const tabs = await Promise.all([refresh(first.refresh_token), refresh(first.refresh_token)])
  for (const { body } of tabs) expect((await profile(body.access_token)).status).toBe(200)
  await db.sql`update sessions set refreshed_at = array[now() - interval '31 s'] where user_id = ${id} and refreshed_at is not null`
  expect((await refresh(first.refresh_token)).status).toBe(401)
  expect((await profile(tabs[0]!.body.access_token)).status).toBe(401)
  expect((await profile(other.access_token)).status).toBe(200)
})

test('a logout ends this session, the one of a refresh token beside it, and never anybody else’s', async () => {
  const [me, stranger] = [await member(), await member()]
  const [here, there] = [(await login(me.email)).body, (await login(me.email)).body]
  const theirs = (await login(stranger.email)).body
  const out = (token: string, body?: unknown) =>
    call('POST', '/api/v1/auth/logout', { token, ...(body !== undefined && { body }) })
  expect(await out(here.access_token, { refresh_token: theirs.refresh_token })).toMatchObject({
    status: 200,
    body: { message: expect.any(String) },
  })
  expect((await profile(here.access_token)).status).toBe(401)
  expect((await refresh(here.refresh_token)).status).toBe(401)
  expect((await profile(theirs.access_token)).status).toBe(200)
  expect((await out(here.access_token)).status, 'said twice').toBe(401)
  expect((await out(me.token, { refresh_token: there.refresh_token })).status).toBe(200)
  expect((await profile(there.access_token)).status).toBe(401)
  expect((await out(theirs.access_token, '')).status, 'a content type with nothing behind it').toBe(200)
})

test('a token is good until it ends, whichever surface gave it, and brings no role of another', async () => {
  const { id, sessionId } = await member('admin')
  const old = await sign(
    { userId: id, sessionId },
    { surface: 'paygo', expiresAt: new Date(Date.now() - 5_000) },
    config.jwtSecret,
  )
  expect(await profile(old)).toMatchObject(refusal(401, 'UNAUTHORIZED'))
  const fleet = await person('service_admin')
  expect((await profile(fleet.token)).body).toMatchObject({ id: `user${fleet.id}`, role: 'user' })
  expect((await call('GET', '/api/v1/admin/users', { token: fleet.token })).status).toBe(403)
})

test('a new password ends the other sessions, and no other one', async () => {
  const { email, token } = await member()
  const other = (await login(email)).body
  for (const weak of ['short1', 'onlyletters', '1234567890'])
    expect(await changeTo(token, secret, weak), weak).toMatchObject(refusal(422, 'VALIDATION_ERROR'))
  expect(await changeTo(token, 'wrong', 'newpassword456')).toMatchObject(refusal(400, 'INVALID_PASSWORD'))
  const twice = await Promise.all([
    changeTo(token, secret, 'newpassword456'),
    changeTo(token, secret, 'newpassword789'),
  ])
  expect(twice.map(({ status }) => status).sort()).toEqual([200, 400])
  expect((await profile(token)).status).toBe(200)
  expect((await profile(other.access_token)).status).toBe(401)
  expect((await login(email)).status).toBe(401)
  const alias = { old_password: 'newpassword456', new_password: 'another4567' }
  const first = (await login(email, 'newpassword456')).status === 200
  const body = first ? alias : { ...alias, old_password: 'newpassword789' }
  expect((await call('POST', '/api/v1/users/change-password', { token, body })).status).toBe(200)
})

test('passwords are not guessed by way of a stolen session either', async () => {
  const { email, token } = await member()
  for (let n = 0; n < 4; n++) expect((await changeTo(token, `wrong${n}`, 'newpassword456')).status).toBe(400)
  expect((await changeTo(token, 'wrong', 'newpassword456')).status).toBe(423)
  expect((await login(email)).status).toBe(423)
})

test('none of this was a bug of ours', () => {
  expect(lines.filter(({ event }) => !['request.answered', 'session.reused'].includes(event))).toEqual([])
})
