import { OpenAPIHono, z } from '@hono/zod-openapi'
import { beforeEach, expect, test } from 'vitest'
import type { Env } from '../../api/context.ts'
import { cameled, snaked } from '../../api/names.ts'
import { type ResourceDialect, resource } from '../../api/resource.ts'
import type { Actor } from '../../db/platform/actor.ts'
import { Refused } from '../../db/platform/refused.ts'
import type { Tx } from '../../db/postgres/connect.ts'
import { sql } from '../../db/postgres/drizzle.ts'
import { type ReadBy, tableOf } from '../../db/table.ts'
import { makeToys, toys } from '../db/toys.ts'
import { actor } from '../db/world.ts'
import { testDb } from '../postgres.ts'

const { db } = await testDb()
await makeToys(db)
beforeEach(() => db.sql`truncate toys restart identity`)

/** As Django REST framework speaks (docs/contracts.md 5): bare objects, next and previous, PUT and PATCH, 204. */
const whole = z.string().regex(/^\d+$/).transform(Number)
const drf: ResourceDialect = {
  json: (schema) => ({ content: { 'application/json': { schema } } }),
  idParam: whole,
  no: () => ({}),
  paging: { page: whole.prefault('1'), page_size: whole.prefault('2') },
  rowsOf: ({ page, page_size }) => ({ limit: page_size, offset: (page - 1) * page_size }),
  search: 'search',
  ordering: 'ordering',
  page: {
    schema: (item) => z.object({ count: z.int(), next: z.string().nullable(), results: z.array(item) }),
    value: (results, count, { page, page_size }) => ({
      count,
      next: page * page_size < count ? `?page=${page + 1}` : null,
      results,
    }),
  },
  one: { schema: (item) => item, value: (item) => item },
  gone: null,
  changes: { put: 'whole', patch: 'part' },
}

const table = tableOf(toys, { deletes: 'soft', beside: { letters: sql<number>`length(${toys.modelName})` } })
const breaks = async (tx: Tx, who: Actor, id: number) => {
  const { status } = await table.hold(tx, who, id)
  if (status === 'broken') throw new Refused('conflict')
  return await table.change(tx, who, id, { status: 'broken' })
}
const body = z.object({ model_name: z.string(), house_id: z.int().nullish(), secret_code: z.string().optional() })
const view = z.object({
  id: z.int(),
  model_name: z.string(),
  status: z.string(),
  letters: z.int(),
  created_at: z.string(),
})
const plain = {
  path: '/toys',
  id: 'toy_id',
  name: 'Toy',
  tag: 'Toys',
  words: { create: { summary: 'A new toy', description: 'Of any kind.', body: { model_name: 'car' } } },
  verbs: table,
  view,
  // The whole row, with its secret; only the view leaves.
  toJson: (row: ReadBy<typeof table>) => snaked(row, (at) => at.toISOString()),
  body,
  fromJson: cameled,
}

const app = new OpenAPIHono<Env>()
app.use(async (c, next) => {
  c.set('db', db)
  c.set('actor', actor(1))
  await next()
})
app.onError((error, c) => c.json({ code: error instanceof Refused ? error.code : String(error) }, 409))
resource(app, drf, {
  ...plain,
  filter: { status: z.enum(['new', 'broken']), house_id: whole },
  search: ['modelName'],
  order: ['modelName', 'createdAt'],
  acts: { break: { summary: 'Break it', verb: breaks } },
})

async function call(method: string, path: string, given?: object) {
  const init = given ? { body: JSON.stringify(given), headers: { 'content-type': 'application/json' } } : {}
  const response = await app.request(path, { method, ...init })
  return {
    status: response.status,
    body: response.status === 204 ? null : ((await response.json().catch(() => null)) as any),
  }
}
const add = async (...names: string[]) => {
  for (const model_name of names)
    await call('POST', '/toys', { model_name, house_id: 7, secret_code: `${model_name} s` })
}
const names = async (query: string) => {
  const { status, body } = await call('GET', `/toys?page_size=9&${query}`)
  return status === 200 ? body.results.map((one: any) => one.model_name) : status
}

test('a row is made, read, changed whole and in part, and deleted without a word', async () => {
  const made = await call('POST', '/toys', { model_name: 'car', house_id: 7 })
  const shown = { id: 1, model_name: 'car', status: 'new', letters: 3, created_at: expect.stringMatching(/Z$/) }
  expect(made).toEqual({ status: 201, body: shown })
  expect(await call('GET', '/toys/1')).toEqual({ status: 200, body: shown })
  expect(await call('PATCH', '/toys/1', { house_id: null })).toEqual({ status: 200, body: shown })
  expect(await call('PUT', '/toys/1', { house_id: 7 })).toMatchObject({ status: 400 })
  expect(await call('PUT', '/toys/1', { model_name: 'lorry' })).toMatchObject({ body: { letters: 5 } })
  expect(await call('DELETE', '/toys/1')).toEqual({ status: 204, body: null })
  for (const method of ['GET', 'DELETE']) expect((await call(method, '/toys/1')).body).toEqual({ code: 'not_found' })
})

