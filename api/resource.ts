import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import type { Context, MiddlewareHandler } from 'hono'
import type { Actor } from '../db/platform/actor.ts'
import type { Queryable, Tx } from '../db/postgres/connect.ts'
import type { Asked } from '../db/table.ts'
import type { Env } from './context.ts'
import { camel, type Snake } from './names.ts'
import { orderingOf } from './ordering.ts'

/** How a surface speaks of resources. */
export interface ResourceDialect {
  json(schema: z.ZodType): { content: { 'application/json': { schema: z.ZodType } } }
  idParam: z.ZodType
  /** The error responses of a route, for its description. */
  no(...statuses: (400 | 401 | 403 | 404)[]): object
  paging: z.ZodRawShape
  rowsOf(query: any): { limit: number; offset: number }
  /** What the query calls the words to look for, and the fields to order by (`-created_at,name`). */
  search?: string
  ordering?: string
  /** What is said of a field that nothing is ordered by; without it such a field is passed over. */
  unknownOrder?: string
  /** A page of items, one item, and the answer to a deletion; null: 204 without a body. */
  page: { schema(item: z.ZodType): z.ZodType; value(items: object[], total: number, query: any, c: Context): object }
  one: { schema(item: z.ZodType): z.ZodType; value(item: object, said?: string): object }
  gone: { schema(): z.ZodType; value(said?: string): object } | null
  /** The methods that change, and whether they name all that a new one needs, or only what changes. */
  changes: { put?: 'whole' | 'part'; patch?: 'whole' | 'part' }
}

/** What is done to the rows: a plain table's (`tableOf`), or by hand where there is more to it. */
interface Verbs<C, R, N> {
  list?(q: Queryable, actor: Actor, asked: Asked<C>): Promise<{ rows: R[]; total: number }>
  get?(q: Queryable, actor: Actor, id: number): Promise<R>
  create?(tx: Tx, actor: Actor, given: N): Promise<R>
  change?(tx: Tx, actor: Actor, id: number, given: { [K in keyof N]?: N[K] | undefined }): Promise<R>
  remove?(tx: Tx, actor: Actor, id: number): Promise<void>
}
/** Each for what its name says; an operation without its verb is not there. */
type Operation = 'list' | 'get' | 'create' | 'change' | 'remove'

/** What the descriptions and the answers say of an operation. */
interface Words {
  summary: string
  description?: string
  /** An example of its body. */
  body?: object
  /** What is said when it is done, where the dialect says something. */
  done?: string
}

/** What a new one is given; a change is any part of it. Without defaults: those are the columns'. */
interface Given<N, B extends z.ZodRawShape> {
  body: z.ZodObject<B>
  /** Renames only (`cameled`): a change, which is a part of the body, comes through it too. */
  fromJson(body: z.output<z.ZodObject<B>>): NoInfer<N>
}

type Resource<C, R, N, B extends z.ZodRawShape, V extends z.ZodRawShape> = Described<C, R, N, V> &
  (Given<N, B> | { [K in keyof Given<N, B>]?: never })

interface Described<C, R, N, V extends z.ZodRawShape> {
  path: string
  /** The id in the path. */
  id: string
  /** Of the schemas: `Station` gives `Stations`, `NewStation`, `StationChange` … */
  name: string
  tag: string
  words: Partial<Record<Operation, Words>>
  verbs: Verbs<C, R, N>
  /** Who may list and read; who may create, change, delete and act. */
  readers?: MiddlewareHandler<Env>
  writers?: MiddlewareHandler<Env>
  /** Who may delete, where that is not all of them. */
  removers?: MiddlewareHandler<Env>
  /** What leaves, and nothing else. */
  view: z.ZodObject<V>
  toJson(row: R): z.input<z.ZodObject<V>>
  /** What of it a list's rows leave out. */
  omitted?: readonly (keyof V & string)[]
  filter?: { [K in keyof C & string as Snake<K>]?: z.ZodType<NonNullable<C[K]>> }
  search?: readonly (keyof C & string)[]
  order?: readonly (keyof C & string)[]
  /** Columns that go by another name in a query: `{ customerId: 'customer' }`. */
  called?: { [K in keyof C & string]?: string }
  /** `POST {path}/{id}/{act}`: a step of its status. */
  acts?: Record<string, Words & { verb(tx: Tx, actor: Actor, id: number): Promise<R> }>
}

