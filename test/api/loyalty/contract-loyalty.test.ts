import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { judgeOf } from '../schemas.ts'
import { startApiServer, webhookToken } from '../server.ts'
import { type Stage, stage } from './contract-loyalty-stage.ts'

// The whole document of the loyalty surface, operation by operation: the request it shows is answered as it says.
interface Documented {
  method: string
  path: string
  auth: 'none' | 'user' | 'cashier' | 'admin' | 'webhook'
  request_example: Record<string, unknown> | null
  success_status: number
  response_keys: string[]
  content_type?: string
  query?: Record<string, string>
  headers?: Record<string, string>
  kind: 'rest' | 'doc'
}
const vectors = new URL('../../vectors/endpoints-loyalty.json', import.meta.url)
const { endpoints } = JSON.parse(readFileSync(vectors, 'utf8')) as { endpoints: Documented[] }
const built = await startApiServer()
const { call, lines } = built
const document = (await call('GET', '/api/openapi.json')).body
const judge = judgeOf(document)
const name = ({ method, path }: Documented) => `${method} ${path}`
const operationOf = ({ method, path }: Documented) => document.paths[path]?.[method.toLowerCase()]

/** What an operation needs before it can succeed: ids, other fields of the body, a query. */
interface Scene {
  ids?: Record<string, unknown>
  query?: string
}
const sold = async ({ certificate }: Stage): Promise<Scene> => ({ ids: { certificate_id: await certificate() } })
const withCode = async ({ referral }: Stage): Promise<Scene> => {
  await referral()
  return {}
}
const scenes: Record<string, (stage: Stage) => Promise<Scene>> = {
  'POST /api/auth/login': async ({ member, documented }) => {
    await member(null, documented.email)
    return {}
  },
  'POST /api/auth/refresh': async ({ user }) => ({ query: `refresh_token=${user.refreshToken}` }),
  'GET /api/loyalty/transactions': async ({ accrue }) => {
    await accrue(100)
    return { query: 'page=1&page_size=20' }
  },
  'POST /api/loyalty/deduct': async ({ accrue }) => {
    await accrue(100)
    return {}
  },
  'GET /api/certificates/{certificate_id}': sold,
  'POST /api/certificates/transfer': async (stage) => {
    await stage.member(null, stage.documented.friend)
    return sold(stage)
  },
  'POST /api/certificates/verify': sold,
  'POST /api/certificates/redeem': sold,
  'GET /api/referrals/my-code': withCode,
  'POST /api/referrals/register-event': async (stage) => {
    await withCode(stage)
    return { ids: { referred_user_id: (await stage.member(null)).id } }
  },
  'GET /api/referrals/stats': withCode,
  'GET /api/referrals/rewards': async (stage) => {
    await withCode(stage)
    const { id } = await stage.member(null)
    const body = { referral_code: 'REF-ABC12345', referred_user_id: id, event_type: 'first_visit' }
    await stage.call('POST', '/api/referrals/register-event', { token: stage.cashier.token, body })
    return {}
  },
  'GET /api/admin/users': async () => ({ query: 'page=1&page_size=20&role=patient' }),
  'GET /api/admin/certificates': async (stage) => {
    await stage.certificate()
    return { query: 'status=active' }
  },
  'GET /api/admin/audit-log': async ({ accrue }) => {
    await accrue(5)
    return { query: 'entity_type=loyalty_account&action=loyalty.accrual' }
  },
  'POST /api/integrations/1c/visit': async ({ patient }) => {
    await patient()
    return {}
  },
}

/** The documented request, with this stage's ids in the place of the document's: sent as often as one likes. */
async function prepare(endpoint: Documented, world: Stage) {
  const { method, path, auth, request_example: example, content_type: type } = endpoint
  const scene = (await scenes[name(endpoint)]?.(world)) ?? {}
  const { user, cashier, admin } = world
  const ids: Record<string, unknown> = {
    account_id: user.accountId,
    user_id: user.id,
    owner_id: user.id,
    cashier_id: cashier.id,
    // The document's own date passes one day.
    valid_until: '2099-12-31T23:59:59Z',
    ...scene.ids,
  }
  const given = example && Object.fromEntries(Object.entries(example).map(([key, value]) => [key, ids[key] ?? value]))
  const isForm = type === 'application/x-www-form-urlencoded'
  const body = isForm ? String(new URLSearchParams(given as Record<string, string>)) : given
  const url = path.replaceAll(/\{([^}]+)\}/g, (_, key) => String(ids[key])) + (scene.query ? `?${scene.query}` : '')
  const headers = {
    ...(isForm ? { 'content-type': type } : {}),
    ...(endpoint.headers ? { 'x-webhook-token': webhookToken } : {}),
  }
  const tokens = { none: null, webhook: null, user: user.token, cashier: cashier.token, admin: admin.token }
  return (token: string | null = tokens[auth]) =>
    call(method, url, { ...(token ? { token } : {}), ...(body ? { body } : {}), headers })
}

