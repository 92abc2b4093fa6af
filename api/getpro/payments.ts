import { createRoute, z } from '@hono/zod-openapi'
import * as verbs from '../../db/getpro/payments.ts'
import { paymentProviders, paymentStatuses, purposes } from '../../db/getpro/words.ts'
import { hasRole } from '../../db/platform/actor.ts'
import { published } from '../resource.ts'
import { people, reached } from './rights.ts'
import { idParam, json, no, ok, page, paged, paging, router, rowsOf, shown, success, Time } from './surface.ts'

const tags = ['2GETPRO: платежи']

const Payment = z
  .object({
    id: z.int(),
    user_id: z.int(),
    purpose: z.enum(purposes),
    plan_id: z.int().nullable(),
    months: z.int().nullable(),
    provider: z.enum(paymentProviders),
    provider_payment_id: z.string().nullable(),
    amount_kopecks: z.int().openapi({ description: 'Сколько это для баланса; 0 — не в рублях' }),
    charged_amount: z.string().openapi({ example: '199.00' }),
    charged_currency: z.string().openapi({ example: 'RUB' }),
    refunded_kopecks: z.int(),
    status: z.enum(paymentStatuses),
    cancel_reason: z.string().nullable(),
    description: z.string().nullable(),
    confirmation_url: z.string().nullable(),
    is_renewal: z.boolean(),
    created_at: Time,
    settled_at: Time.nullable(),
  })
  .openapi('GetproPayment')

/** As it is shown. */
export const payment = (one: verbs.Payment) => published(Payment, { ...shown(one), user_id: one.accountId })

const listRoute = createRoute({
  method: 'get',
  path: '/payments',
  tags,
  summary: 'Платежи, сначала новые',
  description: 'Не администратору — только свои.',
  middleware: [people],
  request: {
    query: z.object({
      ...paging,
      user_id: idParam.optional(),
      status: z.enum(paymentStatuses).optional(),
      provider: z.enum(paymentProviders).optional(),
    }),
  },
  responses: { 200: { description: 'Страница', ...json(page(Payment)) }, ...no(401, 403, 404, 422) },
})

const getRoute = createRoute({
  method: 'get',
  path: '/payments/{id}',
  tags,
  summary: 'Платёж',
  middleware: [people],
  request: { params: z.object({ id: idParam }) },
  responses: { 200: { description: 'Платёж', ...json(ok(Payment)) }, ...no(401, 403, 404, 422) },
})

/** What was asked of providers, and how it stands (docs/contracts.md 2). */
export const payments = router()

payments.openapi(listRoute, async (c) => {
  const { user_id: userId, status, provider, ...at } = c.req.valid('query')
  const isAny = userId === undefined && hasRole(c.var.actor, 'admin')
  const accountId = isAny ? null : (await reached(c, userId)).id
  const { rows, total } = await verbs.list(c.var.db.sql, { accountId, status, provider, ...rowsOf(at) })
  return c.json(paged(rows.map(payment), total, at), 200)
})

payments.openapi(getRoute, async (c) => {
  const one = await verbs.reach(c.var.db.sql, c.var.actor, c.req.valid('param').id)
  return c.json(success('Платёж', payment(one)), 200)
})
