import { createRoute, z } from '@hono/zod-openapi'
import * as verbs from '../../../db/powerbank/powerbank-changes.ts'
import { admins } from '../people/rights.ts'
import { idBody, idParam, json, no, ok, router, yes } from '../surface.ts'
import { fields, one, Serial, toJson } from './powerbanks.ts'

const tags = ['Управление повербанками']
const path = '/powerbanks/{powerbank_id}'
const params = z.object({ powerbank_id: idParam })

/** What administrators do to one power bank (docs/contracts.md 4.3). */
export const powerbankChanges = router()

powerbankChanges.openapi(
  createRoute({
    method: 'put',
    path,
    tags,
    summary: 'Обновление повербанка',
    description:
      'Не переданное остаётся как было. `status: active` снимает ошибку (`power_er`) и причину списания; `written_off` убирает повербанк из станции, пока он выдан — 400.',
    middleware: admins,
    request: {
      params,
      body: {
        required: true,
        ...json(
          z
            .object({ serial_number: Serial, ...fields })
            .partial()
            .openapi('PowerbankChange', {
              example: { org_unit_id: 1, soh: 95, status: 'active', write_off_reason: 'none' },
            }),
        ),
      },
    },
    responses: { 200: { description: 'Изменён', ...one }, ...no(400, 401, 403, 404) },
  }),
  async (c) => {
    const { powerbank_id: id } = c.req.valid('param')
    const given = c.req.valid('json')
    const bank = await c.var.db.transaction((tx) =>
      verbs.change(tx, c.var.actor, id, {
        serialNumber: given.serial_number,
        orgUnitId: given.org_unit_id,
        soh: given.soh,
        status: given.status,
        writeOffReason: given.write_off_reason,
      }),
    )
    return c.json(yes({ message: 'Повербанк обновлён', data: toJson(bank) }), 200)
  },
)

const StationInfo = z
  .object({ station_id: z.int(), box_id: z.string(), slot_number: z.int() })
  .openapi('PowerbankStation')

powerbankChanges.openapi(
  createRoute({
    method: 'put',
    path: `${path}/approve`,
    tags,
    summary: 'Одобрение повербанка',
    description:
      'Только из статуса unknown. Если повербанк стоит в станции, её группа должна быть той же, родительской или подгруппой.',
    middleware: admins,
    request: {
      params,
      body: {
        required: true,
        ...json(
          z
            .object({ org_unit_id: idBody, soh: fields.soh.optional() })
            .openapi('PowerbankApproval', { example: { org_unit_id: 1, soh: 100 } }),
        ),
      },
    },
    responses: {
      200: {
        description: 'Одобрен',
        ...json(
          ok({
            powerbank_id: z.int(),
            serial_number: z.string(),
            new_org_unit_id: z.int(),
            in_station: z.boolean(),
            station_info: StationInfo.nullable(),
          }).openapi('PowerbankApproved'),
        ),
      },
      ...no(400, 401, 403, 404),
    },
  }),
  async (c) => {
    const { powerbank_id: id } = c.req.valid('param')
    const { org_unit_id: orgUnitId, soh } = c.req.valid('json')
    const bank = await c.var.db.transaction((tx) => verbs.approve(tx, c.var.actor, id, { orgUnitId, soh }))
    const { stationId, stationBoxId, slotNumber } = bank
    const isPlaced = stationId !== null && stationBoxId !== null && slotNumber !== null
    return c.json(
      yes({
        message: 'Повербанк одобрен',
        powerbank_id: bank.id,
        serial_number: bank.serialNumber,
        new_org_unit_id: orgUnitId,
        in_station: isPlaced,
        station_info: isPlaced ? { station_id: stationId, box_id: stationBoxId, slot_number: slotNumber } : null,
      }),
      200,
    )
  },
)

powerbankChanges.openapi(
  createRoute({
    method: 'delete',
    path,
    tags,
    summary: 'Удаление повербанка',
    description: 'Мягкое: заказы остаются. 400, пока он выдан.',
    middleware: admins,
    request: { params },
    responses: {
      200: { description: 'Удалён', ...json(ok({}).openapi('PowerbankDeleted')) },
      ...no(400, 401, 403, 404),
    },
  }),
  async (c) => {
    const { powerbank_id: id } = c.req.valid('param')
    await c.var.db.transaction((tx) => verbs.remove(tx, c.var.actor, id))
    return c.json(yes({ message: 'Повербанк удалён' }), 200)
  },
)
