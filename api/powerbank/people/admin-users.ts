import { createRoute, z } from '@hono/zod-openapi'
import { roles } from '../../../db/identity/words.ts'
import * as admission from '../../../db/powerbank/admission.ts'
import * as scope from '../../../db/powerbank/scope.ts'
import { idBody, json, jsonBody, no, ok, paged, pagingBy, router, rowsOf, Time, time, yes } from '../surface.ts'
import { admins } from './rights.ts'

const tags = ['Административные функции']
const reasonCharactersMax = 1_000
/** The document has no pages here, so a client that knows none gets as many as a page may hold. */
const pendingDefault = 100

/** What somebody of no unit can do: nothing, and how that ends (docs/contracts.md B1). */
const placeless =
  'Пока у пользователя нет организационной единицы, он не видит станций и ничего не может взять: ' +
  'задайте её в `PUT /api/users/{user_id}` (`parent_org_unit_id`).'

const Pending = z
  .object({
    user_id: z.int(),
    phone_e164: z.string().nullable(),
    email: z.string().nullable(),
    fio: z.string(),
    status: z.string(),
    created_at: Time,
  })
  .openapi('PendingUser')

/** Newcomers: who waits, and who is let in. */
export const adminUsers = router()

adminUsers.openapi(
  createRoute({
    method: 'get',
    path: '/admin/pending-users',
    tags,
    summary: 'Получение списка пользователей ожидающих одобрения',
    middleware: admins,
    request: { query: z.object(pagingBy(pendingDefault)) },
    responses: {
      200: {
        description: 'Ожидающие одобрения, сначала давние',
        ...json(
          ok({
            users: z.array(Pending),
            data: z.array(Pending),
            pagination: z.object({ page: z.int(), limit: z.int(), total: z.int(), pages: z.int() }),
          }).openapi('PendingUsers'),
        ),
      },
      ...no(400, 401, 403),
    },
  }),
  async (c) => {
    const at = c.req.valid('query')
    const { db, actor } = c.var
    const reach = await scope.administered(db.sql, actor)
    const { rows, total } = await admission.pending(db.sql, reach, rowsOf(at))
    const users = rows.map((person) => ({
      user_id: person.id,
      phone_e164: person.phone,
      email: person.email,
      fio: person.fullName,
      status: person.status,
      created_at: time(person.createdAt),
    }))
    return c.json({ ...paged(users, total, at), users }, 200)
  },
)

adminUsers.openapi(
  createRoute({
    method: 'post',
    path: '/admin/approve-user',
    tags,
    summary: 'Одобрение пользователя',
    description: `Без \`org_unit_id\` роль user ничего не открывает. ${placeless}`,
    middleware: admins,
    request: {
      body: jsonBody(
        z
          .object({
            user_id: idBody,
            role: z.enum(roles.powerbank),
            org_unit_id: idBody.nullish(),
          })
          .openapi('ApproveUser', { example: { user_id: 123, role: 'user', org_unit_id: 1 } }),
      ),
    },
    responses: {
      200: { description: 'Пользователь активен', ...json(ok({}).openapi('UserApproved')) },
      ...no(400, 401, 403, 404),
    },
  }),
  async (c) => {
    const { db, actor } = c.var
    const { user_id, role, org_unit_id } = c.req.valid('json')
    await db.transaction((tx) =>
      admission.approve(tx, actor, { userId: user_id, role, orgUnitId: org_unit_id ?? null }),
    )
    const isPlaceless = role === 'user' && org_unit_id == null
    return c.json(yes({ message: isPlaceless ? `Пользователь одобрен. ${placeless}` : 'Пользователь одобрен' }), 200)
  },
)

adminUsers.openapi(
  createRoute({
    method: 'post',
    path: '/admin/reject-user',
    tags,
    summary: 'Отклонение пользователя',
    middleware: admins,
    request: {
      body: jsonBody(
        z
          .object({ user_id: idBody, reason: z.string().trim().max(reasonCharactersMax).nullish() })
          .openapi('RejectUser', { example: { user_id: 123, reason: 'Неверные данные' } }),
      ),
    },
    responses: {
      200: { description: 'Пользователь отклонён', ...json(ok({}).openapi('UserRejected')) },
      ...no(400, 401, 403, 404),
    },
  }),
  async (c) => {
    const { db, actor } = c.var
    const { user_id, reason } = c.req.valid('json')
    await db.transaction((tx) => admission.reject(tx, actor, user_id, reason ?? null))
    return c.json(yes({ message: 'Пользователь отклонён' }), 200)
  },
)
