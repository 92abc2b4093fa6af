import { describe, expect, test } from 'vitest'
import { sign } from '../../../api/token.ts'
import { routesOf } from '../routes.ts'
import { crm } from './telecom-stage.ts'

const house = await crm()
const { post, read, call } = house
const document = (await house.call('GET', '/openapi.json')).body
const routes = routesOf(document).filter(({ operation }) => operation['x-surfaces'].join() === 'telecom')
const people = {
  employee: await house.login('employee'),
  operator: await house.login('operator'),
  supervisor: await house.login('supervisor'),
  patient: await house.login('patient', 'loyalty'),
}

describe('who may do what', () => {
  test.each(routes.map((route) => [`${route.method} ${route.path}`, route] as const))('%s', async (_, route) => {
    const path = route.path.replace('/api', '').replace('{id}', '999999999')
    const asked = async (token?: string) => {
      const body = route.method === 'GET' || route.method === 'DELETE' ? {} : { body: {} }
      return await call(route.method, path, { ...(token ? { token } : {}), ...body })
    }
    const nobody = await asked()
    expect(nobody).toMatchObject({ status: 401, body: { status: 'error', detail: expect.any(String) } })
    expect(nobody.headers.get('www-authenticate')).toBe('Bearer')
    expect(await asked(people.patient.token)).toMatchObject({ status: 403, body: { detail: expect.any(String) } })
    const isRead = route.method === 'GET'
    const isTicket = path.startsWith('/tickets')
    const isSupervisors = route.method === 'DELETE' || path.startsWith('/tariffs')
    const may = {
      employee: isRead || (isTicket && route.method !== 'DELETE'),
      operator: isRead || !isSupervisors || (isTicket && route.method !== 'DELETE'),
    }
    for (const role of ['employee', 'operator'] as const)
      if (may[role]) expect((await asked(people[role].token)).status, role).not.toBe(403)
      else expect((await asked(people[role].token)).status, role).toBe(403)
    expect((await asked(people.supervisor.token)).status).not.toBe(403)
  })
})

describe('coming in', () => {
  test('a wrong password and an unknown name hear the same', async () => {
    const { username } = people.operator
    const wrong = await call('POST', '/auth/login/', { body: { username, password: 'wrong' } })
    const unknown = await call('POST', '/auth/login/', { body: { username: 'nobody', password: 'wrong' } })
    expect(wrong.status).toBe(401)
    expect(wrong.body).toEqual(unknown.body)
  })

  test('a refresh token is good more than once, and for nothing else', async () => {
    const { refresh } = people.operator
    for (let n = 0; n < 2; n++) {
      const { body } = await call('POST', '/auth/refresh/', { body: { refresh } })
      expect(Object.keys(body)).toEqual(['access'])
      expect((await read('/customers/', body.access)).status).toBe(200)
    }
    expect((await read('/customers/', refresh)).status).toBe(401)
    const misused = await call('POST', '/auth/refresh/', { body: { refresh: people.operator.token } })
    expect(misused).toMatchObject({ status: 401, body: { code: 'token_not_valid', detail: expect.any(String) } })
  })

  test('a session that is over takes its refresh token with it', async () => {
    const { id, refresh, token } = await house.login('operator')
    await house.db.sql`update sessions set revoked_at = now() where user_id = ${id}`
    expect((await call('POST', '/auth/refresh/', { body: { refresh } })).status).toBe(401)
    expect((await read('/customers/', token)).status).toBe(401)
  })

  test('an access token that has expired opens nothing', async () => {
    const [session] = await house.db.sql<{ id: string }[]>`select id from sessions where user_id = ${house.admin.id}`
    const claims = { userId: house.admin.id, sessionId: session!.id }
    const about = { surface: 'telecom', expiresAt: new Date(Date.now() - 1_000) }
    const old = await sign(claims, about, house.stage.config.jwtSecret)
    expect((await read('/customers/', old)).status).toBe(401)
  })
})

describe('a list', () => {
  test('has the count, the ways on, and as many rows as are asked for', async () => {
    const mark = 'Листовой'
    for (let n = 0; n < 3; n++) await house.customer({ last_name: mark })
    const { body } = await read(`/customers/?search=${mark}&page_size=2`)
    expect(body).toMatchObject({ count: 3, previous: null, results: [{ last_name: mark }, { last_name: mark }] })
    expect(new URL(body.next).pathname).toBe('/api/customers/')
    const next = await read(body.next.replace(/^.*\/api/, ''))
    expect(next.body).toMatchObject({ count: 3, next: null, results: [{}] })
    expect(new URL(next.body.previous).searchParams.get('page')).toBeNull()
  })

  test.each(['0', '-1', 'abc', '999999', ''])('has no page %s', async (page) => {
    expect(await read(`/customers/?page=${page}`)).toMatchObject({
      status: 404,
      body: { detail: 'Неправильная страница' },
    })
  })

  test.each(['abc', '0', '-5', '100000'])('of the size %s is one of a size that there is', async (size) => {
    expect((await read(`/customers/?page_size=${size}`)).status).toBe(200)
  })

  test('is ordered by several fields, and by no other', async () => {
    expect((await read('/customers/?ordering=-last_name,first_name')).status).toBe(200)
    expect((await read('/contracts/?ordering=-balance,customer')).status).toBe(200)
    for (const ordering of ['address', 'puk_code', 'id; drop table customers'])
      expect(await read(`/customers/?ordering=${ordering}`)).toMatchObject({
        status: 400,
        body: { ordering: [expect.any(String)] },
      })
  })

  test('is filtered by words that there are, and by ids whether there are or not', async () => {
    expect(await read('/sims/?status=lost')).toMatchObject({ status: 400, body: { status: [expect.any(String)] } })
    expect(await read('/sims/?contract=abc')).toMatchObject({ status: 400, body: { contract: [expect.any(String)] } })
    expect(await read('/sims/?contract=999999999')).toMatchObject({ status: 200, body: { count: 0, results: [] } })
    expect((await read('/tariffs/?is_active=True')).status).toBe(200)
  })

  test('finds a phone whose plus became a blank, and names in any case', async () => {
    const { id, phone } = await house.customer({ last_name: 'Ёлкин' })
    for (const search of [phone, encodeURIComponent(phone), 'ёЛКИН', `ёлкин ${phone.slice(-4)}`])
      expect(
        (await read(`/customers/?search=${search}`)).body.results.map((one: any) => one.id),
        search,
      ).toEqual([id])
    for (const search of ['%', '_', '\\'])
      expect((await read(`/customers/?search=${encodeURIComponent(search)}`)).body.count).toBe(0)
  })
})

test('a form is of the wrong type', async () => {
  const given = {
    token: house.admin.token,
    body: 'a=b',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  }
  expect(await call('POST', '/customers/', given)).toMatchObject({ status: 415, body: { detail: expect.any(String) } })
})

test('what is missing is told by its field', async () => {
  expect(await post('/customers/', {})).toMatchObject({
    status: 400,
    body: Object.fromEntries(
      ['first_name', 'last_name', 'phone', 'document_type', 'document_number'].map((field) => [
        field,
        ['Обязательное поле.'],
      ]),
    ),
  })
  const token = house.admin.token
  const { id } = await house.customer({ address: 'ул. Ленина 1' })
  const { body } = await read(`/customers/${id}/`)
  const { address: _, ...rest } = body
  expect((await call('PUT', `/customers/${id}/`, { token, body: rest })).body.address).toBe('ул. Ленина 1')
})

test('none of this was a bug of ours', () => {
  expect(house.lines.filter(({ event }) => event === 'request.failed')).toEqual([])
})
