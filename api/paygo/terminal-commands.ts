import { createRoute, z } from '@hono/zod-openapi'
import { Refused } from '../../db/paygo/refused.ts'
import * as verbs from '../../db/paygo/terminal-commands.ts'
import { get as terminalOf } from '../../db/paygo/terminals-list.ts'
import { type CommandType, commandTypes, terminalCommandStatuses } from '../../db/paygo/words.ts'
import { may } from '../auth.ts'
import { idempotencyKey, idempotencyOf } from '../idempotency.ts'
import { published } from '../resource.ts'
import { misshapen, missing, mistakesOf } from './refusals.ts'
import {
  addition,
  commands as ids,
  json,
  jsonBody,
  no,
  Pagination,
  paginationOf,
  paging,
  router,
  shown,
  Time,
  terminals,
} from './surface.ts'
import { staff, tags } from './terminals.ts'

const hostCharactersMax = 253
const portMax = 65_535
const volumeMax = 100

const nothing = z.strictObject({})
const anything = z.record(z.string(), z.unknown())
/** What each command says beside its name; the longest it may be, the wire says (docs/protocol.md 7.3). */
const dataOf: Record<CommandType, z.ZodType<Record<string, unknown>>> = {
  restart: nothing,
  update_config: anything,
  update_software: anything,
  maintenance_on: nothing,
  maintenance_off: nothing,
  ping: nothing,
  print_receipt: anything,
  set_volume: z.strictObject({ volume: z.int().min(0).max(volumeMax) }),
  set_server_address: z.strictObject({
    host: z
      .string()
      .max(hostCharactersMax)
      .regex(/^[\w.:-]+$/, 'ожидается имя или адрес'),
    port: z.int().min(1).max(portMax),
  }),
  payment: anything,
}

const Command = z
  .object({
    id: ids.shown,
    terminal_id: terminals.shown,
    command_type: z.enum(commandTypes),
    command_data: z.record(z.string(), z.any()),
    status: z.enum(terminalCommandStatuses),
    result: z.string().nullable().openapi({ description: 'Что сказал терминал, или его код' }),
    created_at: Time,
    executed_at: Time.nullable(),
  })
  .openapi('PaygoTerminalCommand')

/** The value of `Command`. */
export const command = (one: verbs.TerminalCommand) =>
  published(Command, {
    ...shown(one),
    id: ids.spell(one.id),
    terminal_id: terminals.spell(one.terminalId),
    command_type: one.type,
    command_data: one.data,
  })

const Type = z.enum(commandTypes)
const NewCommand = z
  .object({
    command_type: Type.optional(),
    command_data: anything.nullish(),
    command: Type.optional().openapi({ description: 'То же, что command_type' }),
    parameters: anything.nullish().openapi({ description: 'То же, что command_data' }),
  })
  .openapi('PaygoNewTerminalCommand', { example: { command_type: 'restart', command_data: {} } })

/** Type and data of a body, by either of their names. */
function given(body: z.output<typeof NewCommand>) {
  const type = body.command_type ?? body.command
  if (type === undefined) throw misshapen(missing('command_type'))
  const names = (['command_data', 'parameters'] as const).filter((name) => body[name] != null)
  const [data] = (names.length > 0 ? names : (['command_data'] as const)).map((name) => dataIn(name, type, body[name]))
  return { type, data: data! }
}

function dataIn(name: string, type: CommandType, data: unknown): Record<string, unknown> {
  const judged = dataOf[type].safeParse(data ?? {})
  if (judged.success) return judged.data
  const mistakes = mistakesOf(judged.error.issues)
  const fieldOf = (field: string) => (field === 'body' ? name : `${name}.${field}`)
  throw misshapen(...mistakes.map(({ field, message }) => ({ field: fieldOf(field), message })))
}

/** What terminals are told to do. */
export const terminalCommands = router()
const path = '/terminals/{terminal_id}/commands'
const params = z.object({ terminal_id: terminals.given })

terminalCommands.openapi(
  createRoute({
    method: 'post',
    path,
    tags,
    summary: 'Отправка команды терминалу',
    description:
      'Команда записана и уходит, как только терминал на связи: `restart` и `payment` ждут 15 секунд, остальные — сутки. Итог — по `GET` этой команды. `set_volume`: `{volume: 0–100}`; `set_server_address`: `{host, port}`.',
    middleware: may('admin', 'terminal_operator'),
    request: { headers: idempotencyKey(409), params, body: jsonBody(NewCommand) },
    responses: { 201: { description: 'Команда', ...json(Command) }, ...no(400, 401, 403, 404, 409, 422) },
  }),
  async (c) => {
    const { terminal_id: terminalId } = c.req.valid('param')
    const body = c.req.valid('json')
    const wanted = { terminalId, ...given(body), idempotency: idempotencyOf(c, body) }
    const made = await c.var.db.transaction(async (tx) => {
      await terminalOf(tx, terminalId)
      const { id } = await verbs.enqueue(tx, c.var.actor, wanted)
      return await verbs.get(tx, terminalId, id)
    })
    return c.json(command(made!), 201)
  },
)

terminalCommands.openapi(
  createRoute({
    method: 'get',
    path,
    tags,
    summary: 'Команды терминала',
    description: 'Сначала новые. Дополнение Voltbay: в документе такой операции нет.',
    ...addition,
    middleware: may(...staff),
    request: { params, query: z.object(paging) },
    responses: {
      200: {
        description: 'Страница',
        ...json(z.object({ commands: z.array(Command), pagination: Pagination }).openapi('PaygoTerminalCommands')),
      },
      ...no(401, 403, 404, 422),
    },
  }),
  async (c) => {
    const at = c.req.valid('query')
    const { sql } = c.var.db
    const { id } = await terminalOf(sql, c.req.valid('param').terminal_id)
    const { rows, total } = await verbs.list(sql, id, at)
    return c.json({ commands: rows.map(command), pagination: paginationOf(total, at) }, 200)
  },
)

terminalCommands.openapi(
  createRoute({
    method: 'get',
    path: `${path}/{command_id}`,
    tags,
    summary: 'Состояние команды терминала',
    description: 'Дополнение Voltbay: в документе такой операции нет.',
    ...addition,
    middleware: may(...staff),
    request: { params: params.extend({ command_id: ids.given }) },
    responses: { 200: { description: 'Команда', ...json(Command) }, ...no(401, 403, 404, 422) },
  }),
  async (c) => {
    const { terminal_id: terminalId, command_id: id } = c.req.valid('param')
    const { sql } = c.var.db
    await terminalOf(sql, terminalId)
    const found = await verbs.get(sql, terminalId, id)
    if (!found) throw new Refused('not_found', `command ${id}`, { reason: 'command_unknown' })
    return c.json(command(found), 200)
  },
)
