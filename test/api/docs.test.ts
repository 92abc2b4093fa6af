import { readFileSync } from 'node:fs'
import { Validator } from '@seriousme/openapi-schema-validator'
import { expect, test } from 'vitest'
import { type Route, routesOf } from './routes.ts'
import { judgeOf } from './schemas.ts'
import { startApiServer } from './server.ts'

const { call } = await startApiServer({ publicUrl: 'https://voltbay.example' })
const pages = { 'Swagger UI': '/api/docs', ReDoc: '/api/redoc' }

test.each(Object.entries(pages))('%s comes with everything it loads, from here', async (_, path) => {
  const { status, body, headers } = await call('GET', path)
  expect(status).toBe(200)
  expect(headers.get('content-type')).toMatch('text/html')
  expect(headers.get('content-security-policy')).toContain("script-src 'self';")
  expect(headers.get('x-content-type-options')).toBe('nosniff')
  const loaded = [...body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, url]) => url as string)
  expect(loaded.length).toBeGreaterThan(2)
  for (const url of loaded) {
    expect(url).toMatch(/^\/api\/docs\/assets\//)
    const asset = await call('GET', url)
    expect(asset.status, url).toBe(200)
    const kind = { js: 'text/javascript', css: 'text/css', png: 'image/png' }[url.split('.').at(-1)!]
    expect(asset.headers.get('content-type'), url).toContain(kind)
    expect(asset.headers.get('x-content-type-options')).toBe('nosniff')
    expect(asset.headers.get('cache-control')).toMatch('max-age')
  }
  expect(body).not.toMatch(/<script>|https?:\/\//)
})

test('ReDoc’s bundle asks nobody else for a logo', async () => {
  const { body } = await call('GET', '/api/docs/assets/redoc.standalone.js')
  expect(body).not.toContain('cdn.redoc')
  // What asks for it is there: the version of ReDoc that needs this.
  expect(body).toContain('src:"data:,"')
})

test.each([
  ['/', '/api/docs'],
  ['/docs', '/api/docs'],
  ['/api', '/api/docs'],
  ['/api/', '/api/docs'],
  ['/redoc', '/api/redoc'],
])('whoever looks at %s is shown %s', async (path, to) => {
  const { status, headers } = await call('GET', path)
  expect([status, headers.get('location')]).toEqual([302, to])
})

test('an asset is sent small, and not again to who has it', async () => {
  const path = '/api/docs/assets/swagger-ui-bundle.js'
  const plain = await call('GET', path)
  const small = await call('GET', path, { headers: { 'accept-encoding': 'gzip, br' } })
  expect(small.headers.get('content-encoding')).toBe('gzip')
  expect(small.body.length).toBeLessThan(plain.body.length / 2)
  const etag = plain.headers.get('etag')!
  const again = await call('GET', path, { headers: { 'if-none-match': etag } })
  expect([again.status, again.body]).toEqual([304, ''])
})

test('nothing but the listed assets is served', async () => {
  for (const name of ['package.json', '../pages.ts', '..%2f..%2fpackage.json', 'constructor', ''])
    expect((await call('GET', `/api/docs/assets/${name}`)).status, name).toBe(404)
})

test('the description names its server, its security and the document’s examples', async () => {
  const { body, headers } = await call('GET', '/api/openapi.json')
  expect(headers.get('content-type')).toMatch('application/json')
  expect(body.servers).toEqual([{ url: 'https://voltbay.example' }])
  expect(body.security).toEqual([{ bearerAuth: [] }])
  expect(body.paths['/api/auth/register'].post.security).toEqual([])
  expect(body.paths['/api/org-units'].post.security).toEqual([{ bearerAuth: ['service_admin', 'group_admin'] }])
  expect(body.paths['/api/org-units/{org_unit_id}'].put.operationId).toBe('putOrgUnitsByOrgUnitId')
  expect(body.components.schemas.NewOrgUnit.example).toMatchObject({ name: 'Отдел продаж' })
})

