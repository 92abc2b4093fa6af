import { OpenAPIHono, type RouteConfig, z } from '@hono/zod-openapi'
import type { Context, MiddlewareHandler } from 'hono'
import { HTTPException } from 'hono/http-exception'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { PasswordsBusy } from '../db/identity/password.ts'
import type { Surface as SurfaceName } from '../db/identity/words.ts'
import { type About, type GenericCode, Refused } from '../db/platform/refused.ts'
import type { Surface } from './app.ts'
import { bearer, rolesOf } from './auth.ts'
import { type AppContext, arrive, type Env } from './context.ts'
import { faultCode } from './error-status.ts'
import { loggedPath } from './logged-path.ts'
import { snaked } from './names.ts'

/** What HTTP itself refuses, before any verb is asked, and what is our own fault. */
type HttpCode = 'unreadable' | 'media_type' | 'no_method' | 'too_large' | 'internal'
const httpCodes: Record<number, GenericCode | HttpCode> = {
  400: 'unreadable',
  404: 'not_found',
  405: 'no_method',
  413: 'too_large',
  415: 'media_type',
  429: 'limit',
  503: 'unavailable',
}

type Entry = readonly [status: ContentfulStatusCode, words: string | ((about: About<string>) => string)]
/** The status and the words of everything a surface may answer but its successes: `Own` are the codes of its domain. */
export type Words<Own extends string = never> = Record<GenericCode | HttpCode | Own, Entry>

/** An error as every surface tells it; how it is spelt is the surface's. */
export interface Failure {
  code: string
  status: ContentfulStatusCode
  words: string
  /** A verb's data for the client: limits, fields. */
  about: About<string>
  /** Given where the log says more. */
  requestId?: string
}

/** One mistake in the shape of a request, as zod sees it. */
export type Issue = z.core.$ZodIssue
/** Where in a request it is. */
export type Target = 'json' | 'form' | 'param' | 'query' | 'header' | 'cookie'

/** How a family of clients hears of errors. */
interface Voice {
  words: Words
  /** The words for `about.reason`, where a verb says more than its code. */
  reasons: Readonly<Record<string, string>>
  /** A `duplicate` says what is taken: the words for `about.field`. */
  taken: Readonly<Record<string, string>>
  /** The body of an error. */
  failure(failure: Failure): object
  /** Whether a 401 says how to come in (`WWW-Authenticate`). */
  challenges?: boolean
  /** A request of another shape: its status, and the body that lists the mistakes. `data` is what was judged. */
  shape: { status: ContentfulStatusCode; body(issues: Issue[], target: Target, data: unknown): object }
}

/** The error statuses that the description of a route may name; `always` are named by every route. */
interface Errors<E extends number, S extends z.ZodType, A extends E> {
  text: Readonly<Record<E, string>>
  schema(status: E): S
  always: readonly A[]
}

/** The query of a list: what it calls the size of its pages, and how many rows are in one. */
interface Paging<Size extends string> {
  size: Size
  rows: number
  rowsMax: number
}

/** How a family of clients speaks: all that a surface does not share with the others. */
export interface Dialect<E extends number, S extends z.ZodType, A extends E, Size extends string> extends Voice {
  name: SurfaceName
  errors: Errors<E, S, A>
  paging: Paging<Size>
  /** An instant as the surface spells it, to the second: an example says it all. */
  instant: string
}

/** A request whose shape no schema could judge: the body that says so. */
export class Misshapen extends Error {
  readonly body: object
  constructor(body: object) {
    super('the request has another shape')
    this.name = 'Misshapen'
    this.body = body
  }
}

type App = OpenAPIHono<Env>
/** A part of a surface; its paths start below `/api` unless it says where. */
export type Part = App | readonly [path: string, app: App]

/** What a surface is made of, in the order in which a request meets it. */
export interface Parts {
  /** In front of all limits: routes that limit themselves. */
  first?: readonly Part[]
  limits: readonly MiddlewareHandler<Env>[]
  /** Without a token. */
  open: readonly Part[]
  /** With one: none of them has to say so. */
  closed: readonly Part[]
}

