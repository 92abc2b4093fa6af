import { setTimeout as pause } from 'node:timers/promises'
import { createRoute, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import * as verbs from '../../db/paygo/payments.ts'
import { Refused } from '../../db/paygo/refused.ts'
import { settle } from '../../db/paygo/settle.ts'
import * as seen from '../../db/paygo/transactions-list.ts'
import { paymentMethods } from '../../db/paygo/words.ts'
import type { Env } from '../context.ts'
import { idempotencyKey, idempotencyOf } from '../idempotency.ts'
import { Amount, toUnits, Units } from '../money.ts'
import {
  cards,
  transactions as ids,
  json,
  jsonBody,
  no,
  optionalBody,
  router,
  Time,
  terminals,
  time,
} from './surface.ts'
import { details, TransactionDetails, tags } from './transactions.ts'

const textCharactersMax = 500
/** So long a client waits for the acquirer; then it is told what is known, and the rest goes on without it. */
const settleMs = 15_000

const Text = z.string().trim().max(textCharactersMax)
const headers = idempotencyKey(409)

const NewTransaction = z
  .object({
    amount: Amount,
    currency: z.enum(['RUB']).optional(),
    terminal_id: terminals.given,
    card_id: cards.given.nullish(),
    payment_method: z.enum(paymentMethods),
    description: Text.nullish(),
  })
  .openapi('PaygoNewTransaction', {
    example: {
      amount: 1500,
      currency: 'RUB',
      terminal_id: 'terminal456',
      card_id: 'card123',
      payment_method: 'nfc',
      description: 'Покупка в магазине',
    },
  })

/** Key and hash of a request, as the verbs of money take them. */
function keyOf(c: Context<Env>, body: object) {
  const given = idempotencyOf(c, body)
  return { idempotencyKey: given?.key ?? null, requestHash: given?.hash ?? null }
}

/** The acquirer is told what has been written, and waited for, but not for ever. */
async function settled(c: Context<Env>, told: readonly number[]): Promise<void> {
  const { db, acquirer, log } = c.var
  const { requestId } = c.env
  // What fails is done by whoever sweeps: the acts are rows.
  const done = settle(db, acquirer, told).catch((error: unknown) => log('payment.unsettled', { requestId, error }))
  const isOver = new AbortController()
  await Promise.race([done, pause(settleMs, null, { signal: isOver.signal }).catch(() => null)])
  isOver.abort()
}

/** Money that goes from a card and comes back to it. */
export const payments = router()

payments.openapi(
  createRoute({
    method: 'post',
    path: '/transactions',
    tags,
    summary: 'Создание новой транзакции',
    description:
      'Платёж сохранённой картой (без `card_id` — основной) на терминале, который сейчас на связи. Эквайрер отвечает в том же вызове, не дольше 15 секунд: `completed` или `failed`; иначе `pending`, и итог виден позже.',
    request: { headers, body: jsonBody(NewTransaction) },
    responses: {
      201: { description: 'Транзакция', ...json(TransactionDetails) },
      ...no(400, 401, 404, 409, 422),
    },
  }),
  async (c) => {
    const body = c.req.valid('json')
    const { db, actor } = c.var
    const given = {
      terminalId: body.terminal_id,
      cardId: body.card_id ?? null,
      amountMinor: body.amount,
      paymentMethod: body.payment_method,
      description: body.description || null,
      ...keyOf(c, body),
    }
    const { transactionId, told } = await db.transaction((tx) => verbs.pay(tx, actor, given))
    await settled(c, told)
    return c.json(details(await seen.get(db.sql, actor, transactionId)), 201)
  },
)

const refundStates = ['pending', 'completed'] as const
const NewRefund = z.object({ amount: Amount.optional(), reason: Text.nullish() })
const Refunded = TransactionDetails.extend({
  refund: z.object({
    id: z.string().openapi({ example: 'refund123' }),
    amount: Units,
    reason: z.string().nullable(),
    status: z.enum(refundStates).openapi({ description: 'pending — эквайрер ещё не ответил' }),
    created_at: Time,
  }),
}).openapi('PaygoRefunded')

payments.openapi(
  createRoute({
    method: 'post',
    path: '/transactions/{transaction_id}/refund',
    tags,
    summary: 'Возврат транзакции',
    description:
      'Тело может отсутствовать: тогда возвращается весь остаток. Владелец (если это разрешено настройкой), сотрудник финансов или администратор.',
    request: {
      headers,
      params: z.object({ transaction_id: ids.given }),
      body: { content: { 'application/json': { schema: refundBody() } } },
    },
    responses: { 200: { description: 'Возврат', ...json(Refunded) }, ...no(400, 401, 403, 404, 409, 422) },
  }),
  async (c) => {
    const { transaction_id: transactionId } = c.req.valid('param')
    const body = await optionalBody(c, NewRefund)
    const { db, actor, config } = c.var
    const before = await seen.get(db.sql, actor, transactionId)
    const isOwner = before.userId === actor.userId
    if (!seen.seesAll(actor) && !(isOwner && config.paygo.ownersRefund))
      throw new Refused('forbidden', '', { reason: 'refund_not_for_owners' })
    const wanted = { transactionId, amountMinor: body.amount ?? null, reason: body.reason || null, ...keyOf(c, body) }
    const { refundId, told } = await db.transaction((tx) => verbs.refund(tx, actor, wanted))
    await settled(c, told)
    const refund = (await verbs.refundsOf(db.sql, transactionId)).find(({ id }) => id === refundId)!
    if (refund.result === 'declined') throw new Refused('conflict', '', { reason: 'refund_declined' })
    const known = details(await seen.get(db.sql, actor, transactionId))
    return c.json({ ...known, refund: spelt(refund) }, 200)
  },
)

const spelt = ({ id, amountMinor, reason, result, createdAt }: verbs.Refund) => ({
  id: `refund${id}`,
  amount: toUnits(amountMinor),
  reason,
  status: result === 'approved' ? ('completed' as const) : ('pending' as const),
  created_at: time(createdAt),
})

/** Described, not judged: a body that is not there is one as well. */
function refundBody() {
  return {
    type: 'object' as const,
    properties: {
      amount: { type: 'number' as const, exclusiveMinimum: 0, description: 'Не больше двух знаков после запятой' },
      reason: { type: ['string', 'null'] as ['string', 'null'], maxLength: textCharactersMax },
    },
    example: { amount: 1500, reason: 'Возврат товара' },
  }
}
