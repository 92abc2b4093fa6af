import { decodeJwt } from 'jose'
import { expect, test } from 'vitest'
import { startApiServer } from '../server.ts'

const { call, person, db, lines } = await startApiServer()

let people = 79_320_000_000
async function registered() {
  const phone = `+${++people}`
  const given = { email: `r${people}@example.com`, full_name: 'Анна Петрова', phone, password: 'secure_password' }
  const { status, body } = await call('POST', '/api/auth/register', { body: given })
  expect(status).toBe(201)
  return { ...given, ...body }
}
const refresh = (token: string) => call('POST', `/api/auth/refresh?refresh_token=${token}`)
/** The grace of the last trade is over. */
const later = (userId: number) =>
  db.sql`update sessions set refreshed_at = array[now() - interval '31 seconds'] where user_id = ${userId}`
const me = (token: string) => call('GET', '/api/auth/me', { token })

test('tokens last as the settings say', async () => {
  const { access_token, refresh_token } = await registered()
  const life = (token: string) => {
    const { iat, exp } = decodeJwt(token)
    return exp! - iat!
  }
  expect(life(access_token)).toBe(30 * 60)
  expect(life(refresh_token)).toBeGreaterThanOrEqual(30 * 86_400 - 1)
  expect(life(refresh_token)).toBeLessThanOrEqual(30 * 86_400)
})

test('a refresh gives two new tokens, and they work', async () => {
  const first = await registered()
  const second = await refresh(first.refresh_token)
  expect(second.status).toBe(200)
  expect(second.body).toMatchObject({ token_type: 'bearer', user: first.user })
  expect(second.body.refresh_token).not.toBe(first.refresh_token)
  expect((await me(second.body.access_token)).status).toBe(200)
  const third = await call('POST', '/api/auth/refresh', { body: { refresh_token: second.body.refresh_token } })
  expect(third.status).toBe(200)
  expect((await me(third.body.access_token)).status).toBe(200)
})

test('a refresh token said again after the grace ends the session with every token of it', async () => {
  const first = await registered()
  const second = await refresh(first.refresh_token)
  await later(first.user.id)
  const stolen = await refresh(first.refresh_token)
  expect(stolen).toMatchObject({ status: 401, body: { detail: expect.any(String) } })
  expect(stolen.headers.get('www-authenticate')).toBe('Bearer')
  expect((await refresh(second.body.refresh_token)).status).toBe(401)
  for (const token of [first.access_token, second.body.access_token]) expect((await me(token)).status).toBe(401)
  expect(lines.filter(({ event }) => event === 'session.reused').length).toBeGreaterThan(0)
  // Another login of the same person is another family.
  expect((await call('POST', '/api/auth/login', { body: first })).status).toBe(200)
})

test('two tabs, or twenty, that refresh at once all live on, by the same token', async () => {
  const { refresh_token, user } = await registered()
  const answers = await Promise.all(Array.from({ length: 20 }, () => refresh(refresh_token)))
  expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200))
  for (const { body } of answers) expect((await me(body.access_token)).status).toBe(200)
  // Whichever tab goes on, the others can follow; a token of long ago is still a stolen one.
  const [one, other] = [answers[3]!.body, answers[17]!.body]
  const next = await refresh(one.refresh_token)
  expect(next.status).toBe(200)
  expect((await refresh(other.refresh_token)).status).toBe(200)
  expect((await refresh(refresh_token)).status).toBe(200)
  await later(user.id)
  expect((await refresh(other.refresh_token)).status).toBe(401)
  expect((await me(next.body.access_token)).status).toBe(401)
})

test('who is more trades behind than are remembered is no other tab', async () => {
  const { refresh_token } = await registered()
  let last = refresh_token
  for (let trades = 0; trades < 8; trades++) last = (await refresh(last)).body.refresh_token
  expect((await refresh(refresh_token)).status).toBe(200)
  last = (await refresh(last)).body.refresh_token
  expect((await refresh(refresh_token)).status).toBe(401)
  expect((await refresh(last)).status).toBe(401)
})

test('no token does the work of the other kind', async () => {
  const { access_token, refresh_token } = await registered()
  expect((await refresh(access_token)).status).toBe(401)
  for (const path of ['/api/auth/me', '/api/loyalty/balance', '/api/auth/profile'])
    expect((await call('GET', path, { token: refresh_token })).status, path).toBe(401)
  const { token } = await person()
  expect((await refresh(token)).status).toBe(401)
  for (const forged of ['x', 'a.b.c', `${refresh_token}x`, refresh_token.replace(/\.[^.]*$/, '.')])
    expect((await refresh(forged)).status).toBe(401)
  expect((await refresh(refresh_token)).status).toBe(200)
})

test('a session that is over is not refreshed', async () => {
  for (const deed of [
    (id: number) => db.sql`update sessions set revoked_at = now() where user_id = ${id}`,
    (id: number) => db.sql`update sessions set expires_at = now() where user_id = ${id}`,
    (id: number) => db.sql`update users set deleted_at = now() where id = ${id}`,
  ]) {
    const { refresh_token, user } = await registered()
    await deed(user.id)
    expect((await refresh(refresh_token)).status).toBe(401)
  }
})

test('a refresh without a token is 422', async () => {
  for (const given of [{}, { body: {} }, { body: '{' }, { body: { refresh_token: 7 } }])
    expect((await call('POST', '/api/auth/refresh', given)).status, JSON.stringify(given)).toBe(422)
  expect((await call('POST', '/api/auth/refresh?refresh_token=')).status).toBe(422)
})

test('nothing of this is a bug of ours, and a stolen token is noted', () => {
  const events = new Set(lines.map(({ event }) => event))
  expect(events).toEqual(new Set(['request.answered', 'session.reused']))
})