/** A JSON body of this schema, for a response. */
const json = <S extends z.ZodType>(schema: S) => ({ content: { 'application/json': { schema } } })

/** The same for a request, which has to have it. */
const jsonBody = <S extends z.ZodType>(schema: S) => ({ required: true, ...json(schema) })

const whole = z.string().regex(/^\d{1,15}$/, 'ожидается целое число')

/** An id in a path or query: digits, given as a number. */
const idParam = whole.transform(Number).openapi({ type: 'integer', minimum: 1, example: 1 })
/** An id in a body. */
const idBody = z.int().min(1).openapi({ example: 1 })

/** A whole number in a query, `fallback` when it is not there. */
export const wholeQuery = (min: number, max: number, fallback: number) =>
  whole
    .transform(Number)
    .refine((value) => value >= min && value <= max, `допустимо от ${min} до ${max}`)
    .prefault(String(fallback))
    .openapi({ type: 'integer', minimum: min, maximum: max, default: fallback })

const pageMax = 1_000_000

/** A surface of this dialect: what its routes and its `app.ts` are made with. */
export function surface<E extends number, S extends z.ZodType, A extends E, Size extends string>(
  dialect: Dialect<E, S, A, Size>,
) {
  const { failureOf, onError } = failures(dialect)
  const router = () => routerOf(dialect.shape)
  return {
    router,
    failureOf,
    json,
    jsonBody,
    idParam,
    idBody,
    no: errorResponses(dialect.errors),
    ...pages(dialect.paging),
    ...instants(dialect.instant),

    /** The app: the ground, limits, what is open, a token, what is closed. */
    app(ground: AppContext, { first = [], limits, open, closed }: Parts): Surface {
      const app = router()
      const mount = (parts: readonly Part[]) => {
        for (const part of parts) app.route(...(part instanceof OpenAPIHono ? (['/api', part] as const) : part))
      }
      app.onError(onError)
      app.use(arrive(ground))
      mount(first)
      for (const limit of limits) app.use(limit)
      mount(open)
      // Registered after the open routes, and so only in front of the closed ones.
      app.use(bearer(dialect.name))
      mount(closed)
      const refuse = (status: 405 | 413) => {
        const failure = failureOf({ code: httpCodes[status]!, about: {} })
        return Response.json(dialect.failure(failure), { status: failure.status })
      }
      return { name: dialect.name, app, refuse }
    },
  }
}

/** A new part of a surface. Its validation errors are in the dialect. */
function routerOf(shape: Voice['shape']): App {
  const app = new OpenAPIHono<Env>({
    strict: false,
    defaultHook: (result, c) => {
      if (result.success) return undefined
      // What was judged is there beside the judgement, though the type of a failure does not say so.
      const { data } = result as { data?: unknown }
      return c.json(shape.body(result.error.issues, result.target, data), shape.status)
    },
  })
  const { openapi } = app
  // What a route demands is said once, by `may` among its middleware, and repeated in its description: OpenAPI 3.1 has
  // the roles in the place of scopes. The cast puts back the generics that this wrapper passes on untouched.
  app.openapi = ((route: RouteConfig, ...rest: [never, never?]) => {
    const roles = rolesOf(route.middleware)
    return openapi(roles.length === 0 ? route : { security: [{ bearerAuth: roles }], ...route }, ...rest)
  }) as typeof openapi
  return app
}

