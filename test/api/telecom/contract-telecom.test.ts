import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { Documented } from '../contract-stage.ts'
import { judgeOf } from '../schemas.ts'
import { type Crm, crm } from './telecom-stage.ts'

// The whole document, operation by operation: the request it shows is answered as it says.
const vectors = new URL('../../vectors/endpoints-telecom.json', import.meta.url)
const { endpoints } = JSON.parse(readFileSync(vectors, 'utf8')) as { endpoints: Documented[] }
const house = await crm()
const document = (await house.call('GET', '/openapi.json')).body
const judge = judgeOf(document)
const shared = ['/api/auth/login/', '/api/auth/refresh/']
const operationOf = ({ method, path }: Documented) =>
  document.paths[shared.includes(path) ? path.slice(0, -1) : path]?.[method.toLowerCase()]
const schemaOf = (operation: any) => {
  const { schema } = operation.requestBody.content['application/json']
  return schema.oneOf?.[operation['x-surfaces'].indexOf('telecom')] ?? schema
}

/** What an operation needs to be there, where that is not the row it is about as it was made. */
const scenes: Record<string, (crm: Crm) => Promise<{ id?: number; body?: object }>> = {
  'POST /api/auth/login/': async ({ login, secret }) => ({
    body: { username: (await login('operator')).username, password: secret },
  }),
  'POST /api/auth/refresh/': async ({ login }) => ({ body: { refresh: (await login('operator')).refresh } }),
  'POST /api/customers/{id}/activate/': async ({ customer, post }) => {
    const { id } = await customer()
    await post(`/customers/${id}/suspend/`)
    return { id }
  },
  'POST /api/sims/{id}/activate/': async ({ sim, contract, post }) => {
    const { id, sim: old } = await contract()
    await post(`/sims/${old}/deactivate/`)
    return { id: (await sim()).id, body: { contract_id: id } }
  },
  'POST /api/sims/{id}/deactivate/': async ({ contract }) => ({ id: (await contract()).sim }),
  'POST /api/tariffs/{id}/activate/': async ({ tariff }) => ({ id: (await tariff({ is_active: false })).id }),
  'POST /api/contracts/{id}/activate/': async ({ draft, sim }) => ({
    id: (await draft()).id,
    body: { sim_id: (await sim()).id },
  }),
  'POST /api/contracts/{id}/suspend/': async ({ contract }) => ({ id: (await contract()).id }),
  'POST /api/contracts/{id}/resume/': async ({ contract, post }) => {
    const { id } = await contract()
    await post(`/contracts/${id}/suspend/`)
    return { id }
  },
  'POST /api/contracts/{id}/deduct_balance/': async ({ contract }) => ({ id: (await contract(1_000)).id }),
  'POST /api/tickets/{id}/assign/': async ({ ticket, admin }) => ({
    id: (await ticket()).id,
    body: { user_id: admin.id },
  }),
  'POST /api/tickets/{id}/reopen/': async ({ ticket, post }) => {
    const { id } = await ticket()
    await post(`/tickets/${id}/resolve/`, { resolution: 'Решено' })
    return { id }
  },
}
const makers = {
  customers: 'customer',
  sims: 'sim',
  tariffs: 'tariff',
  contracts: 'draft',
  payments: 'payment',
  tickets: 'ticket',
} as const

/** The document's example with ids that there are. */
async function bodyOf({ request_example: example, path, method }: Documented, id: number) {
  if (!example) return undefined
  const { customer, tariff, contract } = example
  const one = contract === undefined ? null : await house.contract()
  const own =
    path.startsWith('/api/contracts/') && method === 'PUT' ? (await house.read(`/contracts/${id}/`)).body : null
  return {
    ...example,
    ...(customer === undefined ? {} : { customer: own?.customer ?? one?.customer ?? (await house.customer()).id }),
    ...(tariff === undefined ? {} : { tariff: own?.tariff ?? (await house.tariff()).id }),
    ...(one ? { contract: one.id } : {}),
  }
}

test('the document has 72 operations, and every scene belongs to one', () => {
  expect(endpoints).toHaveLength(72)
  const names = new Set(endpoints.map(({ method, path }) => `${method} ${path}`))
  expect(names.size).toBe(72)
  expect(Object.keys(scenes).filter((key) => !names.has(key))).toEqual([])
})

describe.each(endpoints.map((endpoint) => [`${endpoint.method} ${endpoint.path}`, endpoint] as const))(
  '%s',
  (key, endpoint) => {
    const { method, path, auth, request_example: example, success_status: status, response_keys: keys } = endpoint

    test('is served, and described with its parameters, its body and its example', () => {
      const operation = operationOf(endpoint)
      expect(operation, 'the route is there').toBeDefined()
      const query = operation.parameters?.filter((one: any) => one.in === 'query').map((one: any) => one.name) ?? []
      for (const parameter of Object.keys(endpoint.query ?? {})) expect(query).toContain(parameter)
      expect(Object.keys(operation.responses)).toContain(String(status))
      if (example) expect(judge.faults(schemaOf(operation), example), 'the example').toEqual([])
    })

    test('answers the documented request as documented', async () => {
      // Whoever has what the example says gives it up.
      await house.db.sql`update customers set phone = '+9960' || id, email = null where phone = '+996550123456'`
      await house.db.sql`update sims set deleted_at = now() where iccid = '8999601234567890123'`
      await house.db.sql`update tariffs set name = 'Тариф ' || id where name = 'Безлимит'`
      await house.db.sql`update contract_payments set transaction_id = 'old ' || id where transaction_id = 'TXN-123'`
      const scene = await scenes[key]?.(house)
      const maker = makers[path.split('/')[2] as keyof typeof makers]
      const id = scene?.id ?? (path.includes('{id}') ? (await house[maker]()).id : 0)
      const body = scene?.body ?? (await bodyOf(endpoint, id))
      const given = { ...(auth === 'none' ? {} : { token: house.admin.token }), ...(body ? { body } : {}) }
      const answer = await house.call(method, path.replace('/api', '').replace('{id}', String(id)), given)
      expect(answer.status, JSON.stringify(answer.body)).toBe(status)
      if (status === 204) return expect(answer.body).toBe('')
      if (keys.length === 0) expect(answer.body).toBeInstanceOf(Array)
      else expect(Object.keys(answer.body)).toEqual(expect.arrayContaining(keys))
      const described = operationOf(endpoint).responses[status].content['application/json'].schema
      const schema = described.oneOf?.[operationOf(endpoint)['x-surfaces'].indexOf('telecom')] ?? described
      expect(judge.faults(schema, answer.body), 'the answer against its description').toEqual([])
    })
  },
)

test('PATCH is served for what the document only lists PUT for', () => {
  for (const name of Object.keys(makers)) expect(document.paths[`/api/${name}/{id}/`].patch, name).toBeDefined()
})

test('none of this was a bug of ours', () => {
  expect(house.lines.filter(({ event }) => event === 'request.failed')).toEqual([])
})
