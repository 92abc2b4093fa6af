import { describe, expect, test } from 'vitest'
import { loginDialect, sharedPaths } from '../../api/login-dialect.ts'
import { admitted, chief, dialectNamed, dialectOf, inFormat, isNotice, schemasOf } from './dialects.ts'
import { bodyOf, exampleOf, filled, isOpen, named, nameOf, resolved, routesOf } from './routes.ts'
import { judgeOf } from './schemas.ts'
import { startApiServer } from './server.ts'

// What every route does with wrong queries and bodies, from the API's own description (docs/contributing.md "Tests").
const built = await startApiServer()
const { call, lines } = built
const document = (await call('GET', '/api/openapi.json')).body
const judge = judgeOf(document)
const { token } = await chief(built)
const routes = routesOf(document)
const nobodys = 999_999_999

const mutating = routes.filter((route) => route.method !== 'GET')
describe.each(named(mutating))('%s', (_, route) => {
  const { method, path } = route
  test('refuses a huge body, declared or not, in the surface’s format', async () => {
    const isUpload = bodyOf(route, 'multipart/form-data') !== undefined
    const bytes = isUpload ? 11_000_000 : 1_100_000
    const body = JSON.stringify({ text: 'x'.repeat(bytes) })
    const refused = await call(method, filled(path, 1), { token, body })
    expect(refused.status).toBe(413)
    inFormat(route, refused.body)
    const declared = await call(method, filled(path, 1), {
      token,
      body: '{}',
      headers: { 'content-length': `${bytes}` },
    })
    expect(declared.status).toBe(413)
  })
})

const withQuery = routes.filter(({ operation }) => operation.parameters?.some((one: any) => one.in === 'query'))
describe.each(named(withQuery))('%s', (_, route) => {
  const { method, path, operation } = route
  const parameters: any[] = operation.parameters.filter((one: any) => one.in === 'query')
  const { size, pagesLoosely } = dialectOf(route)
  const strict = parameters.filter(({ name, schema }) => {
    if (pagesLoosely && ['page', size].includes(name)) return false
    const { type, enum: values } = resolved(document, schema)
    return values || ['integer', 'number', 'boolean'].includes(type)
  })
  if (strict.length > 0)
    test.each(strict.map((one) => [one.name]))('takes no nonsense for %s', async (parameter) => {
      const { shape } = dialectOf(route)
      for (const value of ['nonsense', '-1', '1e3', '9'.repeat(30), "1'--", '%00']) {
        const refused = await call(method, `${filled(path, 1)}?${parameter}=${value}`, { token })
        expect(refused.status, value).toBe(shape)
        inFormat(route, refused.body)
      }
      const twice = await call(method, `${filled(path, 1)}?${parameter}=1&${parameter}=2`, { token })
      expect(twice.status, 'twice').toBe(shape)
    })
  else
    test('has texts only in its query', () => {
      for (const { name, schema } of parameters)
        if (!pagesLoosely || !['page', size].includes(name)) expect(resolved(document, schema).type).toBe('string')
    })
})

/** On a shared path: whose words a body speaks. */
const speakerOf = (path: string, body: object) =>
  sharedPaths.has(path)
    ? loginDialect({
        path,
        slash: false,
        contentType: 'application/json',
        query: new URLSearchParams(),
        body: JSON.stringify(body),
      })
    : null
/** Fields that may say anything: the address decides (docs/contracts.md 3.2), or they are the operator's own (5.3). */
const unread = new Set(['transaction_type', 'extra_options'])

const withBody = routes
  .filter((route) => !isNotice(route))
  .flatMap((route) => schemasOf(route).map((one) => [`${nameOf(route)} (${one.surface})`, route, one] as const))
describe.each(withBody)('the body of %s', (_, route, { schema, surface }) => {
  const { method, path } = route
  const { shape, words } = dialectNamed(surface)
  const asOne = isOpen(route) ? {} : admitted(route, token)
  const example = exampleOf(document, schema)
  const fields: Record<string, any> = resolved(document, schema).properties ?? {}

  test('has an example that is one', () => {
    expect(example).toBeTypeOf('object')
    expect(judge.faults(schema, example)).toEqual([])
    expect(Object.keys(example).filter((key) => !(key in fields))).toEqual([])
  })

  test('names the field that is of the wrong kind', async () => {
    for (const field of Object.keys(fields).filter((key) => !unread.has(key))) {
      const body = { ...example, [field]: { $: [] } }
      const refused = await call(method, filled(path, 1), { ...asOne, body })
      expect(refused.status, field).toBe(shape)
      inFormat(route, refused.body)
      expect(words(refused.body), field).toContain(field)
    }
  })

  test('names the field that is missing', async () => {
    for (const field of resolved(document, schema).required ?? []) {
      const { [field]: _gone, ...body } = example
      const refused = await call(method, filled(path, 1), { ...asOne, body })
      const spoken = speakerOf(path, body) ?? surface
      expect(refused.status, field).toBe(dialectNamed(spoken).shape)
      // Without its mark it is a request of the other surface, which misses other fields.
      if (spoken === surface) expect(words(refused.body), field).toContain(field)
    }
  })

  if (path.includes('{'))
    test('is no use for an unknown id', async () => {
      const unknown = await call(method, filled(path, nobodys), { ...asOne, body: example })
      expect(unknown.status).toBe(404)
      inFormat(route, unknown.body)
    })

  test('that names what there is not is refused', async () => {
    const ids = Object.keys(fields).filter((field) => /_id$/.test(field) && typeof example[field] === 'number')
    if (ids.length === 0) return
    const body = { ...example, ...Object.fromEntries(ids.map((field) => [field, nobodys])) }
    const refused = await call(method, filled(path, nobodys), { ...asOne, body })
    // A list is answered item by item.
    if (refused.status === 200) return expect(refused.body).toMatchObject({ success_count: 0 })
    expect([400, 403, 404]).toContain(refused.status)
    inFormat(route, refused.body)
  })
})

test('none of this was a bug of ours', () => {
  expect(lines.filter(({ event }) => event === 'request.failed')).toEqual([])
})
