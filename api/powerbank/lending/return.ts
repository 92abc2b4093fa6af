import { createRoute, z } from '@hono/zod-openapi'
import { assertMayActFor } from '../../../db/powerbank/borrow.ts'
import * as orders from '../../../db/powerbank/order-list.ts'
import { Refused } from '../../../db/powerbank/refused.ts'
import * as returns from '../../../db/powerbank/returns.ts'
import * as scope from '../../../db/powerbank/scope.ts'
import * as stations from '../../../db/powerbank/stations.ts'
import { STAFF } from '../people/rights.ts'
import { stationOf } from '../stations/station-view.ts'
import { idBody, idParam, json, jsonBody, no, ok, router, Time, time, yes } from '../surface.ts'

const tags = ['Возврат повербанков']
const secondMs = 1_000
const messageCharactersMax = 1_000

/** Bringing a bank back: announced by the client, decided by the cabinet (docs/contracts.md 4.9). */
export const returning = router()

returning.openapi(
  createRoute({
    method: 'post',
    path: '/return-powerbank',
    tags,
    summary: 'Запуск процесса возврата повербанка',
    description: 'Мгновенный ответ о старте процесса, а не подтверждение возврата.',
    request: {
      body: jsonBody(
        z
          .object({ station_id: idBody, user_id: idBody, powerbank_id: idBody })
          .openapi('ReturnRequest', { example: { station_id: 13, user_id: 33, powerbank_id: 53 } }),
      ),
    },
    responses: {
      200: {
        description: 'Процесс запущен',
        ...json(
          ok({ powerbank_id: z.int(), serial_number: z.string(), station_id: z.int(), timestamp: Time }).openapi(
            'ReturnStarted',
            {
              example: {
                success: true,
                message: 'Процесс возврата запущен. Вставьте повербанк в станцию в течение 10 секунд.',
                powerbank_id: 53,
                serial_number: '4443484154000016',
                station_id: 13,
                timestamp: '2025-10-16T10:00:00+03:00',
              },
            },
          ),
        ),
      },
      ...no(400, 401, 403, 404),
    },
  }),
  async (c) => {
    const { db, actor, config } = c.var
    const { station_id: stationId, user_id: userId, powerbank_id: powerbankId } = c.req.valid('json')
    const { serialNumber, at } = await db.transaction((tx) =>
      returns.announce(tx, actor, { stationId, userId, powerbankId }),
    )
    const seconds = config.returnConfirmationTimeoutSeconds
    return c.json(
      yes({
        message: `Процесс возврата запущен. Вставьте повербанк в станцию в течение ${seconds} секунд.`,
        powerbank_id: powerbankId,
        serial_number: serialNumber,
        station_id: stationId,
        timestamp: time(at),
      }),
      200,
    )
  },
)

const asked = { station_id: z.int(), user_id: z.int() }
const Confirmed = z
  .object({
    success: z.literal(true),
    ...asked,
    confirmed: z.literal(true),
    powerbank_id: z.int(),
    slot_number: z.int(),
    timeout: z.literal(false),
    message: z.string().optional(),
  })
  .openapi('ReturnConfirmed', {
    example: {
      success: true,
      station_id: 13,
      user_id: 33,
      confirmed: true,
      powerbank_id: 53,
      slot_number: 7,
      timeout: false,
    },
  })
const NotConfirmed = z
  .object({
    success: z.literal(false),
    ...asked,
    confirmed: z.literal(false),
    timeout: z.literal(true),
    error: z.string(),
    message: z.string().optional(),
  })
  .openapi('ReturnNotConfirmed', {
    example: {
      success: false,
      station_id: 13,
      user_id: 33,
      confirmed: false,
      timeout: true,
      error: 'Не удалось подтвердить возврат в отведенное время',
    },
  })

returning.openapi(
  createRoute({
    method: 'post',
    path: '/return/wait-confirmation',
    tags,
    summary: 'Ожидание подтверждения возврата',
    description:
      'Таймаут задаётся только на сервере (RETURN_CONFIRMATION_TIMEOUT_SECONDS). message возвращается как есть.',
    request: {
      body: jsonBody(
        z
          .object({
            station_id: idBody,
            user_id: idBody,
            powerbank_id: idBody.nullish(),
            message: z.string().max(messageCharactersMax).nullish(),
          })
          .openapi('ReturnQuestion', {
            example: { station_id: 13, user_id: 33, powerbank_id: 53, message: 'опционально' },
          }),
      ),
    },
    responses: {
      200: { description: 'Повербанк в станции', ...json(Confirmed) },
      408: { description: 'Истёк тайм-аут ожидания', ...json(NotConfirmed) },
      ...no(400, 401, 403, 404),
    },
  }),
  async (c) => {
    const { db, actor, config } = c.var
    const { station_id, user_id, powerbank_id, message } = c.req.valid('json')
    await assertMayActFor(db.sql, actor, user_id)
    if (!(await stations.find(db.sql, station_id))) throw new Refused('station_not_found')
    const question = { stationId: station_id, userId: user_id, powerbankId: powerbank_id ?? null }
    const waitMs = config.returnConfirmationTimeoutSeconds * secondMs
    const found = await returns.confirmation(db, question, waitMs, c.req.raw.signal)
    const echo = { station_id, user_id, ...(message == null ? {} : { message }) }
    if (!found) {
      const error = 'Не удалось подтвердить возврат в отведенное время'
      return c.json({ success: false as const, ...echo, confirmed: false as const, timeout: true as const, error }, 408)
    }
    const { powerbankId, slotNumber } = found
    const where = { powerbank_id: powerbankId, slot_number: slotNumber }
    return c.json(yes({ ...echo, confirmed: true as const, ...where, timeout: false as const }), 200)
  },
)

const ActiveOrder = z
  .object({
    order_id: z.int(),
    ...asked,
    powerbank_id: z.int().nullable(),
    status: z.string().openapi({ example: 'borrow' }),
    timestamp: Time,
  })
  .openapi('ActiveOrder')

returning.openapi(
  createRoute({
    method: 'get',
    path: '/return/stations/{station_id}/active-orders',
    tags,
    summary: 'Список активных заказов станции',
    description: 'Пользователь видит свои, сотрудник — все заказы станций своих групп.',
    request: { params: z.object({ station_id: idParam }) },
    responses: {
      200: {
        description: 'Активные заказы',
        ...json(ok({ orders: z.array(ActiveOrder), count: z.int() }).openapi('ActiveOrders')),
      },
      ...no(400, 401, 403, 404),
    },
  }),
  async (c) => {
    const { db, actor } = c.var
    const station = await stationOf(db.sql, actor, c.req.valid('param').station_id)
    const reader = { scope: await scope.of(db.sql, actor, ...STAFF), readerId: actor.userId }
    const active = await orders.activeAt(db.sql, station.id, reader)
    const listed = active.map((order) => ({
      order_id: order.id,
      station_id: order.stationId,
      user_id: order.userId,
      powerbank_id: order.powerbankId,
      status: order.status,
      timestamp: time(order.createdAt),
    }))
    return c.json(yes({ orders: listed, count: listed.length }), 200)
  },
)
