import { createRoute, z } from '@hono/zod-openapi'
import { hasRole } from '../../../db/platform/actor.ts'
import { Refused } from '../../../db/powerbank/refused.ts'
import * as imports from '../../../db/powerbank/user-import.ts'
import { importStatuses } from '../../../db/powerbank/words.ts'
import { admins } from '../people/rights.ts'
import { idParam, json, no, ok, page, paged, paging, router, rowsOf, Time, time, yes } from '../surface.ts'
import { RowError } from './import-rows.ts'

const tags = ['Пакетный импорт']

/** An import under way, or as it ended. */
export const Job = z
  .object({
    import_id: z.int(),
    file_name: z.string(),
    status: z.enum(importStatuses),
    failure: z.string().nullable(),
    progress_percent: z.int(),
    processed_rows: z.int(),
    statistics: z.object({
      total_parsed: z.int(),
      valid_users: z.int(),
      existing_users: z.int(),
      created_users: z.int(),
      errors: z.int(),
    }),
    created_at: Time,
    finished_at: Time.nullable(),
  })
  .openapi('UserImport')

/** The value of `Job`. */
export const spellJob = (job: Omit<imports.UserImport, 'errors'>): z.infer<typeof Job> => ({
  import_id: job.id,
  file_name: job.fileName,
  status: job.status,
  failure: job.failure,
  progress_percent: job.validRows === 0 ? 100 : Math.floor((job.processedRows * 100) / job.validRows),
  processed_rows: job.processedRows,
  statistics: {
    total_parsed: job.totalRows,
    valid_users: job.validRows,
    existing_users: job.existingUsers,
    created_users: job.createdUsers,
    errors: job.totalRows - job.validRows,
  },
  created_at: time(job.createdAt),
  finished_at: time(job.finishedAt),
})

/** How imports are getting on: everybody's own, and all for a service_admin. */
export const importJobs = router()

importJobs.openapi(
  createRoute({
    method: 'get',
    path: '/users/bulk-import/jobs',
    tags,
    summary: 'Ход импортов, сначала новые',
    description: 'Свои; service_admin видит все.',
    middleware: admins,
    request: { query: z.object(paging) },
    responses: { 200: { description: 'Страница', ...json(page(Job).openapi('UserImports')) }, ...no(400, 401, 403) },
  }),
  async (c) => {
    const { db, actor } = c.var
    const at = c.req.valid('query')
    const whose = hasRole(actor, 'service_admin') ? null : actor.userId
    const { rows, total } = await imports.list(db.sql, whose, rowsOf(at))
    return c.json(paged(rows.map(spellJob), total, at), 200)
  },
)

importJobs.openapi(
  createRoute({
    method: 'get',
    path: '/users/bulk-import/jobs/{import_id}',
    tags,
    summary: 'Ход импорта',
    middleware: admins,
    request: { params: z.object({ import_id: idParam }) },
    responses: {
      200: {
        description: 'Импорт',
        ...json(ok({ data: Job, errors: z.array(RowError) }).openapi('UserImportAnswer')),
      },
      ...no(400, 401, 403, 404),
    },
  }),
  async (c) => {
    const { db, actor } = c.var
    const job = await imports.get(db.sql, c.req.valid('param').import_id)
    if (!job) throw new Refused('not_found', '', { text: 'Импорт не найден' })
    if (job.requestedBy !== actor.userId && !hasRole(actor, 'service_admin')) throw new Refused('not_yours')
    // Written by `run` in these words.
    return c.json(yes({ data: spellJob(job), errors: job.errors as RowError[] }), 200)
  },
)
