import { createRoute, z } from '@hono/zod-openapi'
import * as verbs from '../../db/paygo/transactions-list.ts'
import { paymentMethods } from '../../db/paygo/words.ts'
import { Bound, period } from '../instants.ts'
import { toUnits, Units } from '../money.ts'
import { published } from '../resource.ts'
import {
  cards,
  transactions as ids,
  json,
  no,
  Pagination,
  paginationOf,
  paging,
  router,
  rowsOf,
  shown,
  Time,
  terminals,
  users,
} from './surface.ts'

export const tags = ['PayGo: транзакции']

const Transaction = z
  .object({
    id: ids.shown,
    amount: Units,
    currency: z.string().openapi({ example: 'RUB' }),
    status: z.enum(verbs.shownStatuses).openapi({ description: 'pending — и пока сумма только удержана' }),
    terminal_id: terminals.shown.nullable(),
    card_id: cards.shown.nullable(),
    created_at: Time,
    description: z.string().nullable(),
  })
  .openapi('PaygoTransaction')
export const TransactionDetails = Transaction.extend({
  user_id: users.shown.nullable(),
  payment_method: z.enum(paymentMethods),
  completed_at: Time.nullable(),
  refunded_amount: Units,
  masked_number: z.string().nullable(),
  rrn: z.string().nullable().openapi({ description: 'Номер операции у эквайрера' }),
}).openapi('PaygoTransactionDetails')

const spelt = (one: verbs.Payment) => ({
  ...shown(one),
  id: ids.spell(one.id),
  amount: toUnits(one.amountMinor),
  refunded_amount: toUnits(one.refundedMinor),
  terminal_id: terminals.spellOrNull(one.terminalId),
  card_id: cards.spellOrNull(one.cardId),
  user_id: users.spellOrNull(one.userId),
  masked_number: one.cardMasked,
})
/** The value of `TransactionDetails`. */
export const details = (one: verbs.Payment) => published(TransactionDetails, spelt(one))

/** What was paid, for whoever paid it and for finance. */
export const transactions = router()

transactions.openapi(
  createRoute({
    method: 'get',
    path: '/transactions',
    tags,
    summary: 'Получение истории транзакций',
    description:
      'Сначала новые. Свои, а сотрудникам финансов и администраторам — все. Обе даты включительно; дата без времени — целый день в часовом поясе сервера.',
    request: {
      query: z.object({
        ...paging,
        start_date: Bound.optional(),
        end_date: Bound.optional(),
        status: z.enum(verbs.shownStatuses).optional(),
      }),
    },
    responses: {
      200: {
        description: 'Страница',
        ...json(z.object({ transactions: z.array(Transaction), pagination: Pagination }).openapi('PaygoTransactions')),
      },
      ...no(400, 401, 422),
    },
  }),
  async (c) => {
    const at = c.req.valid('query')
    const { db, actor, config } = c.var
    const between = period(at.start_date, at.end_date, config.timeZone)
    const { rows, total } = await verbs.list(db.sql, actor, { ...between, status: at.status, ...rowsOf(at) })
    const found = rows.map((one) => published(Transaction, spelt(one)))
    return c.json({ transactions: found, pagination: paginationOf(total, at) }, 200)
  },
)

transactions.openapi(
  createRoute({
    method: 'get',
    path: '/transactions/{transaction_id}',
    tags,
    summary: 'Получение деталей транзакции',
    description: 'Чужая транзакция не существует: 404.',
    request: { params: z.object({ transaction_id: ids.given }) },
    responses: { 200: { description: 'Транзакция', ...json(TransactionDetails) }, ...no(401, 404, 422) },
  }),
  async (c) => {
    const { transaction_id: id } = c.req.valid('param')
    return c.json(details(await verbs.get(c.var.db.sql, c.var.actor, id)), 200)
  },
)
