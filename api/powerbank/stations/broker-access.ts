import { createRoute, z } from '@hono/zod-openapi'
import { revokeOf } from '../../../db/powerbank/broker-access.ts'
import { admins } from '../people/rights.ts'
import { idParam, json, no, ok, router, yes } from '../surface.ts'

/** What MQTT cabinets show to the broker. An addition of ours: the document knows no such cabinets. */
export const brokerAccess = router()

brokerAccess.openapi(
  createRoute({
    method: 'delete',
    path: '/stations/{station_id}/broker-credentials',
    tags: ['Управление станциями'],
    summary: 'Отзыв доступа кабинета к брокеру MQTT',
    description:
      'Соединение обрывается сразу. Новый доступ кабинет получит сам, с той же SIM-картой; чтобы не пускать его вовсе, удалите станцию.',
    middleware: admins,
    request: { params: z.object({ station_id: idParam }) },
    responses: {
      200: { description: 'Отозван', ...json(ok({ revoked: z.int() }).openapi('BrokerAccessRevoked')) },
      ...no(400, 401, 403, 404),
    },
  }),
  async (c) => {
    const { station_id: stationId } = c.req.valid('param')
    const revoked = await c.var.db.transaction((tx) => revokeOf(tx, c.var.actor, stationId))
    return c.json(yes({ message: 'Доступ отозван', revoked }), 200)
  },
)
