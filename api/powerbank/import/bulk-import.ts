import { createRoute, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import { HTTPException } from 'hono/http-exception'
import * as org from '../../../db/powerbank/org-units.ts'
import { Refused } from '../../../db/powerbank/refused.ts'
import * as scope from '../../../db/powerbank/scope.ts'
import * as imports from '../../../db/powerbank/user-import.ts'
import type { Env } from '../../context.ts'
import { limitBody } from '../../limit.ts'
import * as workbook from '../../workbook.ts'
import { admins } from '../people/rights.ts'
import { idParam, json, no, ok, router, yes } from '../surface.ts'
import { Job, spellJob } from './import-jobs.ts'
import { type Checked, check, RowError, SHEET } from './import-rows.ts'
import { allErrors, run } from './import-run.ts'
import { template } from './import-template.ts'

const tags = ['Пакетный импорт']
const xlsx = 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'
const fileBytesMax = 10_485_760
/** Of the request: the file, its envelope and a field. */
const bodyBytesMax = fileBytesMax + 65_536
const rowsMax = 10_000
const previewRows = 10
const fileNameCharactersMax = 200

const largePath = /^\/api\/users\/bulk-import(?:\/validate)?\/?$/
/** Whether a request may bring a file, and is therefore limited here. */
export const isLarge = ({ req }: Context) => req.method === 'POST' && largePath.test(req.path)

const faults: Record<Exclude<workbook.WorkbookFault, 'busy'>, string> = {
  unknown_format: 'Ожидается файл .xlsx или .csv',
  old_format: 'Файлы .xls и файлы с паролем не поддерживаются: сохраните файл как .xlsx без пароля',
  unreadable: 'Не удалось прочитать файл: он повреждён или это не книга .xlsx',
  too_heavy: 'Файл слишком велик в распакованном виде',
  too_many_rows: `Слишком много строк: допустимо не больше ${rowsMax}`,
  empty: 'Файл пуст',
}

const Upload = z
  .object({
    file: z
      .custom<File>((value) => value instanceof File, 'ожидается файл .xlsx или .csv')
      .openapi({ type: 'string', format: 'binary', description: '.xlsx или .csv, до 10 МБ и 10 000 строк' }),
    org_unit_id: z
      .literal('')
      .transform(() => undefined)
      .or(idParam)
      .optional()
      .openapi({ type: 'integer', description: 'Группа для строк, в которых она не указана', example: 1 }),
  })
  .openapi('ImportUpload')
const upload = { required: true, content: { 'multipart/form-data': { schema: Upload } } }

/** Nobody makes a password whose letter cannot leave (docs/contracts.md 4.13). */
const unsent =
  'Почтовый сервер не задан (SMTP_URL): письма сохранены, паролей у этих людей ещё нет. Задайте его и вызовите ' +
  '`POST /api/admin/reset-email`: пароли будут созданы и уйдут.'

const Person = z.object({ row: z.int(), fio: z.string(), email: z.string(), phone_e164: z.string() })
const toJson = ({ row, fullName, email, phone }: imports.Entry) => ({ row, fio: fullName, email, phone_e164: phone })

/** Where rows that name no unit belong: where the form says, else the own group; a service_admin needs none. */
async function placeOf({ var: { db, actor } }: Context<Env>, given: number | undefined) {
  const reach = await scope.administered(db.sql, actor)
  if (given !== undefined) {
    if (!(await org.find(db.sql, given)))
      throw new Refused('invalid', `unit ${given}`, { field: 'org_unit_id', reason: 'unit_unknown' })
    scope.assertInScope(reach, given)
  }
  const own = reach === 'all' ? undefined : actor.roles.find(({ role }) => role === 'group_admin')
  const unitId = given ?? own?.orgUnitId ?? null
  return { units: await imports.units(db.sql, reach), unitId, needsUnit: reach !== 'all' }
}

/** The file as rows that were looked at. Throws `Refused('invalid')` for a file that is no table, in words. */
async function readUpload(c: Context<Env>, { file, org_unit_id }: z.output<typeof Upload>): Promise<Checked> {
  if (file.size > fileBytesMax) throw new HTTPException(413)
  const place = await placeOf(c, org_unit_id)
  try {
    return check(await workbook.read(new Uint8Array(await file.arrayBuffer()), SHEET, rowsMax), place)
  } catch (error) {
    if (!(error instanceof workbook.WorkbookError)) throw error
    if (error.fault === 'busy') throw new HTTPException(503)
    c.var.log('import.refused', { requestId: c.env.requestId, fault: error.fault, detail: error.message })
    throw new Refused('invalid', error.fault, { field: 'file', text: faults[error.fault] })
  }
}

/** Taking people in from a file (docs/contracts.md 4.13). */
export const bulkImport = router()

bulkImport.openapi(
  createRoute({
    method: 'post',
    path: '/users/bulk-import',
    tags,
    summary: 'Пакетный импорт пользователей из Excel или CSV',
    description:
      'Верные строки создаются, остальные перечислены в errors (не больше 1000). Повторная загрузка того же файла никого ' +
      'не создаёт дважды. В каждой строке нужны email и телефон. Пароли приходят людям письмом. С заголовком `Prefer: respond-async` ответ 202 сразу, ход ' +
      'виден в `GET /api/users/bulk-import/jobs/{import_id}`.',
    middleware: [admins, limitBody(bodyBytesMax)] as const,
    request: { headers: z.object({ prefer: z.string().optional() }), body: upload },
    responses: {
      200: {
        description: 'Что получилось',
        ...json(
          ok({
            import_id: z.int(),
            created_users: z.array(Person.extend({ user_id: z.int() })),
            errors: z.array(RowError),
            errors_omitted: z.int(),
            statistics: Job.shape.statistics,
          }).openapi('ImportAnswer'),
        ),
      },
      202: { description: 'Начато', ...json(ok({ import_id: z.int(), data: Job }).openapi('ImportStarted')) },
      ...no(400, 401, 403),
    },
  }),
  async (c) => {
    const { db, actor, log, config } = c.var
    const form = c.req.valid('form')
    const checked = await readUpload(c, form)
    const fileName = form.file.name.slice(0, fileNameCharactersMax)
    const about = { fileName, totalRows: checked.total, validRows: checked.valid.length }
    const importId = await db.transaction((tx) => imports.begin(tx, actor, about))
    const work = run({ db, log }, actor, importId, checked)
    if (/\brespond-async\b/i.test(c.req.valid('header').prefer ?? '')) {
      work.catch((error: unknown) => log('import.failed', { importId, error }))
      c.header('Location', `/api/users/bulk-import/jobs/${importId}`)
      c.header('Preference-Applied', 'respond-async')
      const job = (await imports.get(db.sql, importId))!
      return c.json(yes({ message: 'Импорт начат', import_id: importId, data: spellJob(job) }), 202)
    }
    const { created, errors, errorsOmitted } = await work
    const people = new Map(checked.valid.map((entry) => [entry.row, toJson(entry)]))
    const job = (await imports.get(db.sql, importId))!
    const made = `Создано пользователей: ${created.length}`
    return c.json(
      yes({
        message: created.length > 0 && config.smtp === null ? `${made}. ${unsent}` : made,
        import_id: importId,
        created_users: created.map(({ row, userId }) => ({ ...people.get(row)!, user_id: userId })),
        errors,
        errors_omitted: errorsOmitted,
        statistics: spellJob(job).statistics,
      }),
      200,
    )
  },
)

bulkImport.openapi(
  createRoute({
    method: 'post',
    path: '/users/bulk-import/validate',
    tags,
    summary: 'Валидация файла Excel или CSV',
    description: 'То же, ничего не создавая.',
    middleware: [admins, limitBody(bodyBytesMax)] as const,
    request: { body: upload },
    responses: {
      200: {
        description: 'Что получилось бы',
        ...json(
          ok({
            errors: z.array(RowError),
            errors_omitted: z.int(),
            statistics: z.object({
              total_rows: z.int(),
              valid_users: z.int(),
              new_users: z.int(),
              existing_users: z.int(),
              errors: z.int(),
            }),
            preview_users: z.array(Person.extend({ role: z.string(), org_unit_id: z.int().nullable() })),
          }).openapi('ImportValidation'),
        ),
      },
      ...no(400, 401, 403),
    },
  }),
  async (c) => {
    const checked = await readUpload(c, c.req.valid('form'))
    const { total, valid } = checked
    const taken = await imports.taken(c.var.db.sql, valid)
    const { errors, errorsOmitted } = allErrors(checked, taken)
    const preview_users = valid
      .slice(0, previewRows)
      .map((entry) => ({ ...toJson(entry), role: entry.role, org_unit_id: entry.orgUnitId }))
    const statistics = {
      total_rows: total,
      valid_users: valid.length,
      new_users: valid.length - taken.length,
      existing_users: taken.length,
      errors: total - valid.length,
    }
    const message = `Будет создано пользователей: ${statistics.new_users}`
    return c.json(yes({ message, errors, errors_omitted: errorsOmitted, statistics, preview_users }), 200)
  },
)

bulkImport.openapi(
  createRoute({
    method: 'get',
    path: '/users/bulk-import/template',
    tags,
    summary: 'Получение шаблона Excel файла',
    middleware: admins,
    responses: {
      200: {
        description: 'Книга users_import_template.xlsx с листом «Пользователи» и списками ролей и групп',
        content: { [xlsx]: { schema: z.string().openapi({ format: 'binary' }) } },
      },
      ...no(401, 403),
    },
  }),
  async (c) => {
    const { db, actor } = c.var
    const file = await template(await imports.units(db.sql, await scope.administered(db.sql, actor)))
    return c.body(file, 200, {
      'Content-Type': xlsx,
      'Content-Disposition': 'attachment; filename="users_import_template.xlsx"',
    })
  },
)
