import { createRoute, z } from '@hono/zod-openapi'
import * as verbs from '../../db/getpro/payments.ts'
import { Refused } from '../../db/getpro/refused.ts'
import { paymentActStates, paymentProviders, paymentStatuses, purposes } from '../../db/getpro/words.ts'
import { hasRole } from '../../db/platform/actor.ts'
import { published } from '../resource.ts'
import { pay, told } from './paying.ts'
import { admins, people, reached } from './rights.ts'
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
  shown,
  success,
  Time,
} from './surface.ts'

const tags = ['2GETPRO: платежи']

/** What was asked of a provider, as the surface shows it. */
export const Payment = z
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
    is_captured: z.boolean().openapi({ description: 'false — сумма удерживается до подтверждения' }),
    created_at: Time,
    settled_at: Time.nullable(),
  })
  .openapi('GetproPayment')

/** The value of `Payment`. */
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

const codeCharactersMax = 40
const reasonCharactersMax = 250
/** A hundred thousand roubles. */
const kopecksMax = 10_000_000

/** What is bought by a payment, wherever one is begun. */
export const promoCode = z.string().trim().min(1).max(codeCharactersMax)

const beginRoute = createRoute({
  method: 'post',
  path: '/payments',
  tags,
  summary: 'Начать платёж: подписка или пополнение баланса',
  description:
    'Без `user_id` — себе. Платёж записан до того, как о нём узнает провайдер; в ответе — где платить (`confirmation_url`). Провайдер не ответил: 503 с `details.payment_id`, платёж остаётся `pending` и выясняется сам; повтор с тем же ключом вернёт ссылку, как только она есть.',
  middleware: [people],
  request: {
    headers: IdempotencyKey,
    body: jsonBody(
      z
        .object({
          user_id: idBody.optional(),
          purpose: z.enum(['subscription', 'balance']),
          plan_id: idBody.optional().openapi({ description: 'Для подписки' }),
          promo_code: promoCode.nullish(),
          amount_kopecks: z.int().min(1).max(kopecksMax).optional().openapi({ description: 'Для баланса' }),
          provider: z.enum(paymentProviders),
          saves_method: z.boolean().optional().openapi({ description: 'Плательщик согласен сохранить способ оплаты' }),
          is_captured: z.boolean().optional().openapi({ description: 'false — удержать до подтверждения' }),
        })
        .refine(
          ({ purpose, plan_id: plan, amount_kopecks: kopecks }) =>
            purpose === 'subscription'
              ? plan !== undefined && kopecks === undefined
              : kopecks !== undefined && plan === undefined,
          { path: ['purpose'], error: 'для подписки нужен plan_id, для баланса amount_kopecks' },
        )
        .openapi('GetproNewPayment', {
          example: { user_id: 1, purpose: 'subscription', plan_id: 1, promo_code: null, provider: 'yookassa' },
        }),
    ),
  },
  responses: { 201: { description: 'Платёж', ...json(ok(Payment)) }, ...no(400, 401, 403, 404, 409, 422, 503) },
})

const Refund = z
  .object({
    id: z.int(),
    payment_id: z.int(),
    amount_kopecks: z.int(),
    reason: z.string().nullable(),
    state: z.enum(paymentActStates).openapi({ description: 'asked — провайдер ещё не сказал; refused — отказал' }),
    created_at: Time,
    ended_at: Time.nullable(),
  })
  .openapi('GetproPaymentRefund')

const refundRoute = createRoute({
  method: 'post',
  path: '/payments/{id}/refunds',
  tags,
  summary: 'Вернуть деньги',
  description:
    'Без `amount_kopecks` — всё, что осталось. Stars возвращаются целиком; CryptoPay, FreeKassa и Tribute — руками в их кабинете: 409.',
  middleware: [admins],
  request: {
    headers: IdempotencyKey,
    params: z.object({ id: idParam }),
    body: jsonBody(
      z
        .object({
          amount_kopecks: z.int().min(1).max(kopecksMax).optional(),
          reason: z.string().trim().min(1).max(reasonCharactersMax).nullish(),
        })
        .openapi('GetproNewRefund', { example: { amount_kopecks: 19_900, reason: 'Не подошло' } }),
    ),
  },
  responses: { 201: { description: 'Возврат', ...json(ok(Refund)) }, ...no(401, 403, 404, 409, 422, 503) },
})

const actRoute = <P extends `/${string}`>(path: P, summary: string, middleware: typeof admins) =>
  createRoute({
    method: 'post',
    path,
    tags,
    summary,
    middleware: [middleware],
    request: { headers: IdempotencyKey, params: z.object({ id: idParam }) },
    responses: { 200: { description: 'Платёж', ...json(ok(Payment)) }, ...no(401, 403, 404, 409, 422, 503) },
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

payments.openapi(beginRoute, async (c) => {
  const body = c.req.valid('json')
  const { purpose, plan_id: planId, amount_kopecks: amountKopecks, promo_code: promo = null, ...rest } = body
  const { user_id, provider, saves_method: savesMethod, is_captured: isCaptured } = rest
  const what =
    purpose === 'balance' ? { purpose, amountKopecks: amountKopecks! } : { purpose, planId: planId!, promoCode: promo }
  const made = await pay(c, body, { ...what, user_id, provider, savesMethod, isCaptured })
  return c.json(success('Платёж начат', payment(made)), 201)
})

payments.openapi(refundRoute, async (c) => {
  const { id } = c.req.valid('param')
  const { amount_kopecks: amountKopecks = null, reason = null } = c.req.valid('json')
  const { amountKopecks: kopecks, ...made } = await told(
    c,
    id,
    { kind: 'refund', amountKopecks, reason },
    c.req.valid('json'),
  )
  return c.json(success('Возврат', published(Refund, { ...shown(made), amount_kopecks: kopecks! })), 201)
})

for (const [kind, summary, who] of [
  ['capture', 'Списать удержанное', admins],
  ['cancel', 'Отпустить удержанное или отменить неоплаченный счёт', people],
] as const)
  payments.openapi(actRoute(`/payments/{id}/${kind}`, summary, who), async (c) => {
    const { id } = c.req.valid('param')
    const { state } = await told(c, id, { kind, amountKopecks: null, reason: null }, {})
    if (state === 'refused') throw new Refused('conflict', '', { reason: 'provider_refused', paymentId: id })
    if (state === 'asked') throw new Refused('unavailable', '', { reason: 'provider_unreachable', paymentId: id })
    return c.json(success('Готово', payment((await verbs.get(c.var.db.sql, id))!)), 200)
  })
