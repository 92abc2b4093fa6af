import * as results from '../devices/command-results.ts'
import * as commands from '../devices/commands.ts'
import { COLUMNS, type CommandRow, type Idempotency, replayed } from '../devices/commands.ts'
import { Refused } from '../devices/refused.ts'
import * as audit from '../messages/audit.ts'
import { record } from '../messages/events.ts'
import type { Actor } from '../platform/actor.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import { type Page, pageOf } from '../postgres/rows.ts'
import { claimed, hold } from './terminal-sessions.ts'
import type { CommandType, TerminalCommandStatus, TerminalCondition } from './words.ts'

const STAN_MAX = 999_999
const STAN_DIGITS = 6
const VOLUME_MAX = 100
const HOST_CHARS_MAX = 253
const PORT_MAX = 65_535
/** What field 61 holds (docs/protocol.md 7.3). */
const DATA_BYTES_MAX = 999
/** A terminal that is away for longer is not restarted when it comes, nor told of a payment (docs/protocol.md 7.8). */
const SOON_SECONDS = 15
const DAY_SECONDS = 86_400
/** How far back among a terminal's commands the answered one is looked for. */
const RECENT_MAX = 256

/** What somebody wants a terminal to do. */
export interface NewTerminalCommand {
  terminalId: number
  type: CommandType
  data?: Record<string, unknown> | undefined
  idempotency?: Idempotency | undefined
}

const isWhole = (value: unknown, min: number, max: number) =>
  Number.isInteger(value) && Number(value) >= min && Number(value) <= max
const isHost = (value: unknown) =>
  typeof value === 'string' && /^[\w.:-]+$/.test(value) && value.length <= HOST_CHARS_MAX

/** What is wrong with the data of a command, in words; null: nothing. */
function faultOf(type: CommandType, data: Record<string, unknown>): string | null {
  if (type === 'set_volume' && !isWhole(data.volume, 0, VOLUME_MAX))
    return `volume: a whole number from 0 to ${VOLUME_MAX}`
  if (type === 'set_server_address' && !(isHost(data.host) && isWhole(data.port, 1, PORT_MAX)))
    return `host: a name or address; port: a whole number from 1 to ${PORT_MAX}`
  const bytes = Buffer.byteLength(JSON.stringify(data))
  return bytes > DATA_BYTES_MAX ? `at most ${DATA_BYTES_MAX} bytes as JSON` : null
}

/**
 * Writes a command down; its terminal is told as soon as it is there (docs/protocol.md 7.5, 0600).
 * @param actor null: a rule of ours
 * @returns its number, and whether this very request has made it before
 * @throws Refused not_found, invalid, too_many_commands, idempotency_mismatch
 */
export async function enqueue(
  tx: Tx,
  actor: Actor | null,
  { terminalId, type, data = {}, idempotency }: NewTerminalCommand,
): Promise<{ id: number; repeated: boolean }> {
  const fault = faultOf(type, data)
  if (fault !== null) throw new Refused('invalid', fault, { field: 'command_data' })
  const requestedBy = actor?.userId ?? null
  const before = idempotency ? await replayed(tx, requestedBy, idempotency) : null
  if (before !== null) return { id: before, repeated: true }
  const [numbered] = await tx<{ stan: number }[]>`
    update terminals set last_host_stan = last_host_stan % ${STAN_MAX} + 1
    where id = ${terminalId} and deleted_at is null returning last_host_stan as stan`
  if (!numbered) throw new Refused('not_found')
  const made = await commands.enqueue(tx, {
    deviceId: terminalId,
    kind: type,
    args: { stan: String(numbered.stan).padStart(STAN_DIGITS, '0'), data },
    requestedBy,
    origin: actor ? 'api' : 'policy',
    queuedSeconds: type === 'restart' || type === 'payment' ? SOON_SECONDS : DAY_SECONDS,
    idempotency,
  })
  if (actor)
    await audit.record(tx, actor, 'paygo', {
      ...{ action: 'terminal.command', entityType: 'terminal', entityId: terminalId },
      newValues: { commandId: made.id, type, data },
    })
  await told(tx, { terminalId, commandId: made.id, command: type, status: 'pending' })
  return made
}

/** What happened to a command, for whoever looks on. */
interface Told {
  terminalId: number
  commandId: number
  command: string
  status: TerminalCommandStatus
}

