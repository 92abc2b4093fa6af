import { OpenAPIHono, type RouteConfig, z } from '@hono/zod-openapi'
import { rolesOf } from '../auth.ts'
import type { Env } from '../context.ts'
import { explain } from './refusals.ts'

/** A new part of the surface: its paths start below `/api`, its validation errors are 400 in the surface's format. */
export function router() {
  const app = new OpenAPIHono<Env>({
    strict: false,
    defaultHook: (result, c) => {
      if (result.success) return undefined
      const errors = result.error.issues.map(explain)
      return c.json({ success: false, error: errors[0]?.error ?? failureText[400], errors }, 400)
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

const Failure = z
  .object({ success: z.literal(false), error: z.string().openapi({ example: 'Описание ошибки' }) })
  .openapi('Failure')
type FailureCode = 400 | 401 | 403 | 404 | 408 | 429 | 500 | 503
const failureText: Record<FailureCode, string> = {
  400: 'Неверные параметры запроса',
  401: 'Не авторизован',
  403: 'Доступ запрещен',
  404: 'Ресурс не найден',
  408: 'Таймаут операции',
  429: 'Слишком много запросов',
  500: 'Внутренняя ошибка сервера',
  503: 'Станция не подключена',
}

/** The error responses of a route, for its description: `...no(400, 404)`. */
export const no = <C extends FailureCode>(...codes: C[]) =>
  // fromEntries forgets the keys; they are exactly the codes asked for.
  Object.fromEntries(codes.map((code) => [code, { description: failureText[code], ...json(Failure) }])) as Record<
    C,
    { description: string; content: { 'application/json': { schema: typeof Failure } } }
  >

/** A success: `{success: true, message?}` and the given keys: `data`, and what the origin has beside it at the top. */
export const ok = <S extends z.ZodRawShape>(keys: S) =>
  z.object({
    success: z.literal(true),
    message: z.string().optional().openapi({ example: 'Операция выполнена успешно' }),
    ...keys,
  })

/** The value for `ok`: ``c.json(yes({ data }), 200)``. */
export const yes = <T extends object>(keys: T) => ({ success: true as const, ...keys })

const limitDefault = 10
const limitMax = 100

const wholeNumber = (schema: z.ZodType<string>) => schema.transform(Number)
const digits = (text: string) => z.string().regex(/^\d{1,15}$/, text)

/** An id in a path or query: digits, given as a number. */
export const idParam = wholeNumber(digits('ожидается целое число')).openapi({ type: 'integer', minimum: 1, example: 1 })
/** An id in a body. */
export const idBody = z.int().min(1).openapi({ example: 1 })

const pageNumber = (fallback: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,9}$/, 'ожидается целое число')
    .default(String(fallback))
    .transform(Number)
    .refine((value) => value >= 1 && value <= max, `допустимо от 1 до ${max}`)
    .openapi({ type: 'integer', minimum: 1, maximum: max, default: fallback })

const pageMax = 1_000_000
/** Query of a list whose pages hold `limit` unless the client says otherwise. */
export const pagingBy = (limit: number) => ({ page: pageNumber(1, pageMax), limit: pageNumber(limit, limitMax) })
/** Query of every list: ``z.object({ ...paging, status: … })``. */
export const paging = pagingBy(limitDefault)

/** A page of `item`: `{success, data, pagination}`. */
export const page = <S extends z.ZodType>(item: S) =>
  z.object({
    success: z.literal(true),
    data: z.array(item),
    pagination: z
      .object({ page: z.int(), limit: z.int(), total: z.int(), pages: z.int() })
      .openapi('Pagination', { example: { page: 1, limit: 10, total: 100, pages: 10 } }),
  })

/** The value for `page`. */
export const paged = <T>(data: T[], total: number, at: { page: number; limit: number }) =>
  yes({ data, pagination: { page: at.page, limit: at.limit, total, pages: Math.ceil(total / at.limit) } })

/** Rows before the page. */
export const offset = (at: { page: number; limit: number }) => (at.page - 1) * at.limit

const zoneHours = 3
const zone = '+03:00'
const hourMs = 3_600_000

/** An instant as this surface spells it: `2025-10-16T10:00:00+03:00` (docs/contracts.md 4). */
export const time = (at: Date) => `${new Date(at.getTime() + zoneHours * hourMs).toISOString().slice(0, 19)}${zone}`
/** The same for a column that may be empty. */
export const timeOrNull = (at: Date | null) => (at ? time(at) : null)
/** The schema of `time`. */
export const Time = z.string().openapi({ format: 'date-time', example: '2025-10-16T10:00:00+03:00' })
