import { z } from '@hono/zod-openapi'
import * as verbs from '../../../db/powerbank/stations.ts'
import { iccidOf } from '../../../protocol/iccid.ts'
import { type BodyOf, cameled } from '../../names.ts'
import { resource } from '../../resource.ts'
import { admins } from '../people/rights.ts'
import { dialect } from '../resources.ts'
import { idBody, idParam, router } from '../surface.ts'
import { Station, StationStatus, toJson } from './station-view.ts'

const boxIdCharactersMax = 64
const iccidCharactersMax = 64
const slotsMax = 255

/** What a cabinet calls itself at login: text without blanks (docs/protocol.md 3, 0x60). */
const BoxId = z
  .string()
  .trim()
  .max(boxIdCharactersMax)
  .regex(/^[\x21-\x7e]+$/, 'ожидаются символы ASCII без пробелов')
  .openapi({ example: 'DCHEY02504000019' })
/** A SIM's number as a person types or pastes it; stored in its one spelling. */
const Iccid = z
  .string()
  .max(iccidCharactersMax)
  .refine((text) => text.trim() === '' || iccidOf(text) !== null, 'ожидается номер SIM-карты (ICCID)')
  .transform(iccidOf)
export const Slots = z.int().min(1).max(slotsMax).openapi({ example: 8 })

const fields = {
  org_unit_id: idBody.nullable(),
  box_id: BoxId,
  iccid: Iccid.nullable(),
  slots_declared: Slots,
  status: StationStatus,
} satisfies BodyOf<verbs.StationFields>

/** Cabinets and where they stand (docs/contracts.md 4.4). */
export const stations = router()

resource(stations, dialect, {
  path: '/stations',
  id: 'station_id',
  name: 'Station',
  tag: 'Управление станциями',
  words: {
    list: { summary: 'Получение списка станций' },
    get: { summary: 'Получение станции по ID' },
    create: {
      summary: 'Создание станции',
      description: 'Если кабинет с этим box_id уже стучался и лежит в карантине, он выходит из карантина.',
      done: 'Станция создана',
      body: { org_unit_id: 1, box_id: 'ST001', iccid: '123456789', slots_declared: 8, status: 'active' },
    },
    change: {
      summary: 'Обновление станции',
      description:
        'Не переданное остаётся как было. Новый box_id обрывает текущее подключение. slots_declared действует, пока кабинет ' +
        'не назвал своё число слотов: оно заменяет заданное, в обе стороны (событие station.slots_corrected).',
      done: 'Станция обновлена',
      body: { box_id: 'ST001', status: 'inactive' },
    },
    remove: {
      summary: 'Удаление станции',
      description: 'Мягкое: заказы остаются, ключи уничтожаются, кабинет больше не принимается.',
      done: 'Станция удалена',
    },
  },
  verbs,
  writers: admins,
  view: Station,
  toJson,
  body: z.object(fields).partial().required({ box_id: true, slots_declared: true }),
  fromJson: cameled,
  filter: { org_unit_id: idParam, status: StationStatus },
})
