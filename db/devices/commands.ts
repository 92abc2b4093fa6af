import { ANSWER_CHANNEL, COMMAND_CHANNEL, ring } from '../postgres/channels.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import { QUEUED_SECONDS, toAnswer, toBeSaidAgain } from './command-times.ts'
import { Refused } from './refused.ts'
import type { deviceCommands } from './schema.ts'
import type { CommandOrigin, CommandStatus, DeviceKind } from './words.ts'

// Commands to devices of any kind. What they are for is their business's: these verbs tell what ended, and by which end.

/** A login this long after a restart was sent is what came of it. */
const RESTART_SECONDS = 300
const QUERY_ATTEMPTS_MAX = 2
/** Waiting commands a device may have; more is a client gone wild. */
const WAITING_MAX = 32
const DUE_ROWS = 500

type Row = typeof deviceCommands.$inferSelect
/** What a `CommandRow` is read from. */
export const COLUMNS = [
  'id',
  'deviceId',
  'kind',
  'args',
  'slot',
  'isMovement',
  'status',
  'requestedBy',
  'origin',
  'attempts',
  'hexSent',
  'hexReceived',
  'answer',
  'evidence',
  'createdAt',
  'deadline',
  'sentAt',
  'answeredAt',
] as const satisfies (keyof Row)[]

export type CommandRow = Pick<Row, (typeof COLUMNS)[number]>

/** A client's `Idempotency-Key`, and a hash of what it was used for. */
export interface Idempotency {
  key: string
  hash: string
}

export interface NewCommand {
  deviceId: number
  kind: string
  args?: Record<string, unknown>
  slot?: number
  /** A physical act: never sent twice, one at a time per device (docs/decisions.md rule 6). */
  isMovement?: boolean
  requestedBy: number | null
  origin: CommandOrigin
  /** How long it may wait to leave the house, unless that is as long as a device on a weak SIM needs to dial again. */
  queuedSeconds?: number
  idempotency?: Idempotency | undefined
}

/** A command's row, or undefined. */
export async function get(q: Queryable, id: number): Promise<CommandRow | undefined> {
  const [row] = await q<CommandRow[]>`select ${q(COLUMNS)} from device_commands where id = ${id}`
  return row
}

/**
 * The command an `Idempotency-Key` was used for before, or null. Holds the key until the transaction ends, so
 * that two equal requests at once become one after the other.
 * @throws Refused idempotency_mismatch: the key was used for something else
 */
export async function replayed(tx: Tx, requestedBy: number | null, idempotency: Idempotency): Promise<number | null> {
  await tx`select pg_advisory_xact_lock(hashtextextended(${`${requestedBy} ${idempotency.key}`}, 0))`
  const [found] = await tx<{ id: number; requestHash: string }[]>`
    select id, request_hash from device_commands
    where requested_by = ${requestedBy} and idempotency_key = ${idempotency.key}`
  if (!found) return null
  if (found.requestHash !== idempotency.hash) throw new Refused('idempotency_mismatch')
  return found.id
}

/**
 * Writes a command down and rings the gateway on commit. This row is the only way to a device.
 * @throws Refused too_many_commands, idempotency_mismatch
 */
export async function enqueue(tx: Tx, command: NewCommand): Promise<{ id: number; repeated: boolean }> {
  const { deviceId, kind, args = {}, slot = null, isMovement = false, requestedBy, origin, idempotency } = command
  const { queuedSeconds = QUEUED_SECONDS } = command
  if (idempotency) {
    const id = await replayed(tx, requestedBy, idempotency)
    if (id !== null) return { id, repeated: true }
  }
  const payload = slot === null ? args : { ...args, slot }
  const [row] = await tx<{ id: number }[]>`
    with written as (
      insert into device_commands
        (device_id, kind, args, slot, is_movement, requested_by, origin, idempotency_key, request_hash, deadline)
      select ${deviceId}, ${kind}, ${tx.json(payload)}, ${slot}, ${isMovement}, ${requestedBy}, ${origin},
        ${idempotency?.key ?? null}, ${idempotency?.hash ?? null}, now() + make_interval(secs => ${queuedSeconds})
      where (select count(*) from device_commands where device_id = ${deviceId} and status in ('queued', 'sent')) < ${WAITING_MAX}
      returning id
    )
    select id, pg_notify(${COMMAND_CHANNEL}, ${String(deviceId)}) from written`
  if (!row) throw new Refused('too_many_commands', `${WAITING_MAX} commands wait for this device already`)
  return { id: row.id, repeated: false }
}

