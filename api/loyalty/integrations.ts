import { type RouteConfig, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { HTTPException } from 'hono/http-exception'
import type { WebhookEvent } from '../../db/messages/inbox.ts'
import type { Env } from '../context.ts'
import { type Limiter, limitBody, perMinute, slowDown } from '../limit.ts'
import { toUnits, Units } from '../money.ts'
import { type Provider, Unreadable } from '../providers/provider.ts'
import * as webhookEvents from '../providers/webhook-events.ts'
import { faultsOf, misshapen, reasons } from './refusals.ts'
import { json, jsonBody, no, router } from './surface.ts'

/** Ample for any webhook event (docs/providers.md 0). */
const bodyBytesMax = 262_144
/** Of one address. Only these are limited: a provider takes 429 for a failure, and some give up. */
const forgeriesPerMinute = 60
const tags = ['Интеграции']

/** A 409, and a 400, that no verb gave: what a provider sent is at fault. */
const answer = (c: Context<Env>, status: 400 | 401 | 409 | 503, detail: string) => c.json({ detail }, status)

/**
 * Everything a provider's request goes through before its content matters: size, configured, authentic, stored.
 * `spell` gives the answer of a webhook event that was worked, or (null) will be.
 */
function receiver(
  config: { providers: webhookEvents.Providers; forgeries: Limiter },
  name: Provider['name'],
  toJson: (webhookEvent: WebhookEvent | null) => object,
) {
  return async (c: Context<Env>) => {
    const provider = config.providers[name]
    if (!provider) return answer(c, 503, 'Интеграция не настроена')
    const raw = Buffer.from(await c.req.arrayBuffer())
    const { address } = c.env
    if (!provider.isAuthentic(raw, c.req.raw.headers, address)) {
      c.var.log('webhook.forged', { provider: name, address })
      slowDown(c, config.forgeries.take(address))
      return answer(c, 401, 'Неверный токен')
    }
    try {
      const { webhookEvent, is, isLater } = await webhookEvents.take(c.var.db, provider, {
        raw,
        headers: c.req.raw.headers,
        address,
      })
      c.var.log('webhook.received', { provider: name, webhookEventId: webhookEvent.id, is })
      if (is === 'conflict') return answer(c, 409, 'Документ с этим номером уже обработан с другим содержанием')
      if (isLater) return c.json(toJson(webhookEvent.result && webhookEvent), 200)
      const { webhookEvent: worked } = await webhookEvents.work(c.var.db, config.providers, webhookEvent.id)
      return c.json(toJson(worked), 200)
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error
      c.var.log('webhook.unread', { provider: name, reason: error.message })
      if (error.issues.length === 0) return answer(c, 400, 'Тело запроса не читается')
      throw misshapen(...faultsOf(error.issues, 'json', error.body))
    }
  }
}

const visitWords: Record<string, string> = {
  success: 'Визит обработан',
  user_not_found: 'Пациент не найден',
  account_not_found: reasons.account_unknown,
}
const contactWords: Record<string, string> = {
  success: 'Контакт обработан',
  conflict: 'Контакт не применён: данные принадлежат другой учётной записи',
  ignored: 'Обработка не требуется',
  accepted: 'Уведомление принято',
}

/** A visit's answer; one that another request replaced meanwhile was not worked. */
function visitAnswer(webhookEvent: WebhookEvent | null) {
  const { status, userId = null, pointsMinor = 0, cashbackMinor = 0 } = webhookEvent?.result ?? {}
  if (!visitWords[status]) throw new HTTPException(503)
  const earned = { points_accrued: toUnits(pointsMinor), cashback_accrued: toUnits(cashbackMinor) }
  return { status, message: visitWords[status], user_id: userId, ...earned }
}

function contactAnswer(webhookEvent: WebhookEvent | null) {
  const { status = 'accepted', userId = null } = webhookEvent?.result ?? {}
  const known = contactWords[status] ? status : 'ignored'
  return { status: known, message: contactWords[known], user_id: userId }
}

const Visit = z
  .object({
    document_id: z.string().openapi({ example: 'DOC-12345' }),
    patient_external_id: z.string().openapi({ example: '1C-PATIENT-001' }),
    visit_date: z.string().nullish().openapi({
      description: 'Дата без зоны понимается в зоне клиники; `0001-01-01T00:00:00` — пустая',
      example: '2025-09-30T10:00:00Z',
    }),
    total_amount: z.number().min(0).nullish().openapi({ example: 3000 }),
    services: z.array(z.any()).nullish().openapi({ example: [] }),
    points_to_accrue: z.number().min(0).nullish().openapi({ example: 150 }),
    cashback_to_accrue: z.number().min(0).nullish().openapi({ example: 90 }),
  })
  .openapi('OnecVisit')
const VisitAnswer = z
  .object({
    status: z.enum(['success', 'user_not_found', 'account_not_found']),
    message: z.string(),
    user_id: z.int().nullable(),
    points_accrued: Units,
    cashback_accrued: Units,
  })
  .openapi('OnecVisitAnswer')
const Contact = z
  .object({
    contact_id: z.string().openapi({ example: '123' }),
    email: z.string().nullish().openapi({ example: 'user@example.com' }),
    phone: z.string().nullish().openapi({ example: '+79991234567' }),
    name: z.string().nullish().openapi({ example: 'Иван' }),
    last_name: z.string().nullish().openapi({ example: 'Иванов' }),
  })
  .openapi('BitrixContact')
const ContactAnswer = z
  .object({
    status: z.enum(['success', 'conflict', 'ignored', 'accepted']),
    message: z.string(),
    user_id: z.int().nullable(),
  })
  .openapi('BitrixContactAnswer')
const Native = z.record(z.string(), z.string()).openapi('BitrixEvent', {
  description: 'Исходящий вебхук Bitrix24: event, data[FIELDS][ID], ts, auth[member_id], auth[application_token]',
  example: { event: 'ONCRMCONTACTADD', 'data[FIELDS][ID]': '89', ts: '1736405807' },
})

const described = { method: 'post' as const, tags, security: [{ webhookToken: [] }] }
const visitRoute: RouteConfig = {
  ...described,
  path: '/integrations/1c/visit',
  summary: 'Визит пациента из 1С; документ засчитывается один раз',
  request: { body: jsonBody(Visit) },
  responses: {
    200: { description: 'Результат; повтор получает первый', ...json(VisitAnswer) },
    ...no(400, 401, 409, 422, 503),
  },
}
const contactRoute: RouteConfig = {
  ...described,
  path: '/integrations/bitrix/contact',
  summary: 'Контакт из Bitrix24: пациент создаётся или обновляется',
  request: {
    body: {
      required: true,
      content: { 'application/json': { schema: Contact }, 'application/x-www-form-urlencoded': { schema: Native } },
    },
  },
  responses: { 200: { description: 'Результат', ...json(ContactAnswer) }, ...no(400, 401, 422, 503) },
}

/** Webhook events of 1C and Bitrix24 (docs/contracts.md 3.6): stored before they are answered, worked once (db/messages/inbox.ts). */
export function integrations(providers: webhookEvents.Providers) {
  const app = router()
  const known = { providers, forgeries: perMinute(forgeriesPerMinute) }
  app.openAPIRegistry.registerComponent('securitySchemes', 'webhookToken', {
    type: 'apiKey',
    in: 'header',
    name: 'X-Webhook-Token',
  })
  // Described, but not read by the description: the bytes decide, whatever their content type.
  app.openAPIRegistry.registerPath(visitRoute)
  app.openAPIRegistry.registerPath(contactRoute)
  app.use('/integrations/*', limitBody(bodyBytesMax))
  app.post(visitRoute.path, receiver(known, '1c', visitAnswer))
  app.post(contactRoute.path, receiver(known, 'bitrix24', contactAnswer))
  return app
}
