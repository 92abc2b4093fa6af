import { createRoute, z } from '@hono/zod-openapi'
import * as orders from '../../../db/powerbank/order-list.ts'
import * as powerbanks from '../../../db/powerbank/powerbanks.ts'
import { Refused } from '../../../db/powerbank/refused.ts'
import * as verbs from '../../../db/powerbank/station-commands.ts'
import * as stations from '../../../db/powerbank/stations.ts'
import { IdempotencyKey, idempotencyOf } from '../../idempotency.ts'
import { admins, assertSelf } from '../people/rights.ts'
import { idBody, jsonBody, router, Time, time, yes } from '../surface.ts'
import { sent, settled, spellSent } from './command-answer.ts'

const secondMs = 1_000

const Ejected = z
  .object({ powerbank_id: z.int(), serial_number: z.string(), status: z.string(), soh: z.int() })
  .openapi('EjectedPowerbank')

/** Opening a slot by hand (docs/contracts.md 4.2). */
export const forceEject = router()

forceEject.openapi(
  createRoute({
    method: 'post',
    path: '/admin/force-eject-powerbank',
    tags: ['Административные функции'],
    summary: 'Принудительное извлечение повербанка',
    description:
      'Открывает слот и пишет закрытый заказ force_eject. Команда никогда не повторяется; 408: чем кончилось, скажет инвентарь.',
    middleware: admins,
    request: {
      headers: IdempotencyKey,
      body: jsonBody(
        z
          .object({ station_id: idBody, slot_number: z.int(), admin_user_id: idBody.nullish() })
          .openapi('ForceEject', { example: { station_id: 13, slot_number: 1, admin_user_id: 1 } }),
      ),
    },
    responses: sent('ForceEjected', {
      station_id: z.int(),
      slot_number: z.int(),
      ejected_at: Time,
      order_id: z.int().nullable(),
      powerbank_data: Ejected.nullable().openapi({ description: 'null: кто вышел, станция не сказала' }),
    }),
  }),
  async (c) => {
    const { db, actor, config } = c.var
    const body = c.req.valid('json')
    assertSelf(actor, body.admin_user_id)
    const request = { stationId: body.station_id, slot: body.slot_number, idempotency: idempotencyOf(c, body) }
    const commandId = await db.transaction((tx) => verbs.forceEject(tx, actor, request))
    const row = await settled(c, commandId, config.borrowWaitSeconds * secondMs)
    const station = await stations.find(db.sql, row.deviceId)
    if (!station) throw new Refused('station_not_found')
    const order = await orders.byCommand(db.sql, commandId)
    const bank = order?.powerbankId ? await powerbanks.find(db.sql, order.powerbankId) : undefined
    return c.json(
      yes({
        message: 'Повербанк извлечён',
        ...spellSent(row, station.boxId),
        station_id: station.id,
        slot_number: row.slot ?? body.slot_number,
        ejected_at: time(row.answeredAt!),
        order_id: order?.id ?? null,
        powerbank_data: bank
          ? { powerbank_id: bank.id, serial_number: bank.serialNumber, status: bank.status, soh: bank.soh }
          : null,
      }),
      200,
    )
  },
)
