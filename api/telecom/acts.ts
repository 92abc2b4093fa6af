import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import type { MiddlewareHandler } from 'hono'
import type { Actor } from '../../db/platform/actor.ts'
import type { Queryable, Tx } from '../../db/postgres/connect.ts'
import type { Env } from '../context.ts'
import { idParam, json, jsonBody, no, paging, rowsOf, staff } from './surface.ts'

type App = OpenAPIHono<Env>

/** What the descriptions say of an operation, and who may do it. */
interface About {
  path: string
  tag: string
  summary: string
  guard?: MiddlewareHandler<Env>
}

const tagsOf = ({ tag, summary }: About) => ({ tags: [tag], summary })
const params = z.object({ id: idParam })

/**
 * `POST {path}`: an act on the row of this id, told in a sentence: `{status, message}`, and `more` beside them.
 * @param body what it takes, if anything; @param work one verb, and what is told of it
 */
export function act<B extends z.ZodRawShape = Record<never, never>>(
  app: App,
  about: About & { body?: z.ZodObject<B>; name?: string; more?: z.ZodRawShape; needsBody?: boolean },
  work: (
    tx: Tx,
    actor: Actor,
    id: number,
    given: z.output<z.ZodObject<B>>,
  ) => Promise<{ message: string } & Record<string, unknown>>,
): void {
  const { path, guard = staff, body, more = {}, needsBody = true } = about
  const Done = z.object({ status: z.literal('success'), message: z.string(), ...more })
  const request = body && (needsBody ? jsonBody(body) : json(body))
  const route = createRoute({
    method: 'post',
    path,
    ...tagsOf(about),
    middleware: [guard],
    request: { params, ...(request ? { body: request } : {}) },
    responses: { 200: { description: 'Выполнено', ...json(Done) }, ...no(400, 401, 403, 404) },
  })
  app.openapi(route, async (c) => {
    const { id } = c.req.valid('param')
    // The body is there exactly when the route describes one; its type follows the same condition.
    const given = (body ? (c.req.valid as (part: string) => unknown)('json') : {}) as z.output<z.ZodObject<B>>
    const told = await c.var.db.transaction((tx) => work(tx, c.var.actor, id, given))
    return c.json({ status: 'success' as const, ...told }, 200)
  })
}

/** How many rows a plain array has unless less is asked for. */
const rowsMax = 1_000

/**
 * `GET {path}`: a plain array, as the document has it, of at most a thousand rows; `page` and `page_size` lead to the others.
 * @param item what each of them is; @param load the rows, as they leave
 */
export function array(
  app: App,
  about: About & { item: z.ZodType },
  load: (q: Queryable, actor: Actor, at: { limit: number; offset: number }, id: number) => Promise<object[]>,
): void {
  const { path, guard = staff, item } = about
  const ofOne = path.includes('{id}')
  const route = createRoute({
    method: 'get',
    path,
    ...tagsOf(about),
    middleware: [guard],
    request: { query: z.object(paging), ...(ofOne ? { params } : {}) },
    responses: { 200: { description: 'Список', ...json(z.array(item)) }, ...no(400, 401, 403, 404) },
  })
  app.openapi(route, async (c) => {
    const id = ofOne ? (c.req.valid as (part: string) => { id: number })('param').id : 0
    const rows = await load(c.var.db.sql, c.var.actor, rowsOf(c.req.valid('query'), rowsMax), id)
    return c.json(rows, 200)
  })
}

/** `GET {path}`: figures. */
export function figures<S extends z.ZodType>(
  app: App,
  about: About & { schema: S },
  load: (q: Queryable) => Promise<z.output<S>>,
): void {
  const { path, guard = staff, schema } = about
  const route = createRoute({
    method: 'get',
    path,
    ...tagsOf(about),
    middleware: [guard],
    responses: { 200: { description: 'Статистика', ...json(schema) }, ...no(401, 403) },
  })
  app.openapi(route, async (c) => c.json((await load(c.var.db.sql)) as object, 200) as never)
}

/** The schema of a count for each of these words. */
export const countsOf = (words: readonly string[]) =>
  z.object(Object.fromEntries(words.map((word) => [word, z.int()] as const)))
