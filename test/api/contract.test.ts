import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { scenes } from './contract-scenes.ts'
import { type Documented, type Ids, stage, substituted } from './contract-stage.ts'
import { judgeOf } from './schemas.ts'
import { startApiServer } from './server.ts'

// The whole document, operation by operation: the request it shows is answered as it says.
const vectors = new URL('../vectors/endpoints-powerbank.json', import.meta.url)
const { endpoints } = JSON.parse(readFileSync(vectors, 'utf8')) as { endpoints: Documented[] }
const built = await startApiServer({ returnConfirmationTimeoutSeconds: 2 })
const { call, request, lines } = built
const document = (await call('GET', '/api/openapi.json')).body
const judge = judgeOf(document)
const name = ({ method, path }: Documented) => `${method} ${path}`
const filled = (path: string, ids: Ids) => path.replaceAll(/\{([^}]+)\}/g, (_, key) => String(ids[key]))
const operationOf = ({ method, path }: Documented) => document.paths[path]?.[method.toLowerCase()]

test('the document has 96 operations, and every scene belongs to one', () => {
  expect(endpoints).toHaveLength(96)
  const names = new Set(endpoints.map(name))
  expect(names.size).toBe(96)
  expect(Object.keys(scenes).filter((key) => !names.has(key))).toEqual([])
})

describe.each(endpoints.map((endpoint) => [name(endpoint), endpoint] as const))('%s', (key, endpoint) => {
  const { method, path, auth, request_example: example, success_status: status, response_keys: keys } = endpoint

  test('is served, and described with its parameters, its body and its example', () => {
    const operation = operationOf(endpoint)
    expect(operation, 'the route is there').toBeDefined()
    const query = operation.parameters?.filter((one: any) => one.in === 'query').map((one: any) => one.name) ?? []
    for (const parameter of Object.keys(endpoint.query ?? {})) expect(query).toContain(parameter)
    expect(Object.keys(operation.responses)).toContain(String(status))
    for (const alias of endpoint.aliases ?? []) expect(document.paths[alias]?.[method.toLowerCase()]).toBeDefined()
    if (!example) return
    const content = operation.requestBody.content[endpoint.content_type ?? 'application/json']
    // The document writes what is to be put there by hand as `<xlsx>`, `<secret>`.
    if (endpoint.content_type === undefined) expect(judge.faults(content.schema, example), 'the example').toEqual([])
  })

  test('answers the documented request as documented', async () => {
    const world = await stage(built)
    const scene = (await scenes[key]?.(world)) ?? {}
    const ids = { ...world.ids, ...scene.ids }
    const token = auth === 'none' ? undefined : auth === 'user' ? world.user.token : world.admin.token
    const body = scene.body ?? (example ? substituted(example, ids) : undefined)
    const url = filled(path, ids) + (scene.query ? `?${scene.query}` : '')
    const given = { ...(token ? { token } : {}), ...(body ? { body } : {}) }
    const answer = await call(method, url, given)
    expect(answer.status, JSON.stringify(answer.body)).toBe(status)
    const described = operationOf(endpoint).responses[status].content
    const type = Object.keys(described)[0]!
    expect(answer.headers.get('content-type')).toContain(type)
    if (type !== 'application/json') return
    expect(Object.keys(answer.body)).toEqual(expect.arrayContaining(keys))
    expect(answer.body.success).toBe(true)
    expect(judge.faults(described[type].schema, answer.body), 'the answer against its description').toEqual([])
  })
})

const aliases = endpoints.filter(({ method, aliases }) => method === 'GET' && aliases)
test.each(aliases.map((endpoint) => [name(endpoint), endpoint] as const))(
  '%s says what its alias says',
  async (_, one) => {
    const { ids, admin } = await stage(built)
    const { body } = await call('GET', filled(one.path, ids), { token: admin.token })
    expect(body.success).toBe(true)
    for (const alias of one.aliases!)
      expect((await call('GET', filled(alias, ids), { token: admin.token })).body).toEqual(body)
  },
)

test('an error report may be sent with and without /api', async () => {
  const world = await stage(built)
  const body = {
    order_id: await world.borrowed(),
    powerbank_id: world.ids.powerbank_id,
    station_id: world.ids.station_id,
    user_id: world.user.id,
    error_type: 'broken',
  }
  expect(await call('POST', '/api/powerbank-error-report', { token: world.user.token, body })).toMatchObject({
    status: 200,
  })
})

test('the template is a workbook to be saved', async () => {
  const { admin } = await stage(built)
  const answer = await request('/api/users/bulk-import/template', {
    headers: { authorization: `Bearer ${admin.token}` },
  })
  expect(Buffer.from(await answer.arrayBuffer()).toString('latin1', 0, 2)).toBe('PK')
  expect(answer.headers.get('content-disposition')).toContain('users_import_template.xlsx')
})

test('none of this was a bug of ours', () => {
  expect(lines.filter(({ event }) => event === 'request.failed')).toEqual([])
})
