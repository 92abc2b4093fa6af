import { createRoute, z } from '@hono/zod-openapi'
import * as points from '../../db/loyalty/points.ts'
import { Refused } from '../../db/loyalty/refused.ts'
import { cardTiers, currencies, transactionTypes } from '../../db/loyalty/words.ts'
import { may } from '../auth.ts'
import { Amount, toUnits, Units } from '../money.ts'
import { published } from '../resource.ts'
import {
  idBody,
  json,
  jsonBody,
  no,
  pageKeys,
  pageOf,
  paging,
  router,
  rowsOf,
  shown,
  Time,
  textOrNull,
} from './surface.ts'

const tags = ['Лояльность: баллы и кешбэк']
const sourceCharactersMax = 50
const idCharactersMax = 200
const descriptionCharactersMax = 1_000
/** Behind our own prefix: no client takes the key of a reward or a document. */
const keyOf = (key: string | null | undefined) => (key ? `api:${key}` : null)

const Currency = z.enum(currencies)

const Transaction = z
  .object({
    id: z.int(),
    account_id: z.int(),
    transaction_type: z.enum(transactionTypes),
    amount: Units,
    currency: Currency,
    source: z.string(),
    source_id: z.string().nullable(),
    description: z.string().nullable(),
    is_reversed: z.boolean(),
    created_at: Time,
  })
  .openapi('LoyaltyTransaction')

/** The value of `Transaction`. */
const transaction = (one: points.Transaction) => published(Transaction, { ...shown(one), amount: toUnits(one.amount) })

const Movement = z
  .object({
    account_id: idBody,
    transaction_type: z.unknown().optional().openapi({
      type: 'string',
      description: 'Не учитывается: тип определяет сам адрес',
      example: 'accrual',
    }),
    amount: Amount,
    currency: Currency.openapi({ example: 'points' }),
    source: z.string().trim().min(1).max(sourceCharactersMax).openapi({ example: 'visit' }),
    source_id: textOrNull(idCharactersMax).openapi({ example: 'DOC-12345' }),
    description: textOrNull(descriptionCharactersMax).openapi({ example: 'Начисление за визит' }),
    idempotency_key: textOrNull(idCharactersMax).openapi({
      description: 'Повтор с тем же ключом возвращает первую операцию; с другим содержанием — 400',
      example: 'unique-key-123',
    }),
  })
  .openapi('LoyaltyMovement')

/** What a movement means to a verb. */
const spoken = (body: z.infer<typeof Movement>) => ({
  accountId: body.account_id,
  amount: body.amount,
  currency: body.currency,
  source: body.source,
  sourceId: body.source_id || null,
  description: body.description || null,
  idempotencyKey: keyOf(body.idempotency_key),
})

const Balance = z
  .object({
    points_balance: Units,
    cashback_balance: Units,
    card_tier: z.enum(cardTiers),
    transactions_count: z.int(),
  })
  .openapi('LoyaltyBalance')

const balanceRoute = createRoute({
  method: 'get',
  path: '/loyalty/balance',
  tags,
  summary: 'Баланс текущего пользователя',
  responses: { 200: { description: 'Баланс', ...json(Balance) }, ...no(401, 404, 422) },
})

const transactionsRoute = createRoute({
  method: 'get',
  path: '/loyalty/transactions',
  tags,
  summary: 'История транзакций',
  request: { query: z.object(paging) },
  responses: {
    200: {
      description: 'Сначала новые',
      ...json(z.object({ transactions: z.array(Transaction), ...pageKeys }).openapi('LoyaltyTransactions')),
    },
    ...no(401, 422),
  },
})

const movementRoute = <P extends `/${string}`>(path: P, summary: string) =>
  createRoute({
    method: 'post',
    path,
    tags,
    summary,
    middleware: may('admin', 'cashier'),
    request: { body: jsonBody(Movement) },
    responses: {
      201: { description: 'Транзакция', ...json(Transaction) },
      ...no(400, 401, 403, 404, 422),
    },
  })

/** Points and cashback (docs/contracts.md 3.2). */
export const movements = router()

movements.openapi(balanceRoute, async (c) => {
  const balance = await points.balance(c.var.db.sql, c.var.actor.userId)
  if (!balance) throw new Refused('not_found', 'no account', { reason: 'account_unknown' })
  const { pointsBalance, cashbackBalance } = balance
  const spelt = { points_balance: toUnits(pointsBalance), cashback_balance: toUnits(cashbackBalance) }
  return c.json(published(Balance, { ...shown(balance), ...spelt }), 200)
})

movements.openapi(transactionsRoute, async (c) => {
  const at = c.req.valid('query')
  const { rows, total } = await points.transactions(c.var.db.sql, c.var.actor.userId, rowsOf(at))
  return c.json({ transactions: rows.map(transaction), ...pageOf(total, at) }, 200)
})

movements.openapi(movementRoute('/loyalty/accrue', 'Начисление баллов'), async (c) => {
  const { actor, db, config } = c.var
  const given = { ...spoken(c.req.valid('json')), rules: config.loyalty.rules }
  return c.json(transaction(await db.transaction((tx) => points.accrue(tx, actor, given))), 201)
})

movements.openapi(movementRoute('/loyalty/deduct', 'Списание баллов'), async (c) => {
  const { actor, db } = c.var
  const given = spoken(c.req.valid('json'))
  return c.json(transaction(await db.transaction((tx) => points.deduct(tx, actor, given))), 201)
})
