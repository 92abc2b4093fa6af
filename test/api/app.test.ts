import { OpenAPIHono } from '@hono/zod-openapi'
import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { apiRouter, type Surface } from '../../api/app.ts'
import { addressList, clientIp } from '../../api/client-ip.ts'
import type { Env } from '../../api/context.ts'
import { limiter } from '../../api/limit.ts'
import { type LoginDialect, loginDialect } from '../../api/login-dialect.ts'
import { api } from '../../api/surfaces.ts'
import { connect } from '../../db/postgres/connect.ts'
import { startApiServer } from './server.ts'

const { call, person, stage, lines } = await startApiServer({ trustedProxies: ['10.0.0.0/8'] })

const json = 'application/json'
const form = 'application/x-www-form-urlencoded'
const [register, login, refresh] = ['/api/auth/register', '/api/auth/login', '/api/auth/refresh']

// docs/contracts.md C1
test.each<[LoginDialect, string, boolean, string, string, string]>([
  ['powerbank', register, false, json, '', '{"fio":"x","phone_e164":"+7","email":"e","password":"p"}'],
  ['powerbank', register, false, json, '', '{"phone_e164":"+7"}'],
  ['powerbank', register, false, json, '', '{"fio":"x"}'],
  ['loyalty', register, false, json, '', '{"email":"e","full_name":"x","phone":"1","password":"p"}'],
  ['loyalty', register, false, json, '', '{}'],
  ['loyalty', register, false, json, '', 'not json'],
  ['loyalty', login, false, form, '', 'username=a&password=b'],
  ['loyalty', login, true, `${form}; charset=utf-8`, '', 'username=a&password=b'],
  ['loyalty', login, false, 'multipart/form-data; boundary=x', '', '{"phone_e164":"+7"}'],
  ['powerbank', login, false, json, '', '{"phone_e164":"+7","password":"p"}'],
  ['powerbank', login, true, json, '', '{"phone_e164":"+7","password":"p"}'],
  ['powerbank', login, false, json, '', '{"phone_e164":"+7","username":"a"}'],
  ['telecom', login, true, json, '', '{"username":"a","password":"p"}'],
  ['telecom', login, false, json, '', '{"username":"a","password":"p"}'],
  ['loyalty', login, false, json, '', '{"email":"e","password":"p"}'],
  ['loyalty', login, false, json, '', '{"email":"e","phone":"+7","password":"p"}'],
  ['powerbank', login, false, json, '', '{"phone":"+7","password":"p"}'],
  ['telecom', login, true, json, '', '{}'],
  ['loyalty', login, false, json, '', '{}'],
  ['loyalty', login, false, json, '', 'null'],
  ['loyalty', login, false, json, '', '[]'],
  ['loyalty', login, false, '', '', ''],
  ['telecom', login, true, json, '', '{'],
  ['loyalty', refresh, false, json, '?refresh_token=x', ''],
  ['loyalty', refresh, true, json, '?refresh_token=x', '{"refresh":"x"}'],
  ['telecom', refresh, false, json, '', '{"refresh":"x"}'],
  ['loyalty', refresh, false, json, '', '{"refresh_token":"x"}'],
  ['telecom', refresh, true, json, '', '{}'],
  ['loyalty', refresh, false, json, '', '{}'],
])('%s hears POST %s (slash: %s, %s) %s %s', (dialect, path, slash, contentType, query, body) => {
  expect(loginDialect({ path, slash, contentType, query: new URLSearchParams(query), body })).toBe(dialect)
})

test('an unknown path is answered in words every client can read', async () => {
  const { status, body, headers } = await call('GET', '/api/nothing-here')
  expect(status).toBe(404)
  expect(body).toEqual({
    success: false,
    error: 'Not found',
    detail: 'Not found',
    status: 'error',
    message: 'Not found',
  })
  expect(headers.get('x-request-id')).toMatch(/^[\w-]{36}$/)
})

test('a known path with another method says which ones it has', async () => {
  const { status, body, headers } = await call('DELETE', '/api/org-units')
  expect(status).toBe(405)
  expect(body).toEqual({ success: false, error: 'Метод не поддерживается' })
  expect(headers.get('allow')?.split(', ').sort()).toEqual(['GET', 'POST'])
})

test('one slash at the end changes nothing, two do', async () => {
  const { token } = await person('service_admin')
  const body = { unit_type: 'group', name: 'slash' }
  expect((await call('POST', '/api/org-units/', { token, body })).status).toBe(201)
  expect((await call('GET', '/api/org-units/?limit=1', { token })).status).toBe(200)
  expect((await call('GET', '/api/org-units//', { token })).status).toBe(404)
})

