import { index, pgTable, text, unique } from 'drizzle-orm/pg-core'
import { createdAt, id, ref } from '../postgres/columns.ts'
import { stations } from './devices.ts'
import { users } from './identity.ts'

/** Stations people want at hand, each under a name of their own (`nik`, seed 003). */
export const userFavorites = pgTable(
  'user_favorites',
  {
    id: id(),
    userId: ref()
      .notNull()
      .references(() => users.id),
    stationId: ref()
      .notNull()
      .references(() => stations.id),
    nik: text(),
    createdAt: createdAt(),
  },
  (t) => [unique('user_favorites_once').on(t.userId, t.stationId), index('user_favorites_user').on(t.userId, t.id)],
)
