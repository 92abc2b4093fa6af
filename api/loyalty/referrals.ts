import { createRoute, z } from '@hono/zod-openapi'
import * as verbs from '../../db/loyalty/referrals.ts'
import * as events from '../../db/loyalty/referrals-events.ts'
import { eventTypes, rewardTypes } from '../../db/loyalty/words.ts'
import { may } from '../auth.ts'
import { AmountOrZero, toUnits, toUnitsOrNull, Units } from '../money.ts'
import { published } from '../resource.ts'
import { wholeQuery } from '../surface.ts'
import { idBody, json, jsonBody, no, router, rowsOf, shown, Time, textOrNull } from './surface.ts'

const tags = ['Лояльность: рефералы']
const path = '/referrals'
const typeCharactersMax = 50
const documentCharactersMax = 100
const codeCharactersMax = 100
const rewardRowsMax = 100
const pageMax = 1_000_000

const ReferralCode = z
  .object({
    id: z.int(),
    user_id: z.int(),
    code: z.string().openapi({ example: 'REF-ABC12345' }),
    referrer_type: z.string().openapi({ example: 'patient' }),
    total_referrals: z.int(),
    successful_referrals: z.int(),
    total_revenue: Units,
    is_active: z.boolean(),
    expires_at: Time.nullable(),
    created_at: Time,
  })
  .openapi('ReferralCode')

const toJson = (code: verbs.ReferralCode) =>
  published(ReferralCode, { ...shown(code), total_revenue: toUnits(code.totalRevenue) })

/** Letters and digits that survive being read out on the telephone, in any case. */
const CustomCode = z
  .string()
  .trim()
  .regex(/^[A-Za-z0-9][A-Za-z0-9-]{3,31}$/, 'от 4 до 32 латинских букв, цифр и дефисов')
  .openapi({ example: 'SPRING-2026' })

/** Referral codes, what comes of them, and what it earns (docs/contracts.md 3.4). */
export const referrals = router()

referrals.openapi(
  createRoute({
    method: 'post',
    path: `${path}/create-code`,
    tags,
    summary: 'Создание реферального кода',
    description: 'Себе; администратор — любому. Если действующий код уже есть, вернётся он.',
    request: {
      body: jsonBody(
        z
          .object({
            user_id: idBody,
            referrer_type: z.string().trim().min(1).max(typeCharactersMax),
            custom_code: CustomCode.nullish(),
          })
          .openapi('NewReferralCode', { example: { user_id: 1, referrer_type: 'patient' } }),
      ),
    },
    responses: { 201: { description: 'Код', ...json(ReferralCode) }, ...no(400, 401, 403, 404, 422) },
  }),
  async (c) => {
    const { user_id: userId, referrer_type: referrerType, custom_code } = c.req.valid('json')
    const given = { userId, referrerType, customCode: custom_code ?? null }
    return c.json(toJson(await c.var.db.transaction((tx) => verbs.createCode(tx, c.var.actor, given))), 201)
  },
)

referrals.openapi(
  createRoute({
    method: 'get',
    path: `${path}/my-code`,
    tags,
    summary: 'Получение своего реферального кода',
    description: 'Если кода нет, он создаётся.',
    responses: { 200: { description: 'Код', ...json(ReferralCode) }, ...no(401) },
  }),
  async (c) => c.json(toJson(await c.var.db.transaction((tx) => verbs.myCode(tx, c.var.actor))), 200),
)

const Event = z
  .object({
    id: z.int(),
    referral_code_id: z.int(),
    referred_user_id: z.int(),
    event_type: z.enum(eventTypes),
    transaction_amount: Units.nullable(),
    onec_document_id: z.string().nullable(),
    processed: z.boolean(),
    occurred_at: Time,
  })
  .openapi('ReferralEvent')

