import { createRoute, z } from '@hono/zod-openapi'
import * as scope from '../../../db/powerbank/scope.ts'
import * as verbs from '../../../db/powerbank/user-roles.ts'
import { idBody, idParam, json, no, ok, page, paged, paging, router, Time, time, yes } from '../surface.ts'
import { Role } from './people.ts'
import { STAFF, staff } from './rights.ts'

const tags = ['Управление пользователями']

const UserRole = z
  .object({
    id: z.int(),
    role_id: z.int(),
    user_id: z.int(),
    user_fio: z.string(),
    role: Role,
    org_unit_id: z.int().nullable(),
    org_unit_name: z.string().nullable(),
    created_at: Time,
  })
  .openapi('UserRole')

const toJson = (role: verbs.Role): z.infer<typeof UserRole> => ({
  id: role.id,
  role_id: role.id,
  user_id: role.userId,
  user_fio: role.userFio,
  role: role.role,
  org_unit_id: role.orgUnitId,
  org_unit_name: role.orgUnitName,
  created_at: time(role.createdAt),
})

/** Who may do what in which unit (docs/contracts.md 4.14). */
export const userRoles = router()

userRoles.openapi(
  createRoute({
    method: 'post',
    path: '/user-roles',
    tags,
    summary: 'Создание роли пользователя',
    description: 'Роль не выше собственной, в своей группе. Собственные роли изменить нельзя.',
    middleware: staff,
    request: {
      body: {
        required: true,
        ...json(
          z
            .object({ user_id: idBody, role: Role, org_unit_id: idBody.nullish() })
            .openapi('NewUserRole', { example: { user_id: 33, org_unit_id: 1, role: 'group_admin' } }),
        ),
      },
    },
    responses: {
      201: { description: 'Роль выдана', ...json(ok({ data: UserRole }).openapi('UserRoleAnswer')) },
      ...no(400, 401, 403),
    },
  }),
  async (c) => {
    const { db, actor } = c.var
    const { user_id: userId, role, org_unit_id } = c.req.valid('json')
    const made = await db.transaction((tx) => verbs.grant(tx, actor, { userId, role, orgUnitId: org_unit_id ?? null }))
    return c.json(yes({ message: 'Роль выдана', data: toJson(made) }), 201)
  },
)

userRoles.openapi(
  createRoute({
    method: 'get',
    path: '/user-roles',
    tags,
    summary: 'Получение списка ролей пользователей',
    middleware: staff,
    request: { query: z.object({ ...paging, user_id: idParam.optional(), role: Role.optional() }) },
    responses: { 200: { description: 'Страница', ...json(page(UserRole).openapi('UserRoles')) }, ...no(400, 401, 403) },
  }),
  async (c) => {
    const { db, actor } = c.var
    const { user_id: userId, role, ...at } = c.req.valid('query')
    const reach = await scope.of(db.sql, actor, ...STAFF)
    const { rows, total } = await verbs.list(db.sql, { scope: reach, userId, role, ...at })
    return c.json(paged(rows.map(toJson), total, at), 200)
  },
)

userRoles.openapi(
  createRoute({
    method: 'delete',
    path: '/user-roles/{role_id}',
    tags,
    summary: 'Удаление роли',
    middleware: staff,
    request: { params: z.object({ role_id: idParam }) },
    responses: {
      200: { description: 'Роль отозвана', ...json(ok({}).openapi('UserRoleDeleted')) },
      ...no(400, 401, 403, 404),
    },
  }),
  async (c) => {
    const { db, actor } = c.var
    const { role_id: id } = c.req.valid('param')
    await db.transaction((tx) => verbs.revoke(tx, actor, id))
    return c.json(yes({ message: 'Роль отозвана' }), 200)
  },
)
