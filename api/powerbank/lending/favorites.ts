import { createRoute, z } from '@hono/zod-openapi'
import { assertMayActFor } from '../../../db/powerbank/borrow.ts'
import * as verbs from '../../../db/powerbank/favorites.ts'
import { idBody, idParam, json, no, ok, page, paged, paging, router, Time, time, yes } from '../surface.ts'

const tags = ['Избранные станции']
const path = '/user-favorites'
const nikCharactersMax = 100

const Favorite = z
  .object({
    id: z.int(),
    favorite_id: z.int(),
    user_id: z.int(),
    station_id: z.int(),
    station_box_id: z.string(),
    station_status: z.string(),
    nik: z.string().nullable(),
    created_at: Time,
  })
  .openapi('Favorite')

const toJson = (favorite: verbs.Favorite): z.infer<typeof Favorite> => ({
  id: favorite.id,
  favorite_id: favorite.id,
  user_id: favorite.userId,
  station_id: favorite.stationId,
  station_box_id: favorite.stationBoxId,
  station_status: favorite.stationStatus,
  nik: favorite.nik,
  created_at: time(favorite.createdAt),
})

/** Stations people keep at hand (docs/contracts.md 4.14). */
export const favorites = router()

favorites.openapi(
  createRoute({
    method: 'post',
    path,
    tags,
    summary: 'Добавление станции в избранное',
    description: 'Без user_id — себе.',
    request: {
      body: {
        required: true,
        ...json(
          z
            .object({
              user_id: idBody.nullish(),
              station_id: idBody,
              nik: z.string().trim().max(nikCharactersMax).nullish(),
            })
            .openapi('NewFavorite', { example: { user_id: 33, station_id: 13, nik: 'У входа' } }),
        ),
      },
    },
    responses: {
      201: { description: 'Добавлена', ...json(ok({ data: Favorite }).openapi('FavoriteAnswer')) },
      ...no(400, 401, 403, 404),
    },
  }),
  async (c) => {
    const { db, actor } = c.var
    const { user_id, station_id: stationId, nik } = c.req.valid('json')
    const given = { userId: user_id ?? actor.userId, stationId, nik: nik || null }
    const favorite = await db.transaction((tx) => verbs.add(tx, actor, given))
    return c.json(yes({ message: 'Станция добавлена в избранное', data: toJson(favorite) }), 201)
  },
)

favorites.openapi(
  createRoute({
    method: 'get',
    path,
    tags,
    summary: 'Получение избранных станций',
    description: 'Без user_id — свои.',
    request: { query: z.object({ ...paging, user_id: idParam.optional() }) },
    responses: {
      200: { description: 'Страница', ...json(page(Favorite).openapi('Favorites')) },
      ...no(400, 401, 403),
    },
  }),
  async (c) => {
    const { db, actor } = c.var
    const { user_id: userId = actor.userId, ...at } = c.req.valid('query')
    await assertMayActFor(db.sql, actor, userId)
    const { rows, total } = await verbs.list(db.sql, { userId, ...at })
    return c.json(paged(rows.map(toJson), total, at), 200)
  },
)

favorites.openapi(
  createRoute({
    method: 'delete',
    path: `${path}/{favorite_id}`,
    tags,
    summary: 'Удаление из избранного',
    request: { params: z.object({ favorite_id: idParam }) },
    responses: {
      200: { description: 'Удалена', ...json(ok({}).openapi('FavoriteDeleted')) },
      ...no(400, 401, 403, 404),
    },
  }),
  async (c) => {
    const { favorite_id: id } = c.req.valid('param')
    await c.var.db.transaction((tx) => verbs.remove(tx, c.var.actor, id))
    return c.json(yes({ message: 'Станция удалена из избранного' }), 200)
  },
)