referrals.openapi(
  createRoute({
    method: 'post',
    path: `${path}/register-event`,
    tags,
    summary: 'Регистрация реферального события',
    description:
      'Регистрация и первый визит человека считаются один раз, документ — один раз для своего события: повтор вернёт первое событие, второго вознаграждения не будет.',
    middleware: [may('admin', 'cashier')],
    request: {
      body: jsonBody(
        z
          .object({
            referral_code: z.string().max(codeCharactersMax),
            referred_user_id: idBody,
            event_type: z.enum(eventTypes),
            transaction_amount: AmountOrZero.nullish(),
            onec_document_id: textOrNull(documentCharactersMax),
          })
          .openapi('NewReferralEvent', {
            example: {
              referral_code: 'REF-ABC12345',
              referred_user_id: 10,
              event_type: 'first_visit',
              transaction_amount: 3000,
              onec_document_id: 'DOC-67890',
            },
          }),
      ),
    },
    responses: { 201: { description: 'Событие', ...json(Event) }, ...no(400, 401, 403, 404, 422) },
  }),
  async (c) => {
    const body = c.req.valid('json')
    const given = {
      code: body.referral_code,
      referredUserId: body.referred_user_id,
      eventType: body.event_type,
      transactionAmount: body.transaction_amount ?? null,
      documentId: body.onec_document_id || null,
    }
    const { rules } = c.var.config.loyalty
    const event = await c.var.db.transaction((tx) => events.register(tx, c.var.actor, given, rules))
    const answer = { ...shown(event), transaction_amount: toUnitsOrNull(event.transactionAmount) }
    return c.json(published(Event, answer), 201)
  },
)

referrals.openapi(
  createRoute({
    method: 'get',
    path: `${path}/stats`,
    tags,
    summary: 'Статистика по рефералам',
    description: '`total_referrals` считает события, `pending_referrals` — регистрации без первого визита.',
    responses: {
      200: {
        description: 'Своя статистика',
        ...json(
          z
            .object({
              total_referrals: z.int(),
              successful_referrals: z.int(),
              pending_referrals: z.int(),
              total_revenue: Units,
              total_rewards: Units,
              conversion_rate: z.number().openapi({ description: 'Проценты', example: 60 }),
              referral_code: z.string().nullable(),
            })
            .openapi('ReferralStats'),
        ),
      },
      ...no(401),
    },
  }),
  async (c) => {
    const stats = await verbs.stats(c.var.db.sql, c.var.actor.userId)
    const { totalReferrals: total, successfulReferrals: successful } = stats
    const answer = {
      total_referrals: total,
      successful_referrals: successful,
      pending_referrals: stats.pendingReferrals,
      total_revenue: toUnits(stats.totalRevenue),
      total_rewards: toUnits(stats.totalRewards),
      conversion_rate: total === 0 ? 0 : Math.round((successful * 10_000) / total) / 100,
      referral_code: stats.code,
    }
    return c.json(answer, 200)
  },
)

const Reward = z
  .object({
    id: z.int(),
    event_id: z.int(),
    recipient_user_id: z.int(),
    reward_type: z.enum(rewardTypes),
    reward_amount: Units,
    referral_level: z.int(),
    awarded_at: Time,
  })
  .openapi('ReferralReward')

referrals.openapi(
  createRoute({
    method: 'get',
    path: `${path}/rewards`,
    tags,
    summary: 'История вознаграждений',
    description: 'Свои, новые первыми. `points` — баллы, остальное — кешбэк.',
    request: {
      query: z.object({
        page: wholeQuery(1, pageMax, 1),
        limit: wholeQuery(1, rewardRowsMax, rewardRowsMax),
      }),
    },
    responses: {
      200: { description: 'Вознаграждения', ...json(z.array(Reward).openapi('ReferralRewards')) },
      ...no(401, 422),
    },
  }),
  async (c) => {
    const { page, limit } = c.req.valid('query')
    const rows = await verbs.rewards(c.var.db.sql, {
      userId: c.var.actor.userId,
      ...rowsOf({ page, page_size: limit }),
    })
    const answer = rows.map((one) => published(Reward, { ...shown(one), reward_amount: toUnits(one.rewardAmount) }))
    return c.json(answer, 200)
  },
)
