import { createRoute, z } from '@hono/zod-openapi'
import * as purchases from '../../db/getpro/purchases.ts'
import * as renewals from '../../db/getpro/renewals.ts'
import * as verbs from '../../db/getpro/subscriptions.ts'
import { paymentProviders } from '../../db/getpro/words.ts'
import { keyOf } from './keys.ts'
import { pay } from './paying.ts'
import { Payment, payment, promoCode } from './payments.ts'
import { admins, people, reached } from './rights.ts'
import { Subscription, subscription } from './subscription-view.ts'
import {
  IdempotencyKey,
  idBody,
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
  success,
} from './surface.ts'

const tags = ['2GETPRO: подписки']
const monthsMax = 120
const daysMax = 3_650

const answer = json(ok(Subscription).openapi('GetproSubscriptionAnswer'))
const params = z.object({ id: idParam })

const buyRoute = createRoute({
  method: 'post',
  path: '/subscriptions',
  tags,
  summary: 'Покупка с баланса или платежом',
  description:
    'Открывает подписку или продлевает её на месяцы тарифа. Без `user_id` — себе. С `provider` начинается платёж (как `POST /payments`), и в ответе он: подписка станет длиннее, когда он оплачен.',
  middleware: [people],
  request: {
    headers: IdempotencyKey,
    body: jsonBody(
      z
        .object({
          user_id: idBody.optional(),
          plan_id: idBody,
          promo_code: promoCode.nullish(),
          provider: z.enum(paymentProviders).optional(),
          saves_method: z.boolean().optional(),
        })
        .openapi('GetproPurchase', { example: { user_id: 1, plan_id: 1, promo_code: null } }),
    ),
  },
  responses: {
    201: {
      description: 'Куплено, или платёж начат',
      ...json(ok(z.union([Subscription, Payment])).openapi('GetproBought')),
    },
    ...no(400, 401, 403, 404, 409, 422, 503),
  },
})

const trialRoute = createRoute({
  method: 'post',
  path: '/subscriptions/trial',
  tags,
  summary: 'Пробные три дня',
  description: 'Один раз, и только если подписки никогда не было. Без `user_id` — себе.',
  middleware: [people],
  request: {
    body: jsonBody(z.object({ user_id: idBody.optional() }).openapi('GetproTrial', { example: { user_id: 1 } })),
  },
  responses: { 201: { description: 'Открыто', ...answer }, ...no(401, 403, 404, 409, 422) },
})

const giftRoute = createRoute({
  method: 'post',
  path: '/subscriptions/gift',
  tags,
  summary: 'Подарок: время, за которое никто не платит',
  middleware: [admins],
  request: {
    headers: IdempotencyKey,
    body: jsonBody(
      z
        .object({ user_id: idBody, months: z.int().min(0).max(monthsMax), days: z.int().min(0).max(daysMax) })
        .partial({ months: true, days: true })
        .refine(({ months = 0, days = 0 }) => months + days > 0, { path: ['months'], error: 'сколько подарить' })
        .openapi('GetproGift', { example: { user_id: 1, months: 1, days: 0 } }),
    ),
  },
  responses: { 201: { description: 'Подарено', ...answer }, ...no(401, 403, 404, 409, 422) },
})

const listRoute = createRoute({
  method: 'get',
  path: '/users/{id}/subscriptions',
  tags,
  summary: 'Подписки пользователя',
  description: 'У пользователя она одна и продлевается снова и снова; пусто, пока не было ни одной.',
  middleware: [people],
  request: { params, query: z.object(paging) },
  responses: { 200: { description: 'Страница', ...json(page(Subscription)) }, ...no(401, 403, 404, 422) },
})

const renewRoute = createRoute({
  method: 'post',
  path: '/subscriptions/{id}/auto-renew',
  tags,
  summary: 'Автопродление',
  description: 'Включается, только когда есть сохранённый способ оплаты; доступ в любом случае до `ends_at`.',
  middleware: [people],
  request: {
    params,
    body: jsonBody(
      z.object({ auto_renews: z.boolean() }).openapi('GetproAutoRenew', { example: { auto_renews: false } }),
    ),
  },
  responses: { 200: { description: 'Сохранено', ...answer }, ...no(401, 403, 404, 409, 422) },
})

/** Access (docs/contracts.md 2). */
export const subscriptions = router()

subscriptions.openapi(buyRoute, async (c) => {
  const body = c.req.valid('json')
  const { provider } = body
  if (provider !== undefined) {
    const what = { purpose: 'subscription' as const, planId: body.plan_id, promoCode: body.promo_code ?? null }
    const made = await pay(c, body, { ...what, user_id: body.user_id, provider, savesMethod: body.saves_method })
    return c.json(success('Платёж начат', payment(made)), 201)
  }
  const { id: accountId } = await reached(c, body.user_id)
  const { db, actor, config } = c.var
  const given = { accountId, planId: body.plan_id, promoCode: body.promo_code ?? null, ...keyOf(c, body) }
  const made = await db.transaction((tx) => purchases.buy(tx, actor, given, config.timeZone))
  return c.json(success('Подписка куплена', subscription(made)), 201)
})

subscriptions.openapi(trialRoute, async (c) => {
  const { id } = await reached(c, c.req.valid('json').user_id)
  const { db, actor, config } = c.var
  const made = await db.transaction((tx) => verbs.trial(tx, actor, id, config.timeZone))
  return c.json(success('Пробный период открыт', subscription(made)), 201)
})

subscriptions.openapi(giftRoute, async (c) => {
  const { user_id: accountId, months = 0, days = 0 } = c.req.valid('json')
  const { db, actor, config } = c.var
  const given = { accountId, by: { months, days }, key: keyOf(c).key }
  const made = await db.transaction((tx) => verbs.gift(tx, actor, given, config.timeZone))
  return c.json(success('Подарено', subscription(made.subscription)), 201)
})

subscriptions.openapi(listRoute, async (c) => {
  const at = c.req.valid('query')
  const { id } = await reached(c, c.req.valid('param').id)
  const one = await verbs.of(c.var.db.sql, id)
  const all = one ? [subscription(one)] : []
  const { limit, offset } = rowsOf(at)
  return c.json(paged(all.slice(offset, offset + limit), all.length, at), 200)
})

subscriptions.openapi(renewRoute, async (c) => {
  const { id } = c.req.valid('param')
  const { auto_renews: autoRenews } = c.req.valid('json')
  const one = await c.var.db.transaction((tx) => renewals.set(tx, c.var.actor, id, autoRenews))
  return c.json(success('Сохранено', subscription(one)), 200)
})