test('a shared path speaks the words of a surface that is here', async () => {
  const loyal = { status: 422, body: { detail: expect.any(Array) } }
  for (const body of ['{', '{}', 'null', '[]', '"x"', '{"email":"a"}'])
    expect(await call('POST', login, { body }), body).toMatchObject(loyal)
  const fleet = { status: 400, body: { success: false, error: expect.any(String) } }
  for (const body of ['{"phone_e164":"a"}', '{"phone_e164":"a","email":"b"}'])
    expect(await call('POST', login, { body }), body).toMatchObject(fleet)
  const crm = { status: 401, body: { status: 'error', message: expect.any(String), detail: expect.any(String) } }
  expect(await call('POST', login, { body: { username: 'a', password: 'b' } })).toMatchObject(crm)
  expect(await call('POST', refresh, { body: { refresh: 'x' } })).toMatchObject(crm)
  expect(await call('POST', `${login}/`, { body: {} })).toMatchObject({
    status: 400,
    body: { username: ['Обязательное поле.'], password: ['Обязательное поле.'] },
  })
  expect(await call('POST', register, { body: { fio: 'a' } })).toMatchObject(fleet)
  expect(await call('POST', register, { body: { full_name: 'a' } })).toMatchObject(loyal)
  const asForm = { body: 'username=a&password=b', headers: { 'content-type': form } }
  expect(await call('POST', login, asForm)).toMatchObject({ status: 401, body: { detail: expect.any(String) } })
  expect(await call('POST', refresh, { body: {} })).toMatchObject(loyal)
  expect(await call('GET', '/api/auth/login')).toMatchObject({ status: 405 })
})

test('a body beyond the limit is refused in the surface’s words, wherever it goes', async () => {
  const { token } = await person()
  const body = JSON.stringify({ fio: 'x'.repeat(1_100_000) })
  const refused = { status: 413, body: { success: false, error: 'Тело запроса слишком велико' } }
  expect(await call('PUT', '/api/auth/profile', { token, body })).toMatchObject(refused)
  expect(await call('POST', '/api/auth/register', { body })).toMatchObject(refused)
  const declared = { token, body: '{}', headers: { 'content-length': '2000000' } }
  expect(await call('PUT', '/api/auth/profile', declared)).toMatchObject(refused)
})

test('a client may name its request, within reason', async () => {
  const ours = await call('GET', '/health', { headers: { 'x-request-id': 'trace-42' } })
  expect(ours.headers.get('x-request-id')).toBe('trace-42')
  const bad = await call('GET', '/health', { headers: { 'x-request-id': 'a b"c' } })
  expect(bad.headers.get('x-request-id')).toMatch(/^[\w-]{36}$/)
})

test('requests are counted by route, not by path, and logged without their query', async () => {
  await call('GET', '/api/org-units/123456?secret=hidden')
  const { body } = await call('GET', '/metrics')
  expect(body).toMatch(
    /http_request_duration_seconds_count\{surface="powerbank",method="GET",route="[^"]*:org_unit_id"/,
  )
  expect(body).not.toContain('123456')
  const line = lines.findLast(({ about }) => about.path === '/api/org-units/123456')
  expect(line).toMatchObject({ event: 'request.answered', about: { status: 401, surface: 'powerbank' } })
  expect(JSON.stringify(lines)).not.toContain('hidden')
})

const surface = (name: string, build: (app: OpenAPIHono<Env>) => void): Surface => {
  const app = new OpenAPIHono<Env>({ strict: false })
  build(app)
  return { name, app, refuse: (status) => new Response(name, { status }) }
}

test('a route owned twice stops the start', () => {
  const one = surface('one', (app) => app.get('/api/things/:id', (c) => c.text('one')))
  const two = surface('two', (app) => app.get('/api/things/:id', (c) => c.text('two')))
  expect(() => apiRouter(stage, [one, two])).toThrow('GET /api/things/:id belongs to one and to two')
})

