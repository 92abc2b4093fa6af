import { createRoute, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import * as available from '../../../db/powerbank/available.ts'
import { borrow } from '../../../db/powerbank/borrow.ts'
import * as limits from '../../../db/powerbank/limits.ts'
import type { ListedOrder } from '../../../db/powerbank/order-list.ts'
import { Refused } from '../../../db/powerbank/refused.ts'
import * as returns from '../../../db/powerbank/returns.ts'
import * as scope from '../../../db/powerbank/scope.ts'
import type { Env } from '../../context.ts'
import { IdempotencyKey, idempotencyOf } from '../../idempotency.ts'
import { failure } from '../refusals.ts'
import { stationOf } from '../stations/station-view.ts'
import { failureOf, idBody, idParam, json, jsonBody, no, ok, pagingBy, router, Time, time, yes } from '../surface.ts'
import { lend } from './borrow.ts'
import { Bank, toJson } from './borrow-look.ts'
import { Selection, spellSelection } from './selection.ts'

const tags = ['Пользовательский API']
/** The document has no pages here, so a client that knows none gets as many as a page may hold. */
const availableDefault = 100

const UserLimits = z
  .object({
    max_limit: z.int().nullable().openapi({ description: 'null: без ограничения (сотрудники)' }),
    current_borrowed: z.int(),
    available_by_limit: z.int().nullable(),
  })
  .openapi('UserLimits')

async function limitsOf(c: Context<Env>): Promise<z.infer<typeof UserLimits>> {
  const limit = await limits.of(c.var.db.sql, c.var.actor.userId)
  if (!limit) throw new Refused('unauthenticated', 'blocked since the token was checked')
  const { effectiveLimit: most, activeCount: now } = limit
  return { max_limit: most, current_borrowed: now, available_by_limit: most === null ? null : Math.max(0, most - now) }
}

/** Power banks, as who borrows them has it (docs/contracts.md 4.15): the token says for whom. */
export const userPowerbanks = router()

const Available = Bank.extend({
  station_id: z.int(),
  station_box_id: z.string(),
  station_is_online: z.boolean(),
}).openapi('AvailablePowerbank')
const listed = { available_powerbanks: z.array(Available), count: z.int(), user_limits: UserLimits }

userPowerbanks.openapi(
  createRoute({
    method: 'get',
    path: '/user/powerbanks/available',
    tags,
    summary: 'Получение доступных повербанков для пользователя',
    description:
      'Исправные и свободные в активных станциях своих групп, подключённые станции первыми, лучший в станции первым. `count` — сколько их всего, даже если показана только страница.',
    request: { query: z.object({ ...pagingBy(availableDefault), station_id: idParam.optional() }) },
    responses: {
      200: {
        description: 'Доступные повербанки',
        ...json(ok({ data: z.object(listed), ...listed }).openapi('UserAvailablePowerbanks')),
      },
      ...no(400, 401, 403, 404),
    },
  }),
  async (c) => {
    const { db, actor } = c.var
    const { station_id: stationId, ...at } = c.req.valid('query')
    if (stationId !== undefined) await stationOf(db.sql, actor, stationId)
    const filter = { scope: await scope.of(db.sql, actor), stationId, ...at }
    const { rows, total } = await available.list(db.sql, filter)
    const banks = rows.map((bank) => ({
      ...toJson(bank),
      station_id: bank.stationId,
      station_box_id: bank.stationBoxId,
      station_is_online: bank.isOnline,
    }))
    const data = { available_powerbanks: banks, count: total, user_limits: await limitsOf(c) }
    return c.json(yes({ data, ...data }), 200)
  },
)

const Lent = z
  .object({
    order_id: z.int(),
    station_id: z.int(),
    station_box_id: z.string(),
    slot_number: z.int().nullable(),
    powerbank_id: z.int().nullable(),
    powerbank_serial: z.string().nullable(),
    status: z.string(),
    timestamp: Time,
    ...z.object(Selection).partial().shape,
  })
  .openapi('UserLoan')

const spellLoan = (order: ListedOrder): z.infer<typeof Lent> => ({
  order_id: order.id,
  station_id: order.stationId,
  station_box_id: order.stationBoxId,
  slot_number: order.slotNumber,
  powerbank_id: order.powerbankId,
  powerbank_serial: order.powerbankSerial,
  status: order.status,
  timestamp: time(order.createdAt),
  ...(order.selection ? spellSelection(order.selection) : {}),
})

/** Where these clients were told another status than the rest of the surface (docs/contracts.md 4.15). */
const otherwise = { limit_reached: 403, device_offline: 503 } as const

userPowerbanks.openapi(
  createRoute({
    method: 'post',
    path: '/user/powerbanks/borrow',
    tags,
    summary: 'Выдача повербанка пользователю',
    description:
      'Лучший повербанк станции или, с powerbank_id, этот. Ждёт ответа станции: 408 — ещё не ответила, судьбу заказа `order_id` решит инвентарь. 403 — лимит или нет доступа, 503 — станция не подключена.',
    request: {
      headers: IdempotencyKey,
      body: jsonBody(
        z
          .object({ station_id: idBody, powerbank_id: idBody.nullish() })
          .openapi('UserBorrow', { example: { station_id: 13 } }),
      ),
    },
    responses: {
      200: {
        description: 'Станция подтвердила: повербанк выдан',
        ...json(
          ok({
            order_id: z.int(),
            powerbank_serial: z.string().nullable(),
            station_box_id: z.string(),
            user_limits: UserLimits,
            data: Lent,
          }).openapi('UserBorrowed'),
        ),
      },
      ...no(400, 401, 403, 404, 408, 503),
    },
  }),
  async (c) => {
    const body = c.req.valid('json')
    const choice = body.powerbank_id == null ? ('optimal' as const) : { powerbankId: body.powerbank_id }
    const { userId } = c.var.actor
    const request = { stationId: body.station_id, userId, choice, idempotency: idempotencyOf(c, body) }
    try {
      const data = spellLoan(await lend(c, (tx, actor) => borrow(tx, actor, request)))
      const { order_id, powerbank_serial, station_box_id } = data
      const user_limits = await limitsOf(c)
      return c.json(
        yes({ message: 'Повербанк выдан', order_id, powerbank_serial, station_box_id, user_limits, data }),
        200,
      )
    } catch (error) {
      if (!(error instanceof Refused) || !Object.hasOwn(otherwise, error.code)) throw error
      return c.json(failure(failureOf(error)), otherwise[error.code as keyof typeof otherwise])
    }
  },
)

const Announced = z
  .object({
    order_id: z.int(),
    powerbank_id: z.int().nullable(),
    station_id: z.int().nullable(),
    timestamp: Time,
  })
  .openapi('UserReturn')

userPowerbanks.openapi(
  createRoute({
    method: 'post',
    path: '/user/powerbanks/return',
    tags,
    summary: 'Возврат повербанка пользователем',
    description:
      'Начинает возврат; заказ закроет станция, увидев повербанк. Со station_id проверяется, что станция может его принять.',
    request: {
      body: jsonBody(
        z
          .object({ order_id: idBody, station_id: idBody.nullish() })
          .openapi('UserReturnRequest', { example: { order_id: 987, station_id: 13 } }),
      ),
    },
    responses: {
      200: { description: 'Возврат начат', ...json(ok({ data: Announced }).openapi('UserReturnStarted')) },
      ...no(400, 401, 403, 404),
    },
  }),
  async (c) => {
    const { db, actor } = c.var
    const { order_id: orderId, station_id: stationId = null } = c.req.valid('json')
    const { powerbankId, at } = await db.transaction((tx) => returns.announceOrder(tx, actor, { orderId, stationId }))
    const data = { order_id: orderId, powerbank_id: powerbankId, station_id: stationId, timestamp: time(at) }
    return c.json(yes({ message: 'Процесс возврата запущен. Вставьте повербанк в станцию.', data }), 200)
  },
)
