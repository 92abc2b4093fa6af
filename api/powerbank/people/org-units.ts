import { z } from '@hono/zod-openapi'
import { unitTypes } from '../../../db/identity/words.ts'
import * as verbs from '../../../db/powerbank/org-units.ts'
import { cameled } from '../../names.ts'
import { resource } from '../../resource.ts'
import { dialect } from '../resources.ts'
import { idBody, idParam, router, shown, Time } from '../surface.ts'
import { admins } from './rights.ts'

const textCharactersMax = 500
const urlCharactersMax = 2_048
const powerbankLimitMax = 1_000
const hoursMax = 8_760

const UnitType = z.enum(unitTypes)
const fields = {
  parent_org_unit_id: idBody.nullable(),
  unit_type: UnitType,
  name: z.string().trim().min(1).max(textCharactersMax),
  adress: z.string().trim().max(textCharactersMax).nullable(),
  logo_url: z
    .url({ protocol: /^https?$/, error: 'ожидается адрес http(s)' })
    .max(urlCharactersMax)
    .nullable(),
  default_powerbank_limit: z.int().min(0).max(powerbankLimitMax),
  reminder_hours: z.int().min(1).max(hoursMax),
  write_off_hours: z.int().min(1).max(hoursMax),
}
const example = {
  parent_org_unit_id: null,
  unit_type: 'group',
  name: 'Отдел продаж',
  adress: 'Москва, ул. Примерная, 1',
  logo_url: 'https://example.com/logo.png',
  default_powerbank_limit: 3,
  reminder_hours: 24,
}

/** Groups and subgroups (docs/contracts.md 4.6). */
export const orgUnits = router()

resource(orgUnits, dialect, {
  path: '/org-units',
  id: 'org_unit_id',
  name: 'OrgUnit',
  tag: 'Управление группами',
  words: {
    list: { summary: 'Получение списка организационных единиц' },
    get: { summary: 'Получение организационной единицы по ID' },
    create: {
      summary: 'Создание организационной единицы',
      done: 'Организационная единица создана',
      body: example,
    },
    change: {
      summary: 'Обновление организационной единицы',
      description: 'Не переданное остаётся как было.',
      done: 'Организационная единица обновлена',
      body: { name: 'Отдел продаж', default_powerbank_limit: 5 },
    },
    remove: {
      summary: 'Удаление организационной единицы',
      description: 'Мягкое. 400, пока у неё есть подгруппы, станции, повербанки или пользователи.',
      done: 'Организационная единица удалена',
    },
  },
  verbs,
  writers: admins,
  view: z.object({
    org_unit_id: z.int(),
    ...fields,
    logo_url: z.string().nullable(),
    parent_name: z.string().nullable(),
    created_at: Time,
    updated_at: Time,
  }),
  toJson: (unit) => ({ ...shown(unit), org_unit_id: unit.id, parent_org_unit_id: unit.parentId }),
  body: z.object(fields).partial().required({ unit_type: true, name: true }),
  fromJson: ({ parent_org_unit_id: parentId, ...given }) => ({ ...cameled(given), parentId }),
  filter: { unit_type: UnitType, parent_id: idParam },
})
