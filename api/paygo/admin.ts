import { createRoute, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { roles } from '../../db/identity/words.ts'
import { backlog, dashboard } from '../../db/paygo/dashboard.ts'
import * as people from '../../db/paygo/people.ts'
import * as terminals from '../../db/paygo/terminals-list.ts'
import { may } from '../auth.ts'
import type { Env } from '../context.ts'
import { version } from '../docs/openapi.ts'
import { toUnits, Units } from '../money.ts'
import { json, no, Pagination, paginationOf, paging, router, rowsOf, Time, time } from './surface.ts'
import { AdminTerminal, adminTerminal, Status } from './terminals.ts'
import { ListedUser, listedUser } from './users.ts'

const tags = ['PayGo: администрирование']
const searchCharactersMax = 100
/** A database that takes longer is in trouble. */
const latencyMsMax = 1_000

/** What only an admin sees (docs/contracts.md 1.6). */
export const admin = router()
const ask = { method: 'get' as const, tags, middleware: may('admin') }

const count = z.int()
const Statuses = z.object({ online: count, offline: count, maintenance: count, error: count })

admin.openapi(
  createRoute({
    ...ask,
    path: '/admin/dashboard',
    summary: 'Получение данных для панели администратора',
    description: '`recent_…` — за 30 дней. Суммы — завершённых платежей за вычетом возвратов.',
    responses: {
      200: {
        description: 'Показатели',
        ...json(
          z
            .object({
              total_users: count,
              total_terminals: count,
              total_transactions: count,
              total_amount: Units,
              recent_transactions: count,
              recent_amount: Units,
              terminal_status: Statuses,
            })
            .openapi('PaygoDashboard'),
        ),
      },
      ...no(401, 403),
    },
  }),
  async (c) => {
    const now = await dashboard(c.var.db.sql)
    return c.json(
      {
        total_users: now.totalUsers,
        total_terminals: now.totalTerminals,
        total_transactions: now.totalTransactions,
        total_amount: toUnits(now.totalMinor),
        recent_transactions: now.recentTransactions,
        recent_amount: toUnits(now.recentMinor),
        terminal_status: now.terminalStatus,
      },
      200,
    )
  },
)

admin.openapi(
  createRoute({
    ...ask,
    path: '/admin/users',
    summary: 'Управление пользователями',
    description: 'Кто пользуется PayGo: у кого есть роль или карта; сначала новые.',
    request: {
      query: z.object({
        ...paging,
        role: z.enum(roles.paygo).optional(),
        search: z.string().trim().max(searchCharactersMax).optional().openapi({
          description: 'Часть имени, email или телефона',
        }),
      }),
    },
    responses: {
      200: {
        description: 'Страница',
        ...json(z.object({ users: z.array(ListedUser), pagination: Pagination }).openapi('PaygoUsers')),
      },
      ...no(401, 403, 422),
    },
  }),
  async (c) => {
    const at = c.req.valid('query')
    const about = { role: at.role, search: at.search || undefined, ...rowsOf(at) }
    const { rows, total } = await people.list(c.var.db.sql, about)
    return c.json({ users: rows.map(listedUser), pagination: paginationOf(total, at) }, 200)
  },
)

admin.openapi(
  createRoute({
    ...ask,
    path: '/admin/terminals',
    summary: 'Управление терминалами',
    description: 'Все терминалы, и выведенные из работы (`is_active: false`).',
    request: { query: z.object({ ...paging, status: Status.optional() }) },
    responses: {
      200: {
        description: 'Страница',
        ...json(z.object({ terminals: z.array(AdminTerminal), pagination: Pagination }).openapi('PaygoAdminTerminals')),
      },
      ...no(401, 403, 422),
    },
  }),
  async (c) => {
    const at = c.req.valid('query')
    const { rows, total } = await terminals.list(c.var.db.sql, { status: at.status, isAll: true, ...rowsOf(at) })
    return c.json({ terminals: rows.map(adminTerminal), pagination: paginationOf(total, at) }, 200)
  },
)

const healths = ['healthy', 'degraded', 'unhealthy'] as const
const Health = z.enum(healths)
const SystemHealth = z
  .object({
    status: Health.openapi({ description: 'Худшее из состояний частей' }),
    components: z.object({
      database: z.object({ status: Health, latency_ms: z.number().nullable() }),
      websocket: z.object({ status: Health, connections: count.openapi({ description: 'Открытые потоки событий' }) }),
      terminals: z.object({ status: Health, online: count, total: count }),
      payments: z.object({
        status: Health,
        overdue: count.openapi({ description: 'Ждут ответа эквайрера дольше пяти минут' }),
        exceptions: count.openapi({ description: 'Ждут решения человека' }),
      }),
    }),
    version: z.string(),
    uptime_seconds: count,
    timestamp: Time,
  })
  .openapi('PaygoSystemHealth')

admin.openapi(
  createRoute({
    ...ask,
    path: '/admin/system-health',
    summary: 'Проверка состояния системы',
    responses: { 200: { description: 'Состояние', ...json(SystemHealth) }, ...no(401, 403) },
  }),
  async (c) => {
    const components = await look(c)
    const states = Object.values(components).map(({ status }) => healths.indexOf(status))
    return c.json(
      {
        status: healths[Math.max(...states)]!,
        components,
        version,
        uptime_seconds: Math.floor(process.uptime()),
        timestamp: time(new Date()),
      },
      200,
    )
  },
)

const unless = (isWrong: boolean) => (isWrong ? ('degraded' as const) : ('healthy' as const))

/** The parts, each as it is at this moment. */
async function look(c: Context<Env>): Promise<z.input<typeof SystemHealth>['components']> {
  const { db, live } = c.var
  const began = performance.now()
  await db.ping()
  const latencyMs = Math.round(performance.now() - began)
  const [statuses, { overdue, exceptions }] = await Promise.all([terminals.countByStatus(db.sql), backlog(db.sql)])
  const total = Object.values(statuses).reduce((sum, one) => sum + one, 0)
  return {
    database: { status: unless(latencyMs > latencyMsMax), latency_ms: latencyMs },
    websocket: { status: 'healthy', connections: live.count() },
    terminals: { status: unless(total > 0 && statuses.online === 0), online: statuses.online, total },
    payments: { status: unless(overdue + exceptions > 0), overdue, exceptions },
  }
}
