import { z } from '@hono/zod-openapi'
import * as verbs from '../../db/telecom/payments.ts'
import * as statistics from '../../db/telecom/statistics.ts'
import { paymentMethods, paymentStatuses, transactionTypes } from '../../db/telecom/words.ts'
import { resource } from '../resource.ts'
import { act, array, countsOf, figures } from './acts.ts'
import { Decimal, decimal, SignedAmount, Text, textOrNull } from './fields.ts'
import { PaymentRow, PaymentView, paymentJson } from './payment-view.ts'
import { actRouter, dialect, idBody, idParam, operators, router, staff, supervisors } from './surface.ts'

const tag = 'Телеком: платежи'
const path = '/payments'
const idCharactersMax = 100

/** What is paid and charged (docs/contracts.md 5.5). */
export const payments = router()

figures(
  payments,
  {
    path: `${path}/statistics`,
    tag,
    summary: 'Статистика по платежам',
    schema: z.object({
      total: z.int(),
      ...countsOf([...paymentStatuses, 'completed']).shape,
      total_amount: Decimal,
      avg_payment: Decimal,
      by_method: countsOf(paymentMethods),
      deposits: Decimal,
      deductions: Decimal,
    }),
  },
  async (q) => {
    const { total, byStatus, byMethod, ...money } = await statistics.ofPayments(q)
    return {
      total,
      ...byStatus,
      completed: byStatus.success,
      total_amount: decimal(money.amountMinor),
      avg_payment: decimal(money.averageMinor),
      by_method: byMethod,
      deposits: decimal(money.depositsMinor),
      deductions: decimal(money.deductionsMinor),
    }
  },
)
array(
  payments,
  { path: `${path}/pending`, tag, summary: 'Платежи в обработке', item: PaymentRow },
  async (q, actor, at) => (await verbs.list(q, actor, { ...at, where: verbs.pending })).rows.map(paymentJson),
)

resource(payments, dialect, {
  path,
  id: 'id',
  name: 'TelecomPayment',
  tag,
  words: {
    list: { summary: 'Список платежей' },
    get: { summary: 'Детали платежа' },
    create: {
      summary: 'Создать платеж',
      description: 'В ожидании; refund и correction — только supervisor и admin.',
      body: {
        contract: 1,
        transaction_type: 'payment',
        amount: '1000.00',
        payment_method: 'cash',
        transaction_id: 'TXN-123',
        description: 'Пополнение',
      },
    },
    change: { summary: 'Обновить платеж', description: 'Проведенный платеж не меняется.' },
    remove: { summary: 'Удалить платеж', description: 'Проведенный платеж не удаляется.' },
  },
  verbs,
  readers: staff,
  writers: operators,
  removers: supervisors,
  view: PaymentView,
  toJson: paymentJson,
  body: z.object({
    contract: idBody,
    transaction_type: z.enum(transactionTypes),
    amount: SignedAmount,
    payment_method: z.enum(paymentMethods).optional(),
    transaction_id: Text.min(1).max(idCharactersMax).optional(),
    description: Text.optional(),
  }),
  fromJson: (body) => ({
    contractId: body.contract,
    transactionType: body.transaction_type,
    amountMinor: body.amount,
    paymentMethod: body.payment_method,
    transactionId: body.transaction_id,
    description: body.description,
  }),
  filter: {
    transaction_type: z.enum(transactionTypes),
    status: z.enum(paymentStatuses),
    payment_method: z.enum(paymentMethods),
    contract_id: idParam,
  },
  search: ['transactionId'],
  order: [
    ...(['id', 'contractId', 'transactionType', 'amountMinor', 'paymentDate', 'status', 'paymentMethod'] as const),
    ...(['transactionId', 'processedAt', 'processedBy', 'balanceAfterMinor', 'createdAt', 'updatedAt'] as const),
  ],
  called: { contractId: 'contract', amountMinor: 'amount', balanceAfterMinor: 'balance_after' },
})

/** What becomes of them. */
export const paymentActs = actRouter()

const acts = { guard: operators, tag }
act(
  paymentActs,
  { ...acts, path: `${path}/{id}/process`, summary: 'Обработать платеж', more: { balance_after: Decimal } },
  async (tx, actor, id) => {
    const { balanceMinor } = await verbs.process(tx, actor, id)
    return { message: 'Платеж обработан', balance_after: decimal(balanceMinor) }
  },
)
act(paymentActs, { ...acts, path: `${path}/{id}/cancel`, summary: 'Отменить платеж' }, async (tx, actor, id) => {
  await verbs.cancel(tx, actor, id)
  return { message: 'Платеж отменен' }
})
act(
  paymentActs,
  {
    ...acts,
    path: `${path}/{id}/fail`,
    summary: 'Отметить как неуспешный',
    body: z.object({ reason: textOrNull() }).openapi('PaymentFailure', { example: { reason: 'Отказ банка' } }),
    needsBody: false,
  },
  async (tx, actor, id, { reason }) => {
    await verbs.fail(tx, actor, id, reason ?? null)
    return { message: 'Платеж отмечен как неуспешный' }
  },
)
