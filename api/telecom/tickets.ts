import { createRoute, z } from '@hono/zod-openapi'
import * as statistics from '../../db/telecom/statistics.ts'
import * as verbs from '../../db/telecom/tickets.ts'
import { ticketCategories, ticketPriorities, ticketStatuses } from '../../db/telecom/words.ts'
import type { ApiConfig } from '../config.ts'
import { resource } from '../resource.ts'
import { act, array, countsOf, figures } from './acts.ts'
import { Text, textOrNull } from './fields.ts'
import { actRouter, dialect, idBody, idParam, json, jsonBody, no, router, staff, supervisors } from './surface.ts'
import { TicketRow, TicketView, ticketJson } from './ticket-view.ts'

const tag = 'Телеком: тикеты'
const path = '/tickets'
const subjectCharactersMax = 200

const Body = z.object({
  customer: idBody,
  contract: idBody.nullish(),
  subject: Text.min(1).max(subjectCharactersMax),
  description: Text.optional(),
  category: z.enum(ticketCategories).optional(),
  priority: z.enum(ticketPriorities).optional(),
})

/** Whose days and clocks the terms of tickets are counted by. */
const placeOf = ({ timeZone, telecom: { country } }: ApiConfig) => ({ timeZone, country })

/** What customers complain of (docs/contracts.md 5.6): lists and figures of them. */
export const ticketLists = router()

const lists = [
  { word: 'my_tickets', summary: 'Мои тикеты', asked: (userId: number) => ({ filter: { assignedTo: userId } }) },
  {
    word: 'unassigned',
    summary: 'Неназначенные тикеты',
    asked: () => ({ filter: { assignedTo: null, status: 'new' as const } }),
  },
  { word: 'overdue', summary: 'Просроченные тикеты', asked: () => ({ where: verbs.overdue }) },
]
for (const { word, summary, asked } of lists)
  array(ticketLists, { path: `${path}/${word}`, tag, summary, item: TicketRow }, async (q, actor, at) =>
    (await verbs.list(q, actor, { ...at, ...asked(actor.userId) })).rows.map(ticketJson),
  )

figures(
  ticketLists,
  {
    path: `${path}/statistics`,
    tag,
    summary: 'Статистика по тикетам',
    schema: z.object({
      total: z.int(),
      ...countsOf(ticketStatuses).shape,
      by_category: countsOf(ticketCategories),
      by_priority: countsOf(ticketPriorities),
      unassigned: z.int(),
      overdue: z.int(),
    }),
  },
  async (q) => {
    const { total, byStatus, byCategory, byPriority, unassigned, overdue } = await statistics.ofTickets(q)
    return { total, ...byStatus, by_category: byCategory, by_priority: byPriority, unassigned, overdue }
  },
)

const words = {
  list: { summary: 'Список тикетов' },
  get: { summary: 'Детали тикета' },
  create: {
    summary: 'Создать тикет',
    body: {
      customer: 1,
      contract: 1,
      subject: 'Не работает интернет',
      description: 'С утра нет связи',
      category: 'technical',
      priority: 'high',
    },
  },
  change: { summary: 'Обновить тикет' },
  remove: { summary: 'Удалить тикет' },
}

const patchRoute = createRoute({
  method: 'patch',
  path: `${path}/{id}`,
  tags: [tag],
  summary: 'Частично обновить тикет',
  description: 'Статус телом меняется только между `in_progress` и `waiting`; остальное — действиями.',
  middleware: [staff],
  request: {
    params: z.object({ id: idParam }),
    body: jsonBody(
      Body.partial()
        .extend({ status: z.enum(ticketStatuses).optional() })
        .openapi('TicketChange', { example: { priority: 'high' } }),
    ),
  },
  responses: { 200: { description: 'Изменено', ...json(TicketView) }, ...no(400, 401, 403, 404) },
})

/** Tickets one by one. */
export function tickets(config: ApiConfig) {
  const app = router()
  const place = placeOf(config)
  resource(
    app,
    { ...dialect, changes: { put: 'whole' } },
    {
      path,
      id: 'id',
      name: 'Ticket',
      tag,
      words,
      verbs: { ...verbs, create: (tx, actor, given: verbs.Given) => verbs.create(tx, actor, given, place) },
      readers: staff,
      writers: staff,
      removers: supervisors,
      view: TicketView,
      toJson: ticketJson,
      body: Body,
      fromJson: ({ customer, contract, ...rest }) => ({ ...rest, customerId: customer, contractId: contract }),
      filter: {
        status: z.enum(ticketStatuses),
        category: z.enum(ticketCategories),
        priority: z.enum(ticketPriorities),
        customer_id: idParam,
        assigned_to: idParam,
      },
      search: ['subject', 'description'],
      order: [
        ...(['id', 'customerId', 'contractId', 'subject', 'category', 'status', 'priority', 'assignedTo'] as const),
        ...(['createdBy', 'assignedAt', 'resolvedAt', 'closedAt', 'dueAt', 'createdAt', 'updatedAt'] as const),
      ],
      called: { customerId: 'customer', contractId: 'contract' },
    },
  )
  app.openapi(patchRoute, async (c) => {
    const { status, customer, contract, ...rest } = c.req.valid('json')
    const { id } = c.req.valid('param')
    const given = { ...rest, customerId: customer, contractId: contract }
    const row = await c.var.db.transaction((tx) => verbs.patch(tx, c.var.actor, id, given, { status, place }))
    return c.json(ticketJson(row), 200)
  })
  return app
}

/** What becomes of them. */
export const ticketActs = actRouter()

act(
  ticketActs,
  {
    tag,
    path: `${path}/{id}/assign`,
    summary: 'Назначить сотруднику',
    body: z.object({ user_id: idBody }).openapi('TicketAssignment'),
  },
  async (tx, actor, id, { user_id: userId }) => {
    const { name } = await verbs.assign(tx, actor, id, userId)
    return { message: `Тикет назначен сотруднику ${name}` }
  },
)
act(
  ticketActs,
  {
    tag,
    path: `${path}/{id}/resolve`,
    summary: 'Решить тикет',
    body: z
      .object({ resolution: Text.min(1).openapi({ example: 'Проблема решена путем...' }) })
      .openapi('TicketResolution'),
    more: { resolution_time: z.int().openapi({ description: 'Секунд от создания' }) },
  },
  async (tx, actor, id, { resolution }) => {
    const { seconds } = await verbs.resolve(tx, actor, id, resolution)
    return { message: 'Тикет решен', resolution_time: seconds }
  },
)
act(
  ticketActs,
  {
    tag,
    path: `${path}/{id}/close`,
    summary: 'Закрыть тикет',
    body: z.object({ reason: textOrNull() }).openapi('TicketClosing', { example: { reason: 'Обращение отозвано' } }),
    needsBody: false,
  },
  async (tx, actor, id, { reason }) => {
    await verbs.close(tx, actor, id, reason ?? null)
    return { message: 'Тикет закрыт' }
  },
)

/** What sets their clock going again. */
export function ticketClocks(config: ApiConfig) {
  const app = actRouter()
  const place = placeOf(config)
  act(app, { tag, path: `${path}/{id}/start_work`, summary: 'Начать работу над тикетом' }, async (tx, actor, id) => {
    await verbs.startWork(tx, actor, id, place)
    return { message: 'Тикет взят в работу' }
  })
  act(app, { tag, path: `${path}/{id}/reopen`, summary: 'Переоткрыть тикет' }, async (tx, actor, id) => {
    await verbs.reopen(tx, actor, id, place)
    return { message: 'Тикет переоткрыт' }
  })
  return app
}
