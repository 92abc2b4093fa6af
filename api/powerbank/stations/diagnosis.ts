import { createRoute, z } from '@hono/zod-openapi'
import { diagnose } from '../../../db/diagnosis/decide/causes.ts'
import { factsOf } from '../../../db/diagnosis/facts.ts'
import { monthAt, monthOf, uptimeOf } from '../../../db/diagnosis/uptime.ts'
import { type CauseCode, causeCodes } from '../../../db/diagnosis/words.ts'
import { Refused } from '../../../db/powerbank/refused.ts'
import { STAFF, staff } from '../people/rights.ts'
import { idParam, json, no, ok, router, Time, time, yes } from '../surface.ts'
import { stationOf } from './station-view.ts'

const texts: Record<CauseCode, string> = {
  database_away: 'База данных платформы не отвечает',
  gateway_down: 'Не слышно ни одной станции этого семейства: шлюз платформы или сеть перед ним',
  broker_down: 'Не слышно ни одной станции MQTT: брокер или связь с ним',
  wrong_key: 'Станция стучится, но её ключ не совпадает с сохранённым',
  no_key: 'Станция стучится, но её ключ не сохранён: сохраните его',
  wrong_dialect: 'Станция стучится, но говорит на другом диалекте, чем раньше, или без ключа, который ей задан',
  sim_changed: 'Станция стучится с другой SIM-картой: если замена намеренная, примите её',
  unknown_box_id: 'Стучится неизвестный box_id, очень похожий на этот: проверьте, верно ли он записан',
  sim_blocked: 'SIM-карта станции заблокирована',
  contract_in_debt: 'Договор SIM-карты приостановлен из-за отрицательного баланса',
  sim_not_active: 'SIM-карта станции не активна',
  site_down: 'Вместе с ней замолчали соседние станции: питание или сеть на месте',
  power_schedule: 'Станция отключается каждый день в это время: её выключают',
  weak_link: 'Связь рвётся весь день: слабый сигнал или перебои питания',
  never_connected: 'Станция ещё ни разу не подключалась: проверьте адрес сервера, APN и SIM-карту',
  silent: 'Известные причины не подходят: питание, SIM-карта или сеть на месте',
}

const Cause = z
  .object({
    code: z.enum(causeCodes),
    text: z.string(),
    certainty: z.int().openapi({ description: 'От 0 до 100; по ней причины упорядочены' }),
    evidence: z.record(z.string(), z.union([z.string(), z.number(), z.null()])),
  })
  .openapi('OfflineCause', {
    example: {
      code: 'contract_in_debt',
      text: texts.contract_in_debt,
      certainty: 88,
      evidence: {
        iccid: '8999612345678901234',
        status: 'suspended',
        contract: 'CTR-2026-000001',
        balance_minor: -4000,
      },
    },
  })

const Diagnosis = z.object({
  station_id: z.int(),
  box_id: z.string(),
  is_online: z.boolean(),
  last_seen: Time.nullable(),
  causes: z.array(Cause),
})

const tags = ['Управление станциями']
const params = z.object({ station_id: idParam })

/** Why a station is off line, and how long it was on line (additions of ours: docs/contracts.md 4). */
export const diagnosis = router()

diagnosis.openapi(
  createRoute({
    method: 'get',
    path: '/stations/{station_id}/diagnosis',
    tags,
    summary: 'Почему станция не на связи',
    description:
      'Возможные причины, вероятнейшая первой, и что за неё говорит: отказы при входе, SIM-карта и её договор, соседи, ' +
      'привычки станции, сама платформа. Станция на связи: причин нет.',
    middleware: staff,
    request: { params },
    responses: {
      200: { description: 'Причины', ...json(ok({ data: Diagnosis }).openapi('StationDiagnosis')) },
      ...no(400, 401, 403, 404),
    },
  }),
  async (c) => {
    const { db, actor } = c.var
    const { id } = await stationOf(db.sql, actor, c.req.valid('param').station_id, ...STAFF)
    const facts = await factsOf(db.sql, id)
    if (!facts) throw new Refused('station_not_found')
    const { boxId, isOnline, seenAt } = facts.station
    const causes = diagnose(facts).map((cause) => ({ ...cause, text: texts[cause.code] }))
    const data = { station_id: id, box_id: boxId, is_online: isOnline, last_seen: time(seenAt), causes }
    return c.json(yes({ data }), 200)
  },
)

const Uptime = z
  .object({
    month: z.string(),
    uptime_percent: z.number().nullable().openapi({ description: 'null: за это время станция не подключалась' }),
    observed_seconds: z.int(),
    online_seconds: z.int(),
    outages: z
      .array(z.object({ from: Time, until: Time, seconds: z.int(), reason: z.string().nullable() }))
      .openapi({ description: 'Последние сто, новейший первым' }),
  })
  .openapi('StationUptime')

const percentOf = (part: number, whole: number) => (whole > 0 ? Math.round((part / whole) * 10_000) / 100 : null)

diagnosis.openapi(
  createRoute({
    method: 'get',
    path: '/stations/{station_id}/uptime',
    tags,
    summary: 'Время на связи за месяц',
    description: 'Считается с первого подключения; текущий месяц — до этой минуты.',
    middleware: staff,
    request: {
      params,
      query: z.object({
        month: z
          .string()
          .regex(/^20\d\d-(?:0[1-9]|1[0-2])$/, 'ожидается месяц ГГГГ-ММ')
          .optional()
          .openapi({ example: '2026-11', description: 'По умолчанию текущий' }),
      }),
    },
    responses: {
      200: { description: 'Время на связи', ...json(ok({ data: Uptime }).openapi('StationUptimeAnswer')) },
      ...no(400, 401, 403, 404),
    },
  }),
  async (c) => {
    const { db, actor, config } = c.var
    const { month = monthAt(Date.now(), config.timeZone) } = c.req.valid('query')
    const { id } = await stationOf(db.sql, actor, c.req.valid('param').station_id, ...STAFF)
    const { observedSeconds, onlineSeconds, outages } = await uptimeOf(db.sql, id, monthOf(month, config.timeZone))
    const data = {
      month,
      uptime_percent: percentOf(onlineSeconds, observedSeconds),
      observed_seconds: Math.round(observedSeconds),
      online_seconds: Math.round(onlineSeconds),
      outages: outages.map(({ from, until, seconds, reason }) => ({
        from: time(from),
        until: time(until),
        seconds: Math.round(seconds),
        reason,
      })),
    }
    return c.json(yes({ data }), 200)
  },
)
