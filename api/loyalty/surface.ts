import { OpenAPIHono, type RouteConfig, z } from '@hono/zod-openapi'
import { HTTPException } from 'hono/http-exception'
import { rolesOf } from '../auth.ts'
import type { Env } from '../context.ts'
import { explain } from './refusals.ts'

/** Where FastAPI says a fault is. */
const parts: Record<string, string> = { json: 'body', form: 'body', param: 'path' }

/** A new part of the surface: its paths start below `/api`, its validation errors are 422 in FastAPI's shape. */
export function router() {
  const app = new OpenAPIHono<Env>({
    strict: false,
    defaultHook: (result, c) => {
      if (result.success) return undefined
      const part = parts[result.target] ?? result.target
      // What was judged is there beside the judgement, though the type of a failure does not say so.
      const { data } = result as { data?: unknown }
      return c.json({ detail: result.error.issues.map((issue) => explain(issue, part, data)) }, 422)
    },
  })
  const { openapi } = app
  // What a route demands is said once, by `may` among its middleware, and repeated in its description: OpenAPI 3.1 has
  // the roles in the place of scopes. The cast puts back the generics that this wrapper passes on untouched.
  app.openapi = ((route: RouteConfig, ...rest: [any, any?]) => {
    const roles = rolesOf(route.middleware)
    return openapi(roles.length === 0 ? route : { security: [{ bearerAuth: roles }], ...route }, ...rest)
  }) as typeof openapi
  return app
}

/** A JSON body of this schema, for a request or a response. */
export const json = <S extends z.ZodType>(schema: S) => ({ content: { 'application/json': { schema } } })

const Failure = z.object({ detail: z.string().openapi({ example: 'Описание ошибки' }) }).openapi('LoyaltyFailure')
const Faults = z
  .object({
    detail: z.array(z.object({ loc: z.array(z.union([z.string(), z.int()])), msg: z.string(), type: z.string() })),
  })
  .openapi('LoyaltyFaults', {
    example: { detail: [{ loc: ['body', 'email'], msg: 'Обязательное поле', type: 'missing' }] },
  })

type FailureCode = 400 | 401 | 403 | 404 | 409 | 422 | 429 | 503
const failureText: Record<FailureCode, string> = {
  400: 'Неверные данные: так нельзя в текущем состоянии',
  401: 'Не авторизован',
  403: 'Недостаточно прав',
  404: 'Не найдено',
  409: 'Такой документ уже пришёл с другим содержанием',
  422: 'Запрос не той формы',
  429: 'Слишком много запросов',
  503: 'Не настроено',
}

const failureSchema = (code: FailureCode): z.ZodType<unknown> => (code === 422 ? Faults : Failure)

/** The error responses of a route, for its description: `...no(400, 404)`. Any of them may be asked too often (429). */
export const no = <C extends FailureCode>(...codes: C[]) =>
  // fromEntries forgets the keys; they are exactly the codes asked for.
  Object.fromEntries(
    [...new Set<FailureCode>([...codes, 429])].map((code) => [
      code,
      { description: failureText[code], ...json(failureSchema(code)) },
    ]),
  ) as Record<C | 429, { description: string; content: { 'application/json': { schema: z.ZodType<unknown> } } }>

/** Tells a client to wait so many seconds (429), unless there is nothing to wait for. */
export function slowDown(c: { header(name: string, value: string): void }, seconds: number): void {
  if (seconds === 0) return
  c.header('Retry-After', String(seconds))
  throw new HTTPException(429)
}

const pageMax = 1_000_000

const wholeWithin = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/, 'ожидается целое число')
    .transform(Number)
    .refine((value) => value >= min && value <= max, `допустимо от ${min} до ${max}`)

/** A whole number in a query, `fallback` when it is not there. */
export const wholeQuery = (min: number, max: number, fallback: number) =>
  wholeWithin(min, max)
    .prefault(String(fallback))
    .openapi({ type: 'integer', minimum: min, maximum: max, default: fallback })

/** Query of a list: `page` from 1, and `page_size` (docs/contracts.md 3.2; the audit log has its own bounds). */
export const pagingBy = (size: number, sizeMax: number) => ({
  page: wholeQuery(1, pageMax, 1),
  page_size: wholeQuery(1, sizeMax, size),
})
/** Query of every list: ``z.object({ ...paging, status: … })``. */
export const paging = pagingBy(20, 100)

export interface PageAt {
  page: number
  page_size: number
}

/** What a list says beside its items: ``z.object({ transactions: z.array(…), ...pageKeys })``. */
export const pageKeys = { total: z.int(), page: z.int(), page_size: z.int() }

/** The values of `pageKeys`. */
export const pageOf = (total: number, { page, page_size }: PageAt) => ({ total, page, page_size })

/** The rows of a page, for a verb. */
export const rowsOf = ({ page, page_size }: PageAt) => ({ limit: page_size, offset: (page - 1) * page_size })

/** An id in a path or query: digits, given as a number. */
export const idParam = z
  .string()
  .regex(/^\d{1,15}$/, 'ожидается целое число')
  .transform(Number)
  .openapi({ type: 'integer', minimum: 1, example: 1 })
/** An id in a body. */
export const idBody = z.int().min(1).openapi({ example: 1 })

/** A text in a body that may be left out or null; blanks around it are not part of it. */
export const textOrNull = (charactersMax: number) => z.string().trim().max(charactersMax).nullish()

/** An instant as this surface spells it: `2025-09-30T12:00:00Z` (docs/contracts.md 3). */
export const time = (at: Date) => `${at.toISOString().slice(0, 19)}Z`
/** The same for a column that may be empty. */
export const timeOrNull = (at: Date | null) => (at ? time(at) : null)
/** The schema of `time`. */
export const Time = z.string().openapi({ format: 'date-time', example: '2025-09-30T12:00:00Z' })
