import { createRoute, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { assertMayActFor } from '../../../db/powerbank/borrow.ts'
import * as limits from '../../../db/powerbank/limits.ts'
import { Refused } from '../../../db/powerbank/refused.ts'
import * as choice from '../../../db/powerbank/selection.ts'
import type { Env } from '../../context.ts'
import { allowance, Limit, spellLimit } from '../people/limits.ts'
import { freeSlots, Station, toJson as spellStation, stationOf } from '../stations/station-view.ts'
import { idParam, json, no, ok, router, Time, time, yes } from '../surface.ts'
import { Selection, spellSelection } from './selection.ts'

const tags = ['Выдача повербанков']
const broken = new Set(['user_reported_broken', 'system_error', 'written_off'])
const params = z.object({ station_id: idParam })

/** A bank in a slot, as a borrower sees it. */
export const Bank = z
  .object({
    slot_number: z.int(),
    powerbank_id: z.int(),
    serial_number: z.string(),
    powerbank_status: z.string(),
    level: z.int().nullable().openapi({ description: 'Проценты' }),
    voltage: z.int().nullable().openapi({ description: 'Милливольты' }),
    temperature: z.int().nullable().openapi({ description: 'Градусы Цельсия' }),
    soh: z.int(),
    has_errors: z.boolean(),
    is_broken: z.boolean(),
    on_loan: z.boolean(),
    last_update: Time,
  })
  .openapi('StationPowerbank')

/** The value of `Bank`. */
export const toJson = (bank: choice.Candidate): z.infer<typeof Bank> => ({
  slot_number: bank.slotNumber,
  powerbank_id: bank.powerbankId,
  serial_number: bank.serialNumber,
  powerbank_status: bank.powerbankStatus,
  level: bank.level,
  voltage: bank.voltage,
  temperature: bank.temperature,
  soh: bank.soh,
  has_errors: bank.hasErrors,
  is_broken: isBroken(bank),
  on_loan: bank.onLoan,
  last_update: time(bank.lastUpdate),
})

const isBroken = (bank: choice.Candidate) => broken.has(bank.powerbankStatus)

/** @throws Refused not_yours, not_found: nobody to count for */
async function limitOf(c: Context<Env>, userId: number): Promise<limits.Limit> {
  const { db, actor } = c.var
  await assertMayActFor(db.sql, actor, userId)
  const limit = await limits.of(db.sql, userId)
  if (!limit) throw new Refused('not_found', '', { reason: 'user_unknown' })
  return limit
}

/** What a station has to lend, before anything is asked of it (docs/contracts.md 4.8). */
export const borrowLook = router()

const Available = {
  station_id: z.int(),
  available_powerbanks: z.array(Bank),
  count: z.int(),
  available_to_user: z.int().openapi({ description: 'Сколько из них пользователь ещё может взять' }),
  user_limit: Limit,
  free_slots: z.int(),
  free_slots_for_return: z.int(),
  total_slots: z.int(),
  healthy_count: z.int(),
  broken_count: z.int(),
  total_count: z.int(),
}

borrowLook.openapi(
  createRoute({
    method: 'get',
    path: '/borrow/stations/{station_id}/powerbanks',
    tags,
    summary: 'Получение доступных повербанков на станции',
    description: 'Только те, что можно взять сейчас, лучший первым; include_all — все, что стоят в станции.',
    request: {
      params,
      query: z.object({ user_id: idParam.optional(), include_all: z.enum(['true', 'false', '1', '0']).optional() }),
    },
    responses: {
      200: {
        description: 'Повербанки станции',
        ...json(ok({ data: z.object(Available), ...Available }).openapi('AvailablePowerbanks')),
      },
      ...no(400, 401, 403, 404),
    },
  }),
  async (c) => {
    const { db, actor } = c.var
    const { user_id: userId = actor.userId, include_all } = c.req.valid('query')
    const station = await stationOf(db.sql, actor, c.req.valid('param').station_id)
    const limit = await limitOf(c, userId)
    const all = await choice.inStation(db.sql, station.id)
    const free = all.filter(choice.isFree)
    const banks = (include_all === 'true' || include_all === '1' ? all : free).map(toJson)
    const data = {
      station_id: station.id,
      available_powerbanks: banks,
      count: banks.length,
      available_to_user: allowance(limit, free.length),
      user_limit: spellLimit(limit),
      free_slots: freeSlots(station),
      free_slots_for_return: freeSlots(station),
      total_slots: station.slotsDeclared,
      healthy_count: free.filter((bank) => !bank.hasErrors).length,
      broken_count: all.filter((bank) => bank.hasErrors || isBroken(bank)).length,
      total_count: all.length,
    }
    return c.json(yes({ ...data, data }), 200)
  },
)

const SlotState = z.enum(['empty', 'occupied'])

borrowLook.openapi(
  createRoute({
    method: 'get',
    path: '/borrow/stations/{station_id}/slots/{slot_number}/status',
    tags,
    summary: 'Получение статуса слота',
    request: { params: params.extend({ slot_number: idParam }) },
    responses: {
      200: {
        description: 'Пуст или занят',
        ...json(
          ok({
            status: SlotState,
            data: z.object({
              station_id: z.int(),
              slot_number: z.int(),
              status: SlotState,
              ...Bank.omit({ slot_number: true }).partial().shape,
            }),
          }).openapi('SlotStatus'),
        ),
      },
      ...no(400, 401, 403, 404),
    },
  }),
  async (c) => {
    const { db, actor } = c.var
    const { station_id, slot_number } = c.req.valid('param')
    const station = await stationOf(db.sql, actor, station_id)
    const bank = (await choice.inStation(db.sql, station_id)).find((held) => held.slotNumber === slot_number)
    const isUnreadable = station.unreadableSlots.includes(slot_number)
    if (!bank && !isUnreadable && (slot_number < 1 || slot_number > station.slotsDeclared))
      throw new Refused('slot_out_of_range')
    const status = bank || isUnreadable ? ('occupied' as const) : ('empty' as const)
    return c.json(yes({ status, data: { station_id, slot_number, status, ...(bank ? toJson(bank) : {}) } }), 200)
  },
)

const Info = {
  station: Station.extend({ is_connected: z.boolean() }),
  powerbanks: z.object({ total_slots: z.int(), occupied_slots: z.int(), available_slots: z.int() }),
}

borrowLook.openapi(
  createRoute({
    method: 'get',
    path: '/borrow/stations/{station_id}/info',
    tags,
    summary: 'Получение информации о станции',
    request: { params },
    responses: {
      200: { description: 'Станция', ...json(ok({ data: z.object(Info), ...Info }).openapi('StationInfo')) },
      ...no(400, 401, 403, 404),
    },
  }),
  async (c) => {
    const station = await stationOf(c.var.db.sql, c.var.actor, c.req.valid('param').station_id)
    const data = {
      station: { ...spellStation(station), is_connected: station.isOnline },
      powerbanks: {
        total_slots: station.slotsDeclared,
        occupied_slots: station.occupied,
        available_slots: freeSlots(station),
      },
    }
    return c.json(yes({ ...data, data }), 200)
  },
)

const Optimal = {
  station_id: z.int(),
  selected_powerbank: Bank,
  ...Selection,
}

borrowLook.openapi(
  createRoute({
    method: 'get',
    path: '/borrow/stations/{station_id}/select-optimal',
    tags,
    summary: 'Выбор оптимального повербанка',
    description: 'Исправные первыми, затем больший заряд, большее soh, меньший слот. 404, если взять нечего.',
    request: { params, query: z.object({ user_id: idParam.optional() }) },
    responses: {
      200: { description: 'Выбор', ...json(ok({ data: z.object(Optimal), ...Optimal }).openapi('OptimalPowerbank')) },
      ...no(400, 401, 403, 404),
    },
  }),
  async (c) => {
    const { db, actor } = c.var
    const { user_id: userId } = c.req.valid('query')
    const station = await stationOf(db.sql, actor, c.req.valid('param').station_id)
    if (userId !== undefined) await assertMayActFor(db.sql, actor, userId)
    const free = (await choice.inStation(db.sql, station.id)).filter(choice.isFree)
    const [best] = free
    if (!best) throw new Refused('not_found', '', { text: 'На станции нет доступных повербанков' })
    const data = {
      station_id: station.id,
      selected_powerbank: toJson(best),
      ...spellSelection(choice.explain(free, best)),
    }
    return c.json(yes({ ...data, data }), 200)
  },
)