test('surfaces share a prefix and a login without hearing of each other', async () => {
  const says = (name: string) =>
    surface(name, (app) => {
      app.use(async (c, next) => {
        c.header('x-heard', name)
        await next()
      })
      app.get(`/api/${name}/:id`, (c) => c.text(name))
      app.post('/api/auth/login', async (c) => c.text(`${name} ${await c.req.text()}`))
    })
  const { request } = apiRouter({ ...stage, metrics: new Registry() }, [
    says('powerbank'),
    says('loyalty'),
    says('telecom'),
  ])
  const post = async (path: string, type: string, body: string) =>
    (await request(path, { method: 'POST', headers: { 'content-type': type }, body })).text()
  expect(await post(login, json, '{"phone_e164":"+7"}')).toBe('powerbank {"phone_e164":"+7"}')
  expect(await post(`${login}/`, json, '{"username":"a"}')).toBe('telecom {"username":"a"}')
  expect(await post(login, form, 'username=a')).toBe('loyalty username=a')
  const other = await request('/api/telecom/7')
  expect([await other.text(), other.headers.get('x-heard')]).toEqual(['telecom', 'telecom'])
})

test('while the database is away the API says so at once, in format, and comes to no harm', async () => {
  const away = connect('postgres://nobody:x@127.0.0.1:1/nothing', { max: 1 })
  const heard: string[] = []
  const log = (event: string) => void heard.push(event)
  const { request } = api({ ...stage, db: away, log, metrics: new Registry() })
  const health = await request('/health')
  expect([health.status, await health.json()]).toMatchObject([
    503,
    { status: 'unhealthy', services: { database: 'error' } },
  ])
  const body = '{"phone_e164":"+79000000000","password":"password123"}'
  const refused = await request('/api/auth/login', { method: 'POST', headers: { 'content-type': json }, body })
  expect(refused.status).toBe(503)
  expect(await refused.json()).toMatchObject({
    success: false,
    error: expect.any(String),
    request_id: expect.any(String),
  })
  expect(heard).toEqual(['health.failed', 'request.answered', 'request.failed', 'request.answered'])
  await away.close()
})

test('a bug is a 500 that shows nothing of itself, and is logged with the request’s id', async () => {
  const broken = {
    ...stage.db,
    sql: (() => {
      throw new Error('inner secret')
    }) as unknown as typeof stage.db.sql,
  }
  const heard: Record<string, any>[] = []
  const log = (event: string, about = {}) => void heard.push({ event, ...about })
  const { request } = api({ ...stage, db: broken, log, metrics: new Registry() })
  const body = '{"phone_e164":"+79000000000","password":"password123"}'
  const answer = await request('/api/auth/login', { method: 'POST', headers: { 'content-type': json }, body })
  const text = await answer.text()
  expect(answer.status).toBe(500)
  expect(text).not.toMatch(/inner secret|at /)
  const { request_id } = JSON.parse(text)
  expect(heard).toContainEqual(expect.objectContaining({ event: 'request.failed', requestId: request_id }))
  expect(heard.find(({ event }) => event === 'request.failed')?.error.message).toBe('inner secret')
})

test('the client’s address is the last one no proxy of ours vouches for', () => {
  const trusted = addressList(['10.0.0.0/8', '192.168.1.1', 'fd00::/8'])
  expect(clientIp('203.0.113.9', '1.1.1.1', trusted)).toBe('203.0.113.9')
  expect(clientIp('10.0.0.1', '1.1.1.1, 198.51.100.7', trusted)).toBe('198.51.100.7')
  expect(clientIp('::ffff:10.0.0.1', '198.51.100.7, 192.168.1.1', trusted)).toBe('198.51.100.7')
  expect(clientIp('10.0.0.1', 'nonsense', trusted)).toBe('10.0.0.1')
  expect(clientIp('10.0.0.1', null, trusted)).toBe('10.0.0.1')
  expect(clientIp('fd00::1', '2001:db8::5', trusted)).toBe('2001:db8::5')
  expect(clientIp(undefined, null, trusted)).toBe('unknown')
  expect(() => addressList(['somewhere'])).toThrow('somewhere')
})

test('a limiter counts per key and window, and forgets the oldest before it grows', () => {
  const limit = limiter(2, 60, 3)
  expect([limit.take('a', 0), limit.take('a', 0), limit.take('a', 30_000)]).toEqual([0, 0, 30])
  expect(limit.wait('a', 30_000)).toBe(30)
  expect(limit.wait('b', 0)).toBe(0)
  expect(limit.take('a', 60_000)).toBe(0)
  limit.take('a', 60_001)
  for (const key of ['c', 'd', 'e']) limit.take(key, 60_002)
  expect(limit.wait('a', 60_003)).toBe(0)
  limit.take('c', 60_004)
  expect(limit.wait('c', 60_004)).toBeGreaterThan(0)
  limit.clear('c')
  expect(limit.wait('c', 60_004)).toBe(0)
})
