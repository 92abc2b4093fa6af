import { z } from '@hono/zod-openapi'
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

export const { app, json, no, router } = surface({
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