/**
 * A table over HTTP: list, read, create, change, delete and steps of its status, described and answered in the dialect.
 * For plain data: no status, owner or amount goes into a plain verb by a body; where a contract has one there, the verb
 * is written by hand, and whoever needs a second bend writes the route by hand.
 */
export function resource<C, R, N, B extends z.ZodRawShape, V extends z.ZodRawShape>(
  app: OpenAPIHono<Env>,
  dialect: ResourceDialect,
  spec: Resource<C, R, N, B, V>,
): void {
  // Rows and bodies go by names from here on: what came in was checked by the types of `spec`.
  const plain = spec as unknown as Plain
  const kit = kitOf(dialect, plain)
  for (const operation of [creating, listing, reading, changing, removing, acting])
    for (const [route, handler] of operation(kit, plain)) app.openapi(createRoute(route), handler as never)
}

/** What of a value leaves: by the names of its view, so that a row spread into it publishes nothing else. */
export function published<V extends z.ZodRawShape>(view: z.ZodObject<V>, value: z.input<z.ZodObject<V>>) {
  const all: Record<string, unknown> = value
  // fromEntries forgets the keys; they are exactly those of the view.
  return Object.fromEntries(Object.keys(view.shape).map((key) => [key, all[key]])) as typeof value
}

type Plain = Resource<any, any, any, any, any>
type Kit = ReturnType<typeof kitOf>
type Route = Parameters<typeof createRoute>[0]
type Routes = [Route, (c: Context<Env>) => Promise<Response>][]

/** What the operations of one resource share. */
function kitOf(
  dialect: ResourceDialect,
  { name, id, path, tag, view, toJson, omitted = [], fromJson, words, readers, writers, removers = writers }: Plain,
) {
  const { json, no, one } = dialect
  const item = view.openapi(name)
  const rowView = view.omit(Object.fromEntries(omitted.map((key) => [key, true])))
  const whole = one.schema(item)
  // Hono's types of a context come from its route; these routes are made here, and `valid` gives what they describe.
  const valid = (c: Context<Env>, part: 'json' | 'query' | 'param'): any => c.req.valid(part as never)
  return {
    dialect,
    row: omitted.length > 0 ? rowView.openapi(`${name}Row`) : item,
    rowToJson: (row: unknown): object => published(rowView, toJson(row)),
    path,
    onePath: `${path}/{${id}}`,
    params: z.object({ [id]: dialect.idParam }),
    answer: json(whole === item ? item : whole.openapi(`${name}Answer`)),
    valid,
    idOf: (c: Context<Env>): number => valid(c, 'param')[id],
    given: (c: Context<Env>) => fromJson!(valid(c, 'json')),
    toJson: (row: unknown): object => published(view, toJson(row)),
    write: <T>(c: Context<Env>, work: (tx: Tx, actor: Actor) => Promise<T>): Promise<T> =>
      c.var.db.transaction((tx) => work(tx, c.var.actor)),
    body: (schema: z.ZodType, as: string, example: object | undefined) => ({
      body: { required: true, ...json(schema.openapi(as, example ? { example } : {})) },
    }),
    route(
      said: Words,
      whose: 'readers' | 'writers' | 'removers',
      route: Omit<Route, 'tags'>,
      ...failures: Parameters<typeof no>
    ): Route {
      const { summary, description } = said
      const middleware = { readers, writers, removers }[whose]
      const guard = middleware ? { middleware } : {}
      const responses = { ...route.responses, ...no(...failures) }
      return { tags: [tag], summary, ...(description ? { description } : {}), ...guard, ...route, responses }
    },
    words: (operation: Operation): Words => words[operation] ?? { summary: `${name}: ${operation}` },
  }
}

function listing(
  { dialect, row, rowToJson, path, valid, route, words }: Kit,
  { name, verbs, filter = {}, search, order, called = {} }: Plain,
): Routes {
  const { list } = verbs
  if (!list) return []
  const { json, paging, page, rowsOf } = dialect
  const asks = {
    ...(search && dialect.search ? { [dialect.search]: z.string().optional() } : {}),
    ...(order && dialect.ordering ? { [dialect.ordering]: orderingOf(order, called, dialect.unknownOrder) } : {}),
  }
  const filters = Object.fromEntries(
    Object.entries(filter as Record<string, z.ZodType>).map(([key, schema]) => [
      called[camel(key)] ?? key,
      schema.optional(),
    ]),
  )
  const query = z.object({ ...paging, ...filters, ...asks })
  const ok = { 200: { description: 'Страница', ...json(page.schema(row).openapi(`${name}s`)) } }
  return [
    [
      route(words('list'), 'readers', { method: 'get', path, request: { query }, responses: ok }, 400, 401, 403),
      async (c) => {
        const asked = valid(c, 'query')
        const { rows, total } = await list(c.var.db.sql, c.var.actor, {
          ...rowsOf(asked),
          filter: Object.fromEntries(Object.keys(filter).map((key) => [camel(key), asked[called[camel(key)] ?? key]])),
          search: search && asked[dialect.search!] ? { words: asked[dialect.search!], in: search } : undefined,
          order: asked[dialect.ordering ?? ''] ?? [],
        })
        return c.json(page.value(rows.map(rowToJson), total, asked, c), 200)
      },
    ],
  ]
}