test('a path of several surfaces is described with the requests and the answers of each', async () => {
  const { body } = await call('GET', '/api/openapi.json')
  const named = (schema: any) => schema.oneOf.map(({ $ref }: any) => $ref.split('/').at(-1))
  const { post: register } = body.paths['/api/auth/register']
  const { post: login } = body.paths['/api/auth/login']
  for (const [operation, more, failures] of [
    [register, [], []],
    [login, ['telecom'], ['TelecomFailure']],
  ] as const) {
    expect(operation['x-surfaces']).toEqual(['powerbank', 'loyalty', ...more])
    expect(operation.description).toContain('powerbank, loyalty')
    expect(operation.responses).toHaveProperty('422')
    const refused = named(operation.responses[400].content['application/json'].schema)
    expect(refused).toEqual(['Failure', 'LoyaltyFailure', ...failures])
  }
  expect(named(register.requestBody.content['application/json'].schema)).toEqual(['Register', 'LoyaltyRegister'])
  expect(named(register.responses[201].content['application/json'].schema)).toEqual(['Registered', 'LoyaltyLoggedIn'])
  expect(named(login.requestBody.content['application/json'].schema)).toEqual(['Login', 'LoyaltyLogin', 'TelecomLogin'])
  const form = login.requestBody.content['application/x-www-form-urlencoded'].schema
  expect(form.$ref).toContain('LoyaltyLoginForm')
  expect(body.paths['/api/auth/refresh'].post['x-surfaces']).toEqual(['loyalty', 'telecom'])
  expect(body.paths['/api/integrations/1c/visit'].post.security).toEqual([{ webhookToken: [] }])
  expect(body.components.securitySchemes.webhookToken).toMatchObject({ in: 'header', name: 'X-Webhook-Token' })
})

test('the book lists every operation that is in no document, and no other', async () => {
  const { body } = await call('GET', '/api/openapi.json')
  const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
  const plain = (path: string) => path.replace(/\{[^}]*\}/g, '{}')
  const documented = ['loyalty', 'powerbank'].flatMap((name) =>
    JSON.parse(read(`test/vectors/endpoints-${name}.json`)).endpoints.map(
      ({ method, path }: { method: string; path: string }) => `${method} ${plain(path).replace(/\/$/, '')}`,
    ),
  )
  // Those of no surface are the site's; the other surfaces' documents are chapters of the book.
  const isListed = ({ operation: { 'x-surfaces': of = ['site'] } }: Route) =>
    of.some((name: string) => ['site', 'loyalty', 'powerbank'].includes(name))
  const ours = routesOf(body)
    .filter(isListed)
    .map(({ method, path }) => `${method} ${plain(path)}`)
    .filter((one) => !documented.includes(one))
  const [, listed = ''] = /<!-- additions: .* -->\n([\s\S]*?)<!-- \/additions -->/.exec(read('docs/contracts.md')) ?? []
  expect([...listed.matchAll(/`([A-Z]+ [^`]+)`/g)].map(([, one]) => one).sort()).toEqual(ours.sort())
})

test('a judge that is not us finds the description to be OpenAPI 3.1', async () => {
  const { body } = await call('GET', '/api/openapi.json')
  const judge = new Validator()
  expect(await judge.validate(body)).toEqual({ valid: true })
  expect(judge.version).toBe('3.1')
})

test('every example in the description is one of what it is an example of', async () => {
  const { body } = await call('GET', '/api/openapi.json')
  const judge = judgeOf(body)
  const wrong: string[] = []
  let examples = 0
  const walk = (at: string, value: any) => {
    if (value === null || typeof value !== 'object') return
    const isSchema = value.example !== undefined && (value.type !== undefined || value.allOf || value.$ref)
    if (isSchema) {
      examples++
      for (const fault of judge.faults(value, value.example)) wrong.push(`${at}: ${fault}`)
    }
    for (const [key, one] of Object.entries(value)) if (key !== 'example') walk(`${at}/${key}`, one)
  }
  walk('', { components: body.components, paths: body.paths })
  expect(wrong).toEqual([])
  expect(examples).toBeGreaterThan(100)
})
