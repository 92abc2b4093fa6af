import { describe, expect, test } from 'vitest'
import { house } from './house.ts'
import { bodyOf, filled, isOpen, named, nameOf, routesOf } from './routes.ts'

// For every route there is and will be, from the API's own description (HABITS 3.3).
const { call, person, lines } = await house()
const document = (await call('GET', '/api/openapi.json')).body
const service = await person('service_admin')
const nobody = await person('user')

const routes = routesOf(document)
const closed = routes.filter((route) => !isOpen(route))
const inFormat = (body: unknown) => expect(body).toMatchObject({ success: false, error: expect.any(String) })

test('only these routes are open', () => {
  expect(routes.filter(isOpen).map(nameOf).sort()).toEqual([
    'GET /health',
    'GET /metrics',
    'POST /api/auth/login',
    'POST /api/auth/register',
  ])
  expect(closed.length).toBeGreaterThan(8)
})

describe.each(named(closed))('%s', (_, route) => {
  const { method } = route
  const path = filled(route.path, 1)
  const body = method === 'GET' ? {} : { body: {} }

  test('needs a token, and one of ours', async () => {
    const bare = await call(method, path, body)
    expect(bare.status).toBe(401)
    inFormat(bare.body)
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
      inFormat(refused.body)
    })

  if (bodyOf(route))
    test('refuses malformed JSON in the surface’s format', async () => {
      for (const text of ['{', '{"a":', 'nonsense', '\u0000']) {
        const refused = await call(method, path, { token: service.token, body: text })
        expect(refused.status).toBe(400)
        inFormat(refused.body)
      }
      for (const value of ['null', '[]', '7', '"x"']) {
        const refused = await call(method, path, { token: service.token, body: value })
        expect(refused.status).toBe(400)
        inFormat(refused.body)
      }
    })

  if (route.path.includes('{'))
    test('refuses what is no id, however long', async () => {
      for (const id of ['x', '-1', '1.5', '99999999999999999999999', '%00', "1'--"]) {
        const refused = await call(method, filled(route.path, id), { token: service.token, ...body })
        expect([400, 404], id).toContain(refused.status)
        inFormat(refused.body)
      }
    })

  if (route.path.includes('{') && ['GET', 'DELETE'].includes(method))
    test('does not know an unknown id', async () => {
      const unknown = await call(method, filled(route.path, 999_999_999), { token: service.token })
      expect(unknown.status).toBe(404)
      inFormat(unknown.body)
    })

  const paged = route.operation.parameters?.some((one: any) => one.in === 'query' && one.name === 'limit')
  if (paged)
    test('pages from 1, and holds at most 100', async () => {
      for (const query of ['page=0', 'limit=0', 'limit=101', 'page=two'])
        expect(await call(method, `${path}?${query}`, { token: service.token }), query).toMatchObject({ status: 400 })
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
  expect(lines.filter(({ event }) => event !== 'request.answered')).toEqual([])
})