test('a column that the view does not name is not published, whatever the row spreads', async () => {
  await add('car')
  expect(await db.sql`select secret_code from toys`).toEqual([{ secretCode: 'car s' }])
  for (const answer of [
    await call('GET', '/toys'),
    await call('GET', '/toys/1'),
    await call('PATCH', '/toys/1', { secret_code: 'other s' }),
    await call('POST', '/toys/1/break'),
    await call('POST', '/toys', { model_name: 'bus', secret_code: 'bus s' }),
  ]) {
    const [one] = answer.body.results ?? [answer.body]
    expect(Object.keys(one)).toEqual(Object.keys(view.shape))
    expect(JSON.stringify(answer.body)).not.toMatch(/secret| s"/)
  }
})

test('a list is filtered, searched, ordered and paged as its dialect says', async () => {
  await add('car', 'bus', 'tram car')
  expect(await call('GET', '/toys')).toMatchObject({
    body: { count: 3, next: '?page=2', results: [{ id: 1 }, { id: 2 }] },
  })
  expect(await call('GET', '/toys?page=2')).toMatchObject({ body: { count: 3, next: null, results: [{ id: 3 }] } })
  await call('POST', '/toys/2/break')
  expect(await names('status=broken')).toEqual(['bus'])
  expect(await names('status=broken&house_id=8')).toEqual([])
  expect(await names('status=brokn')).toBe(400)
  expect(await names('search=+CAR')).toEqual(['car', 'tram car'])
  expect(await names('ordering=-model_name')).toEqual(['tram car', 'car', 'bus'])
  expect(await names('ordering=nonsense,-secret_code,model_name')).toEqual(['bus', 'car', 'tram car'])
})

test('a step of its status is an operation of its own', async () => {
  await add('car')
  expect(await call('POST', '/toys/1/break')).toMatchObject({ status: 200, body: { status: 'broken' } })
  expect(await call('POST', '/toys/1/break')).toEqual({ status: 409, body: { code: 'conflict' } })
  expect(await call('POST', '/toys/1/mend')).toMatchObject({ status: 404 })
})

test('every operation is described, and what has no verb is not there', () => {
  const { paths, components } = app.getOpenAPI31Document({ openapi: '3.1.0', info: { title: '', version: '' } })
  const operations = Object.entries<any>(paths!).flatMap(([path, of]) => Object.keys(of).map((one) => `${one} ${path}`))
  expect(operations.sort()).toEqual([
    'delete /toys/{toy_id}',
    'get /toys',
    'get /toys/{toy_id}',
    'patch /toys/{toy_id}',
    'post /toys',
    'post /toys/{toy_id}/break',
    'put /toys/{toy_id}',
  ])
  expect(Object.keys(components!.schemas!).sort()).toEqual(['NewToy', 'Toy', 'ToyChange', 'Toys'])
  expect(paths!['/toys']!.post).toMatchObject({ summary: 'A new toy', description: 'Of any kind.', tags: ['Toys'] })
  const lone = new OpenAPIHono<Env>()
  resource(lone, drf, { ...plain, verbs: { list: table.list } })
  expect(new Set(lone.routes.map(({ method, path }) => `${method} ${path}`))).toEqual(new Set(['GET /toys']))
})

test('a body with a default is refused at the start: a change would set what nobody named', () => {
  const careless = z.object({ model_name: z.string(), house_id: z.int().default(7) })
  expect(() => resource(new OpenAPIHono<Env>(), drf, { ...plain, body: careless })).toThrow('defaults')
})

test('a name that the table does not have does not compile', () => {
  const never = () => {
    // @ts-expect-error no such column to filter by
    resource(app, drf, { ...plain, filter: { colour: whole } })
    // @ts-expect-error no such status to filter by
    resource(app, drf, { ...plain, filter: { status: z.enum(['new', 'brokn']) } })
    // @ts-expect-error no such column to search
    resource(app, drf, { ...plain, search: ['model_name'] })
    // @ts-expect-error no such column to order by
    resource(app, drf, { ...plain, order: ['bought'] })
    // @ts-expect-error what the view names the row does not have
    resource(app, drf, { ...plain, view: z.object({ colour: z.string() }) })
    // @ts-expect-error a body whose field is of another type than its column
    resource(app, drf, { ...plain, body: z.object({ model_name: z.int() }) })
    // @ts-expect-error a body that lacks what a new row needs
    resource(app, drf, { ...plain, body: z.object({ house_id: z.int() }) })
  }
  expect(never).toBeInstanceOf(Function)
})
