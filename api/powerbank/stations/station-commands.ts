import { createRoute, z } from '@hono/zod-openapi'
import { Refused } from '../../../db/powerbank/refused.ts'
import * as slots from '../../../db/powerbank/slot-list.ts'
import { admins, STAFF, staff } from '../people/rights.ts'
import { idBody, router, yes } from '../surface.ts'
import { sent, spellSent, volumeLevel, volumePercent, volumeScale } from './command-answer.ts'
import { InventorySlot, spellSlot } from './device-state.ts'
import { ask, asking, request, Target, tags } from './questions.ts'
import { stationOf } from './station-view.ts'

/** A domain name's characters (RFC 1035 2.3.4, without the final dot). */
const hostCharactersMax = 253
const portMax = 65_535
const heartbeatSecondsMax = 255
const heartbeatSecondsDefault = 30
const volumeMax = 100

/** What staff may tell a cabinet (docs/contracts.md 4.12). */
export const stationCommands = router()

stationCommands.openapi(
  createRoute({
    method: 'post',
    path: '/restart-cabinet',
    tags,
    summary: 'Перезагрузка кабинета',
    description: asking,
    middleware: admins,
    request: request(Target),
    responses: sent('CabinetRestarted', {}),
  }),
  async (c) => {
    const { row, station } = await ask(c, c.req.valid('json'), { kind: 'restart' })
    return c.json(yes({ message: 'Кабинет перезагружается', ...spellSent(row, station.boxId) }), 200)
  },
)

stationCommands.openapi(
  createRoute({
    method: 'post',
    path: '/query-inventory',
    tags,
    summary: 'Запрос инвентаря',
    description: asking,
    middleware: staff,
    request: request(Target),
    responses: sent('InventoryQueried', { data: z.object({ inventory: z.array(InventorySlot) }) }),
  }),
  async (c) => {
    const { row, station } = await ask(c, c.req.valid('json'), { kind: 'inventory' })
    const inventory = (await slots.of(c.var.db.sql, station.id)).map(spellSlot)
    return c.json(yes({ message: 'Инвентарь получен', ...spellSent(row, station.boxId), data: { inventory } }), 200)
  },
)

const NewVolume = z
  .object({
    station_id: idBody,
    volume: z.number().min(0).max(volumeMax).optional().openapi({ description: '0–100' }),
    volume_level: z
      .int()
      .min(0)
      .max(volumeMax)
      .optional()
      .openapi({ description: 'Шкала устройства: 0–15, у считающих в процентах 0–100' }),
  })
  .refine((given) => (given.volume ?? given.volume_level) !== undefined, {
    path: ['volume'],
    error: 'нужно volume (0–100) или volume_level (0–15)',
  })
  .openapi('NewVolume', { example: { station_id: 13, volume: 50 } })

stationCommands.openapi(
  createRoute({
    method: 'post',
    path: '/set-voice-volume',
    tags,
    summary: 'Установка уровня громкости',
    description: `${asking} Если заданы оба поля, действует volume_level.`,
    middleware: staff,
    request: request(NewVolume),
    responses: sent('VolumeSet', { volume: z.number(), volume_level: z.int() }),
  }),
  async (c) => {
    const body = c.req.valid('json')
    const scale = volumeScale(await stationOf(c.var.db.sql, c.var.actor, body.station_id, ...STAFF))
    // One of them is there: the schema's refine says so.
    const level = body.volume_level ?? volumeLevel(body.volume!, scale)
    if (level > scale) {
      const text = `volume_level: шкала этой станции 0–${scale}`
      throw new Refused('invalid', '', { field: 'volume_level', text })
    }
    const { row, station } = await ask(c, body, { kind: 'set_volume', args: { level } })
    const volume = body.volume_level === undefined ? body.volume! : volumePercent(level, scale)
    return c.json(
      yes({ message: 'Громкость установлена', ...spellSent(row, station.boxId), volume, volume_level: level }),
      200,
    )
  },
)

const octet = '(25[0-5]|2[0-4]\\d|1?\\d?\\d)'
const label = '[a-z\\d]([a-z\\d-]{0,61}[a-z\\d])?'
const ipv4 = new RegExp(`^${octet}(\\.${octet}){3}$`)
const hostName = new RegExp(`^(?!\\d+(\\.\\d+)*$)${label}(\\.${label})*$`, 'i')

const NewAddress = z
  .object({
    station_id: idBody,
    server_address: z
      .string()
      .trim()
      .min(1)
      .max(hostCharactersMax)
      .refine((host) => ipv4.test(host) || hostName.test(host), 'ожидается имя узла или адрес IPv4'),
    server_port: z
      .union([
        z.int(),
        z
          .string()
          .regex(/^\d{1,5}$/, 'ожидается номер порта')
          .transform(Number),
      ])
      .refine((port) => port >= 1 && port <= portMax, `допустимо от 1 до ${portMax}`)
      .optional()
      .openapi({ type: 'integer', minimum: 1, maximum: portMax }),
    heartbeat_interval: z.int().min(1).max(heartbeatSecondsMax).default(heartbeatSecondsDefault),
  })
  .openapi('NewServerAddress', { example: { station_id: 13, server_address: '192.168.1.100' } })

stationCommands.openapi(
  createRoute({
    method: 'post',
    path: '/set-server-address',
    tags,
    summary: 'Установка адреса сервера',
    description: `${asking} Внимание: с неверным адресом кабинет не вернётся. Порт по умолчанию — порт этого сервера.`,
    middleware: admins,
    request: request(NewAddress),
    responses: sent('ServerAddressSet', {
      server_address: z.string(),
      server_port: z.int(),
      heartbeat_interval: z.int(),
    }),
  }),
  async (c) => {
    const body = c.req.valid('json')
    const { server_address, heartbeat_interval, server_port = c.var.config.cabinetPort } = body
    const args = { host: server_address, port: String(server_port), heartbeatSeconds: heartbeat_interval }
    const { row, station } = await ask(c, body, { kind: 'set_server_address', args })
    const given = { server_address, server_port, heartbeat_interval }
    return c.json(yes({ message: 'Адрес сервера установлен', ...spellSent(row, station.boxId), ...given }), 200)
  },
)
