import { createRoute, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { Refused } from '../../../db/powerbank/refused.ts'
import * as slots from '../../../db/powerbank/slot-list.ts'
import * as commands from '../../../db/powerbank/station-commands.ts'
import type * as stations from '../../../db/powerbank/stations.ts'
import type { Env } from '../../context.ts'
import { STAFF, staff } from '../people/rights.ts'
import { json, no, ok, router, Time, time, yes } from '../surface.ts'
import { QUERY_WAIT_MS, settled, volumePercent, volumeScale } from './command-answer.ts'
import { params, question, reading, tags, unheard } from './questions.ts'
import { Station, stationOf, toJson } from './station-view.ts'

/** One occupied slot (docs/contracts.md 4.12). */
export const InventorySlot = z
  .object({
    slot_number: z.int(),
    terminal_id: z.string(),
    serial_number: z.string(),
    powerbank_id: z.int(),
    powerbank_status: z.string(),
    status: z.string(),
    level: z.int().nullable().openapi({ description: 'Проценты' }),
    voltage: z.int().nullable().openapi({ description: 'Милливольты' }),
    current: z.int().nullable().openapi({ description: 'Миллиамперы' }),
    temperature: z.int().nullable().openapi({ description: 'Градусы Цельсия' }),
    soh: z.int(),
    error_typec: z.boolean(),
    error_lightning: z.boolean(),
    error_microusb: z.boolean(),
    powerbank_error: z.boolean(),
    has_errors: z.boolean(),
    last_update: Time,
  })
  .openapi('InventorySlot')

/** The value of `InventorySlot`. */
export const spellSlot = (slot: slots.Slot): z.infer<typeof InventorySlot> => ({
  slot_number: slot.slotNumber,
  terminal_id: slot.deviceId ?? slot.serialNumber,
  serial_number: slot.serialNumber,
  powerbank_id: slot.powerbankId,
  powerbank_status: slot.powerbankStatus,
  status: slot.powerbankStatus,
  level: slot.level,
  voltage: slot.voltage,
  current: slot.current,
  temperature: slot.temperature,
  soh: slot.soh,
  error_typec: slot.errorTypec,
  error_lightning: slot.errorLightning,
  error_microusb: slot.errorMicrousb,
  powerbank_error: slot.powerbankError,
  has_errors: slot.errorTypec || slot.errorLightning || slot.errorMicrousb || slot.powerbankError,
  last_update: time(slot.lastUpdate),
})

/** What cabinets say of themselves: asked now, and last. */
export const deviceState = router()

const Cache = z.object({ last_update: Time.nullable(), age_seconds: z.int(), is_online: z.boolean() })
const secondMs = 1_000

deviceState.openapi(
  createRoute({
    method: 'get',
    path: '/query-inventory/station/{station_id}',
    tags,
    summary: 'Получение инвентаря станции',
    description: reading,
    middleware: staff,
    request: { params },
    responses: {
      200: {
        description: 'Занятые слоты',
        ...json(
          ok({ station: Station, inventory: z.array(InventorySlot), cache_info: Cache }).openapi('StationInventory'),
        ),
      },
      ...no(400, 401, 403, 404),
    },
  }),
  async (c) => {
    const { db, actor } = c.var
    const station = await stationOf(db.sql, actor, c.req.valid('param').station_id, ...STAFF)
    if (!station.inventoryAt) throw unheard()
    const inventory = (await slots.of(db.sql, station.id)).map(spellSlot)
    const cache_info = {
      last_update: time(station.inventoryAt),
      age_seconds: Math.max(0, Math.round((Date.now() - station.inventoryAt.getTime()) / secondMs)),
      is_online: station.isOnline,
    }
    return c.json(yes({ station: toJson(station), inventory, cache_info }), 200)
  },
)

const Iccid = {
  station_id: z.int(),
  box_id: z.string(),
  iccid: z.string(),
  received_at: Time.nullable().openapi({ description: 'Когда станция назвала его; null, если задан вручную' }),
}

/** The SIM as a connected cabinet says now, else as it is known. MQTT cabinets cannot be asked: they name it when they dial. */
async function simOf(c: Context<Env>, station: stations.Station): Promise<{ iccid: string; at: Date | null }> {
  const { iccid, dialect, isOnline } = station
  const { sim } = station.deviceState
  if (iccid !== null && (!isOnline || dialect === 'mqtt')) return { iccid, at: sim ? new Date(sim.at) : null }
  const question = { kind: 'iccid' } as const
  const asked = { stationId: station.id, question }
  const id = await c.var.db.transaction((tx) => commands.ask(tx, c.var.actor, asked))
  const { answer, answeredAt } = await settled(c, id, QUERY_WAIT_MS)
  if (!answer?.iccid)
    throw new Refused('conflict', '', { commandId: id, text: 'Станция не смогла прочитать SIM-карту' })
  return { iccid: answer.iccid, at: answeredAt }
}

deviceState.openapi(
  createRoute({
    method: 'get',
    path: '/iccid/stations/{station_id}',
    tags,
    summary: 'Получение ICCID станции',
    description:
      'Спрашивает подключённую станцию; 408, если она не ответила. Не подключённая или MQTT — последний известный ICCID; ' +
      '400, если он неизвестен.',
    middleware: staff,
    request: { params },
    responses: {
      200: { description: 'ICCID', ...json(ok({ ...Iccid, data: z.object(Iccid) }).openapi('StationIccid')) },
      ...no(400, 401, 403, 404, 408),
    },
  }),
  async (c) => {
    const { db, actor } = c.var
    const station = await stationOf(db.sql, actor, c.req.valid('param').station_id, ...STAFF)
    const { iccid, at } = await simOf(c, station)
    const data = { station_id: station.id, box_id: station.boxId, iccid, received_at: time(at) }
    return c.json(yes({ ...data, data }), 200)
  },
)

const Volume = z
  .object({ volume: z.int(), volume_level: z.int(), received_at: Time })
  .openapi('VoiceVolume', { example: { volume: 53, volume_level: 8, received_at: '2025-10-16T10:00:00+03:00' } })

question(deviceState, {
  name: 'voice-volume',
  kind: 'volume',
  kept: 'volume',
  field: 'voice_volume',
  view: Volume,
  /** The device's own scale and the document's. */
  spell: ({ level }, at, station) => ({
    volume: volumePercent(Number(level), volumeScale(station)),
    volume_level: Number(level),
    received_at: time(at),
  }),
  beside: { volume: z.int(), volume_level: z.int() },
  asked: { schema: 'VolumeQueried', summary: 'Запрос уровня громкости', message: 'Громкость получена' },
  read: { schema: 'StationVolume', summary: 'Получение данных о громкости', description: 'Громкость' },
})

const Address = z
  .object({
    server_address: z.string(),
    server_port: z.int().nullable(),
    heartbeat_interval: z.int().nullable().openapi({ description: 'Секунды' }),
    received_at: Time,
  })
  .openapi('ServerAddress')

question(deviceState, {
  name: 'server-address',
  kind: 'server_address',
  kept: 'serverAddress',
  field: 'server_address',
  view: Address,
  /** A cabinet's port is text on the wire (docs/protocol.md 3, 0x6A). */
  spell: ({ host, port, heartbeatSeconds }, at) => ({
    server_address: String(host ?? ''),
    server_port: Number(port) || null,
    heartbeat_interval: Number(heartbeatSeconds) || null,
    received_at: time(at),
  }),
  asked: { schema: 'ServerAddressQueried', summary: 'Запрос адреса сервера', message: 'Адрес сервера получен' },
  read: { schema: 'StationServerAddress', summary: 'Получение данных об адресе сервера', description: 'Адрес сервера' },
})

const Version = z.object({ software_version: z.string(), received_at: Time }).openapi('SoftwareVersion')

question(deviceState, {
  name: 'software-version',
  kind: 'software_version',
  kept: 'softwareVersion',
  field: 'software_version',
  view: Version,
  spell: ({ version }, at) => ({ software_version: String(version), received_at: time(at) }),
  asked: { schema: 'VersionQueried', summary: 'Запрос версии прошивки', message: 'Версия прошивки получена' },
  read: { schema: 'StationVersion', summary: 'Получение версии прошивки', description: 'Версия прошивки' },
})
