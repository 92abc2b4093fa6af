import { createRoute, z } from '@hono/zod-openapi'
import * as scope from '../../../db/powerbank/scope.ts'
import * as verbs from '../../../db/powerbank/station-powerbanks.ts'
import { admins } from '../people/rights.ts'
import { idBody, idParam, json, no, ok, page, paged, paging, router, Time, time, yes } from '../surface.ts'

const tags = ['Связи станция-повербанк']
const path = '/station-powerbanks'

const Placed = z
  .object({
    id: z.int(),
    sp_id: z.int(),
    station_id: z.int(),
    station_box_id: z.string(),
    powerbank_id: z.int(),
    serial_number: z.string(),
    powerbank_status: z.string(),
    slot_number: z.int(),
    level: z.int().nullable().openapi({ description: 'Проценты' }),
    voltage: z.int().nullable().openapi({ description: 'Милливольты' }),
    current: z.int().nullable().openapi({ description: 'Миллиамперы' }),
    temperature: z.int().nullable().openapi({ description: 'Градусы Цельсия' }),
    last_update: Time,
  })
  .openapi('StationPowerbankLink')

const toJson = (placed: verbs.Placed): z.infer<typeof Placed> => ({
  id: placed.id,
  sp_id: placed.id,
  station_id: placed.stationId,
  station_box_id: placed.stationBoxId,
  powerbank_id: placed.powerbankId,
  serial_number: placed.serialNumber,
  powerbank_status: placed.powerbankStatus,
  slot_number: placed.slotNumber,
  level: placed.level,
  voltage: placed.voltage,
  current: placed.current,
  temperature: placed.temperature,
  last_update: time(placed.lastUpdate),
})

/** What sits where, as an administrator writes it; what a cabinet lists replaces it (docs/contracts.md 4.14). */
export const stationPowerbanks = router()

stationPowerbanks.openapi(
  createRoute({
    method: 'post',
    path,
    tags,
    summary: 'Создание связи станция-повербанк',
    description: 'Действует до следующего инвентаря станции: что стоит в слотах, решает он.',
    middleware: admins,
    request: {
      body: {
        required: true,
        ...json(
          z
            .object({ station_id: idBody, powerbank_id: idBody, slot_number: z.int() })
            .openapi('NewStationPowerbank', { example: { station_id: 13, powerbank_id: 53, slot_number: 1 } }),
        ),
      },
    },
    responses: {
      201: { description: 'Создана', ...json(ok({ data: Placed }).openapi('StationPowerbankAnswer')) },
      ...no(400, 401, 403, 404),
    },
  }),
  async (c) => {
    const { station_id: stationId, powerbank_id: powerbankId, slot_number: slotNumber } = c.req.valid('json')
    const place = { stationId, powerbankId, slotNumber }
    const placed = await c.var.db.transaction((tx) => verbs.put(tx, c.var.actor, place))
    return c.json(yes({ message: 'Связь создана', data: toJson(placed) }), 201)
  },
)

stationPowerbanks.openapi(
  createRoute({
    method: 'get',
    path,
    tags,
    summary: 'Получение связей станция-повербанк',
    middleware: admins,
    request: { query: z.object({ ...paging, station_id: idParam.optional(), powerbank_id: idParam.optional() }) },
    responses: {
      200: { description: 'Страница', ...json(page(Placed).openapi('StationPowerbanks')) },
      ...no(400, 401, 403),
    },
  }),
  async (c) => {
    const { station_id: stationId, powerbank_id: powerbankId, ...at } = c.req.valid('query')
    const q = c.var.db.sql
    const within = await scope.administered(q, c.var.actor)
    const { rows, total } = await verbs.list(q, { scope: within, stationId, powerbankId, ...at })
    return c.json(paged(rows.map(toJson), total, at), 200)
  },
)

stationPowerbanks.openapi(
  createRoute({
    method: 'delete',
    path: `${path}/{sp_id}`,
    tags,
    summary: 'Удаление связи',
    description: 'Станция, в которой повербанк стоит на самом деле, вернёт связь следующим инвентарём.',
    middleware: admins,
    request: { params: z.object({ sp_id: idParam }) },
    responses: {
      200: { description: 'Удалена', ...json(ok({}).openapi('StationPowerbankDeleted')) },
      ...no(400, 401, 403, 404),
    },
  }),
  async (c) => {
    const { sp_id: id } = c.req.valid('param')
    await c.var.db.transaction((tx) => verbs.remove(tx, c.var.actor, id))
    return c.json(yes({ message: 'Связь удалена' }), 200)
  },
)
