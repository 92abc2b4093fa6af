import { createRoute, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { Refused } from '../../db/getpro/refused.ts'
import * as verbs from '../../db/messages/inbox.ts'
import { inboxStates } from '../../db/messages/words.ts'
import type { Env } from '../context.ts'
import { type Match, Unreadable } from '../providers/provider.ts'
import { type Providers, replay } from '../providers/webhook-events.ts'
import { published } from '../resource.ts'
import { admins } from './rights.ts'
import {
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

const tags = ['2GETPRO: уведомления провайдеров']
/** Those of this business: what a clinic's software says is none of it. */
const ours = ['yookassa', 'cryptopay', 'freekassa', 'tribute', 'stars', 'panel'] as const

const Event = z
  .object({
    id: z.int(),
    provider: z.string().openapi({ example: 'yookassa' }),
    state: z.enum(inboxStates),
    attempts: z.int(),
    repeats: z.int(),
    received_at: Time,
    worked_at: Time.nullable(),
    last_error: z.string().nullable().openapi({ example: 'PAYMENT_NOT_FOUND' }),
    result: z.record(z.string(), z.any()).nullable(),
  })
  .openapi('GetproWebhookEvent')

/** No bytes, no headers and no address: those may name people. */
const toJson = (one: verbs.WebhookEvent) =>
  published(Event, { ...shown(one), result: one.result as Record<string, unknown> | null })

const params = z.object({ id: idParam })
const worked = {
  200: { description: 'Как оно теперь; done и ignored остаются как были', ...json(ok(Event)) },
  ...no(401, 403, 404, 409, 422),
}

const listRoute = createRoute({
  method: 'get',
  path: '/inbox',
  tags,
  summary: 'Что прислали провайдеры, сначала новое',
  middleware: [admins],
  request: { query: z.object({ ...paging, state: z.enum(inboxStates).optional() }) },
  responses: { 200: { description: 'Страница', ...json(page(Event)) }, ...no(401, 403, 422) },
})

const replayRoute = createRoute({
  method: 'post',
  path: '/inbox/{id}/replay',
  tags,
  summary: 'Обработать ещё раз',
  middleware: [admins],
  request: { params },
  responses: worked,
})

const matchRoute = createRoute({
  method: 'post',
  path: '/inbox/{id}/match',
  tags,
  summary: 'Сказать, о каком платеже или пользователе речь, и обработать',
  description: 'Ровно одно из двух. Сумма должна сойтись в любом случае.',
  middleware: [admins],
  request: {
    params,
    body: jsonBody(
      z
        .object({ payment_id: idBody.optional(), user_id: idBody.optional() })
        .refine(({ payment_id: payment, user_id: user }) => (payment === undefined) !== (user === undefined), {
          path: ['payment_id'],
          error: 'ожидается ровно одно из payment_id и user_id',
        })
        .openapi('GetproMatch', { example: { payment_id: 17 } }),
    ),
  },
  responses: worked,
})

/** Works what is stored of this business once more. @throws Refused not_found, conflict */
async function again(c: Context<Env>, providers: Providers, id: number, match?: Match) {
  const stored = await verbs.get(c.var.db.sql, id)
  if (!stored || !ours.some((name) => name === stored.provider)) throw new Refused('not_found', `webhook event ${id}`)
  try {
    const { webhookEvent, isWorked } = await replay(c.var.db, providers, id, match)
    c.var.log('webhook.replayed', { webhookEventId: id, userId: c.var.actor.userId, isWorked, match })
    return toJson(webhookEvent)
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error
    throw new Refused('conflict', error.message, { text: 'Уведомление не читается' })
  }
}

/** What providers told us, for who mends it (docs/contracts.md 2). */
export function inbox(providers: Providers) {
  const app = router()

  app.openapi(listRoute, async (c) => {
    const { state, ...at } = c.req.valid('query')
    const { rows, total } = await verbs.page(c.var.db.sql, { providers: ours, state, ...rowsOf(at) })
    return c.json(paged(rows.map(toJson), total, at), 200)
  })

  app.openapi(replayRoute, async (c) => {
    const event = await again(c, providers, c.req.valid('param').id)
    return c.json(success('Обработано', event), 200)
  })

  app.openapi(matchRoute, async (c) => {
    const { payment_id: paymentId, user_id: userId } = c.req.valid('json')
    const match: Match = paymentId === undefined ? { kind: 'account', id: userId! } : { kind: 'payment', id: paymentId }
    const event = await again(c, providers, c.req.valid('param').id, match)
    return c.json(success('Обработано', event), 200)
  })

  return app
}
