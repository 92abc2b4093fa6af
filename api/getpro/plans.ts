import { z } from '@hono/zod-openapi'
import * as verbs from '../../db/getpro/plans.ts'
import { cameled } from '../names.ts'
import { resource } from '../resource.ts'
import { admins, people } from './rights.ts'
import { dialect, router, shown, Time } from './surface.ts'

const nameCharactersMax = 200
const monthsMax = 120
/** Ten million roubles. */
const kopecksMax = 1_000_000_000
const starsMax = 1_000_000

const fields = {
  name: z.string().trim().min(1).max(nameCharactersMax),
  months: z.int().min(1).max(monthsMax),
  price_kopecks: z.int().min(1).max(kopecksMax),
  price_stars: z.int().min(1).max(starsMax).nullable(),
  traffic_limit_bytes: z.int().min(1).nullable(),
  is_active: z.boolean(),
}

/** What can be bought (docs/contracts.md 2). */
export const plans = router()

resource(plans, dialect, {
  path: '/plans',
  id: 'id',
  name: 'GetproPlan',
  tag: '2GETPRO: тарифы',
  words: {
    list: { summary: 'Тарифы', description: 'Не администратору — только те, что продаются.' },
    create: {
      summary: 'Новый тариф',
      done: 'Тариф создан',
      body: { name: 'Месяц', months: 1, price_kopecks: 19_900, price_stars: 150, traffic_limit_bytes: null },
    },
    change: {
      summary: 'Изменение тарифа',
      description: 'Не переданное остаётся как было; цена действует для того, что начато позже.',
      done: 'Тариф изменён',
      body: { price_kopecks: 24_900, is_active: true },
    },
  },
  verbs: { list: verbs.list, create: verbs.create, change: verbs.change },
  readers: people,
  writers: admins,
  view: z.object({ id: z.int(), ...fields, created_at: Time, updated_at: Time }),
  toJson: (plan) => shown(plan),
  body: z.object(fields).partial().required({ name: true, months: true, price_kopecks: true }),
  fromJson: (given) => cameled(given),
})
