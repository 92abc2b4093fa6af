import { createRoute, z } from '@hono/zod-openapi'
import * as verbs from '../../../db/powerbank/quarantine.ts'
import * as stationKeys from '../../../db/powerbank/station-keys.ts'
import { may } from '../../auth.ts'
import { published } from '../../resource.ts'
import { idBody, idParam, json, jsonBody, no, ok, page, paged, paging, router, shown, Time, yes } from '../surface.ts'
import { KeyValue } from './keys.ts'
import { Station, toJson as spellStation } from './station-view.ts'
import { Slots } from './stations.ts'

const tags = ['Карантин кабинетов']
/** A cabinet that knocks is nobody's yet, so only who sees all units decides whose it becomes. */
const adopters = may('service_admin')

const PendingDevice = z
  .object({
    id: z.int(),
    box_id: z.string(),
    dialect: z.string(),
    reason: z.string().openapi({ description: 'unknown_box_id, no_key, bad_token или sim_changed' }),
    address: z.string().nullable(),
    slots: z.int().nullable(),
    attempts: z.int(),
    first_seen_at: Time,
    last_seen_at: Time,
  })
  .openapi('QuarantinedCabinet')

const keyless =
  'Он подписывает кадры (TCP-B), а его ключа здесь нет: пока ключ не задан (`POST /api/station-secret-keys`), кабинет не впустят.'

const toJson = (pending: verbs.PendingDevice) => published(PendingDevice, shown(pending))

/** Cabinets that dialled and were not let in. An addition of ours: the document has no way to see them. */
export const quarantine = router()

quarantine.openapi(
  createRoute({
    method: 'get',
    path: '/admin/quarantine',
    tags,
    summary: 'Кабинеты, которые стучались и не были приняты',
    middleware: adopters,
    request: { query: z.object(paging) },
    responses: {
      200: { description: 'Страница, сначала последние', ...json(page(PendingDevice).openapi('QuarantinedCabinets')) },
      ...no(400, 401, 403),
    },
  }),
  async (c) => {
    const at = c.req.valid('query')
    const { rows, total } = await verbs.list(c.var.db.sql, at)
    return c.json(paged(rows.map(toJson), total, at), 200)
  },
)

quarantine.openapi(
  createRoute({
    method: 'post',
    path: '/admin/quarantine/{id}/adopt',
    tags,
    summary: 'Принять кабинет: создать станцию и, если нужен, ключ',
    description: 'Кабинету с dialect B нужен `key_value`; без него станция создаётся, но кабинет войти не сможет.',
    middleware: adopters,
    request: {
      params: z.object({ id: idParam }),
      body: jsonBody(
        z
          .object({
            org_unit_id: idBody.nullable(),
            key_value: KeyValue.optional(),
            slots_declared: Slots.optional(),
          })
          .openapi('Adopt', { example: { org_unit_id: 1, key_value: '<secret>', slots_declared: 8 } }),
      ),
    },
    responses: {
      201: { description: 'Принят', ...json(ok({ data: Station }).openapi('Adopted')) },
      ...no(400, 401, 403, 404),
    },
  }),
  async (c) => {
    const { db, actor, config } = c.var
    const { id } = c.req.valid('param')
    const { org_unit_id: orgUnitId, key_value: value, slots_declared: slotsDeclared } = c.req.valid('json')
    const { station, lacksKey } = await db.transaction(async (tx) => {
      const approved = await verbs.approve(tx, actor, id, { orgUnitId, slotsDeclared })
      const stationId = approved.station.id
      if (value !== undefined) await stationKeys.add(tx, actor, { stationId, value }, config.keysSecret)
      return approved
    })
    const message = lacksKey && value === undefined ? `Кабинет принят. ${keyless}` : 'Кабинет принят'
    return c.json(yes({ message, data: spellStation(station) }), 201)
  },
)
