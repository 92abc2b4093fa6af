import { z } from '@hono/zod-openapi'
import * as verbs from '../../../db/powerbank/station-powerbanks.ts'
import { cameled } from '../../names.ts'
import { resource } from '../../resource.ts'
import { admins } from '../people/rights.ts'
import { dialect } from '../resources.ts'
import { idBody, idParam, router, shown, Time } from '../surface.ts'

/** What sits where, as an administrator writes it; what a cabinet lists replaces it (docs/contracts.md 4.14). */
export const stationPowerbanks = router()

resource(stationPowerbanks, dialect, {
  path: '/station-powerbanks',
  id: 'sp_id',
  name: 'StationPowerbankLink',
  tag: 'Связи станция-повербанк',
  words: {
    list: { summary: 'Получение связей станция-повербанк' },
    create: {
      summary: 'Создание связи станция-повербанк',
      description: 'Действует до следующего инвентаря станции: что стоит в слотах, решает он.',
      done: 'Связь создана',
      body: { station_id: 13, powerbank_id: 53, slot_number: 1 },
    },
    remove: {
      summary: 'Удаление связи',
      description: 'Станция, в которой повербанк стоит на самом деле, вернёт связь следующим инвентарём.',
      done: 'Связь удалена',
    },
  },
  verbs: { list: verbs.list, create: verbs.put, remove: verbs.remove },
  readers: admins,
  writers: admins,
  view: z.object({
    id: z.int(),
    sp_id: z.int(),
    station_id: z.int(),
    station_box_id: z.string(),
    powerbank_id: z.int(),
    serial_number: z.string(),
    powerbank_status: z.string(),
    slot_number: z.int(),
    level: z.int().nullable().openapi({ description: 'Проценты' }),
    voltage: z.int().nullable().openapi({ description: 'Милливольты' }),
    current: z.int().nullable().openapi({ description: 'Миллиамперы' }),
    temperature: z.int().nullable().openapi({ description: 'Градусы Цельсия' }),
    last_update: Time,
  }),
  toJson: (placed) => ({ ...shown(placed), sp_id: placed.id }),
  body: z.object({ station_id: idBody, powerbank_id: idBody, slot_number: z.int() }),
  fromJson: cameled,
  filter: { station_id: idParam, powerbank_id: idParam },
})