test('the document has 24 operations and two pages, and every scene belongs to one', () => {
  expect(endpoints.filter(({ kind }) => kind === 'rest')).toHaveLength(24)
  expect(endpoints.filter(({ kind }) => kind === 'doc')).toHaveLength(2)
  const names = new Set(endpoints.map(name))
  expect(names.size).toBe(26)
  expect(Object.keys(scenes).filter((key) => !names.has(key))).toEqual([])
})

const rest = endpoints.filter(({ kind }) => kind === 'rest')
describe.each(rest.map((endpoint) => [name(endpoint), endpoint] as const))('%s', (_, endpoint) => {
  const { auth, request_example: example, success_status: status, response_keys: keys } = endpoint

  test('is served, and described with its query, its body, its example and its keeper', () => {
    const operation = operationOf(endpoint)
    expect(operation, 'the route is there').toBeDefined()
    expect(operation['x-surfaces']).toContain('loyalty')
    const query = operation.parameters?.filter((one: any) => one.in === 'query').map((one: any) => one.name) ?? []
    for (const parameter of Object.keys(endpoint.query ?? {})) expect(query).toContain(parameter)
    const keepers = { none: [], webhook: [{ webhookToken: [] }], user: undefined, cashier: undefined, admin: undefined }
    if (auth !== 'cashier' && auth !== 'admin') expect(operation.security).toEqual(keepers[auth])
    else
      expect(new Set(operation.security[0].bearerAuth)).toEqual(
        new Set(auth === 'admin' ? ['admin'] : ['admin', 'cashier']),
      )
    if (!example) return
    const content = operation.requestBody.content[endpoint.content_type ?? 'application/json']
    expect(judge.faults(content.schema, example), 'the example').toEqual([])
  })

  test('answers the documented request as documented', async () => {
    const send = await prepare(endpoint, await stage(built))
    const answer = await send()
    expect(answer.status, JSON.stringify(answer.body)).toBe(status)
    expect(Object.keys(answer.body)).toEqual(expect.arrayContaining(keys))
    const described = operationOf(endpoint).responses[status].content['application/json']
    expect(judge.faults(described.schema, answer.body), 'the answer against its description').toEqual([])
  })

  if (auth === 'cashier' || auth === 'admin')
    test('is closed to a patient, to a doctor and to nobody', async () => {
      const world = await stage(built)
      const send = await prepare(endpoint, world)
      for (const role of [null, 'doctor', ...(auth === 'admin' ? ['cashier'] : [])]) {
        const { token } = await world.member(role)
        const { status, body } = await send(token)
        expect([status, body], String(role)).toEqual([403, { detail: expect.any(String) }])
      }
      const nobody = await call(endpoint.method, endpoint.path, example ? { body: example } : {})
      expect([nobody.status, nobody.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
    })
})

test('lists have items in them, with the documented keys', async () => {
  const items: Record<string, string> = {
    'GET /api/loyalty/transactions':
      'id,account_id,transaction_type,amount,currency,source,source_id,description,is_reversed,created_at',
    'GET /api/referrals/rewards': 'id,event_id,recipient_user_id,reward_type,reward_amount,awarded_at',
    'GET /api/admin/audit-log': 'id,user_id,action,entity_type,entity_id,old_values,new_values,created_at',
    'GET /api/admin/users': 'id,external_id,email,phone,full_name,role,is_active,is_verified,created_at',
    'GET /api/admin/certificates':
      'id,code,initial_amount,current_amount,status,owner_id,qr_code_url,issued_at,valid_until',
  }
  for (const endpoint of rest.filter((one) => name(one) in items)) {
    const { body } = await (await prepare(endpoint, await stage(built)))()
    const list: any = Array.isArray(body) ? body : Object.values(body).find(Array.isArray)
    expect(list.length, name(endpoint)).toBeGreaterThan(0)
    expect(Object.keys(list[0]), name(endpoint)).toEqual(expect.arrayContaining(items[name(endpoint)]!.split(',')))
  }
})

const pages = endpoints.filter(({ kind }) => kind === 'doc')
test.each(pages.map((endpoint) => [name(endpoint), endpoint] as const))('%s is a page', async (_, { path }) => {
  const { status, headers, body } = await call('GET', path)
  expect([status, headers.get('content-type')]).toEqual([200, expect.stringContaining('text/html')])
  expect(body).toContain('<html')
})

const once = endpoints.filter(({ path }) => /(?:accrue|deduct|redeem|register-event|visit|contact)$/.test(path))
test.each(once.map((endpoint) => [name(endpoint), endpoint] as const))(
  '%s said twice, and five times at once, is answered as the first time',
  async (_, endpoint) => {
    const send = await prepare(endpoint, await stage(built))
    const first = await send()
    const again = await Promise.all(Array.from({ length: 5 }, () => send()))
    for (const { status, body } of again) expect([status, body]).toEqual([first.status, first.body])
  },
)

test('none of this was a bug of ours', () => {
  expect(lines.filter(({ event }) => event === 'request.failed')).toEqual([])
})
