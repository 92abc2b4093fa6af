import { createRoute, z } from '@hono/zod-openapi'
import { roles } from '../../db/identity/words.ts'
import * as certificates from '../../db/loyalty/certificates.ts'
import * as programme from '../../db/loyalty/loyalty-admin.ts'
import { certificateStatuses } from '../../db/loyalty/words.ts'
import { may } from '../auth.ts'
import { toUnits, Units } from '../money.ts'
import { published } from '../resource.ts'
import { Certificate, spellCertificate } from './certificate-view.ts'
import { idParam, json, no, pageKeys, pageOf, paging, pagingBy, router, rowsOf, shown, Time } from './surface.ts'
import { User, user } from './tokens.ts'

const tags = ['Лояльность: администрирование']
const auditRows = 50
const auditRowsMax = 200
const filterCharactersMax = 100

/** What only an admin sees (docs/contracts.md 3.5). */
export const admin = router()
const ask = { method: 'get' as const, tags, middleware: [may('admin')] }

const Dashboard = z
  .object({
    total_users: z.int().openapi({ description: 'Активные участники программы' }),
    active_certificates: z.int(),
    total_certificates_value: Units.openapi({ description: 'Остаток на действующих сертификатах' }),
    total_loyalty_points: Units,
    total_loyalty_cashback: Units,
    active_referral_codes: z.int(),
    today_transactions: z.int(),
  })
  .openapi('LoyaltyDashboard')

admin.openapi(
  createRoute({
    ...ask,
    path: '/admin/dashboard',
    summary: 'Статистика дашборда',
    responses: { 200: { description: 'Семь показателей', ...json(Dashboard) }, ...no(401, 403) },
  }),
  async (c) => {
    const now = await programme.dashboard(c.var.db.sql, c.var.config.providers.timeZone)
    const amounts = {
      total_certificates_value: toUnits(now.totalCertificatesValue),
      total_loyalty_points: toUnits(now.totalLoyaltyPoints),
      total_loyalty_cashback: toUnits(now.totalLoyaltyCashback),
    }
    return c.json(published(Dashboard, { ...shown(now), ...amounts }), 200)
  },
)

admin.openapi(
  createRoute({
    ...ask,
    path: '/admin/users',
    summary: 'Список пользователей',
    description: 'Участники программы: у кого есть счёт лояльности или роль; сначала новые.',
    request: { query: z.object({ ...paging, role: z.enum(roles.loyalty).optional() }) },
    responses: {
      200: { description: 'Страница', ...json(z.object({ users: z.array(User), ...pageKeys })) },
      ...no(401, 403, 422),
    },
  }),
  async (c) => {
    const at = c.req.valid('query')
    const { rows, total } = await programme.members(c.var.db.sql, { role: at.role, ...rowsOf(at) })
    return c.json({ users: rows.map(user), ...pageOf(total, at) }, 200)
  },
)

admin.openapi(
  createRoute({
    ...ask,
    path: '/admin/certificates',
    summary: 'Список сертификатов',
    request: {
      query: z.object({ ...paging, status: z.enum(certificateStatuses).optional() }),
    },
    responses: {
      200: { description: 'Страница', ...json(z.object({ certificates: z.array(Certificate), ...pageKeys })) },
      ...no(401, 403, 422),
    },
  }),
  async (c) => {
    const at = c.req.valid('query')
    const { rows, total } = await certificates.list(c.var.db.sql, { status: at.status, ...rowsOf(at) })
    return c.json({ certificates: rows.map((one) => spellCertificate(c, one)), ...pageOf(total, at) }, 200)
  },
)

const filter = z
  .string()
  .regex(new RegExp(`^[\\w.]{1,${filterCharactersMax}}$`), 'ожидаются латинские буквы, цифры, точки и подчёркивания')
  .optional()
const AuditEntry = z
  .object({
    id: z.int(),
    user_id: z.int().nullable().openapi({ description: 'Кто; null — по расписанию или извне' }),
    surface: z.string().openapi({ example: 'loyalty' }),
    action: z.string().openapi({ example: 'loyalty.accrual' }),
    entity_type: z.string().openapi({ example: 'loyalty_account' }),
    entity_id: z.int().nullable(),
    old_values: z.record(z.string(), z.any()).nullable(),
    new_values: z.record(z.string(), z.any()).nullable(),
    description: z.string().nullable(),
    created_at: Time,
  })
  .openapi('AuditEntry')

const toJson = (entry: programme.AuditEntry) =>
  published(AuditEntry, {
    ...shown(entry),
    old_values: entry.oldValues as Record<string, unknown> | null,
    new_values: entry.newValues as Record<string, unknown> | null,
  })

admin.openapi(
  createRoute({
    ...ask,
    path: '/admin/audit-log',
    summary: 'Журнал аудита',
    description: 'Сначала новые. Видны записи тех контрактов, администратором которых является читающий.',
    request: {
      query: z.object({
        ...pagingBy(auditRows, auditRowsMax),
        entity_type: filter.openapi({ example: 'certificate' }),
        action: filter.openapi({ example: 'certificate.create' }),
        user_id: idParam.optional(),
      }),
    },
    responses: {
      200: { description: 'Страница', ...json(z.object({ logs: z.array(AuditEntry), ...pageKeys })) },
      ...no(401, 403, 422),
    },
  }),
  async (c) => {
    const at = c.req.valid('query')
    const { entity_type: entityType, action, user_id: userId } = at
    const about = { readerId: c.var.actor.userId, entityType, action, userId, ...rowsOf(at) }
    const { rows, total } = await programme.auditLog(c.var.db.sql, about)
    return c.json({ logs: rows.map(toJson), ...pageOf(total, at) }, 200)
  },
)
