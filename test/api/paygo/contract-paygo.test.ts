import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { judgeOf } from '../schemas.ts'
import { startApiServer } from '../server.ts'
import { type Person, type Stage, secret, stage } from './paygo-stage.ts'

// The whole document of the PayGo surface, operation by operation: the request it shows is answered as it says.
interface Documented {
  method: string
  path: string
  auth: 'none' | 'user' | 'admin'
  request_example: Record<string, unknown> | null
  success_status: number
  response_keys: string[]
  query?: Record<string, string>
  headers?: Record<string, string>
  kind: 'rest' | 'ws'
}
const vectors = new URL('../../vectors/endpoints-paygo.json', import.meta.url)
const { endpoints } = JSON.parse(readFileSync(vectors, 'utf8')) as { endpoints: Documented[] }
const built = await startApiServer()
const { call, lines, db } = built
const document = (await call('GET', '/api/openapi.json')).body
const judge = judgeOf(document)
const world = stage(built)
const name = ({ method, path }: Documented) => `${method} ${path}`
const operationOf = ({ method, path }: Documented) => document.paths[path]?.[method.toLowerCase()]

/** What an operation needs before it can succeed: ids, other fields of the body, a query. */
interface Scene {
  ids?: Record<string, unknown>
  query?: string
}
type Prepare = (stage: Stage, user: Person) => Promise<Scene>

const withCard: Prepare = async ({ kept }, user) => ({ ids: { card_id: await kept(user) } })
const withTerminal: Prepare = async ({ terminal }) => ({ ids: { terminal_id: (await terminal()).terminalId } })
const withPayment: Prepare = async ({ kept, terminal, paid, number }, user) => {
  const own = number()
  const [cardId, till] = [await kept(user, own), await terminal()]
  const id = await paid(till.id, own)
  return { ids: { transaction_id: `txn${id}`, card_id: cardId, terminal_id: till.terminalId } }
}
const documentedUser: Prepare = async (_, { id }) => {
  await db.sql`update users set deleted_at = now() where lower(email) = 'user@example.com' and id <> ${id}`
  await db.sql`update users set email = 'user@example.com' where id = ${id}`
  return {}
}
const scenes: Record<string, Prepare> = {
  'POST /api/v1/auth/login': documentedUser,
  'POST /api/v1/auth/refresh': async ({ login }, { email }) => ({
    ids: { refresh_token: (await login(email)).body.refresh_token },
  }),
  'POST /api/v1/auth/biometric': async ({ call }, { userId, token }) => {
    const body = { user_id: userId, biometric_type: 'fingerprint', template_data: 'encrypted_biometric_data' }
    await call('POST', '/api/v1/auth/biometric', { token, body })
    return { ids: { user_id: userId } }
  },
  'PUT /api/v1/users/profile': async (_, { id }) => {
    await db.sql`update users set deleted_at = now() where phone = '+79001234567' and id <> ${id}`
    return {}
  },
  'GET /api/v1/cards': withCard,
  'DELETE /api/v1/cards/{card_id}': withCard,
  'PUT /api/v1/cards/{card_id}/set-primary': withCard,
  'GET /api/v1/transactions': async (...given) => {
    await withPayment(...given)
    const today = new Date().toISOString().slice(0, 10)
    return { query: `page=1&limit=20&start_date=2023-01-01&end_date=${today}T23:59:59Z&status=completed` }
  },
  'POST /api/v1/transactions': withPayment,
  'GET /api/v1/transactions/{transaction_id}': withPayment,
  'POST /api/v1/transactions/{transaction_id}/refund': withPayment,
  'GET /api/v1/terminals': async (...given) => {
    await withTerminal(...given)
    return { query: 'status=online' }
  },
  'GET /api/v1/terminals/{terminal_id}': withTerminal,
  'GET /api/v1/terminals/{terminal_id}/stats': withPayment,
  'POST /api/v1/terminals/{terminal_id}/commands': withTerminal,
  'GET /api/v1/admin/users': async () => ({ query: 'page=1&limit=20&role=user&search=иванов' }),
  'GET /api/v1/admin/terminals': async (...given) => {
    await withTerminal(...given)
    return { query: 'page=1&limit=20&status=online' }
  },
}
/** Who may, where it is not everybody: one of them who is no admin, if there is one. */
const staff: Record<string, 'terminal_operator' | 'finance_manager'> = {
  'GET /api/v1/terminals/{terminal_id}/stats': 'finance_manager',
  'POST /api/v1/terminals/{terminal_id}/commands': 'terminal_operator',
}

