import { createRoute, z } from '@hono/zod-openapi'
import * as orders from '../../../db/powerbank/my-orders.ts'
import { Refused } from '../../../db/powerbank/refused.ts'
import * as users from '../../../db/powerbank/users.ts'
import { json, no, ok, router, yes } from '../surface.ts'
import { Account, account } from './people.ts'

/** The caller's account as the mobile client shows it (docs/contracts.md 4.15). */
export const userProfile = router()

userProfile.openapi(
  createRoute({
    method: 'get',
    path: '/user/profile',
    tags: ['Пользовательский API'],
    summary: 'Получение профиля пользователя',
    responses: {
      200: {
        description: 'Профиль и число заказов',
        ...json(
          ok({
            user: Account,
            statistics: z.object({ active_orders: z.int(), total_orders: z.int() }),
            data: Account,
          }).openapi('UserProfile'),
        ),
      },
      ...no(401),
    },
  }),
  async (c) => {
    const { db, actor } = c.var
    const found = await users.get(db.sql, actor.userId)
    if (!found) throw new Refused('unauthenticated', 'deleted since the token was checked')
    const { active, total } = await orders.counts(db.sql, actor.userId)
    const user = account(found)
    return c.json(yes({ user, statistics: { active_orders: active, total_orders: total }, data: user }), 200)
  },
)
