import { z } from '@hono/zod-openapi'
import { IdempotencyKey as AnyKey } from '../idempotency.ts'
import type { ResourceDialect } from '../resource.ts'
import { surface } from '../surface.ts'
import { failure, reasons, shapeOf, taken, words } from './refusals.ts'

const Failure = z
  .object({
    status: z.literal('error'),
    error: z.object({
      code: z.string().openapi({ example: 'INVALID_SIGNATURE' }),
      message: z.string().openapi({ example: 'Неверная подпись' }),
      details: z.record(z.string(), z.any()).openapi({ example: {} }),
    }),
    timestamp: z.string().openapi({ format: 'date-time', example: '2026-01-01T12:00:00.000Z' }),
  })
  .openapi('GetproFailure')

export const { app, idBody, idParam, json, jsonBody, no, paging, router, rowsOf, shown, Time } = surface({
  name: 'getpro',
  words,
  reasons,
  taken,
  failure,
  shape: { status: 422, body: shapeOf },
  errors: {
    text: {
      400: 'Тело не читается или так нельзя',
      401: 'Не авторизован',
      403: 'Неверная подпись или недостаточно прав',
      404: 'Не найдено',
      409: 'Так нельзя в текущем состоянии',
      413: 'Тело слишком велико',
      422: 'Запрос не той формы',
      429: 'Слишком много запросов',
      503: 'Сервис недоступен или провайдер не настроен',
    },
    schema: () => Failure,
    always: [429],
  },
  paging: { size: 'page_size', rows: 20, rowsMax: 100 },
  instant: '2026-01-01T12:00:00Z',
})

/** A success as the document has it. */
export const success = (message: string, data: object = {}) => ({
  status: 'success' as const,
  data,
  message,
  timestamp: new Date().toISOString(),
})

/** The schema of `success`, around this. */
export const ok = <S extends z.ZodType>(data: S) =>
  z.object({
    status: z.literal('success'),
    data,
    message: z.string().openapi({ example: 'Готово' }),
    timestamp: z.string().openapi({ format: 'date-time', example: '2026-01-01T12:00:00.000Z' }),
  })

interface PageAt {
  page: number
  page_size: number
}

/** The schema of one page of these. */
export const page = (item: z.ZodType) =>
  ok(z.object({ items: z.array(item), total: z.int(), page: z.int(), page_size: z.int() }))

/** The value of `page`. */
export const paged = (items: object[], total: number, { page, page_size }: PageAt) =>
  success('Страница', { items, total, page, page_size })

/** The header of every POST that moves money or gives time. */
export const IdempotencyKey = z.object({
  'idempotency-key': AnyKey.shape['idempotency-key'].openapi({
    description:
      'Повтор с тем же ключом и телом не делает ничего второй раз; с другим телом — 409 IDEMPOTENCY_CONFLICT.',
    example: '0b9d3f0e-6f0a-4a67-9c5e-6f1f3c1f2a10',
  }),
})

/** How this surface speaks of resources. */
export const dialect: ResourceDialect = {
  json,
  idParam,
  no,
  paging,
  rowsOf,
  page: { schema: page, value: paged },
  one: { schema: ok, value: (item, said = 'Готово') => success(said, item) },
  gone: null,
  changes: { patch: 'part' },
}
