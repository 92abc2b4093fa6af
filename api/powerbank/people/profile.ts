import { createRoute, z } from '@hono/zod-openapi'
import * as identity from '../../../db/identity/identity.ts'
import * as admission from '../../../db/powerbank/admission.ts'
import { Refused } from '../../../db/powerbank/refused.ts'
import { Email, FullName } from '../../user-fields.ts'
import { json, jsonBody, no, ok, router, yes } from '../surface.ts'
import { User, user } from './people.ts'

const tags = ['Авторизация и пользователи']

/** The caller's own account. */
export const profile = router()

profile.openapi(
  createRoute({
    method: 'get',
    path: '/auth/profile',
    tags,
    summary: 'Получение профиля текущего пользователя',
    responses: {
      200: { description: 'Профиль', ...json(ok({ user: User, data: User }).openapi('Profile')) },
      ...no(401),
    },
  }),
  async (c) => {
    const { db, actor } = c.var
    const person = await identity.get(db.sql, actor.userId)
    if (!person) throw new Refused('unauthenticated', 'deleted since the token was checked')
    const who = user(person, await admission.place(db.sql, person.id))
    return c.json(yes({ user: who, data: who }), 200)
  },
)

profile.openapi(
  createRoute({
    method: 'put',
    path: '/auth/profile',
    tags,
    summary: 'Обновление профиля пользователя',
    description: 'Меняются только fio и email; не переданное остаётся как было.',
    request: {
      body: jsonBody(z.object({ fio: FullName, email: Email }).partial().openapi('ProfileChange')),
    },
    responses: {
      200: { description: 'Изменённый профиль', ...json(ok({ data: User }).openapi('ProfileChanged')) },
      ...no(400, 401),
    },
  }),
  async (c) => {
    const { db, actor } = c.var
    const { fio, email } = c.req.valid('json')
    const person = await db.transaction((tx) => identity.changeProfile(tx, actor, { fullName: fio, email }))
    const data = user(person, await admission.place(db.sql, person.id))
    return c.json(yes({ message: 'Профиль обновлён', data }), 200)
  },
)
