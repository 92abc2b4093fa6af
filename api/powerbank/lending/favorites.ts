import { z } from '@hono/zod-openapi'
import * as verbs from '../../../db/powerbank/favorites.ts'
import { cameled } from '../../names.ts'
import { resource } from '../../resource.ts'
import { dialect } from '../resources.ts'
import { idBody, idParam, router, shown, Time } from '../surface.ts'

const nikCharactersMax = 100

/** Stations people keep at hand (docs/contracts.md 4.14). */
export const favorites = router()

resource(favorites, dialect, {
  path: '/user-favorites',
  id: 'favorite_id',
  name: 'Favorite',
  tag: 'Избранные станции',
  words: {
    list: { summary: 'Получение избранных станций', description: 'Без user_id — свои.' },
    create: {
      summary: 'Добавление станции в избранное',
      description: 'Без user_id — себе.',
      done: 'Станция добавлена в избранное',
      body: { user_id: 33, station_id: 13, nik: 'У входа' },
    },
    remove: { summary: 'Удаление из избранного', done: 'Станция удалена из избранного' },
  },
  verbs,
  view: z.object({
    id: z.int(),
    favorite_id: z.int(),
    user_id: z.int(),
    station_id: z.int(),
    station_box_id: z.string(),
    station_status: z.string(),
    nik: z.string().nullable(),
    created_at: Time,
  }),
  toJson: (favorite) => ({ ...shown(favorite), favorite_id: favorite.id }),
  body: z.object({
    user_id: idBody.nullish(),
    station_id: idBody,
    nik: z.string().trim().max(nikCharactersMax).nullish(),
  }),
  fromJson: cameled,
  filter: { user_id: idParam },
})