/** The documented request, with this stage's ids in the place of the document's. */
async function prepare(endpoint: Documented) {
  const { method, path, auth, request_example: example } = endpoint
  const role = staff[name(endpoint)] ?? (auth === 'admin' ? 'admin' : 'user')
  const user = await world.member(role)
  const scene = (await scenes[name(endpoint)]?.(world, user)) ?? {}
  const ids: Record<string, unknown> = { ...scene.ids }
  const body = example && Object.fromEntries(Object.entries(example).map(([key, value]) => [key, ids[key] ?? value]))
  const url = path.replaceAll(/\{([^}]+)\}/g, (_, key) => String(ids[key])) + (scene.query ? `?${scene.query}` : '')
  const send = (token: string | null = auth === 'none' ? null : user.token) =>
    call(method, url, { ...(token ? { token } : {}), ...(body ? { body } : {}) })
  return { user, send }
}

const rest = endpoints.filter(({ kind }) => kind === 'rest')
test('the document has 25 operations and two sockets, and every scene belongs to one', () => {
  expect(rest).toHaveLength(25)
  expect(endpoints.filter(({ kind }) => kind === 'ws')).toHaveLength(2)
  const names = new Set(endpoints.map(name))
  expect(names.size).toBe(27)
  expect([...Object.keys(scenes), ...Object.keys(staff)].filter((key) => !names.has(key))).toEqual([])
})

describe.each(rest.map((endpoint) => [name(endpoint), endpoint] as const))('%s', (_, endpoint) => {
  const { auth, request_example: example, success_status: status, response_keys: keys } = endpoint

  test('is served, and described with its query, its body, its example and its keeper', () => {
    const operation = operationOf(endpoint)
    expect(operation, 'the route is there').toBeDefined()
    expect(operation['x-surfaces']).toEqual(['paygo'])
    expect(operation['x-voltbay'], 'it is in the document').toBeUndefined()
    const query = operation.parameters?.filter((one: any) => one.in === 'query').map((one: any) => one.name) ?? []
    for (const parameter of Object.keys(endpoint.query ?? {})) expect(query).toContain(parameter)
    if (auth === 'none') expect(operation.security).toEqual([])
    else if (auth === 'admin') expect(operation.security[0].bearerAuth).toContain('admin')
    else if (!staff[name(endpoint)]) expect(operation.security).toBeUndefined()
    if (!example) return
    const { schema } = operation.requestBody.content['application/json']
    expect(judge.faults(schema, example), 'the example').toEqual([])
  })

  test('answers the documented request as documented', async () => {
    const { send } = await prepare(endpoint)
    const answer = await send()
    expect(answer.status, JSON.stringify(answer.body)).toBe(status)
    expect(Object.keys(answer.body)).toEqual(expect.arrayContaining(keys))
    const described = operationOf(endpoint).responses[status].content['application/json']
    expect(judge.faults(described.schema, answer.body), 'the answer against its description').toEqual([])
  })

  const roles: string[] = operationOf(endpoint)?.security?.[0]?.bearerAuth ?? []
  if (roles.length > 0)
    test('is closed to every other role, to whom is a chief elsewhere, and to nobody', async () => {
      const { send } = await prepare(endpoint)
      const others = (['user', 'admin', 'terminal_operator', 'finance_manager'] as const).filter(
        (one) => !roles.includes(one),
      )
      const elsewhere = await built.person('service_admin')
      for (const { token } of [...(await Promise.all(others.map((role) => world.member(role)))), elsewhere])
        expect(await send(token)).toMatchObject({
          status: 403,
          body: { detail: 'Недостаточно прав доступа', error_code: 'INSUFFICIENT_PERMISSIONS' },
        })
      expect((await send('')).status).toBe(401)
    })
})

