import { createRoute, z } from '@hono/zod-openapi'
import type { DeviceKey } from '../../../db/devices/keys.ts'
import { Refused } from '../../../db/powerbank/refused.ts'
import * as scope from '../../../db/powerbank/scope.ts'
import * as verbs from '../../../db/powerbank/station-keys.ts'
import { admins } from '../people/rights.ts'
import { idBody, idParam, json, jsonBody, no, ok, page, paged, paging, router, Time, time, yes } from '../surface.ts'

const tags = ['Секретные ключи станций']
const keyCharactersMax = 128
const mask = '••••••'

/** The secret a TCP-B cabinet signs with (docs/protocol.md 2.4): it goes in and never comes out. */
export const KeyValue = z
  .string()
  .min(1)
  .max(keyCharactersMax)
  .regex(/^[\x21-\x7e]+$/, 'ожидаются печатные символы ASCII без пробелов')
  .openapi({ format: 'password' })

const NewKey = z
  .object({ station_id: idBody, key_value: KeyValue.optional(), secret_key: KeyValue.optional() })
  .refine((given) => given.key_value ?? given.secret_key, { path: ['key_value'], error: 'обязательное поле' })
  .openapi('NewStationKey', { example: { station_id: 13, key_value: '<secret>' } })

const Key = z
  .object({
    key_id: z.int(),
    id: z.int(),
    station_id: z.int(),
    key_value: z
      .string()
      .openapi({ description: 'Маска и, для длинных ключей, два последних символа', example: '••••••7f' }),
    valid_until: Time.nullable().openapi({ description: 'null: действующий; прежний ключ действует ещё сутки' }),
    created_at: Time,
  })
  .openapi('StationKey')

const toJson = (key: DeviceKey): z.infer<typeof Key> => ({
  key_id: key.id,
  id: key.id,
  station_id: key.deviceId,
  key_value: mask + key.keyHint,
  valid_until: time(key.validUntil),
  created_at: time(key.createdAt),
})

const path = '/station-secret-keys'

/** Keys of cabinets (docs/contracts.md 4.14). */
export const keys = router()

keys.openapi(
  createRoute({
    method: 'post',
    path,
    tags,
    summary: 'Создание секретного ключа станции',
    description: 'Ключ больше нигде не показывается. Прежний ключ станции действует ещё 24 часа.',
    middleware: admins,
    request: { body: jsonBody(NewKey) },
    responses: {
      201: { description: 'Сохранён', ...json(ok({ data: Key }).openapi('StationKeyAnswer')) },
      ...no(400, 401, 403, 404),
    },
  }),
  async (c) => {
    const { db, actor, config } = c.var
    const { station_id: stationId, key_value, secret_key } = c.req.valid('json')
    // One of them is there: the schema's refine says so.
    const value = (key_value ?? secret_key)!
    const key = await db.transaction((tx) => verbs.add(tx, actor, { stationId, value }, config.keysSecret))
    return c.json(yes({ message: 'Ключ сохранён', data: toJson(key) }), 201)
  },
)

keys.openapi(
  createRoute({
    method: 'get',
    path,
    tags,
    summary: 'Получение секретных ключей',
    description: 'Только маски.',
    middleware: admins,
    request: { query: z.object({ ...paging, station_id: idParam.optional() }) },
    responses: { 200: { description: 'Страница', ...json(page(Key).openapi('StationKeys')) }, ...no(400, 401, 403) },
  }),
  async (c) => {
    const { station_id: stationId, ...at } = c.req.valid('query')
    const q = c.var.db.sql
    const { rows, total } = await verbs.list(q, { scope: await scope.administered(q, c.var.actor), stationId, ...at })
    return c.json(paged(rows.map(toJson), total, at), 200)
  },
)

keys.openapi(
  createRoute({
    method: 'delete',
    path: `${path}/{key_id}`,
    tags,
    summary: 'Удаление секретного ключа',
    middleware: admins,
    request: { params: z.object({ key_id: idParam }) },
    responses: { 200: { description: 'Удалён', ...json(ok({}).openapi('StationKeyDeleted')) }, ...no(401, 403, 404) },
  }),
  async (c) => {
    const { key_id: id } = c.req.valid('param')
    await c.var.db.transaction((tx) => verbs.remove(tx, c.var.actor, id))
    return c.json(yes({ message: 'Ключ удалён' }), 200)
  },
)

keys.openapi(
  createRoute({
    method: 'delete',
    path,
    tags,
    summary: 'Удаление ключей по станции',
    description: 'station_id в теле или в строке запроса.',
    middleware: admins,
    request: {
      query: z.object({ station_id: idParam.optional() }),
      body: {
        required: false,
        ...json(z.object({ station_id: idBody.optional() }).openapi('StationKeysOf', { example: { station_id: 13 } })),
      },
    },
    responses: {
      200: { description: 'Удалены', ...json(ok({ deleted: z.int() }).openapi('StationKeysDeleted')) },
      ...no(400, 401, 403, 404),
    },
  }),
  async (c) => {
    const stationId = c.req.valid('query').station_id ?? c.req.valid('json').station_id
    if (stationId === undefined) {
      const text = 'Отсутствует обязательное поле station_id'
      throw new Refused('invalid', '', { field: 'station_id', text })
    }
    const deleted = await c.var.db.transaction((tx) => verbs.removeAll(tx, c.var.actor, stationId))
    return c.json(yes({ message: 'Ключи станции удалены', deleted }), 200)
  },
)
