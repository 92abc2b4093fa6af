import { createRoute, z } from '@hono/zod-openapi'
import * as verbs from '../../../db/powerbank/slot-reports.ts'
import { cameled } from '../../names.ts'
import { published, resource } from '../../resource.ts'
import { admins } from '../people/rights.ts'
import { dialect } from '../resources.ts'
import { idBody, idParam, json, no, page, paged, paging, router, rowsOf, shown, Time } from '../surface.ts'

const tag = 'Отчеты и мониторинг'
const path = '/slot-abnormal-reports'
const slotMax = 255
const textCharactersMax = 64

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

const toJson = (report: verbs.SlotReport) => published(Report, { ...shown(report), report_id: report.id })

/** Slots that went wrong; cabinets file these themselves (docs/contracts.md 4.11). */
export const slotReports = router()

// The page has its rows under a second key too, so it is written by hand.
slotReports.openapi(
  createRoute({
    method: 'get',
    path,
    tags: [tag],
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
    const asked = { filter: { stationId, eventType }, ...rowsOf(at) }
    const { rows, total } = await verbs.list(c.var.db.sql, c.var.actor, asked)
    const reports = rows.map(toJson)
    return c.json({ ...paged(reports, total, at), reports, reports_count: total }, 200)
  },
)

resource(slotReports, dialect, {
  path,
  id: 'report_id',
  name: 'SlotReport',
  tag,
  words: {
    get: { summary: 'Получение отчета по ID' },
    create: {
      summary: 'Создание отчета об аномалии слота',
      description: 'Тот же отчёт второй раз — та же запись.',
      done: 'Отчет создан',
      body: {
        station_id: 13,
        slot_number: 1,
        terminal_id: '4443484154000016',
        event_type: '1',
        reported_at: '2025-10-12T10:00:00Z',
      },
    },
    remove: { summary: 'Удаление отчета', done: 'Отчет удален' },
  },
  verbs: { get: verbs.get, create: verbs.create, remove: verbs.remove },
  readers: admins,
  writers: admins,
  view: Report,
  toJson,
  body: z.object({
    station_id: idBody,
    slot_number: z.int().min(1).max(slotMax),
    terminal_id: z.string().trim().max(textCharactersMax).nullish(),
    event_type: z.string().trim().min(1).max(textCharactersMax),
    reported_at: z.iso.datetime({ offset: true, error: 'ожидается время ISO 8601, например 2025-10-12T10:00:00Z' }),
  }),
  fromJson: ({ reported_at, ...report }) => ({ ...cameled(report), reportedAt: new Date(reported_at) }),
})
