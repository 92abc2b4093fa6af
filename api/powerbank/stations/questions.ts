import { createRoute, z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import type { CommandRow } from '../../../db/devices/commands.ts'
import { Refused } from '../../../db/powerbank/refused.ts'
import * as verbs from '../../../db/powerbank/station-commands.ts'
import * as stations from '../../../db/powerbank/stations.ts'
import type { Env } from '../../context.ts'
import { IdempotencyKey, idempotencyOf } from '../../idempotency.ts'
import { STAFF, staff } from '../people/rights.ts'
import { idBody, idParam, json, jsonBody, no, ok, type router, yes } from '../surface.ts'
import { QUERY_WAIT_MS, sent, settled, spellSent } from './command-answer.ts'
import { Station, stationOf, toJson } from './station-view.ts'

export const tags = ['Управление станциями (команды)']
export const asking =
  'Команда уходит сразу; ответ ждёт станцию. 400: не подключена, или станции этого семейства (MQTT) такой команды не знают; ' +
  '408: не ответила.'
export const reading = 'Последний ответ станции; 404, пока она не отвечала.'
export const params = z.object({ station_id: idParam })
export const Target = z.object({ station_id: idBody }).openapi('CommandTarget', { example: { station_id: 13 } })
/** The body of a command, which may carry an `Idempotency-Key`. */
export const request = <S extends z.ZodType>(schema: S) => ({
  headers: IdempotencyKey,
  body: jsonBody(schema),
})

/** Asks, waits, and gives the answer's row with its station. */
export async function ask(
  c: Context<Env>,
  body: { station_id: number },
  question: verbs.Question,
): Promise<{ row: CommandRow; station: stations.Station }> {
  const { db, actor } = c.var
  const asked = { stationId: body.station_id, question, idempotency: idempotencyOf(c, body) }
  const commandId = await db.transaction((tx) => verbs.ask(tx, actor, asked))
  const row = await settled(c, commandId, QUERY_WAIT_MS)
  const station = await stations.find(db.sql, row.deviceId)
  if (!station) throw new Refused('station_not_found')
  return { row, station }
}

/** Nothing is known of what a cabinet was never asked. */
export const unheard = () => new Refused('not_found', '', { text: 'Станция ещё не присылала эти данные' })

/** Something that a cabinet can be asked, and that is known from its last answer. */
interface Question<T extends z.ZodType, Beside extends z.ZodRawShape> {
  /** Of the paths: `/query-NAME` asks, `/query-NAME/station/{station_id}` reads. */
  name: string
  kind: Extract<verbs.Question, { args?: Record<string, never> }>['kind']
  /** Under which name `deviceState` keeps the answer (db/powerbank/decide/learned.ts), and the reading answer has it. */
  kept: string
  field: string
  view: T
  spell(said: Record<string, any>, at: Date, station: stations.Station): z.infer<T>
  /** What of it the asking answer has beside `data`. */
  beside?: Beside
  /** Schemas and texts: of asking, of reading, of what is told. */
  asked: { schema: string; summary: string; message: string }
  read: { schema: string; summary: string; description: string }
}

/** Two routes: one asks a cabinet, one reads what it last said (docs/contracts.md 4.12). */
export function question<T extends z.ZodType, Beside extends z.ZodRawShape>(
  routes: ReturnType<typeof router>,
  of: Question<T, Beside>,
): void {
  const { name, kind, kept, field, view, spell, beside = {}, asked, read } = of
  const { schema, summary, message } = asked
  // Bodies are `never`: their keys are only known at run time, and are those of the schemas.
  const bodies = { request: request(Target), responses: sent(schema, { ...beside, data: view }) }
  routes.openapi(
    createRoute({
      method: 'post',
      path: `/query-${name}`,
      tags,
      summary,
      description: asking,
      middleware: staff,
      ...bodies,
    }),
    async (c) => {
      const { row, station } = await ask(c, c.req.valid('json'), { kind })
      const data = spell(row.answer ?? {}, row.answeredAt!, station) as Record<string, unknown>
      const said = Object.fromEntries(Object.keys(beside).map((key) => [key, data[key]]))
      return c.json(yes({ message, ...spellSent(row, station.boxId), ...said, data }) as never, 200)
    },
  )
  const known = json(ok({ station: Station, [field]: view, data: view }).openapi(read.schema))
  routes.openapi(
    createRoute({
      method: 'get',
      path: `/query-${name}/station/{station_id}`,
      tags,
      summary: read.summary,
      description: reading,
      middleware: staff,
      request: { params },
      responses: { 200: { description: read.description, ...known }, ...no(400, 401, 403, 404) },
    }),
    async (c) => {
      const station = await stationOf(c.var.db.sql, c.var.actor, c.req.valid('param').station_id, ...STAFF)
      const said = station.deviceState[kept]
      if (!said) throw unheard()
      const data = spell(said, new Date(said.at), station)
      return c.json(yes({ station: toJson(station), [field]: data, data }) as never, 200)
    },
  )
}
