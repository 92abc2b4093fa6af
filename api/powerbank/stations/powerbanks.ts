import { createRoute, z } from '@hono/zod-openapi'
import * as verbs from '../../../db/powerbank/powerbanks.ts'
import { Refused } from '../../../db/powerbank/refused.ts'
import * as scope from '../../../db/powerbank/scope.ts'
import { powerbankStatuses, writeOffReasons } from '../../../db/powerbank/words.ts'
import { admins } from '../people/rights.ts'
import { idBody, idParam, json, no, ok, page, paged, paging, router, Time, time, yes } from '../surface.ts'

const tags = ['Управление повербанками']
const serialCharactersMax = 64

export const PowerbankStatus = z.enum(powerbankStatuses)
/** Body fields of a power bank. */
export const fields = {
  org_unit_id: idBody.nullable(),
  soh: z.int().min(0).max(100),
  status: PowerbankStatus,
  write_off_reason: z.enum(writeOffReasons),
}
/** What is printed on it, or what cabinets call it. */
export const Serial = z
  .string()
  .trim()
  .max(serialCharactersMax)
  .regex(/^[\x21-\x7e]+$/, 'ожидаются символы ASCII без пробелов')
const NewPowerbank = z.object({ serial_number: Serial, ...z.object(fields).partial().shape })

/** A power bank as this surface shows it (docs/contracts.md 4.3). */
export const Powerbank = z
  .object({
    id: z.int(),
    powerbank_id: z.int(),
    serial_number: z.string(),
    ...fields,
    org_unit_name: z.string().nullable(),
    power_er: z.int().nullable(),
    error_type: z.string().nullable(),
    station_id: z.int().nullable(),
    slot_number: z.int().nullable(),
    created_at: Time,
    updated_at: Time,
  })
  .openapi('Powerbank')

/** The value of `Powerbank`. */
export const toJson = (bank: verbs.Powerbank): z.infer<typeof Powerbank> => ({
  id: bank.id,
  powerbank_id: bank.id,
  serial_number: bank.serialNumber,
  org_unit_id: bank.orgUnitId,
  org_unit_name: bank.orgUnitName,
  soh: bank.soh,
  status: bank.status,
  write_off_reason: bank.writeOffReason,
  power_er: bank.errorTypeId,
  error_type: bank.errorType,
  station_id: bank.stationId,
  slot_number: bank.slotNumber,
  created_at: time(bank.createdAt),
  updated_at: time(bank.updatedAt),
})

/** The answer of every route about one of them. */
export const one = json(ok({ data: Powerbank }).openapi('PowerbankAnswer'))

/** Power banks, wherever they are (docs/contracts.md 4.3). */
export const powerbanks = router()

powerbanks.openapi(
  createRoute({
    method: 'post',
    path: '/powerbanks',
    tags,
    summary: 'Создание повербанка',
    description:
      'Серийный номер вида DCHA54000016 или 16 шестнадцатеричных цифр узнаётся кабинетами; любой другой ни с каким оборудованием не связан.',
    middleware: admins,
    request: {
      body: {
        required: true,
        ...json(
          NewPowerbank.openapi('NewPowerbank', {
            example: { serial_number: 'PB001', org_unit_id: 1, soh: 100, status: 'unknown', write_off_reason: 'none' },
          }),
        ),
      },
    },
    responses: { 201: { description: 'Создан', ...one }, ...no(400, 401, 403) },
  }),
  async (c) => {
    const given = c.req.valid('json')
    const bank = await c.var.db.transaction((tx) =>
      verbs.create(tx, c.var.actor, {
        serialNumber: given.serial_number,
        orgUnitId: given.org_unit_id,
        soh: given.soh,
        status: given.status,
        writeOffReason: given.write_off_reason,
      }),
    )
    return c.json(yes({ message: 'Повербанк создан', data: toJson(bank) }), 201)
  },
)

powerbanks.openapi(
  createRoute({
    method: 'get',
    path: '/powerbanks',
    tags,
    summary: 'Получение списка повербанков',
    request: { query: z.object({ ...paging, status: PowerbankStatus.optional(), org_unit_id: idParam.optional() }) },
    responses: { 200: { description: 'Страница', ...json(page(Powerbank).openapi('Powerbanks')) }, ...no(400, 401) },
  }),
  async (c) => {
    const { status, org_unit_id: orgUnitId, ...at } = c.req.valid('query')
    const q = c.var.db.sql
    const { rows, total } = await verbs.list(q, { scope: await scope.of(q, c.var.actor), status, orgUnitId, ...at })
    return c.json(paged(rows.map(toJson), total, at), 200)
  },
)

powerbanks.openapi(
  createRoute({
    method: 'get',
    path: '/powerbanks/{powerbank_id}',
    tags,
    summary: 'Получение повербанка по ID',
    request: { params: z.object({ powerbank_id: idParam }) },
    responses: { 200: { description: 'Повербанк', ...one }, ...no(400, 401, 403, 404) },
  }),
  async (c) => {
    const { db, actor } = c.var
    const bank = await verbs.get(db.sql, c.req.valid('param').powerbank_id)
    if (!bank) throw new Refused('power_bank_not_found')
    scope.assertInScope(await scope.of(db.sql, actor), bank.orgUnitId)
    return c.json(yes({ data: toJson(bank) }), 200)
  },
)
