import { createRoute, z } from '@hono/zod-openapi'
import * as verbs from '../../../db/powerbank/powerbank-changes.ts'
import { admins } from '../people/rights.ts'
import { idBody, idParam, json, jsonBody, no, ok, router, yes } from '../surface.ts'
import { fields } from './powerbanks.ts'

const tags = ['Управление повербанками']

/** Taking a discovered power bank into a unit (docs/contracts.md 4.3). */
export const powerbankChanges = router()

const StationInfo = z
  .object({ station_id: z.int(), box_id: z.string(), slot_number: z.int() })
  .openapi('PowerbankStation')

powerbankChanges.openapi(
  createRoute({
    method: 'put',
    path: '/powerbanks/{powerbank_id}/approve',
    tags,
    summary: 'Одобрение повербанка',
    description:
      'Только из статуса unknown. Если повербанк стоит в станции, её группа должна быть той же, родительской или подгруппой.',
    middleware: admins,
    request: {
      params: z.object({ powerbank_id: idParam }),
      body: jsonBody(
        z
          .object({ org_unit_id: idBody, soh: fields.soh.optional() })
          .openapi('PowerbankApproval', { example: { org_unit_id: 1, soh: 100 } }),
      ),
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