test('what has items shows them as the document does', async () => {
  const items: Record<string, string> = {
    'GET /api/v1/cards': 'id,masked_number,bank_name,card_type,is_primary,expires_at,created_at',
    'GET /api/v1/transactions': 'id,amount,currency,status,terminal_id,card_id,created_at,description',
    'GET /api/v1/terminals': 'id,name,location,address,status,supported_payment_methods,last_ping',
    'GET /api/v1/admin/users': 'id,email,phone,full_name,role,is_active,is_verified,is_locked,created_at,last_login',
    'GET /api/v1/admin/terminals':
      'id,name,location,address,status,supported_payment_methods,last_ping,serial_number,terminal_type,software_version,is_active',
  }
  for (const endpoint of rest.filter((one) => name(one) in items)) {
    const { body } = await (await prepare(endpoint)).send()
    const list: any = Object.values(body).find(Array.isArray)
    expect(list.length, name(endpoint)).toBeGreaterThan(0)
    expect(Object.keys(list[0]), name(endpoint)).toEqual(expect.arrayContaining(items[name(endpoint)]!.split(',')))
    if (name(endpoint) !== 'GET /api/v1/cards')
      expect(Object.keys(body.pagination)).toEqual(['page', 'limit', 'total', 'pages'])
  }
})

test('values are spelt as the document spells them', async () => {
  const user = await world.member('user')
  const { ids } = await withPayment(world, user)
  const login = await world.login(user.email)
  expect(login.body).toMatchObject({
    token_type: 'bearer',
    expires_in: 1800,
    user: { id: `user${user.id}`, email: user.email, full_name: 'Иван Иванов', role: 'user' },
  })
  const [card] = (await call('GET', '/api/v1/cards', { token: user.token })).body.cards
  expect(card).toEqual({
    id: ids!.card_id,
    masked_number: expect.stringMatching(/^\*{4} \*{4} \*{4} \d{4}$/),
    bank_name: 'Сбербанк',
    card_type: 'unknown',
    is_primary: true,
    expires_at: '2035-12-31',
    created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
  })
  const { transactions } = (await call('GET', '/api/v1/transactions', { token: user.token })).body
  expect(transactions).toEqual([
    {
      id: ids!.transaction_id,
      amount: 1500,
      currency: 'RUB',
      status: 'completed',
      terminal_id: ids!.terminal_id,
      card_id: ids!.card_id,
      created_at: expect.stringMatching(/Z$/),
      description: null,
    },
  ])
})

test('secrets that were sent are nowhere in the database, the answers or the log', async () => {
  const user = await world.member('user')
  const own = world.number()
  const cvv = '739'
  await call('POST', '/api/v1/cards', { token: user.token, body: { ...world.card(own), cvv } })
  const template = 'template-of-nobody-else'
  const body = { user_id: user.userId, biometric_type: 'voice', template_data: template }
  expect((await call('POST', '/api/v1/auth/biometric', { token: user.token, body })).status).toBe(200)
  const tables = await db.sql<{ name: string }[]>`
    select table_name as name from information_schema.tables where table_schema = 'public'`
  const dump = await Promise.all(
    tables.map(async ({ name }) => JSON.stringify(await db.sql`select t::text from ${db.sql(name)} t`)),
  )
  const said = `${dump.join('\n')}\n${JSON.stringify(lines)}`
  expect(said).toContain(user.email)
  for (const one of [own, own.slice(0, 12), template, secret, user.token]) expect(said).not.toContain(one)
  const [row] = await db.sql<{ text: string }[]>`
    select c::text as text from payment_cards c where c.user_id = ${user.id}`
  expect(row!.text).not.toMatch(new RegExp(`[,(]${cvv}[,)]`))
})

test('none of this was a bug of ours', () => {
  expect(lines.filter(({ event }) => event === 'request.failed')).toEqual([])
})
