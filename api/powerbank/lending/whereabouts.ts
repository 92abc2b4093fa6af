import { createRoute, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import type { Actor } from '../../../db/platform/actor.ts'
import type { Queryable } from '../../../db/postgres/connect.ts'
import { Refused } from '../../../db/powerbank/refused.ts'
import * as scope from '../../../db/powerbank/scope.ts'
import * as verbs from '../../../db/powerbank/whereabouts.ts'
import type { Env } from '../../context.ts'
import { STAFF } from '../people/rights.ts'
import { idParam, json, no, ok, page, paged, pagingBy, router, Time, time, yes } from '../surface.ts'

const tags = ['Статусы повербанков']
const limitDefault = 50

const Whereabouts = z.enum(['in_station', 'in_use', 'not_returned'])

const Located = z
  .object({
    powerbank_id: z.int(),
    serial_number: z.string(),
    status: Whereabouts.nullable().openapi({ description: 'null: не в станции и не выдан' }),
    powerbank_status: z.string(),
    write_off_candidate: z.boolean().openapi({ description: 'Не возвращён дольше write_off_hours группы' }),
    org_unit_id: z.int().nullable(),
    org_unit_name: z.string().nullable(),
    station_id: z.int().nullable().openapi({ description: 'Где стоит, иначе где выдан' }),
    station_name: z.string().nullable(),
    slot_number: z.int().nullable(),
    order_id: z.int().nullable(),
    user_id: z.int().nullable().openapi({ description: 'О чужих заказах — только сотрудникам' }),
    user_name: z.string().nullable(),
    user_phone: z.string().nullable(),
    user_email: z.string().nullable(),
    borrow_time: Time.nullable(),
    completed_at: Time.nullable(),
  })
  .openapi('PowerbankWhereabouts')

interface Reader {
  actor: Actor
  /** The units whose people the reader looks after. */
  staffOf: scope.Scope
}
const readerOf = async (q: Queryable, actor: Actor): Promise<Reader> => ({
  actor,
  staffOf: await scope.of(q, actor, ...STAFF),
})

/** Who has or had the bank is shown to staff of its unit, and to that person. */
function whose(bank: verbs.Located, { actor, staffOf }: Reader) {
  const isShown = bank.userId === actor.userId || scope.includes(staffOf, bank.orgUnitId)
  return {
    order_id: isShown ? bank.orderId : null,
    user_id: isShown ? bank.userId : null,
    user_name: isShown ? bank.userName : null,
    user_phone: isShown ? bank.userPhone : null,
    user_email: isShown ? bank.userEmail : null,
  }
}

const toJson = (bank: verbs.Located, reader: Reader): z.infer<typeof Located> => ({
  powerbank_id: bank.powerbankId,
  serial_number: bank.serialNumber,
  status: bank.whereabouts,
  powerbank_status: bank.powerbankStatus,
  write_off_candidate: bank.isLost,
  org_unit_id: bank.orgUnitId,
  org_unit_name: bank.orgUnitName,
  station_id: bank.stationId,
  station_name: bank.stationNik ?? bank.stationBoxId,
  slot_number: bank.slotNumber,
  ...whose(bank, reader),
  borrow_time: time(bank.borrowTime),
  completed_at: time(bank.completedAt),
})

const ListQuery = z.object({
  ...pagingBy(limitDefault),
  status_filter: Whereabouts.optional(),
  status: Whereabouts.optional().openapi({ description: 'То же, что status_filter' }),
  org_unit_id: idParam.optional(),
})
const Listed = page(Located)
  .extend({
    pagination: z.object({
      ...page(Located).shape.pagination.shape,
      total_pages: z.int(),
      has_next: z.boolean(),
      has_prev: z.boolean(),
    }),
  })
  .openapi('PowerbanksWhereabouts')

async function list(c: Context<Env>, query: z.infer<typeof ListQuery>): Promise<z.infer<typeof Listed>> {
  const { db, actor } = c.var
  const { status_filter, status, org_unit_id: orgUnitId, ...at } = query
  const filter = { scope: await scope.of(db.sql, actor), whereabouts: status_filter ?? status, orgUnitId, ...at }
  const { rows, total } = await verbs.list(db.sql, filter)
  const reader = await readerOf(db.sql, actor)
  const answer = paged(
    rows.map((bank) => toJson(bank, reader)),
    total,
    at,
  )
  const { page, pages } = answer.pagination
  const more = { total_pages: pages, has_next: page < pages, has_prev: page > 1 }
  return { ...answer, pagination: { ...answer.pagination, ...more } }
}

const SummaryQuery = z.object({ org_unit_id: idParam.optional() })
const Summary = ok({
  data: z.object({
    total: z.int(),
    in_station: z.int(),
    in_use: z.int(),
    not_returned: z.int(),
    write_off_candidates: z.int(),
    elsewhere: z.int().openapi({ description: 'Не в станции и не выданы' }),
  }),
}).openapi('WhereaboutsSummary')

async function summary(c: Context<Env>, { org_unit_id }: z.infer<typeof SummaryQuery>) {
  const { db, actor } = c.var
  const counts = await verbs.summary(db.sql, await scope.of(db.sql, actor), org_unit_id)
  const data = {
    total: counts.total,
    in_station: counts.inStation,
    in_use: counts.inUse,
    not_returned: counts.notReturned,
    write_off_candidates: counts.lost,
    elsewhere: counts.elsewhere,
  }
  return yes({ data })
}

const OneParams = z.object({ powerbank_id: idParam })
const One = ok({ data: Located }).openapi('PowerbankWhereaboutsAnswer')

async function one(c: Context<Env>, { powerbank_id: id }: z.infer<typeof OneParams>) {
  const { db, actor } = c.var
  const bank = await verbs.get(db.sql, id)
  if (!bank) throw new Refused('power_bank_not_found')
  const reader = await readerOf(db.sql, actor)
  const isHolder = bank.userId === actor.userId && bank.completedAt === null
  if (!isHolder) scope.assertInScope(await scope.of(db.sql, actor), bank.orgUnitId)
  return yes({ data: toJson(bank, reader) })
}

/** Where the power banks are (docs/contracts.md 4.10). The aliases go before `/powerbanks/{powerbank_id}` (docs/contracts.md C3). */
export const whereabouts = router()

const alias = (path: string, of: string) => (path === of ? '' : ` (алиас для /api${of})`)
/** Both spellings would give one name to client generators. */
const named = (path: string, of: string, operationId: string) => (path === of ? {} : { operationId })

const lists = '/powerbanks-status'
for (const path of [lists, '/powerbanks/status'])
  whereabouts.openapi(
    createRoute({
      method: 'get',
      path,
      ...named(path, lists, 'listPowerbanksByStatus'),
      tags,
      summary: `Получение повербанков со статусами${alias(path, lists)}`,
      request: { query: ListQuery },
      responses: { 200: { description: 'Страница', ...json(Listed) }, ...no(400, 401) },
    }),
    async (c) => c.json(await list(c, c.req.valid('query')), 200),
  )

const summaries = '/powerbanks-status/summary'
for (const path of [summaries, '/powerbanks/status/summary'])
  whereabouts.openapi(
    createRoute({
      method: 'get',
      path,
      ...named(path, summaries, 'countPowerbanksByStatus'),
      tags,
      summary: `Получение сводки по статусам${alias(path, summaries)}`,
      request: { query: SummaryQuery },
      responses: { 200: { description: 'Сводка', ...json(Summary) }, ...no(400, 401) },
    }),
    async (c) => c.json(await summary(c, c.req.valid('query')), 200),
  )

const ones = '/powerbanks-status/{powerbank_id}'
for (const path of [ones, '/powerbanks/{powerbank_id}/status'])
  whereabouts.openapi(
    createRoute({
      method: 'get',
      path,
      tags,
      summary: `Получение статуса конкретного повербанка${alias(path, ones)}`,
      request: { params: OneParams },
      responses: { 200: { description: 'Где он', ...json(One) }, ...no(400, 401, 403, 404) },
    }),
    async (c) => c.json(await one(c, c.req.valid('param')), 200),
  )
