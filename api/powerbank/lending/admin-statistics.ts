import { createRoute, z } from '@hono/zod-openapi'
import * as powerbanks from '../../../db/powerbank/powerbanks.ts'
import * as scope from '../../../db/powerbank/scope.ts'
import * as whereabouts from '../../../db/powerbank/whereabouts.ts'
import { published } from '../../resource.ts'
import { admins } from '../people/rights.ts'
import { PowerbankStatus } from '../stations/powerbanks.ts'
import { idParam, json, no, ok, router, shown, Time, yes } from '../surface.ts'

const tags = ['Административные функции']

/** What an administrator looks up about the fleet (docs/contracts.md 4.2). */
export const adminStatistics = router()

const BankStatus = z
  .object({
    id: z.int(),
    serial_number: z.string(),
    status: PowerbankStatus,
    soh: z.int(),
    org_unit_id: z.int().nullable(),
    created_at: Time,
    org_unit_name: z.string().nullable(),
    station_id: z.int().nullable(),
    slot_number: z.int().nullable(),
    box_id: z.string().nullable(),
  })
  .openapi('AdminPowerbankStatus')

adminStatistics.openapi(
  createRoute({
    method: 'get',
    path: '/admin/powerbank-status/{powerbank_id}',
    tags,
    summary: 'Получение статуса повербанка',
    middleware: admins,
    request: { params: z.object({ powerbank_id: idParam }) },
    responses: {
      200: { description: 'Статус', ...json(ok({ data: BankStatus }).openapi('AdminPowerbankStatusAnswer')) },
      ...no(400, 401, 403, 404),
    },
  }),
  async (c) => {
    const { db, actor } = c.var
    const bank = await powerbanks.get(db.sql, actor, c.req.valid('param').powerbank_id, 'changed')
    return c.json(yes({ data: published(BankStatus, { ...shown(bank), box_id: bank.stationBoxId }) }), 200)
  },
)

const counts = {
  total: z.int(),
  active: z.int(),
  unknown: z.int(),
  broken: z.int().openapi({ description: 'user_reported_broken' }),
  system_error: z.int(),
  written_off: z.int(),
}
const Group = z
  .object({ org_unit_id: z.int().nullable(), org_unit_name: z.string().nullable(), ...counts })
  .openapi('GroupStatistics')

const toJson = (unit: Omit<whereabouts.UnitCounts, 'orgUnitId' | 'orgUnitName'>) => ({
  total: unit.total,
  active: unit.active,
  unknown: unit.unknown,
  broken: unit.broken,
  system_error: unit.systemError,
  written_off: unit.writtenOff,
})
const none = { total: 0, active: 0, unknown: 0, broken: 0, system_error: 0, written_off: 0 }
type Counts = typeof none

/** Two counts as one. */
const add = (a: Counts, b: Counts): Counts => ({
  total: a.total + b.total,
  active: a.active + b.active,
  unknown: a.unknown + b.unknown,
  broken: a.broken + b.broken,
  system_error: a.system_error + b.system_error,
  written_off: a.written_off + b.written_off,
})

adminStatistics.openapi(
  createRoute({
    method: 'get',
    path: '/admin/powerbank-statistics',
    tags,
    summary: 'Получение статистики по повербанкам',
    middleware: admins,
    responses: {
      200: {
        description: 'Сколько каких, всего и по группам',
        ...json(ok({ data: z.object({ ...counts, group_statistics: z.array(Group) }) }).openapi('PowerbankStatistics')),
      },
      ...no(401, 403),
    },
  }),
  async (c) => {
    const { db, actor } = c.var
    const units = await whereabouts.statistics(db.sql, await scope.administered(db.sql, actor))
    const groups = units.map((unit) => ({
      org_unit_id: unit.orgUnitId,
      org_unit_name: unit.orgUnitName,
      ...toJson(unit),
    }))
    const all = units.map(toJson).reduce(add, none)
    return c.json(yes({ data: { ...all, group_statistics: groups } }), 200)
  },
)
