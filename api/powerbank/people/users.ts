import { createRoute, z } from '@hono/zod-openapi'
import * as password from '../../../db/identity/password.ts'
import { hasRole } from '../../../db/platform/actor.ts'
import { Refused } from '../../../db/powerbank/refused.ts'
import * as scope from '../../../db/powerbank/scope.ts'
import * as verbs from '../../../db/powerbank/users.ts'
import { Email, FullName, Password, Phone } from '../../user-fields.ts'
import { idBody, idParam, json, jsonBody, no, ok, page, paged, paging, router, yes } from '../surface.ts'
import { Account, account, Role, UserStatus } from './people.ts'
import { STAFF, staff } from './rights.ts'

const tags = ['Управление пользователями']
const powerbankLimitMax = 1_000
const path = '/users/{user_id}'
const params = z.object({ user_id: idParam })

const fields = {
  fio: FullName,
  phone_e164: Phone,
  email: Email,
  role: Role,
  status: UserStatus,
  password: Password,
  parent_org_unit_id: idBody.nullish(),
  powerbank_limit: z.int().min(0).max(powerbankLimitMax).nullish(),
}
const NewUser = z.object(fields).openapi('NewUser', {
  example: {
    fio: 'Иван Иванов',
    phone_e164: '+79001234567',
    email: 'ivan@example.com',
    role: 'user',
    status: 'active',
    password: 'password123',
    powerbank_limit: 2,
  },
})
const UserChange = z
  .object(fields)
  .partial()
  .openapi('UserChange', {
    example: {
      fio: 'Иван Иванов',
      phone_e164: '+79001234567',
      email: 'ivan@example.com',
      status: 'active',
      powerbank_limit: 3,
      role: 'user',
      parent_org_unit_id: 1,
    },
  })
const one = json(ok({ data: Account }).openapi('AccountAnswer'))

/** Accounts: staff keep those of their units (docs/contracts.md 4.7). */
export const users = router()

users.openapi(
  createRoute({
    method: 'post',
    path: '/users',
    tags,
    summary: 'Создание пользователя',
    description: 'Без `parent_org_unit_id` администратор группы создаёт пользователя в своей группе.',
    middleware: staff,
    request: { body: jsonBody(NewUser) },
    responses: { 201: { description: 'Создан', ...one }, ...no(400, 401, 403) },
  }),
  async (c) => {
    const { db, actor } = c.var
    const given = c.req.valid('json')
    const passwordHash = await password.hash(given.password)
    const made = await db.transaction((tx) =>
      verbs.create(tx, actor, {
        person: {
          fullName: given.fio,
          phone: given.phone_e164,
          email: given.email,
          passwordHash,
          powerbankLimit: given.powerbank_limit ?? null,
        },
        status: given.status,
        role: given.role,
        orgUnitId: given.parent_org_unit_id ?? null,
      }),
    )
    return c.json(yes({ message: 'Пользователь создан', data: account(made) }), 201)
  },
)

users.openapi(
  createRoute({
    method: 'get',
    path: '/users',
    tags,
    summary: 'Получение списка пользователей',
    middleware: staff,
    request: { query: z.object({ ...paging, status: UserStatus.optional(), role: Role.optional() }) },
    responses: { 200: { description: 'Страница', ...json(page(Account).openapi('Accounts')) }, ...no(400, 401, 403) },
  }),
  async (c) => {
    const { db, actor } = c.var
    const { status, role, ...at } = c.req.valid('query')
    const reach = await scope.of(db.sql, actor, ...STAFF)
    const { rows, total } = await verbs.list(db.sql, { scope: reach, status, role, ...at })
    return c.json(paged(rows.map(account), total, at), 200)
  },
)

users.openapi(
  createRoute({
    method: 'get',
    path,
    tags,
    summary: 'Получение пользователя по ID',
    description: 'Себя видит каждый, остальных — сотрудники их групп.',
    request: { params },
    responses: { 200: { description: 'Пользователь', ...one }, ...no(400, 401, 403, 404) },
  }),
  async (c) => {
    const { db, actor } = c.var
    const { user_id: id } = c.req.valid('param')
    const isSelf = id === actor.userId
    if (!isSelf && !hasRole(actor, 'service_admin', ...STAFF)) throw new Refused('forbidden', 'only the own account')
    const found = await verbs.get(db.sql, id)
    if (!found) throw new Refused('not_found', `user ${id}`, { text: 'Пользователь не найден' })
    if (!isSelf && !(await verbs.isInside(db.sql, await scope.of(db.sql, actor, ...STAFF), id)))
      throw new Refused('not_yours', `user ${id}`)
    return c.json(yes({ data: account(found) }), 200)
  },
)

users.openapi(
  createRoute({
    method: 'put',
    path,
    tags,
    summary: 'Обновление пользователя',
    description:
      'Не переданное остаётся как было. Собственные роль и статус изменить нельзя. Блокировка и новый пароль сразу завершают все сеансы.',
    middleware: staff,
    request: { params, body: jsonBody(UserChange) },
    responses: { 200: { description: 'Изменён', ...one }, ...no(400, 401, 403, 404) },
  }),
  async (c) => {
    const { db, actor } = c.var
    const { user_id: id } = c.req.valid('param')
    const given = c.req.valid('json')
    const passwordHash = given.password === undefined ? undefined : await password.hash(given.password)
    const changed = await db.transaction((tx) =>
      verbs.change(tx, actor, id, {
        fullName: given.fio,
        phone: given.phone_e164,
        email: given.email,
        passwordHash,
        powerbankLimit: given.powerbank_limit,
        status: given.status,
        role: given.role,
        orgUnitId: given.parent_org_unit_id,
      }),
    )
    return c.json(yes({ message: 'Пользователь обновлён', data: account(changed) }), 200)
  },
)

users.openapi(
  createRoute({
    method: 'delete',
    path,
    tags,
    summary: 'Удаление пользователя',
    description: 'Мягкое. 400, пока у пользователя есть активные заказы.',
    middleware: staff,
    request: { params },
    responses: {
      200: { description: 'Удалён', ...json(ok({}).openapi('UserDeleted')) },
      ...no(400, 401, 403, 404),
    },
  }),
  async (c) => {
    const { db, actor } = c.var
    const { user_id: id } = c.req.valid('param')
    await db.transaction((tx) => verbs.remove(tx, actor, id))
    return c.json(yes({ message: 'Пользователь удалён' }), 200)
  },
)
