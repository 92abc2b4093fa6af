import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import type { Env } from '../context.ts'
import { surface } from '../surface.ts'
import { failure, misshapen, mistaken, mistakesOf, reasons, taken, words } from './refusals.ts'

const told = {
  detail: z.string(),
  error_code: z.string(),
  timestamp: z.string().openapi({ format: 'date-time', example: '2023-08-15T14:30:00Z' }),
}
const Failure = z.object(told).openapi('PaygoFailure', {
  example: {
    detail: 'Недостаточно прав доступа',
    error_code: 'INSUFFICIENT_PERMISSIONS',
    timestamp: '2023-08-15T14:30:00Z',
  },
})
const Mistakes = z
  .object({ ...told, errors: z.array(z.object({ field: z.string(), message: z.string() })) })
  .openapi('PaygoMistakes', {
    example: {
      detail: 'email: обязательное поле',
      error_code: 'VALIDATION_ERROR',
      timestamp: '2023-08-15T14:30:00Z',
      errors: [{ field: 'email', message: 'обязательное поле' }],
    },
  })

export const { app, failureOf, json, jsonBody, no, paging, pagingBy, router, rowsOf, shown, time, Time } = surface({
  name: 'paygo',
  words,
  reasons,
  taken,
  failure,
  challenges: true,
  shape: { status: 422, body: (issues) => mistaken(mistakesOf(issues)) },
  errors: {
    text: {
      400: 'Неверный запрос: так нельзя в текущем состоянии',
      401: 'Не авторизован',
      403: 'Доступ запрещен',
      404: 'Ресурс не найден',
      409: 'Ключ идемпотентности использован для другого запроса',
      422: 'Ошибка валидации',
      423: 'Учётная запись временно заблокирована',
      429: 'Слишком много запросов',
      500: 'Внутренняя ошибка сервера',
    },
    schema: (status): z.ZodType<unknown> => (status === 422 ? Mistakes : Failure),
    always: [429, 500],
  },
  // docs/contracts.md 1.4
  paging: { size: 'limit', rows: 20, rowsMax: 100 },
  instant: '2023-08-15T14:30:00Z',
})

/** Ids of this surface are words with a number: `card123`. The bare number is taken too. */
export function idsOf(word: 'user' | 'card' | 'txn' | 'terminal' | 'command' | 'notification', example: number) {
  const pattern = new RegExp(`^(?:${word})?\\d{1,15}$`)
  const described = { type: 'string' as const, example: `${word}${example}` }
  return {
    /** In a path, a query or a body, given as a number. */
    given: z
      .string()
      .regex(pattern, `ожидается идентификатор вида ${word}${example}`)
      .transform((text) => Number(text.replace(word, '')))
      .openapi(described),
    /** The schema of what `spell` gives. */
    shown: z.string().openapi(described),
    spell: (id: number) => `${word}${id}`,
    spellOrNull: (id: number | null) => (id === null ? null : `${word}${id}`),
  }
}
export const users = idsOf('user', 123)
export const cards = idsOf('card', 123)
export const transactions = idsOf('txn', 123)
export const terminals = idsOf('terminal', 456)
export const commands = idsOf('command', 123)
export const notifications = idsOf('notification', 17)

interface PageAt {
  page: number
  limit: number
}

/** What every list says of its pages. */
export const Pagination = z
  .object({ page: z.int(), limit: z.int(), total: z.int(), pages: z.int() })
  .openapi('PaygoPagination', { example: { page: 1, limit: 20, total: 150, pages: 8 } })

/** The value of `Pagination`. */
export const paginationOf = (total: number, { page, limit }: PageAt) => ({
  page,
  limit,
  total,
  pages: Math.ceil(total / limit),
})

/** The answer to what has nothing else to say. */
export const Message = z.object({ message: z.string() }).openapi('PaygoMessage')

/** An operation that the document does not have. */
export const addition = { 'x-voltbay': 'addition' } as const

/** A body that a request may have, described as `schema` says and read by `optionalBody`. */
export const optionally = (properties: Record<string, object>, example: object) => ({
  content: { 'application/json': { schema: { type: 'object' as const, properties, example } } },
})

/** A JSON body, or none: clients send its content type with nothing behind it. */
export async function optionalBody<S extends z.ZodType>(c: Context<Env>, schema: S): Promise<z.output<S>> {
  const text = await c.req.text()
  const found = schema.safeParse(text.trim() === '' ? {} : read(text))
  if (!found.success) throw misshapen(...mistakesOf(found.error.issues))
  return found.data
}

function read(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Whatever is wrong with it, the client is told that it cannot be read.
    throw misshapen({ field: 'body', message: words.unreadable[1] as string })
  }
}