/**
 * Writes a question down unless the same waits already. Not counted among the commands a client may have waiting: the
 * house must always be able to look.
 */
export async function enqueueOnce(
  tx: Tx,
  { deviceId, kind, origin }: Pick<NewCommand, 'deviceId' | 'kind' | 'origin'>,
): Promise<void> {
  await tx`
    with written as (
      insert into device_commands (device_id, kind, origin, deadline)
      select ${deviceId}, ${kind}, ${origin}, now() + make_interval(secs => ${QUEUED_SECONDS})
      where not exists (
        select 1 from device_commands where device_id = ${deviceId} and kind = ${kind} and status = 'queued')
      returning device_id
    )
    select pg_notify(${COMMAND_CHANNEL}, device_id::text) from written`
}

/** Takes back a command whose bytes have not left. False: they have. */
export async function withdraw(tx: Tx, id: number, evidence: string): Promise<boolean> {
  const taken = await tx`
    update device_commands set status = 'expired', evidence = ${evidence}, given_up_at = now()
    where id = ${id} and status = 'queued'`
  if (taken.count > 0) await ring(tx, `command ${id}`)
  return taken.count > 0
}

export interface Waiting {
  id: number
  deviceId: number
  epoch: number
  kind: string
  args: Record<string, unknown>
  isMovement: boolean
  /** How often it has been said already. */
  attempts: number
}

/**
 * What this node may send now to the devices it holds: of each device the oldest movement, unless one is
 * under way, and the oldest query of each kind, unless that kind is under way (the wire has no correlation id).
 */
export function waiting(q: Queryable, node: string, deviceIds?: number[]): Promise<Waiting[]> {
  return q<Waiting[]>`
    select distinct on (c.device_id, c.is_movement, case when c.is_movement then '' else c.kind end)
      c.id, c.device_id, ds.epoch, c.kind, c.args, c.is_movement, c.attempts
    from device_commands c join device_sessions ds on ds.device_id = c.device_id and ds.node = ${node}
    where c.status = 'queued' and c.deadline > now()
      ${deviceIds ? q`and c.device_id = any(${deviceIds}::bigint[])` : q``}
      and not exists (
        select 1 from device_commands s where s.device_id = c.device_id and s.status = 'sent'
          and s.is_movement = c.is_movement and (c.is_movement or s.kind = c.kind))
    order by c.device_id, c.is_movement, case when c.is_movement then '' else c.kind end, c.id`
}

/** A command that is claimed. */
export type Claimed = Pick<Waiting, 'id' | 'deviceId' | 'kind' | 'attempts'>

/**
 * Marks commands as sent, before their bytes leave: one conditional update. Only those returned may be
 * written to a socket; any other was taken, expired, or belongs to a newer connection.
 */
export async function claim(
  q: Queryable,
  node: string,
  items: readonly { id: number; epoch: number; hex: string }[],
): Promise<number[]> {
  // Not a join: epochs are nearly all alike, and a join on them would pair every command with every session.
  const ids = items.map((item) => item.id)
  const rows = await q<{ id: number }[]>`
    update device_commands c set status = 'sent', node = ${node}, epoch = i.epoch, hex_sent = i.hex,
      sent_at = coalesce(sent_at, now()), attempts = attempts + 1,
      deadline = now() + make_interval(secs => ${toAnswer(q)})
    from devices d, unnest(${ids}::bigint[], ${items.map((item) => item.epoch)}::bigint[],
      ${items.map((item) => item.hex)}::text[]) as i (id, epoch, hex)
    where c.id = any(${ids}::bigint[]) and c.id = i.id and d.id = c.device_id and c.status = 'queued' and c.deadline > now()
      and i.epoch = (select epoch from device_sessions where device_id = c.device_id and node = ${node})
    returning c.id`
  return rows.map((row) => row.id)
}

/** A command whose wait is over without an answer. `queued`: it waits to be sent once more. */
export interface Ended {
  id: number
  deviceId: number
  deviceKind: DeviceKind
  kind: string
  status: CommandStatus
  isMovement: boolean
}

const ended = (q: Queryable) => q`c.id, c.device_id, d.kind as device_kind, c.kind, c.status, c.is_movement`

/** Wakes whoever waits for these, and the gateways that may send them once more. */
async function ringAll(tx: Tx, ended: readonly Ended[]): Promise<void> {
  const again = ended.filter(({ status }) => status === 'queued').map(({ deviceId }) => deviceId)
  const over = ended.filter(({ status }) => status !== 'queued').map(({ id }) => id)
  await tx`
    select pg_notify(${COMMAND_CHANNEL}, id::text) from unnest(${again}::bigint[]) id
    union all select pg_notify(${ANSWER_CHANNEL}, 'command ' || id) from unnest(${over}::bigint[]) id`
}

