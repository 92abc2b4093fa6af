import { createRoute, z } from '@hono/zod-openapi'
import * as scope from '../../../db/powerbank/scope.ts'
import * as verbs from '../../../db/powerbank/stations.ts'
import { admins } from '../people/rights.ts'
import { idBody, idParam, json, no, ok, page, paged, paging, router, yes } from '../surface.ts'
import { Station, StationStatus, stationOf, toJson } from './station-view.ts'

const tags = ['Управление станциями']
const boxIdCharactersMax = 64
const iccidCharactersMax = 64
const slotsMax = 255

/** What a cabinet calls itself at login: text without blanks (docs/protocol.md 3, 0x60). */
export const BoxId = z
  .string()
  .trim()
  .max(boxIdCharactersMax)
  .regex(/^[\x21-\x7e]+$/, 'ожидаются символы ASCII без пробелов')
  .openapi({ example: 'DCHEY02504000019' })
export const Slots = z.int().min(1).max(slotsMax).openapi({ example: 8 })

const fields = {
  org_unit_id: idBody.nullable(),
  box_id: BoxId,
  iccid: z.string().trim().max(iccidCharactersMax).nullable(),
  slots_declared: Slots,
  status: StationStatus,
}
const StationChange = z.object(fields).partial()
const NewStation = StationChange.required({ box_id: true, slots_declared: true })

const fromJson = (given: z.infer<typeof StationChange>): verbs.StationChange => ({
  orgUnitId: given.org_unit_id,
  boxId: given.box_id,
  iccid: given.iccid,
  slotsDeclared: given.slots_declared,
  status: given.status,
})

const path = '/stations/{station_id}'
const params = z.object({ station_id: idParam })
const one = json(ok({ data: Station }).openapi('StationAnswer'))

/** Cabinets and where they stand (docs/contracts.md 4.4). */
export const stations = router()

stations.openapi(
  createRoute({
    method: 'post',
    path: '/stations',
    tags,
    summary: 'Создание станции',
    description: 'Если кабинет с этим box_id уже стучался и лежит в карантине, он выходит из карантина.',
    middleware: admins,
    request: {
      body: {
        required: true,
        ...json(
          NewStation.openapi('NewStation', {
            example: { org_unit_id: 1, box_id: 'ST001', iccid: '123456789', slots_declared: 8, status: 'active' },
          }),
        ),
      },
    },
    responses: { 201: { description: 'Создана', ...one }, ...no(400, 401, 403) },
  }),
  async (c) => {
    const given = c.req.valid('json')
    const fields = { ...fromJson(given), boxId: given.box_id, slotsDeclared: given.slots_declared }
    const station = await c.var.db.transaction((tx) => verbs.create(tx, c.var.actor, fields))
    return c.json(yes({ message: 'Станция создана', data: toJson(station) }), 201)
  },
)

stations.openapi(
  createRoute({
    method: 'get',
    path: '/stations',
    tags,
    summary: 'Получение списка станций',
    request: { query: z.object({ ...paging, org_unit_id: idParam.optional(), status: StationStatus.optional() }) },
    responses: { 200: { description: 'Страница', ...json(page(Station).openapi('Stations')) }, ...no(400, 401) },
  }),
  async (c) => {
    const { org_unit_id: orgUnitId, status, ...at } = c.req.valid('query')
    const q = c.var.db.sql
    const { rows, total } = await verbs.list(q, { scope: await scope.of(q, c.var.actor), orgUnitId, status, ...at })
    return c.json(paged(rows.map(toJson), total, at), 200)
  },
)

stations.openapi(
  createRoute({
    method: 'get',
    path,
    tags,
    summary: 'Получение станции по ID',
    request: { params },
    responses: { 200: { description: 'Станция', ...one }, ...no(400, 401, 403, 404) },
  }),
  async (c) => {
    const station = await stationOf(c.var.db.sql, c.var.actor, c.req.valid('param').station_id)
    return c.json(yes({ data: toJson(station) }), 200)
  },
)

stations.openapi(
  createRoute({
    method: 'put',
    path,
    tags,
    summary: 'Обновление станции',
    description: 'Не переданное остаётся как было. Новый box_id обрывает текущее подключение.',
    middleware: admins,
    request: {
      params,
      body: {
        required: true,
        ...json(StationChange.openapi('StationChange', { example: { box_id: 'ST001', status: 'inactive' } })),
      },
    },
    responses: { 200: { description: 'Изменена', ...one }, ...no(400, 401, 403, 404) },
  }),
  async (c) => {
    const { station_id: id } = c.req.valid('param')
    const change = fromJson(c.req.valid('json'))
    const station = await c.var.db.transaction((tx) => verbs.change(tx, c.var.actor, id, change))
    return c.json(yes({ message: 'Станция обновлена', data: toJson(station) }), 200)
  },
)

stations.openapi(
  createRoute({
    method: 'delete',
    path,
    tags,
    summary: 'Удаление станции',
    description: 'Мягкое: заказы остаются, ключи уничтожаются, кабинет больше не принимается.',
    middleware: admins,
    request: { params },
    responses: { 200: { description: 'Удалена', ...json(ok({}).openapi('StationDeleted')) }, ...no(401, 403, 404) },
  }),
  async (c) => {
    const { station_id: id } = c.req.valid('param')
    await c.var.db.transaction((tx) => verbs.remove(tx, c.var.actor, id))
    return c.json(yes({ message: 'Станция удалена' }), 200)
  },
)