function reading(
  { onePath, params, answer, dialect, toJson, idOf, route, words }: Kit,
  { verbs: { get } }: Plain,
): Routes {
  if (!get) return []
  const ok = { 200: { description: 'Запись', ...answer } }
  return [
    [
      route(
        words('get'),
        'readers',
        { method: 'get', path: onePath, request: { params }, responses: ok },
        400,
        401,
        403,
        404,
      ),
      async (c) => c.json(dialect.one.value(toJson(await get(c.var.db.sql, c.var.actor, idOf(c)))), 200),
    ],
  ]
}

function creating(kit: Kit, { name, verbs: { create }, body }: Plain): Routes {
  if (!create || !body) return []
  const { path, answer, dialect, toJson, given, write, route } = kit
  const words = kit.words('create')
  const request = kit.body(body, `New${name}`, words.body)
  const ok = { 201: { description: 'Создано', ...answer } }
  return [
    [
      route(words, 'writers', { method: 'post', path, request, responses: ok }, 400, 401, 403, 404),
      async (c) => {
        const row = await write(c, (tx, actor) => create(tx, actor, given(c)))
        return c.json(dialect.one.value(toJson(row), words.done), 201)
      },
    ],
  ]
}

function changing(kit: Kit, { name, verbs: { change }, body }: Plain): Routes {
  if (!change || !body) return []
  const { onePath: path, params, answer, dialect, toJson, given, idOf, write, route } = kit
  const words = kit.words('change')
  const part = body.partial()
  if (Object.keys(part.parse({})).length > 0)
    throw new Error(`the body of ${name} has defaults: a change would set them`)
  const bodies = { whole: kit.body(body, `New${name}`, words.body), part: kit.body(part, `${name}Change`, words.body) }
  const ok = { 200: { description: 'Изменено', ...answer } }
  return (Object.entries(dialect.changes) as ['put' | 'patch', 'whole' | 'part'][]).map(([method, which]) => [
    route(words, 'writers', { method, path, request: { params, ...bodies[which] }, responses: ok }, 400, 401, 403, 404),
    async (c) => {
      const row = await write(c, (tx, actor) => change(tx, actor, idOf(c), given(c)))
      return c.json(dialect.one.value(toJson(row), words.done), 200)
    },
  ])
}

function removing(kit: Kit, { name, verbs: { remove } }: Plain): Routes {
  if (!remove) return []
  const { onePath: path, params, dialect, idOf, write, route } = kit
  const { json, gone } = dialect
  const words = kit.words('remove')
  const ok = gone
    ? { 200: { description: 'Удалено', ...json(gone.schema().openapi(`${name}Deleted`)) } }
    : { 204: { description: 'Удалено' } }
  return [
    [
      route(words, 'removers', { method: 'delete', path, request: { params }, responses: ok }, 400, 401, 403, 404),
      async (c) => {
        await write(c, (tx, actor) => remove(tx, actor, idOf(c)))
        return gone ? c.json(gone.value(words.done), 200) : c.body(null, 204)
      },
    ],
  ]
}

function acting({ onePath, params, answer, dialect, toJson, idOf, write, route }: Kit, { acts = {} }: Plain): Routes {
  const ok = { 200: { description: 'Выполнено', ...answer } }
  return Object.entries(acts).map(([act, words]) => [
    route(
      words,
      'writers',
      { method: 'post', path: `${onePath}/${act}`, request: { params }, responses: ok },
      400,
      401,
      403,
      404,
    ),
    async (c) => {
      const row = await write(c, (tx, actor) => words.verb(tx, actor, idOf(c)))
      return c.json(dialect.one.value(toJson(row), words.done), 200)
    },
  ])
}