/** A query that may be asked again goes back to the queue; a movement never does, and nobody is restarted twice. */
const givenUp = (q: Queryable) => q`
  case when not is_movement and c.kind <> 'restart' and attempts < ${QUERY_ATTEMPTS_MAX} then 'queued' else 'unknown' end`

/**
 * The connection that carried these devices' sent commands is gone: queries go back to the queue once, movements
 * become unknown; a restart is meant to end it and waits for the next login. The caller holds the devices.
 */
export async function abandon(tx: Tx, deviceIds: readonly number[], why: string): Promise<Ended[]> {
  const given = await tx<Ended[]>`
    update device_commands c set status = ${givenUp(tx)}, evidence = ${why}, given_up_at = now(),
      sent_at = case when ${givenUp(tx)} = 'queued' then null else sent_at end,
      deadline = case when is_movement then deadline else now() + make_interval(secs => ${toBeSaidAgain(tx)}) end
    from devices d
    where d.id = c.device_id and c.device_id = any(${[...deviceIds]}::bigint[]) and status = 'sent' and c.kind <> 'restart'
    returning ${ended(tx)}`
  if (given.length > 0) await ringAll(tx, given)
  return given
}

/**
 * A device that dials in again after it was told to restart has done so, whether it said so first or not (0x67).
 * @returns the commands that this answers
 */
export async function restarted(tx: Tx, deviceId: number): Promise<number[]> {
  const done = await tx<{ id: number }[]>`
    update device_commands set status = 'answered', answered_at = now(), answer = '{}', evidence = 'the device logged in again'
    where device_id = ${deviceId} and kind = 'restart' and status in ('sent', 'unknown')
      and sent_at > now() - make_interval(secs => ${RESTART_SECONDS})
    returning id`
  for (const { id } of done) await ring(tx, `command ${id}`)
  return done.map(({ id }) => id)
}

/** Fails commands that no device of this wire can be told; of two that say so one does it. The caller holds the device. */
export async function fail(tx: Tx, deviceId: number, ids: readonly number[], evidence: string): Promise<Ended[]> {
  const failed = await tx<Ended[]>`
    update device_commands c set status = 'failed', evidence = ${evidence}, answered_at = now()
    from devices d
    where d.id = c.device_id and c.device_id = ${deviceId} and c.id = any(${[...ids]}::bigint[]) and status = 'queued'
    returning ${ended(tx)}`
  if (failed.length > 0) await ringAll(tx, failed)
  return failed
}

/**
 * Locks what hangs on devices, before they are locked themselves. For the older build, which locks stations and knows no
 * devices; goes with it.
 * @returns the devices that are left, where what others hold is to be left and not waited for
 */
export type Hold = (tx: Tx, deviceIds: number[], others: 'wait' | 'leave') => Promise<readonly { id: number }[]>

/**
 * Ends what is overdue: what never left expires, a silent query is queued once more, a silent movement is
 * unknown until its business decides. Any process may call it, several at once; a device that somebody is just
 * working on is left for the next time.
 */
export async function expire(tx: Tx, hold: Hold): Promise<Ended[]> {
  const due = await tx<{ deviceId: number }[]>`
    select device_id from device_commands where status in ('queued', 'sent') and deadline < now()
    order by deadline limit ${DUE_ROWS}`
  if (due.length === 0) return []
  const dueIds = due.map(({ deviceId }) => deviceId)
  const left = await hold(tx, dueIds, 'leave')
  const held = await tx<{ id: number }[]>`
    select id from devices where id = any(${dueIds}::bigint[]) and id <> all(${left.map(({ id }) => id)}::bigint[])
    order by id for no key update skip locked`
  const deviceIds = held.map(({ id }) => id)
  const overdue = await tx<Ended[]>`
    update device_commands c set
      status = case when status = 'sent' then ${givenUp(tx)} when attempts = 0 then 'expired' else 'unknown' end,
      evidence = case when attempts = 0 then 'the device was not there to take it' else 'no answer in time' end,
      given_up_at = now(), deadline = now() + make_interval(secs => ${toBeSaidAgain(tx)})
    from devices d
    where d.id = c.device_id and c.id in (
      select id from device_commands
      where device_id = any(${deviceIds}::bigint[]) and status in ('queued', 'sent') and deadline < now()
      order by id limit ${DUE_ROWS} for update skip locked)
    returning ${ended(tx)}`
  if (overdue.length > 0) await ringAll(tx, overdue)
  return overdue
}
