import { z } from '@hono/zod-openapi'
import * as changes from '../../../db/powerbank/powerbank-changes.ts'
import * as verbs from '../../../db/powerbank/powerbanks.ts'
import { powerbankStatuses, writeOffReasons } from '../../../db/powerbank/words.ts'
import { type BodyOf, cameled } from '../../names.ts'
import { published, resource } from '../../resource.ts'
import { admins } from '../people/rights.ts'
import { dialect } from '../resources.ts'
import { idBody, idParam, router, shown, Time } from '../surface.ts'

const serialCharactersMax = 64

export const PowerbankStatus = z.enum(powerbankStatuses)
/** Body fields of a power bank. */
export const fields = {
  org_unit_id: idBody.nullable(),
  soh: z.int().min(0).max(100),
  status: PowerbankStatus,
  write_off_reason: z.enum(writeOffReasons),
} satisfies BodyOf<Omit<verbs.NewPowerbank, 'serialNumber'>>
/** What is printed on it, or what cabinets call it. */
export const Serial = z
  .string()
  .trim()
  .max(serialCharactersMax)
  .regex(/^[\x21-\x7e]+$/, 'ожидаются символы ASCII без пробелов')

/** A power bank as this surface shows it (docs/contracts.md 4.3). */
export const Powerbank = z
  .object({
    id: z.int(),
    powerbank_id: z.int(),
    serial_number: z.string(),
    ...fields,
    org_unit_name: z.string().nullable(),
    power_er: z.int().nullable(),
    error_type: z.string().nullable(),
    station_id: z.int().nullable(),
    slot_number: z.int().nullable(),
    created_at: Time,
    updated_at: Time,
  })
  .openapi('Powerbank')

/** The value of `Powerbank`. */
export const toJson = (bank: verbs.Powerbank) =>
  published(Powerbank, { ...shown(bank), powerbank_id: bank.id, power_er: bank.errorTypeId })

/** Power banks, wherever they are (docs/contracts.md 4.3). */
export const powerbanks = router()

resource(powerbanks, dialect, {
  path: '/powerbanks',
  id: 'powerbank_id',
  name: 'Powerbank',
  tag: 'Управление повербанками',
  words: {
    list: { summary: 'Получение списка повербанков' },
    get: { summary: 'Получение повербанка по ID' },
    create: {
      summary: 'Создание повербанка',
      description:
        'Серийный номер вида DCHA54000016 или 16 шестнадцатеричных цифр узнаётся кабинетами; любой другой ни с каким оборудованием не связан.',
      done: 'Повербанк создан',
      body: { serial_number: 'PB001', org_unit_id: 1, soh: 100, status: 'unknown', write_off_reason: 'none' },
    },
    change: {
      summary: 'Обновление повербанка',
      description:
        'Не переданное остаётся как было. `status: active` снимает ошибку (`power_er`) и причину списания; `written_off` убирает повербанк из станции, пока он выдан — 400.',
      done: 'Повербанк обновлён',
      body: { org_unit_id: 1, soh: 95, status: 'active', write_off_reason: 'none' },
    },
    remove: {
      summary: 'Удаление повербанка',
      description: 'Мягкое: заказы остаются. 400, пока он выдан.',
      done: 'Повербанк удалён',
    },
  },
  verbs: { ...verbs, ...changes },
  writers: admins,
  view: Powerbank,
  toJson,
  body: z.object(fields).partial().extend({ serial_number: Serial }),
  fromJson: cameled,
  filter: { status: PowerbankStatus, org_unit_id: idParam },
})
