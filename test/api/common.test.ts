import { describe, expect, test } from 'vitest'
import { admitted, brokenStatus, chief, dialectOf, inFormat, isNotice, noObjectStatus } from './dialects.ts'
import { bodyOf, filled, isOpen, named, nameOf, routesOf } from './routes.ts'
import { startApiServer } from './server.ts'

// For every route there is and will be, from the API's own description (docs/contributing.md "Tests").
const built = await startApiServer()
const { call, person, lines } = built
const document = (await call('GET', '/api/openapi.json')).body
const service = await chief(built)
const nobody = await person('user')

const routes = routesOf(document)
const closed = routes.filter((route) => !isOpen(route) && !isNotice(route))

test('only these routes are open', () => {
  expect(routes.filter(isOpen).map(nameOf).sort()).toEqual([
    'GET /api/getpro/payments/return/{reference}',
    'GET /health',
    'GET /metrics',
    'GET /qrcodes/{file}',
    'POST /api/auth/login',
    'POST /api/auth/refresh',
    'POST /api/auth/register',
    'POST /api/certificates/verify',
    'POST /api/getpro/auth/login',
    'POST /api/getpro/auth/refresh',
    'POST /api/v1/auth/biometric',
    'POST /api/v1/auth/login',
    'POST /api/v1/auth/refresh',
  ])
  expect(closed.length).toBeGreaterThan(8)
})

describe.each(named(closed))('%s', (_, route) => {
  const { method } = route
  const path = filled(route.path, 1)
  const { shape, size } = dialectOf(route)
  const asService = admitted(route, service.token)
  const body = method === 'GET' ? {} : { body: {} }

  test('needs a token, and one of ours', async () => {
    const bare = await call(method, path, body)
    expect(bare.status).toBe(401)
    inFormat(route, bare.body)
    for (const token of ['garbage', 'a.b.c', `${service.token}x`, ''])
      expect(await call(method, path, { ...body, token })).toMatchObject({ status: 401 })
    const basic = await call(method, path, { ...body, headers: { authorization: `Basic ${service.token}` } })
    expect(basic.status).toBe(401)
  })

  const roles: string[] = route.operation.security?.[0]?.bearerAuth ?? []
  if (roles.length > 0)
    test('is closed to who has no such role, before anything else is looked at', async () => {
      const refused = await call(method, path, { token: nobody.token, ...(method === 'GET' ? {} : { body: '{' }) })
      expect(refused.status).toBe(403)
      inFormat(route, refused.body)
    })

  if (bodyOf(route))
    test('refuses malformed JSON in the surface’s format', async () => {
      for (const text of ['{', '{"a":', 'nonsense', '\u0000']) {
        const refused = await call(method, path, { ...asService, body: text })
        expect(refused.status).toBe(brokenStatus(route))
        inFormat(route, refused.body)
      }
      for (const value of ['null', '[]', '7', '"x"']) {
        const refused = await call(method, path, { ...asService, body: value })
        expect(refused.status).toBe(noObjectStatus(route))
        inFormat(route, refused.body)
      }
    })

  if (route.path.includes('{'))
    test('refuses what is no id, however long', async () => {
      for (const id of ['x', '-1', '1.5', '99999999999999999999999', '%00', "1'--"]) {
        const refused = await call(method, filled(route.path, id), { token: service.token, ...body })
        expect([shape, 404], id).toContain(refused.status)
        inFormat(route, refused.body)
      }
    })

  const isWord = route.operation.parameters?.some((one: any) => one.in === 'path' && one.schema.enum)
  if (route.path.includes('{') && !isWord && ['GET', 'DELETE'].includes(method))
    test('does not know an unknown id', async () => {
      const unknown = await call(method, filled(route.path, 999_999_999), { token: service.token })
      expect(unknown.status).toBe(404)
      inFormat(route, unknown.body)
    })

  const paged = route.operation.parameters?.find((one: any) => one.in === 'query' && one.name === size)
  if (paged && !dialectOf(route).pagesLoosely)
    test('pages from 1, and holds at most as many as it says', async () => {
      const max = paged.schema.maximum
      expect([100, 200]).toContain(max)
      for (const query of ['page=0', `${size}=0`, `${size}=${max + 1}`, 'page=two'])
        expect(await call(method, `${path}?${query}`, { token: service.token }), query).toMatchObject({ status: shape })
    })
})

describe.each(named(routes))('the description of %s', (_, { path, operation }) => {
  test('is whole', () => {
    expect(operation.summary).toEqual(expect.any(String))
    expect(operation.tags).toHaveLength(1)
    const params = (operation.parameters ?? []).filter((one: any) => one.in === 'path').map((one: any) => one.name)
    expect(params).toEqual([...path.matchAll(/\{([^}]+)\}/g)].map(([, param]) => param))
    for (const response of Object.values<any>(operation.responses)) expect(response.description).not.toBe('')
    if (path.startsWith('/api') && operation.security?.length !== 0) expect(operation.responses).toHaveProperty('401')
  })
})

test('every reference in the description leads somewhere, and every operation has a name of its own', () => {
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, target]) => target!)
  for (const target of references) {
    const found = target.split('/').reduce((at: any, key) => at?.[key], document)
    expect(found, target).toBeDefined()
  }
  const ids = routes.map(({ operation }) => operation.operationId)
  expect(new Set(ids).size).toBe(ids.length)
  expect(document.openapi).toBe('3.1.0')
})

test('none of this was a bug of ours', () => {
  expect(lines.filter(({ event }) => !/^(?:request\.answered|webhook\.|notification\.)/.test(event))).toEqual([])
})
