import { z } from '@hono/zod-openapi'
import * as verbs from '../../db/telecom/contracts.ts'
import * as paymentVerbs from '../../db/telecom/payments.ts'
import * as statistics from '../../db/telecom/statistics.ts'
import * as ticketVerbs from '../../db/telecom/tickets.ts'
import { contractStatuses, paymentMethods } from '../../db/telecom/words.ts'
import type { ApiConfig } from '../config.ts'
import { toUnits } from '../money.ts'
import { resource } from '../resource.ts'
import { act, array, countsOf, figures } from './acts.ts'
import { ContractView, contractJson } from './contract-view.ts'
import { Amount, Day, Decimal, decimal, Text } from './fields.ts'
import { PaymentRow, paymentJson } from './payment-view.ts'
import { actRouter, dialect, idBody, idParam, operators, router, staff, supervisors } from './surface.ts'
import { TicketRow, ticketJson } from './ticket-view.ts'

const tag = 'Телеком: договоры'
const path = '/contracts'

const words = {
  list: { summary: 'Список договоров' },
  get: { summary: 'Детали договора' },
  create: {
    summary: 'Создать договор',
    description: 'Черновик; номер даёт сервер.',
    body: { customer: 1, tariff: 1, signed_date: '2024-01-15', notes: '' },
  },
  change: { summary: 'Обновить договор', description: 'Новый тариф действует со следующего списания.' },
  remove: { summary: 'Удалить договор', description: 'Только черновик без платежей и тикетов.' },
}

/** What customers pay for (docs/contracts.md 5.4). */
export function contracts({ timeZone: zone }: ApiConfig) {
  const app = router()
  counted(app)
  resource(app, dialect, {
    path,
    id: 'id',
    name: 'Contract',
    tag,
    words,
    verbs: { ...verbs, create: (tx, actor, given: verbs.Given) => verbs.create(tx, actor, given, zone) },
    readers: staff,
    writers: operators,
    removers: supervisors,
    view: ContractView,
    toJson: contractJson,
    body: z.object({ customer: idBody, tariff: idBody, signed_date: Day.nullish(), notes: Text.optional() }),
    fromJson: (body) => ({
      customerId: body.customer,
      tariffId: body.tariff,
      signedDate: body.signed_date,
      notes: body.notes,
    }),
    filter: { status: z.enum(contractStatuses), customer_id: idParam, tariff_id: idParam },
    search: ['number', 'customerName'],
    order: [
      ...([
        'id',
        'number',
        'customerId',
        'tariffId',
        'status',
        'balanceMinor',
        'totalCostMinor',
        'signedDate',
      ] as const),
      ...(['activationDate', 'terminationDate', 'nextBillingDate', 'createdAt', 'updatedAt'] as const),
    ],
    called: {
      customerId: 'customer',
      tariffId: 'tariff',
      balanceMinor: 'balance',
      totalCostMinor: 'total_cost',
    },
  })
  return app
}

/** How many there are of what. */
function counted(app: ReturnType<typeof router>): void {
  figures(
    app,
    {
      path: `${path}/statistics`,
      tag,
      summary: 'Статистика по договорам',
      schema: z.object({
        total: z.int(),
        ...countsOf([...contractStatuses, 'closed']).shape,
        total_balance: Decimal,
        avg_balance: Decimal,
      }),
    },
    async (q) => {
      const { total, byStatus, balanceMinor, averageMinor } = await statistics.ofContracts(q)
      const closed = byStatus.terminated
      return { total, ...byStatus, closed, total_balance: decimal(balanceMinor), avg_balance: decimal(averageMinor) }
    },
  )
}

/** What is done to them, and what they have. */
export function contractActs({ timeZone: zone }: ApiConfig) {
  const app = actRouter()
  const acts = { guard: operators, tag }
  act(
    app,
    {
      ...acts,
      path: `${path}/{id}/activate`,
      summary: 'Активировать договор',
      body: z.object({ sim_id: idBody }).openapi('ContractActivation'),
    },
    async (tx, actor, id, { sim_id: simId }) => {
      const { number, msisdn } = await verbs.activate(tx, actor, id, { simId, zone })
      return { message: `Договор ${number} активирован с номером ${msisdn}` }
    },
  )
  act(app, { ...acts, path: `${path}/{id}/suspend`, summary: 'Приостановить договор' }, async (tx, actor, id) => {
    await verbs.suspend(tx, actor, id)
    return { message: 'Договор приостановлен' }
  })
  act(app, { ...acts, path: `${path}/{id}/resume`, summary: 'Возобновить договор' }, async (tx, actor, id) => {
    await verbs.resume(tx, actor, id)
    return { message: 'Договор возобновлен' }
  })
  act(app, { ...acts, path: `${path}/{id}/terminate`, summary: 'Закрыть договор' }, async (tx, actor, id) => {
    await verbs.terminate(tx, actor, id, zone)
    return { message: 'Договор закрыт' }
  })
  for (const move of moves) moving(app, move)
  array(
    app,
    { tag, path: `${path}/{id}/payments`, summary: 'Платежи по договору', item: PaymentRow },
    async (q, actor, at, contractId) => {
      await verbs.get(q, actor, contractId)
      return (await paymentVerbs.list(q, actor, { ...at, filter: { contractId } })).rows.map(paymentJson)
    },
  )
  array(
    app,
    { tag, path: `${path}/{id}/tickets`, summary: 'Тикеты по договору', item: TicketRow },
    async (q, actor, at, contractId) => {
      await verbs.get(q, actor, contractId)
      return (await ticketVerbs.list(q, actor, { ...at, filter: { contractId } })).rows.map(ticketJson)
    },
  )
  return app
}

const moves = [
  {
    word: 'add_balance',
    name: 'TopUp',
    transactionType: 'payment',
    paymentMethod: 'cash',
    summary: 'Пополнить баланс',
    message: 'Баланс пополнен',
    description: 'Пополнение баланса',
  },
  {
    word: 'deduct_balance',
    name: 'Deduction',
    transactionType: 'charge',
    paymentMethod: 'system',
    summary: 'Списать с баланса',
    message: 'Списание выполнено',
    description: 'Списание с баланса',
  },
] as const

/** A movement of the balance by hand, which is a payment of its own. */
function moving(app: ReturnType<typeof actRouter>, about: (typeof moves)[number]) {
  const { word, name, transactionType, paymentMethod, summary, message, description } = about
  act(
    app,
    {
      guard: operators,
      tag,
      path: `${path}/{id}/${word}`,
      summary,
      body: z
        .object({
          amount: Amount,
          payment_method: z.enum(paymentMethods).default(paymentMethod),
          description: Text.default(description),
        })
        .openapi(`Telecom${name}`, { example: { amount: 1_000 } }),
      more: { old_balance: Decimal, new_balance: Decimal, amount: z.number() },
    },
    async (tx, actor, id, { amount: amountMinor, payment_method: method, description }) => {
      const given = { transactionType, amountMinor, paymentMethod: method, description }
      const { oldMinor, newMinor } = await paymentVerbs.atOnce(tx, actor, id, given)
      return { message, old_balance: decimal(oldMinor), new_balance: decimal(newMinor), amount: toUnits(amountMinor) }
    },
  )
}