const told = (tx: Tx, { status, ...about }: Told) =>
  record(tx, status === 'pending' ? 'terminal.command' : 'terminal.command_ended', { data: { ...about, status } })

/** What a terminal says of a command, by the host's STAN or by its number: 00 is done, anything else is not. */
export type Result = ({ stan: string } | { id: number }) & { code: string; text?: string }

/** Where commands bring a terminal. */
const conditions: Partial<Record<string, TerminalCondition>> = {
  maintenance_on: 'maintenance',
  maintenance_off: 'working',
}

async function move(tx: Tx, terminalId: number, condition: TerminalCondition): Promise<void> {
  const { count } = await tx`
    update terminals set condition = ${condition}, updated_at = now() where id = ${terminalId} and condition <> ${condition}`
  if (count > 0) await record(tx, 'terminal.condition_changed', { data: { terminalId, condition } })
}

/**
 * A terminal has answered a command: the one that it names takes it, late or not. Said twice counts once.
 * @returns the command; null: nothing waited for this
 */
export async function answered(tx: Tx, terminalId: number, result: Result, hex: string): Promise<number | null> {
  const { code, text } = result
  const isNamed = 'id' in result ? tx`id = ${result.id}` : tx`args->>'stan' = ${result.stan}`
  await hold(tx, terminalId)
  const [command] = await tx<CommandRow[]>`
    select ${tx(COLUMNS)} from device_commands
    where id = (
      select id from (
        select id, args, status, attempts from device_commands where device_id = ${terminalId}
        order by id desc limit ${RECENT_MAX}
      ) recent
      where ${isNamed} and attempts > 0 and status in ('sent', 'queued', 'unknown')
      order by id desc limit 1)
    for update`
  if (!command) return null
  const ok = code === '00'
  const { id, kind } = command
  await results.take(tx, command, { kind, ok, code, ...(text !== undefined && { text }) }, hex)
  const condition = ok ? conditions[kind] : undefined
  if (condition) await move(tx, terminalId, condition)
  await told(tx, { terminalId, commandId: id, command: kind, status: ok ? 'completed' : 'failed' })
  return id
}

/** A command as clients see it. */
export interface TerminalCommand {
  id: number
  terminalId: number
  type: CommandType
  data: Record<string, unknown>
  status: TerminalCommandStatus
  /** What the terminal said of it, or its code. */
  result: string | null
  createdAt: Date
  /** When it was answered. */
  executedAt: Date | null
}

const columns = (q: Queryable) => q`
  id, device_id as terminal_id, kind as type, coalesce(args->'data', '{}') as data,
  case status when 'answered' then 'completed' when 'failed' then 'failed' when 'sent' then 'executing'
    when 'queued' then case when attempts > 0 then 'executing' else 'pending' end else 'expired' end as status,
  coalesce(answer->>'text', 'code ' || nullif(answer->>'code', '00')) as result, created_at, answered_at as executed_at`

/** One command of a terminal, or undefined. */
export async function get(q: Queryable, terminalId: number, id: number): Promise<TerminalCommand | undefined> {
  const [row] = await q<TerminalCommand[]>`
    select ${columns(q)} from device_commands where id = ${id} and device_id = ${terminalId}`
  return row
}

/**
 * What may be told to a terminal now over a line of this name: marked as told, so it goes once. What waits for an answer for
 * too long comes once more, under the same number.
 */
export async function take(tx: Tx, terminalId: number, node: string): Promise<TerminalCommand[]> {
  const waiting = await commands.waiting(tx, node, [terminalId])
  if (waiting.length === 0) return []
  const ids = await commands.claim(
    tx,
    node,
    waiting.map(({ id, epoch }) => ({ id, epoch, hex: '' })),
  )
  await claimed(
    tx,
    waiting.filter(({ id }) => ids.includes(id)),
  )
  return await tx<
    TerminalCommand[]
  >`select ${columns(tx)} from device_commands where id = any(${ids}::bigint[]) order by id`
}

/** One page of a terminal's commands, the newest first. */
export function list(
  q: Queryable,
  terminalId: number,
  at: { page: number; limit: number },
): Promise<Page<TerminalCommand>> {
  const of = q`device_commands where device_id = ${terminalId}`
  return pageOf<TerminalCommand>(q, of, q`select ${columns(q)} from ${of} order by id desc`, at)
}
