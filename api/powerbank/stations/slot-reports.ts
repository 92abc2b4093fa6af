import { createRoute, z } from '@hono/zod-openapi'
import { Refused } from '../../../db/powerbank/refused.ts'
import * as scope from '../../../db/powerbank/scope.ts'
import * as verbs from '../../../db/powerbank/slot-reports.ts'
import { admins } from '../people/rights.ts'
import { idBody, idParam, json, no, ok, page, paged, paging, router, Time, time, yes } from '../surface.ts'

const tags = ['Отчеты и мониторинг']
const slotMax = 255
const textCharactersMax = 64

const NewReport = z
  .object({
    station_id: idBody,
    slot_number: z.int().min(1).max(slotMax),
    terminal_id: z.string().trim().max(textCharactersMax).nullish(),
    event_type: z.string().trim().min(1).max(textCharactersMax),
    reported_at: z.iso.datetime({ offset: true, error: 'ожидается время ISO 8601, например 2025-10-12T10:00:00Z' }),
  })
  .openapi('NewSlotReport', {
    example: {
      station_id: 13,
      slot_number: 1,
      terminal_id: '4443484154000016',
      event_type: '1',
      reported_at: '2025-10-12T10:00:00Z',
    },
  })

const Report = z
  .object({
    report_id: z.int(),
    station_id: z.int(),
    station_box_id: z.string(),
    slot_number: z.int(),
    terminal_id: z.string().nullable().openapi({ description: 'Серийный номер повербанка' }),
    event_type: z.string(),
    reported_at: Time,
    created_at: Time,
  })
  .openapi('SlotReport')

const toJson = (report: verbs.SlotReport): z.infer<typeof Report> => ({
  report_id: report.id,
  station_id: report.stationId,
  station_box_id: report.stationBoxId,
  slot_number: report.slotNumber,
  terminal_id: report.terminalId,
  event_type: report.eventType,
  reported_at: time(report.reportedAt),
  created_at: time(report.createdAt),
})

const path = '/slot-abnormal-reports'
const params = z.object({ report_id: idParam })
const one = json(ok({ data: Report }).openapi('SlotReportAnswer'))

/** Slots that went wrong; cabinets file these themselves (docs/contracts.md 4.11). */
export const slotReports = router()

slotReports.openapi(
  createRoute({
    method: 'post',
    path,
    tags,
    summary: 'Создание отчета об аномалии слота',
    description: 'Тот же отчёт второй раз — та же запись.',
    middleware: admins,
    request: { body: { required: true, ...json(NewReport) } },
    responses: { 201: { description: 'Создан', ...one }, ...no(400, 401, 403, 404) },
  }),
  async (c) => {
    const given = c.req.valid('json')
    const report = await c.var.db.transaction((tx) =>
      verbs.file(tx, c.var.actor, {
        stationId: given.station_id,
        slotNumber: given.slot_number,
        terminalId: given.terminal_id ?? null,
        eventType: given.event_type,
        reportedAt: new Date(given.reported_at),
      }),
    )
    return c.json(yes({ message: 'Отчет создан', data: toJson(report) }), 201)
  },
)

slotReports.openapi(
  createRoute({
    method: 'get',
    path,
    tags,
    summary: 'Получение отчетов об аномалиях',
    middleware: admins,
    request: {
      query: z.object({
        ...paging,
        station_id: idParam.optional(),
        event_type: z.string().max(textCharactersMax).optional(),
      }),
    },
    responses: {
      200: {
        description: 'Страница, сначала новые',
        ...json(
          page(Report)
            .extend({ reports: z.array(Report), reports_count: z.int() })
            .openapi('SlotReports'),
        ),
      },
      ...no(400, 401, 403),
    },
  }),
  async (c) => {
    const { station_id: stationId, event_type: eventType, ...at } = c.req.valid('query')
    const q = c.var.db.sql
    const within = await scope.administered(q, c.var.actor)
    const { rows, total } = await verbs.list(q, { scope: within, stationId, eventType, ...at })
    const reports = rows.map(toJson)
    return c.json({ ...paged(reports, total, at), reports, reports_count: total }, 200)
  },
)

slotReports.openapi(
  createRoute({
    method: 'get',
    path: `${path}/{report_id}`,
    tags,
    summary: 'Получение отчета по ID',
    middleware: admins,
    request: { params },
    responses: { 200: { description: 'Отчет', ...one }, ...no(400, 401, 403, 404) },
  }),
  async (c) => {
    const { db, actor } = c.var
    const report = await verbs.get(db.sql, c.req.valid('param').report_id)
    if (!report) throw new Refused('not_found')
    scope.assertInScope(await scope.administered(db.sql, actor), report.orgUnitId)
    return c.json(yes({ data: toJson(report) }), 200)
  },
)

slotReports.openapi(
  createRoute({
    method: 'delete',
    path: `${path}/{report_id}`,
    tags,
    summary: 'Удаление отчета',
    middleware: admins,
    request: { params },
    responses: { 200: { description: 'Удалён', ...json(ok({}).openapi('SlotReportDeleted')) }, ...no(401, 403, 404) },
  }),
  async (c) => {
    const { report_id: id } = c.req.valid('param')
    await c.var.db.transaction((tx) => verbs.remove(tx, c.var.actor, id))
    return c.json(yes({ message: 'Отчет удален' }), 200)
  },
)