/** What an error becomes, and the handler that answers with it. */
function failures({ words, reasons, taken, failure, challenges, shape }: Voice) {
  const entries: Readonly<Record<string, Entry>> = words

  /**
   * A refusal in words: `about.text` of a route of this surface, else those for `about.reason`, else the code's. Every
   * other key of `about` is data for the body.
   */
  function failureOf({ code, about }: Pick<Refused, 'code' | 'about'>): Failure {
    const [status, general] = entries[code]!
    const { text, ...rest } = about
    const { field, reason } = rest
    const said =
      text ??
      (reason && reasons[reason]) ??
      (code === 'duplicate' && field ? taken[field] : undefined) ??
      (typeof general === 'string' ? general : general(rest))
    return { code, status, words: String(said), about: rest }
  }

  const plain = (code: GenericCode | HttpCode) => failureOf({ code, about: {} })

  /** The refusal that an error is, or nothing when nobody threw it on purpose. */
  function refusalOf(error: Error): Failure | undefined {
    // A code of a domain that the surface does not speak is a bug of ours, whatever it says.
    if (error instanceof Refused && Object.hasOwn(words, error.code)) return failureOf(error)
    // Too many passwords at once is the client's cue to come back.
    if (error instanceof PasswordsBusy) return plain('unavailable')
    const code = error instanceof HTTPException ? httpCodes[error.status] : undefined
    return code && plain(code)
  }

  /** Answers every error of the surface. Only what nobody threw on purpose is logged, with the request's id. */
  function onError(error: Error, c: Context<Env>): Response {
    if (error instanceof Misshapen) return c.json(error.body, shape.status)
    const answer = (told: Failure) => {
      if (told.status === 401 && challenges) c.header('WWW-Authenticate', 'Bearer')
      return c.json(failure(told), told.status)
    }
    const refusal = refusalOf(error)
    if (refusal) return answer(refusal)
    const fault = plain(faultCode(error))
    if (fault.code === 'invalid') return answer(fault)
    const { requestId } = c.env
    c.var.log('request.failed', { requestId, path: loggedPath(c.req.path), error })
    return answer({ ...fault, requestId })
  }

  return { failureOf, onError }
}

/** The error responses of a route, for its description: `...no(400, 404)`. */
function errorResponses<E extends number, S extends z.ZodType, A extends E>({ text, schema, always }: Errors<E, S, A>) {
  return <C extends E>(...statuses: C[]) =>
    // fromEntries forgets the keys; they are exactly the statuses asked for, and those of every route.
    Object.fromEntries(
      [...statuses, ...always].map((status) => [status, { description: text[status], ...json(schema(status)) }]),
    ) as Record<C | A, { description: string; content: { 'application/json': { schema: S } } }>
}

/** The query of a list, and what it means to a verb. */
function pages<Size extends string>({ size, rows, rowsMax }: Paging<Size>) {
  type Whole = ReturnType<typeof wholeQuery>
  /** Query of a list whose pages hold so many rows unless the client says otherwise. */
  const pagingBy = (fallback: number, max = rowsMax) =>
    // A computed key is any string to the compiler; it is this one.
    ({ page: wholeQuery(1, pageMax, 1), [size]: wholeQuery(1, max, fallback) }) as Record<'page' | Size, Whole>
  /** The rows of a page, for a verb. */
  const rowsOf = (at: Record<'page' | Size, number>) => ({ limit: at[size], offset: (at.page - 1) * at[size] })
  /** `paging` is the query of every list: ``z.object({ ...paging, status: … })``. */
  return { pagingBy, paging: pagingBy(rows), rowsOf }
}

const secondsLength = '2025-10-16T10:00:00'.length

/** Instants, spelt like the example. */
function instants(example: string) {
  const zone = example.slice(secondsLength)
  const aheadMs = Date.parse(`${example.slice(0, secondsLength)}Z`) - Date.parse(example)
  /** An instant as the surface spells it; null for a column that is empty. */
  function time(at: Date): string
  function time(at: Date | null): string | null
  function time(at: Date | null) {
    return at && new Date(at.getTime() + aheadMs).toISOString().slice(0, secondsLength) + zone
  }
  /** The schema of `time`. */
  const Time = z.string().openapi({ format: 'date-time', example })
  /** A row in the surface's spelling: names in snake_case, instants as `time` has them. */
  const shown = <R extends object>(row: R) => snaked(row, time)
  return { time, Time, shown }
}
