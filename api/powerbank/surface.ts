import { z } from '@hono/zod-openapi'
import { surface } from '../surface.ts'
import { failure, misshapen, reasons, taken, words } from './refusals.ts'

const Failure = z
  .object({ success: z.literal(false), error: z.string().openapi({ example: 'Описание ошибки' }) })
  .openapi('Failure')

export const {
  app,
  failureOf,
  idBody,
  idParam,
  json,
  jsonBody,
  no,
  paging,
  pagingBy,
  router,
  rowsOf,
  shown,
  Time,
  time,
} = surface({
  name: 'powerbank',
  words,
  reasons,
  taken,
  failure,
  shape: { status: 400, body: misshapen },
  errors: {
    text: {
      400: 'Неверные параметры запроса',
      401: 'Не авторизован',
      403: 'Доступ запрещен',
      404: 'Ресурс не найден',
      408: 'Таймаут операции',
      429: 'Слишком много запросов',
      500: 'Внутренняя ошибка сервера',
      503: 'Станция не подключена',
    },
    schema: () => Failure,
    always: [],
  },
  paging: { size: 'limit', rows: 10, rowsMax: 100 },
  // docs/contracts.md 4
  instant: '2025-10-16T10:00:00+03:00',
})

/** A success: `{success: true, message?}` and the given keys: `data`, and what the origin has beside it at the top. */
export const ok = <S extends z.ZodRawShape>(keys: S) =>
  z.object({
    success: z.literal(true),
    message: z.string().optional().openapi({ example: 'Операция выполнена успешно' }),
    ...keys,
  })

/** The value for `ok`: ``c.json(yes({ data }), 200)``. */
export const yes = <T extends object>(keys: T) => ({ success: true as const, ...keys })

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
