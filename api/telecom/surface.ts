import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { Refused } from '../../db/platform/refused.ts'
import { may } from '../auth.ts'
import type { Env } from '../context.ts'
import type { ResourceDialect } from '../resource.ts'
import { type Dialect, surface } from '../surface.ts'
import { failure, fieldsOf, reasons, sentenceOf, taken, words } from './refusals.ts'

const Failure = z
  .object({
    status: z.literal('error').optional(),
    message: z.string().optional().openapi({ example: 'Описание ошибки' }),
    detail: z.string().optional(),
  })
  .catchall(z.any())
  .openapi('TelecomFailure', { description: '`{status, message}`, или поле и список его ошибок' })

const rowsStandard = 100
const rowsMax = 1_000

const spoken = {
  name: 'telecom' as const,
  words,
  reasons,
  taken,
  failure,
  challenges: true,
  shape: { status: 400 as const, body: fieldsOf },
  errors: {
    text: {
      400: 'Неверные данные, или так нельзя в текущем состоянии',
      401: 'Не авторизован',
      403: 'Недостаточно прав',
      404: 'Не найдено',
      415: 'Тело не JSON',
      429: 'Слишком много запросов',
    },
    schema: () => Failure,
    always: [] as const,
  },
  paging: { size: 'page_size' as const, rows: rowsStandard, rowsMax },
  instant: '2026-01-01T12:00:00Z',
} satisfies Dialect<400 | 401 | 403 | 404 | 415 | 429, typeof Failure, never, 'page_size'>

export const { app, idBody, idParam, json, jsonBody, no, router, shown, Time } = surface(spoken)
/** Of acts: what is wrong with their bodies is told in a sentence. */
export const { router: actRouter } = surface({ ...spoken, shape: { status: 400, body: sentenceOf } })

/** Who has any place here; nobody else sees anything. */
export const staff = may('employee', 'operator', 'supervisor', 'admin')
/** Who runs the daily business: customers, contracts, SIMs, payments. */
export const operators = may('operator', 'supervisor', 'admin')
/** Who answers for it: tariffs, what is deleted, what is put right. */
export const supervisors = may('supervisor', 'admin')

// Texts, for what is no number is no mistake of the request here: it is a page that is not there, or the standard size.
const whole = (standard: number) =>
  z.string().optional().openapi({ type: 'integer', minimum: 1, default: standard, example: standard })
/** The query of a list. */
export const paging = { page: whole(1), page_size: whole(rowsStandard) }

interface PageQuery {
  page?: string | undefined
  page_size?: string | undefined
}

/** Which page is asked for. @throws Refused not_found: there is no such page */
function pageAt({ page = '1', page_size: size = '' }: PageQuery, standard = rowsStandard) {
  if (!/^[1-9]\d{0,8}$/.test(page)) throw noPage()
  const asked = /^\d{1,9}$/.test(size) ? Number(size) : 0
  return { number: Number(page), size: asked === 0 ? standard : Math.min(asked, rowsMax) }
}

const noPage = () => new Refused('not_found', 'no such page', { text: 'Неправильная страница' })

/** The rows of a page, for a verb. @throws Refused not_found */
export function rowsOf(query: PageQuery, standard = rowsStandard) {
  const { number, size } = pageAt(query, standard)
  return { limit: size, offset: (number - 1) * size }
}

/** One page, with the ways to the next and to the one before. @throws Refused not_found: beyond the last one */
function paged(results: object[], count: number, query: PageQuery, c: Context<Env>) {
  const { number, size } = pageAt(query)
  const last = Math.max(1, Math.ceil(count / size))
  if (number > last) throw noPage()
  const way = (to: number) => {
    const url = new URL(c.req.url)
    const at = new URL(`${url.pathname}${url.search}`, c.var.config.publicUrl ?? url.origin)
    if (to === 1) at.searchParams.delete('page')
    else at.searchParams.set('page', String(to))
    return at.href
  }
  return { count, next: number < last ? way(number + 1) : null, previous: number > 1 ? way(number - 1) : null, results }
}

/** How this surface speaks of resources: as Django REST framework does. */
export const dialect: ResourceDialect = {
  json,
  idParam,
  no,
  paging,
  rowsOf,
  search: 'search',
  ordering: 'ordering',
  unknownOrder: 'По этому полю сортировать нельзя.',
  page: {
    schema: (item) =>
      z.object({ count: z.int(), next: z.url().nullable(), previous: z.url().nullable(), results: z.array(item) }),
    value: paged,
  },
  one: { schema: (item) => item, value: (item) => item },
  gone: null,
  changes: { put: 'whole', patch: 'part' },
}
