import { createRoute, z } from '@hono/zod-openapi'
import * as contractVerbs from '../../db/telecom/contracts.ts'
import * as verbs from '../../db/telecom/customers.ts'
import * as statistics from '../../db/telecom/statistics.ts'
import * as ticketVerbs from '../../db/telecom/tickets.ts'
import { customerStatuses, documentTypes } from '../../db/telecom/words.ts'
import { cameled } from '../names.ts'
import { published, resource } from '../resource.ts'
import { act, array, countsOf, figures } from './acts.ts'
import { ContractRow, contractJson } from './contract-view.ts'
import { Day, EmailOrNull, Name, Phone, Text, textOrNull } from './fields.ts'
import {
  actRouter,
  dialect,
  idParam,
  json,
  jsonBody,
  no,
  operators,
  router,
  shown,
  staff,
  supervisors,
  Time,
} from './surface.ts'
import { TicketRow, ticketJson } from './ticket-view.ts'

const tag = 'Телеком: клиенты'
const path = '/customers'
const id = 'id'
const documentCharactersMax = 50

const View = z.object({
  id: z.int(),
  first_name: z.string(),
  last_name: z.string(),
  middle_name: z.string().nullable(),
  full_name: z.string(),
  birth_date: z.string().nullable(),
  phone: z.string(),
  email: z.string().nullable(),
  document_type: z.enum(documentTypes),
  document_number: z.string(),
  passport_issued_by: z.string().nullable(),
  passport_issue_date: z.string().nullable(),
  address: z.string().nullable(),
  status: z.enum(customerStatuses),
  created_at: Time,
  updated_at: Time,
})

const toJson = (customer: verbs.Customer) => ({
  ...shown(customer),
  full_name: [customer.lastName, customer.firstName, customer.middleName].filter(Boolean).join(' '),
})

const Body = z.object({
  first_name: Name,
  last_name: Name,
  middle_name: textOrNull(100),
  birth_date: Day.nullish(),
  phone: Phone,
  email: EmailOrNull,
  document_type: z.enum(documentTypes),
  document_number: Text.min(1).max(documentCharactersMax),
  passport_issued_by: textOrNull(),
  passport_issue_date: Day.nullish(),
  address: textOrNull(),
})

const example = {
  first_name: 'Иван',
  last_name: 'Иванов',
  middle_name: 'Иванович',
  phone: '+996550123456',
  email: 'ivan@example.com',
  document_type: 'passport',
  document_number: 'ID1234567',
  passport_issued_by: 'МВД КР',
  passport_issue_date: '2020-01-01',
  address: 'г. Бишкек, ул. Ленина 1',
}

/** Who pays (docs/contracts.md 5.1). */
export const customers = router()

figures(
  customers,
  {
    path: `${path}/statistics`,
    tag,
    summary: 'Статистика по клиентам',
    schema: z.object({
      total: z.int(),
      ...countsOf(customerStatuses).shape,
      by_document_type: countsOf(documentTypes),
    }),
  },
  async (q) => {
    const { total, byStatus, byDocumentType } = await statistics.ofCustomers(q)
    return { total, ...byStatus, by_document_type: byDocumentType }
  },
)

resource(
  customers,
  { ...dialect, changes: { put: 'whole' } },
  {
    path,
    id,
    name: 'Customer',
    tag,
    words: {
      list: { summary: 'Список клиентов' },
      get: { summary: 'Детали клиента' },
      create: { summary: 'Создать клиента', body: example },
      change: { summary: 'Обновить клиента', description: 'Не переданное необязательное поле остаётся как было.' },
      remove: { summary: 'Удалить клиента', description: 'Только без договоров и тикетов.' },
    },
    verbs,
    readers: staff,
    writers: operators,
    removers: supervisors,
    view: View,
    toJson,
    // Papers and addresses are read one by one.
    omitted: ['birth_date', 'passport_issued_by', 'passport_issue_date', 'address'],
    body: Body,
    fromJson: cameled,
    filter: { status: z.enum(customerStatuses), document_type: z.enum(documentTypes) },
    search: ['searchText'],
    order: [
      ...(['id', 'createdAt', 'updatedAt', 'lastName', 'firstName', 'middleName'] as const),
      ...(['phone', 'email', 'status', 'documentType', 'documentNumber'] as const),
    ],
  },
)

const patchRoute = createRoute({
  method: 'patch',
  path: `${path}/{id}`,
  tags: [tag],
  summary: 'Частично обновить клиента',
  description: 'Статус телом меняется только на `archived`; остальное — действиями.',
  middleware: [operators],
  request: {
    params: z.object({ id: idParam }),
    body: jsonBody(
      Body.partial()
        .extend({ status: z.enum(customerStatuses).optional() })
        .openapi('CustomerChange', { example: { first_name: 'Иван' } }),
    ),
  },
  responses: { 200: { description: 'Изменено', ...json(View) }, ...no(400, 401, 403, 404) },
})

customers.openapi(patchRoute, async (c) => {
  const { status, ...given } = c.req.valid('json')
  const { id } = c.req.valid('param')
  const row = await c.var.db.transaction((tx) => verbs.patch(tx, c.var.actor, id, cameled(given), status))
  return c.json(published(View, toJson(row)), 200)
})

/** What is done to customers, and what they have. */
export const customerActs = actRouter()

const acts = { guard: operators, tag }
act(
  customerActs,
  { ...acts, path: `${path}/{id}/activate`, summary: 'Активировать клиента' },
  async (tx, actor, id) => {
    await verbs.activate(tx, actor, id)
    return { message: 'Клиент активирован' }
  },
)
act(
  customerActs,
  { ...acts, path: `${path}/{id}/suspend`, summary: 'Приостановить обслуживание' },
  async (tx, actor, id) => {
    await verbs.suspend(tx, actor, id)
    return { message: 'Обслуживание клиента приостановлено' }
  },
)
act(customerActs, { ...acts, path: `${path}/{id}/block`, summary: 'Заблокировать клиента' }, async (tx, actor, id) => {
  await verbs.block(tx, actor, id)
  return { message: 'Клиент заблокирован' }
})

array(
  customerActs,
  { tag, path: `${path}/{id}/contracts`, summary: 'Договоры клиента', item: ContractRow },
  async (q, actor, at, customerId) => {
    await verbs.get(q, actor, customerId)
    return (await contractVerbs.list(q, actor, { ...at, filter: { customerId } })).rows.map(contractJson)
  },
)
array(
  customerActs,
  { tag, path: `${path}/{id}/tickets`, summary: 'Тикеты клиента', item: TicketRow },
  async (q, actor, at, customerId) => {
    await verbs.get(q, actor, customerId)
    return (await ticketVerbs.list(q, actor, { ...at, filter: { customerId } })).rows.map(ticketJson)
  },
)
