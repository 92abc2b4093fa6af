import { createRoute, z } from '@hono/zod-openapi'
import * as accounts from '../../db/getpro/accounts.ts'
import { panelStatuses } from '../../db/getpro/words.ts'
import { published } from '../resource.ts'
import { Email } from '../user-fields.ts'
import { admins, people, reached } from './rights.ts'
import {
  idBody,
  idParam,
  json,
  jsonBody,
  no,
  ok,
  page,
  paged,
  paging,
  router,
  rowsOf,
  shown,
  success,
  Time,
} from './surface.ts'

const tags = ['2GETPRO: пользователи']
const nameCharactersMax = 100
const codeCharactersMax = 32
const exampleTelegramId = 123_456

const User = z
  .object({
    id: z.int(),
    telegram_id: z.int().openapi({ example: exampleTelegramId }),
    login_id: z.int().nullable().openapi({ description: 'Учётная запись, которой он виден' }),
    username: z.string().nullable(),
    first_name: z.string().nullable(),
    language_code: z.string(),
    referral_code: z.string(),
    inviter_id: z.int().nullable(),
    panel_status: z.enum(panelStatuses).nullable(),
    created_at: Time,
  })
  .openapi('GetproUser')
const Answer = ok(User).openapi('GetproUserAnswer')

/** As it is shown. */
export const user = (account: accounts.Account) => published(User, { ...shown(account), login_id: account.userId })

const text = z.string().trim().min(1).max(nameCharactersMax)
const NewUser = z
  .object({
    telegram_id: z.int().min(1),
    username: text.nullish(),
    first_name: text.nullish(),
    language_code: z
      .string()
      .regex(/^[a-z]{2,3}(-[A-Za-z0-9]{2,8})?$/)
      .optional(),
    email: Email.nullish().openapi({ description: 'Куда слать чеки; не показывается' }),
    inviter_id: idBody.nullish(),
    referral_code: z.string().trim().min(1).max(codeCharactersMax).nullish(),
  })
  .refine(({ inviter_id: id, referral_code: code }) => !(id && code), {
    path: ['referral_code'],
    error: 'пригласивший назван дважды',
  })
  .openapi('NewGetproUser', {
    example: {
      telegram_id: exampleTelegramId,
      username: 'ivan',
      first_name: 'Иван',
      language_code: 'ru',
      inviter_id: 1,
    },
  })

const createRouteOf = createRoute({
  method: 'post',
  path: '/users',
  tags,
  summary: 'Новый пользователь',
  description: 'Пригласивший — по `inviter_id` или по `referral_code`. Тот же `telegram_id` ещё раз — 409.',
  middleware: [admins],
  request: { body: jsonBody(NewUser) },
  responses: { 201: { description: 'Создан', ...json(Answer) }, ...no(401, 403, 404, 409, 422) },
})

const listRoute = createRoute({
  method: 'get',
  path: '/users',
  tags,
  summary: 'Пользователи, сначала новые',
  middleware: [admins],
  request: { query: z.object({ ...paging, telegram_id: idParam.optional() }) },
  responses: { 200: { description: 'Страница', ...json(page(User).openapi('GetproUsers')) }, ...no(401, 403, 422) },
})

const params = z.object({ id: idParam })

const getRoute = createRoute({
  method: 'get',
  path: '/users/{id}',
  tags,
  summary: 'Пользователь; не администратору — только он сам',
  middleware: [people],
  request: { params },
  responses: { 200: { description: 'Пользователь', ...json(Answer) }, ...no(401, 403, 404, 422) },
})

const linkRoute = createRoute({
  method: 'put',
  path: '/users/{id}/login',
  tags,
  summary: 'Связь с учётной записью',
  description: 'Учётная запись получает роль getpro:user и видит этого пользователя; null снимает связь.',
  middleware: [admins],
  request: {
    params,
    body: jsonBody(z.object({ login_id: idBody.nullable() }).openapi('GetproLink', { example: { login_id: 1 } })),
  },
  responses: { 200: { description: 'Связан', ...json(Answer) }, ...no(401, 403, 404, 409, 422) },
})

/** Customers (docs/contracts.md 2). */
export const customers = router()

customers.openapi(createRouteOf, async (c) => {
  const { telegram_id: telegramId, first_name: firstName, language_code: languageCode, ...given } = c.req.valid('json')
  const { username, email, inviter_id: id, referral_code: referralCode } = given
  const inviter = id ? { id } : referralCode ? { referralCode } : null
  const told = { telegramId, inviter, username: username ?? null, firstName: firstName ?? null, email: email ?? null }
  const account = await c.var.db.transaction((tx) =>
    accounts.register(tx, c.var.actor, { ...told, ...(languageCode ? { languageCode } : {}) }),
  )
  return c.json(success('Пользователь создан', user(account)), 201)
})

customers.openapi(listRoute, async (c) => {
  const at = c.req.valid('query')
  const { rows, total } = await accounts.list(c.var.db.sql, { telegramId: at.telegram_id, ...rowsOf(at) })
  return c.json(paged(rows.map(user), total, at), 200)
})

customers.openapi(getRoute, async (c) => {
  const account = await reached(c, c.req.valid('param').id)
  return c.json(success('Пользователь', user(account)), 200)
})

customers.openapi(linkRoute, async (c) => {
  const { id } = c.req.valid('param')
  const { login_id: loginId } = c.req.valid('json')
  const account = await c.var.db.transaction((tx) => accounts.link(tx, c.var.actor, id, loginId))
  return c.json(success('Связь сохранена', user(account)), 200)
})
