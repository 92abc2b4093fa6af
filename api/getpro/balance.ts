import { createRoute, z } from '@hono/zod-openapi'
import * as balance from '../../db/getpro/balance.ts'
import { published } from '../resource.ts'
import { keyOf } from './keys.ts'
import { admins, people, reached } from './rights.ts'
import {
  IdempotencyKey,
  idParam,
  json,
  jsonBody,
  no,
  ok,
  page,
  paged,
  paging,
  router,
  rowsOf,
  shown,
  success,
  Time,
} from './surface.ts'

const tags = ['2GETPRO: баланс']
/** Ten million roubles. */
const kopecksMax = 1_000_000_000
const reasonCharactersMax = 300

const Balance = z.object({ user_id: z.int(), balance_kopecks: z.int() }).openapi('GetproBalance')
const Moved = z
  .object({
    movement_id: z.int(),
    user_id: z.int(),
    balance_kopecks: z.int().openapi({ description: 'Сколько на балансе сейчас' }),
  })
  .openapi('GetproMoved')
const Movement = z
  .object({
    id: z.int(),
    kind: z.string().openapi({ example: 'balance_add' }),
    amount_kopecks: z.int().openapi({ description: 'Больше нуля — пришло, меньше — ушло', example: 10_000 }),
    reason: z.string().nullable(),
    payment_id: z.int().nullable(),
    created_at: Time,
  })
  .openapi('GetproMovement')
const Change = z
  .object({
    amount_kopecks: z.int().min(1).max(kopecksMax),
    reason: z.string().trim().min(1).max(reasonCharactersMax),
  })
  .openapi('GetproBalanceChange', { example: { amount_kopecks: 10_000, reason: 'Возврат за простой' } })

const params = z.object({ id: idParam })
const ask = { tags, middleware: [people] }

const getRoute = createRoute({
  ...ask,
  method: 'get',
  path: '/users/{id}/balance',
  summary: 'Баланс в копейках',
  request: { params },
  responses: { 200: { description: 'Баланс', ...json(ok(Balance)) }, ...no(401, 403, 404, 422) },
})

const historyRoute = createRoute({
  ...ask,
  method: 'get',
  path: '/users/{id}/balance/history',
  summary: 'Движения баланса, сначала новые',
  request: { params, query: z.object(paging) },
  responses: { 200: { description: 'Страница', ...json(page(Movement)) }, ...no(401, 403, 404, 422) },
})

const changeRoute = <P extends `/${string}`>(path: P, summary: string) =>
  createRoute({
    method: 'post',
    path,
    tags,
    summary,
    description: 'Сумма больше нуля. Ниже нуля баланс не опускается: 400 INSUFFICIENT_FUNDS.',
    middleware: [admins],
    request: { params, headers: IdempotencyKey, body: jsonBody(Change) },
    responses: { 201: { description: 'Проведено', ...json(ok(Moved)) }, ...no(400, 401, 403, 404, 409, 422) },
  })

/** What somebody has, and what moved it (docs/contracts.md 2). */
export const balances = router()

balances.openapi(getRoute, async (c) => {
  const { id } = await reached(c, c.req.valid('param').id)
  return c.json(success('Баланс', { user_id: id, balance_kopecks: await balance.get(c.var.db.sql, id) }), 200)
})

balances.openapi(historyRoute, async (c) => {
  const at = c.req.valid('query')
  const { id } = await reached(c, c.req.valid('param').id)
  const { rows, total } = await balance.history(c.var.db.sql, id, rowsOf(at))
  const items = rows.map((row) => published(Movement, shown(row)))
  return c.json(paged(items, total, at), 200)
})

for (const [act, sign, summary] of [
  ['add', 1, 'Пополнение баланса вручную'],
  ['deduct', -1, 'Списание с баланса вручную'],
] as const)
  balances.openapi(changeRoute(`/users/{id}/balance/${act}`, summary), async (c) => {
    const { id: accountId } = c.req.valid('param')
    const { amount_kopecks: amount, reason } = c.req.valid('json')
    const given = { accountId, amountKopecks: sign * amount, reason, key: keyOf(c).key }
    const { postingId, balanceKopecks } = await c.var.db.transaction((tx) => balance.change(tx, c.var.actor, given))
    const data = { movement_id: postingId, user_id: accountId, balance_kopecks: balanceKopecks }
    return c.json(success('Проведено', data), 201)
  })
