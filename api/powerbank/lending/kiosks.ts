import { createRoute, z } from '@hono/zod-openapi'
import * as kioskVerbs from '../../../db/kiosk/kiosks.ts'
import * as rentalVerbs from '../../../db/kiosk/rental-list.ts'
import * as tariffVerbs from '../../../db/kiosk/tariffs.ts'
import { rentalOutcomes, rentalStates } from '../../../db/kiosk/words.ts'
import { may } from '../../auth.ts'
import { Amount, AmountOrZero, toUnits, toUnitsOrNull, Units } from '../../money.ts'
import { cameled } from '../../names.ts'
import { published, resource } from '../../resource.ts'
import { admins, staff } from '../people/rights.ts'
import { dialect } from '../resources.ts'
import { idBody, idParam, json, jsonBody, no, ok, router, shown, Time, yes } from '../surface.ts'

const tag = 'Киоски'
const minutesMax = 1_440

const Tariff = z
  .object({
    tariff_id: z.int(),
    org_unit_id: z.int(),
    org_unit_name: z.string(),
    valid_from: Time,
    free_minutes: z.int(),
    period_minutes: z.int(),
    period_price: Units,
    day_price: Units,
    deposit: Units,
    lost_price: Units,
    created_at: Time,
  })
  .openapi('KioskTariff')

const tariffJson = (tariff: tariffVerbs.KioskTariff) =>
  published(Tariff, {
    ...shown(tariff),
    tariff_id: tariff.id,
    period_price: toUnits(tariff.periodMinor),
    day_price: toUnits(tariff.dayMinor),
    deposit: toUnits(tariff.depositMinor),
    lost_price: toUnits(tariff.lostMinor),
  })

/** Rentals paid at a terminal beside a cabinet (docs/contracts.md 6). */
export const kiosks = router()

kiosks.openapi(
  createRoute({
    method: 'get',
    path: '/kiosk-tariffs/current',
    tags: [tag],
    summary: 'Действующий тариф группы',
    description: 'Свой или, если своего нет, тариф родительской группы. 404, если нет ни того, ни другого.',
    middleware: staff,
    request: { query: z.object({ org_unit_id: idParam }) },
    responses: {
      200: { description: 'Тариф', ...json(ok({ data: Tariff }).openapi('CurrentKioskTariff')) },
      ...no(400, 401, 403, 404),
    },
  }),
  async (c) => {
    const tariff = await tariffVerbs.current(c.var.db.sql, c.var.actor, c.req.valid('query').org_unit_id)
    return c.json(yes({ data: tariffJson(tariff) }), 200)
  },
)

resource(kiosks, dialect, {
  path: '/kiosk-tariffs',
  id: 'tariff_id',
  name: 'KioskTariff',
  tag,
  words: { list: { summary: 'История тарифов', description: 'Сначала новые.' }, get: { summary: 'Тариф по ID' } },
  verbs: { list: tariffVerbs.list, get: tariffVerbs.get },
  readers: staff,
  view: Tariff,
  toJson: tariffJson,
  filter: { org_unit_id: idParam },
})

