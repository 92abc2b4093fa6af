import { createRoute, z } from '@hono/zod-openapi'
import * as verbs from '../../db/paygo/terminals-list.ts'
import { paymentMethods, terminalTypes } from '../../db/paygo/words.ts'
import { hasRole } from '../../db/platform/actor.ts'
import { may } from '../auth.ts'
import { toUnits, Units } from '../money.ts'
import { published } from '../resource.ts'
import {
  terminals as ids,
  json,
  no,
  Pagination,
  paginationOf,
  pagingBy,
  router,
  rowsOf,
  shown,
  Time,
  time,
} from './surface.ts'

export const tags = ['PayGo: терминалы']
/** The document knows no pages here: a page is as long as it may be. */
const rowsMax = 200
/** Whose business the turnover is. */
export const staff = ['terminal_operator', 'finance_manager', 'admin'] as const

export const Status = z.enum(verbs.terminalStatuses)

const Terminal = z
  .object({
    id: ids.shown,
    name: z.string(),
    location: z.string(),
    address: z.string(),
    status: Status,
    supported_payment_methods: z.array(z.enum(paymentMethods)),
    last_ping: Time.nullable(),
  })
  .openapi('PaygoTerminal')

const more = {
  serial_number: z.string(),
  terminal_code: z.string().openapi({ description: 'Поле 41 сообщений терминала', example: 'T0000001' }),
  terminal_type: z.enum(terminalTypes),
  model: z.string().nullable(),
  manufacturer: z.string().nullable(),
  software_version: z.string().nullable(),
  latitude: z.number().nullable(),
  longitude: z.number().nullable(),
}
const Takings = z.object({ total_transactions: z.int(), total_amount: Units, successful_transactions: z.int() })
const TerminalDetails = Terminal.extend({
  ...more,
  statistics: Takings.optional().openapi({ description: 'Только сотрудникам' }),
}).openapi('PaygoTerminalDetails')
/** As administrators see it. */
export const AdminTerminal = Terminal.extend({
  ...more,
  is_active: z.boolean(),
  created_at: Time,
  updated_at: Time,
}).openapi('PaygoAdminTerminal')

const spelt = (one: verbs.Terminal) => ({ ...shown(one), id: ids.spell(one.id) })
/** A terminal as its details are, but for what it has taken. */
export const terminal = (one: verbs.Terminal) => published(TerminalDetails, spelt(one))
/** The value of `AdminTerminal`. */
export const adminTerminal = (one: verbs.Terminal) => published(AdminTerminal, spelt(one))
const takings = (known: verbs.Takings) => ({
  total_transactions: known.totalTransactions,
  total_amount: toUnits(known.totalMinor),
  successful_transactions: known.successfulTransactions,
})

/** Payment terminals, for whoever pays at one and for who minds them. */
export const terminals = router()
const request = { params: z.object({ terminal_id: ids.given }) }

terminals.openapi(
  createRoute({
    method: 'get',
    path: '/terminals',
    tags,
    summary: 'Получение списка терминалов',
    description: 'Страницы — дополнение Voltbay: без параметров первые 200 терминалов.',
    request: { query: z.object({ ...pagingBy(rowsMax, rowsMax), status: Status.optional() }) },
    responses: {
      200: {
        description: 'Терминалы',
        ...json(z.object({ terminals: z.array(Terminal), pagination: Pagination }).openapi('PaygoTerminals')),
      },
      ...no(401, 422),
    },
  }),
  async (c) => {
    const at = c.req.valid('query')
    const { rows, total } = await verbs.list(c.var.db.sql, { status: at.status, isAll: false, ...rowsOf(at) })
    const found = rows.map((one) => published(Terminal, spelt(one)))
    return c.json({ terminals: found, pagination: paginationOf(total, at) }, 200)
  },
)

terminals.openapi(
  createRoute({
    method: 'get',
    path: '/terminals/{terminal_id}',
    tags,
    summary: 'Получение информации о терминале',
    request,
    responses: { 200: { description: 'Терминал', ...json(TerminalDetails) }, ...no(401, 404, 422) },
  }),
  async (c) => {
    const { sql } = c.var.db
    const one = await verbs.get(sql, c.req.valid('param').terminal_id)
    const known = published(TerminalDetails, spelt(one))
    if (!hasRole(c.var.actor, ...staff)) return c.json(known, 200)
    return c.json({ ...known, statistics: takings(await verbs.takingsOf(sql, one.id)) }, 200)
  },
)

terminals.openapi(
  createRoute({
    method: 'get',
    path: '/terminals/{terminal_id}/stats',
    tags,
    summary: 'Получение статистики терминала',
    description: 'Суммы — завершённых платежей за вычетом возвратов. Возвращённый платёж считается успешным.',
    middleware: may(...staff),
    request,
    responses: {
      200: {
        description: 'Статистика',
        ...json(
          Takings.extend({
            terminal_id: ids.shown,
            failed_transactions: z.int(),
            status: Status,
            last_ping: Time.nullable(),
          }).openapi('PaygoTerminalStats'),
        ),
      },
      ...no(401, 403, 404, 422),
    },
  }),
  async (c) => {
    const { sql } = c.var.db
    const { id, status, lastPing } = await verbs.get(sql, c.req.valid('param').terminal_id)
    const known = await verbs.takingsOf(sql, id)
    const about = { terminal_id: ids.spell(id), status, last_ping: time(lastPing) }
    return c.json({ ...about, ...takings(known), failed_transactions: known.failedTransactions }, 200)
  },
)
