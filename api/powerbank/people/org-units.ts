import { createRoute, z } from '@hono/zod-openapi'
import { unitTypes } from '../../../db/identity/words.ts'
import { Refused } from '../../../db/platform/refused.ts'
import * as org from '../../../db/powerbank/org-units.ts'
import * as scope from '../../../db/powerbank/scope.ts'
import { may } from '../../auth.ts'
import { idBody, idParam, json, no, offset, ok, page, paged, paging, router, Time, time, yes } from '../surface.ts'

const tags = ['Управление группами']
const admins = may('service_admin', 'group_admin')
const textCharactersMax = 500
const urlCharactersMax = 2_048
const powerbankLimitMax = 1_000
const hoursMax = 8_760

const UnitType = z.enum(unitTypes)
const fields = {
  parent_org_unit_id: idBody.nullable(),
  unit_type: UnitType,
  name: z.string().trim().min(1).max(textCharactersMax),
  adress: z.string().trim().max(textCharactersMax).nullable(),
  logo_url: z
    .url({ protocol: /^https?$/, error: 'ожидается адрес http(s)' })
    .max(urlCharactersMax)
    .nullable(),
  default_powerbank_limit: z.int().min(0).max(powerbankLimitMax),
  reminder_hours: z.int().min(1).max(hoursMax),
  write_off_hours: z.int().min(1).max(hoursMax),
}
const example = {
  parent_org_unit_id: null,
  unit_type: 'group',
  name: 'Отдел продаж',
  adress: 'Москва, ул. Примерная, 1',
  logo_url: 'https://example.com/logo.png',
  default_powerbank_limit: 3,
  reminder_hours: 24,
}
const UnitChange = z.object(fields).partial()
const NewUnit = UnitChange.required({ unit_type: true, name: true })

const Unit = z
  .object({
    org_unit_id: z.int(),
    ...fields,
    logo_url: z.string().nullable(),
    parent_name: z.string().nullable(),
    created_at: Time,
    updated_at: Time,
  })
  .openapi('OrgUnit')

const toJson = (unit: org.UnitRow): z.infer<typeof Unit> => ({
  org_unit_id: unit.id,
  parent_org_unit_id: unit.parentId,
  unit_type: unit.unitType,
  name: unit.name,
  adress: unit.adress,
  logo_url: unit.logoUrl,
  default_powerbank_limit: unit.defaultPowerbankLimit,
  reminder_hours: unit.reminderHours,
  write_off_hours: unit.writeOffHours,
  parent_name: unit.parentName,
  created_at: time(unit.createdAt),
  updated_at: time(unit.updatedAt),
})

const fromJson = (given: z.infer<typeof UnitChange>): org.UnitChange => ({
  parentId: given.parent_org_unit_id,
  unitType: given.unit_type,
  name: given.name,
  adress: given.adress,
  logoUrl: given.logo_url,
  defaultPowerbankLimit: given.default_powerbank_limit,
  reminderHours: given.reminder_hours,
  writeOffHours: given.write_off_hours,
})

const path = '/org-units/{org_unit_id}'
const params = z.object({ org_unit_id: idParam })
const one = json(ok({ data: Unit }).openapi('OrgUnitAnswer'))

/** Groups and subgroups (docs/contracts.md 4.6). */
export const orgUnits = router()

orgUnits.openapi(
  createRoute({
    method: 'post',
    path: '/org-units',
    tags,
    summary: 'Создание организационной единицы',
    middleware: admins,
    request: { body: { required: true, ...json(NewUnit.openapi('NewOrgUnit', { example })) } },
    responses: { 201: { description: 'Создана', ...one }, ...no(400, 401, 403) },
  }),
  async (c) => {
    const { db, actor } = c.var
    const given = c.req.valid('json')
    const unit = await db.transaction((tx) =>
      org.create(tx, actor, { ...fromJson(given), unitType: given.unit_type, name: given.name }),
    )
    return c.json(yes({ message: 'Организационная единица создана', data: toJson(unit) }), 201)
  },
)

orgUnits.openapi(
  createRoute({
    method: 'get',
    path: '/org-units',
    tags,
    summary: 'Получение списка организационных единиц',
    request: {
      query: z.object({ ...paging, unit_type: UnitType.optional(), parent_id: idParam.optional() }),
    },
    responses: { 200: { description: 'Страница', ...json(page(Unit).openapi('OrgUnits')) }, ...no(400, 401) },
  }),
  async (c) => {
    const { db, actor } = c.var
    const { unit_type: unitType, parent_id: parentId, ...at } = c.req.valid('query')
    const seen = await scope.of(db.sql, actor)
    const { rows, total } = await org.list(db.sql, seen, { unitType, parentId }, at.limit, offset(at))
    return c.json(paged(rows.map(toJson), total, at), 200)
  },
)

orgUnits.openapi(
  createRoute({
    method: 'get',
    path,
    tags,
    summary: 'Получение организационной единицы по ID',
    request: { params },
    responses: { 200: { description: 'Организационная единица', ...one }, ...no(400, 401, 403, 404) },
  }),
  async (c) => {
    const { db, actor } = c.var
    const { org_unit_id: id } = c.req.valid('param')
    const unit = await org.get(db.sql, id)
    if (!unit) throw new Refused('not_found', `unit ${id}`, { text: 'Организационная единица не найдена' })
    scope.assertInScope(await scope.of(db.sql, actor), id)
    return c.json(yes({ data: toJson(unit) }), 200)
  },
)

orgUnits.openapi(
  createRoute({
    method: 'put',
    path,
    tags,
    summary: 'Обновление организационной единицы',
    description: 'Не переданное остаётся как было.',
    middleware: admins,
    request: {
      params,
      body: {
        required: true,
        ...json(UnitChange.openapi('OrgUnitChange', { example: { name: 'Отдел продаж', default_powerbank_limit: 5 } })),
      },
    },
    responses: { 200: { description: 'Изменена', ...one }, ...no(400, 401, 403, 404) },
  }),
  async (c) => {
    const { db, actor } = c.var
    const { org_unit_id: id } = c.req.valid('param')
    const unit = await db.transaction((tx) => org.change(tx, actor, id, fromJson(c.req.valid('json'))))
    return c.json(yes({ message: 'Организационная единица обновлена', data: toJson(unit) }), 200)
  },
)

orgUnits.openapi(
  createRoute({
    method: 'delete',
    path,
    tags,
    summary: 'Удаление организационной единицы',
    description: 'Мягкое. 400, пока у неё есть подгруппы, станции, повербанки или пользователи.',
    middleware: admins,
    request: { params },
    responses: {
      200: { description: 'Удалена', ...json(ok({}).openapi('OrgUnitDeleted')) },
      ...no(400, 401, 403, 404),
    },
  }),
  async (c) => {
    const { db, actor } = c.var
    const { org_unit_id: id } = c.req.valid('param')
    await db.transaction((tx) => org.remove(tx, actor, id))
    return c.json(yes({ message: 'Организационная единица удалена' }), 200)
  },
)