// An owner and amounts are in its body, so it is written by hand.
kiosks.openapi(
  createRoute({
    method: 'post',
    path: '/kiosk-tariffs',
    tags: [tag],
    summary: 'Новый тариф группы',
    description:
      'Действует с valid_from (без него — сразу) и для подгрупп без своего тарифа. Прежний остаётся в истории: начатая аренда идёт по тарифу, с которым началась.',
    middleware: admins,
    request: {
      body: jsonBody(
        z
          .object({
            org_unit_id: idBody,
            valid_from: z.iso.datetime({ offset: true, error: 'ожидается время ISO 8601' }).optional(),
            free_minutes: z.int().min(0).max(minutesMax),
            period_minutes: z.int().min(1).max(minutesMax),
            period_price: AmountOrZero,
            day_price: AmountOrZero,
            deposit: Amount,
            lost_price: AmountOrZero,
          })
          .openapi('NewKioskTariff', {
            example: {
              ...{ org_unit_id: 1, free_minutes: 5, period_minutes: 60, period_price: 50, day_price: 300 },
              ...{ deposit: 2_000, lost_price: 1_500 },
            },
          }),
      ),
    },
    responses: {
      201: { description: 'Тариф задан', ...json(ok({ data: Tariff }).openapi('KioskTariffSet')) },
      ...no(400, 401, 403),
    },
  }),
  async (c) => {
    const { valid_from: from, period_price, day_price, deposit, lost_price, ...given } = c.req.valid('json')
    const prices = { periodMinor: period_price, dayMinor: day_price, depositMinor: deposit, lostMinor: lost_price }
    const validFrom = from === undefined ? undefined : new Date(from)
    const wanted = { ...cameled(given), ...prices, validFrom }
    const tariff = await c.var.db.transaction((tx) => tariffVerbs.create(tx, c.var.actor, wanted))
    return c.json(yes({ message: 'Тариф задан', data: tariffJson(tariff) }), 201)
  },
)

resource(kiosks, dialect, {
  path: '/kiosks',
  id: 'kiosk_id',
  name: 'Kiosk',
  tag,
  words: {
    list: { summary: 'Терминалы, которые стоят у станций' },
    get: { summary: 'Киоск по ID' },
    create: {
      summary: 'Поставить терминал к станции',
      description: 'С этого времени залог (0100) на нём выдаёт повербанк из этой станции. Группе станции нужен тариф.',
      done: 'Киоск создан',
      body: { terminal_id: 5, station_id: 13 },
    },
    remove: {
      summary: 'Убрать терминал от станции',
      description: 'Начатые аренды идут до конца.',
      done: 'Киоск удалён',
    },
  },
  verbs: kioskVerbs,
  readers: staff,
  // A terminal is no unit's: who gives one away sees all of them.
  writers: may('service_admin'),
  view: z.object({
    kiosk_id: z.int(),
    terminal_id: z.int(),
    terminal_code: z.string(),
    station_id: z.int(),
    station_box_id: z.string(),
    created_at: Time,
  }),
  toJson: (kiosk) => ({ ...shown(kiosk), kiosk_id: kiosk.id }),
  body: z.object({ terminal_id: idBody, station_id: idBody }),
  fromJson: cameled,
  filter: { station_id: idParam, terminal_id: idParam },
})

resource(kiosks, dialect, {
  path: '/kiosk-rentals',
  id: 'rental_id',
  name: 'KioskRental',
  tag,
  words: { list: { summary: 'Аренды в киосках', description: 'Сначала новые.' }, get: { summary: 'Аренда по ID' } },
  verbs: { list: rentalVerbs.list, get: rentalVerbs.get },
  readers: staff,
  view: z.object({
    rental_id: z.int(),
    terminal_id: z.int(),
    station_id: z.int(),
    station_box_id: z.string(),
    transaction_id: z.int(),
    order_id: z.int().nullable(),
    tariff_id: z.int(),
    card_masked: z.string().nullable(),
    state: z.enum(rentalStates),
    outcome: z.enum(rentalOutcomes).nullable(),
    reason: z.string().nullable().openapi({ description: 'Почему не выдан: код отказа' }),
    deposit: Units,
    owed: Units.nullable().openapi({ description: 'Сколько причитается; null: ещё не известно' }),
    taken: Units.openapi({ description: 'Сколько взято с карты и не возвращено' }),
    created_at: Time,
    ended_at: Time.nullable(),
  }),
  toJson: (rental) => ({
    ...shown(rental),
    rental_id: rental.id,
    deposit: toUnits(rental.depositMinor),
    owed: toUnitsOrNull(rental.owedMinor),
    taken: toUnits(rental.takenMinor),
  }),
  filter: { station_id: idParam, state: z.enum(rentalStates), outcome: z.enum(rentalOutcomes) },
})
