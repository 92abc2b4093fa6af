import { createRoute, z } from '@hono/zod-openapi'
import * as stations from '../../../db/powerbank/stations.ts'
import { json, no, page, paged, pagingBy, router, rowsOf } from '../surface.ts'
import { Station, toJson } from './station-view.ts'

/** The document has no pages here, so a client that knows none gets as many as a page may hold. */
const stationsDefault = 100

/** Where the caller may borrow (docs/contracts.md 4.15). */
export const userStations = router()

userStations.openapi(
  createRoute({
    method: 'get',
    path: '/user/stations',
    tags: ['Пользовательский API'],
    summary: 'Получение станций доступных пользователю',
    description: 'Активные станции своих групп и их подгрупп.',
    request: { query: z.object(pagingBy(stationsDefault)) },
    responses: {
      200: {
        description: 'Страница',
        ...json(
          page(Station)
            .extend({ stations: z.array(Station) })
            .openapi('UserStations'),
        ),
      },
      ...no(400, 401),
    },
  }),
  async (c) => {
    const { db, actor } = c.var
    const at = c.req.valid('query')
    const asked = { filter: { status: 'active' as const }, ...rowsOf(at) }
    const { rows, total } = await stations.list(db.sql, actor, asked)
    const listed = rows.map(toJson)
    return c.json({ ...paged(listed, total, at), stations: listed }, 200)
  },
)
