import { createRoute, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import * as faults from '../../../db/powerbank/fault-reports.ts'
import { Refused } from '../../../db/powerbank/refused.ts'
import type { Env } from '../../context.ts'
import { idBody, json, jsonBody, no, ok, router, Time, time, yes } from '../surface.ts'

const tags = ['Возврат повербанков']
const typeCharactersMax = 100
const notesCharactersMax = 2_000

const TypeText = z.string().trim().min(1).max(typeCharactersMax)
const Notes = z.string().trim().max(notesCharactersMax)

const Report = z
  .object({
    order_id: idBody,
    powerbank_id: idBody,
    station_id: idBody,
    user_id: idBody,
    error_type: TypeText,
    additional_notes: Notes.nullish(),
  })
  .openapi('PowerbankErrorReport', {
    example: {
      order_id: 123,
      powerbank_id: 53,
      station_id: 13,
      user_id: 33,
      error_type: 'broken',
      additional_notes: '...',
    },
  })

const filed = {
  powerbank_id: z.int(),
  error_type: z.string(),
  power_er: z.int().openapi({ description: 'Номер типа поломки; то, что типов не знает, — «Другое»' }),
  new_status: z.string(),
  write_off_reason: z.string(),
  timestamp: Time,
}

const toJson = (report: faults.Filed) => ({
  powerbank_id: report.powerbankId,
  error_type: report.errorType,
  power_er: report.errorTypeId,
  new_status: report.status,
  write_off_reason: report.writeOffReason,
  timestamp: time(report.at),
})

async function file(c: Context<Env>, given: z.infer<typeof Report>) {
  const said = {
    orderId: given.order_id,
    powerbankId: given.powerbank_id,
    stationId: given.station_id,
    userId: given.user_id,
    errorType: given.error_type,
    notes: given.additional_notes ?? null,
  }
  const report = await c.var.db.transaction((tx) => faults.report(tx, c.var.actor, said))
  return yes({ message: 'Сообщение о поломке принято', ...toJson(report) })
}

/** A broken bank, told by who holds it (docs/contracts.md 4.9). At the root, where the document has it, and below `/api`. */
export const faultReports = router()

const report = '/powerbank-error-report'
for (const path of [report, `/api${report}`])
  faultReports.openapi(
    createRoute({
      method: 'post',
      path,
      // Both spellings would give one name to client generators.
      ...(path === report ? {} : { operationId: 'reportPowerbankError' }),
      tags,
      summary: `Отчет об ошибке повербанка${path === report ? '' : ` (алиас для ${report})`}`,
      description:
        'Заказ должен быть активным заказом этого пользователя на этот повербанк. error_type: powerbank_not_working, cable_type_c_damaged, cable_micro_usb_damaged, cable_lightning_damaged, cable_damaged, other или любой другой текст. Тот же отчёт второй раз — та же запись.',
      request: { body: jsonBody(Report) },
      responses: {
        200: { description: 'Принят', ...json(ok(filed).openapi('PowerbankErrorReported')) },
        ...no(400, 401, 403, 404),
      },
    }),
    async (c) => c.json(await file(c, c.req.valid('json')), 200),
  )

const Broken = z
  .object({
    station_id: idBody,
    user_id: idBody.optional(),
    error_type: z.union([z.int(), TypeText]).optional(),
    description: Notes.optional(),
  })
  .openapi('ReturnDamage', { example: { station_id: 13, user_id: 33, error_type: 1 } })

const Returned = z
  .object({ order_id: z.int(), serial_number: z.string(), station_id: z.int(), user_id: z.int(), ...filed })
  .openapi('DamageReturn')

/** Bringing back a broken bank (docs/contracts.md 4.15). */
export const returnDamage = router()

returnDamage.openapi(
  createRoute({
    method: 'post',
    path: '/return-damage',
    tags: ['Пользовательский API'],
    summary: 'Возврат с поломкой',
    description:
      'Поломка записывается на повербанк первого активного заказа; заказ закроет станция, когда повербанк вставлен. error_type: номер (1 — не заряжает, 2 — Type-C, 3 — Micro-USB, 4 — Lightning, 5 — кабель, 6 — другое), код или текст; нужен он или description.',
    request: { body: jsonBody(Broken) },
    responses: {
      200: { description: 'Принято', ...json(ok({ data: Returned }).openapi('DamageReturned')) },
      ...no(400, 401, 403, 404),
    },
  }),
  async (c) => {
    const { db, actor } = c.var
    const { station_id, user_id = actor.userId, error_type, description } = c.req.valid('json')
    const errorType = error_type ?? (description ? 'other' : undefined)
    if (errorType === undefined) {
      const text = 'Отсутствует обязательное поле error_type'
      throw new Refused('invalid', '', { field: 'error_type', text })
    }
    const said = { stationId: station_id, userId: user_id, errorType, notes: description ?? null }
    const filedReport = await db.transaction((tx) => faults.returnBroken(tx, actor, said))
    const { orderId, serialNumber } = filedReport
    const data = { order_id: orderId, serial_number: serialNumber, station_id, user_id, ...toJson(filedReport) }
    return c.json(yes({ message: 'Поломка записана. Вставьте повербанк в станцию.', data }), 200)
  },
)
