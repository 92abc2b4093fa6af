import { COMMAND_CHANNEL, ring } from '../postgres/channels.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import * as orders from '../powerbank/orders.ts'
import { lookWithin } from '../powerbank/slots.ts'
import { Refused } from './refused.ts'

/** How long a command may wait to leave the house; a cabinet on a weak SIM dials again within this. */
const QUEUED_SECONDS = 15
/** How long a movement may take to be answered (docs/protocol.md 4). */
const MOVEMENT_SECONDS = 15
/** How long a query may take, each of its two times. */
const QUERY_SECONDS = 5
/** A login this long after a restart was sent is what came of it. */
const RESTART_SECONDS = 300
const QUERY_ATTEMPTS_MAX = 2
/** Waiting commands a cabinet may have; more is a client gone wild. */
const WAITING_MAX = 32
const DUE_ROWS = 500
/** An inventory nobody answered is asked for again after this. */
const ASK_AGAIN_SECONDS = 30

/** Physical acts: never sent twice, one at a time per cabinet (docs/decisions.md rule 6). */
export const MOVEMENTS = ['eject', 'force_eject']

export type CommandStatus = 'queued' | 'sent' | 'answered' | 'failed' | 'expired' | 'unknown'

export interface CommandRow {
  id: number
  stationId: number
  kind: string
  args: Record<string, any>
  slot: number | null
  isMovement: boolean
  status: CommandStatus
  requestedBy: number | null
  origin: string
  attempts: number
  hexSent: string | null
  hexReceived: string | null
  answer: Record<string, any> | null
  evidence: string | null
  createdAt: Date
  deadline: Date
  /** When its bytes first left for the present connection. */
  sentAt: Date | null
  answeredAt: Date | null
}

/** A client's `Idempotency-Key`, and a hash of what it was used for. */
export interface Idempotency {
  key: string
  hash: string
}

export interface NewCommand {
  stationId: number
  kind: string
  args?: Record<string, unknown>
  slot?: number
  requestedBy: number | null
  origin: 'api' | 'janitor' | 'login' | 'policy'
  idempotency?: Idempotency | undefined
}

/** What a `CommandRow` is read from. */
export const COLUMNS = [
  'id',
  'station_id',
  'kind',
  'args',
  'slot',
  'is_movement',
  'status',
  'requested_by',
  'origin',
  'attempts',
  'hex_sent',
  'hex_received',
  'answer',
  'evidence',
  'created_at',
  'deadline',
  'sent_at',
  'answered_at',
] as const

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
  const { stationId, kind, args = {}, slot = null, requestedBy, origin, idempotency } = command
  if (idempotency) {
    const id = await replayed(tx, requestedBy, idempotency)
    if (id !== null) return { id, repeated: true }
  }
  const isMovement = MOVEMENTS.includes(kind)
  const payload = slot === null ? args : { ...args, slot }
  const [row] = await tx<{ id: number }[]>`
    with written as (
      insert into device_commands
        (station_id, kind, args, slot, is_movement, requested_by, origin, idempotency_key, request_hash, deadline)
      select ${stationId}, ${kind}, ${tx.json(payload as any)}, ${slot}, ${isMovement}, ${requestedBy}, ${origin},
        ${idempotency?.key ?? null}, ${idempotency?.hash ?? null}, now() + make_interval(secs => ${QUEUED_SECONDS})
      where (select count(*) from device_commands where station_id = ${stationId} and status in ('queued', 'sent')) < ${WAITING_MAX}
      returning id
    )
    select id, pg_notify(${COMMAND_CHANNEL}, ${String(stationId)}) from written`
  if (!row) throw new Refused('too_many_commands', `${WAITING_MAX} commands wait for this cabinet already`)
  return { id: row.id, repeated: false }
}

/**
 * Asks a cabinet what it holds, unless that question is waiting already. Not counted among the commands a client
 * may have waiting: the house must always be able to look.
 */
export async function askInventory(tx: Tx, stationId: number, origin: NewCommand['origin']): Promise<void> {
  await tx`
    with written as (
      insert into device_commands (station_id, kind, origin, deadline)
      select ${stationId}, 'inventory', ${origin}, now() + make_interval(secs => ${QUEUED_SECONDS})
      where not exists (
        select 1 from device_commands where station_id = ${stationId} and kind = 'inventory' and status = 'queued')
      returning station_id
    )
    select pg_notify(${COMMAND_CHANNEL}, station_id::text) from written`
}

/** Takes back a command whose bytes have not left. False: they have. */
export async function withdraw(tx: Tx, id: number, evidence: string): Promise<boolean> {
  const taken = await tx`
    update device_commands set status = 'expired', evidence = ${evidence} where id = ${id} and status = 'queued'`
  if (taken.count > 0) await ring(tx, `command ${id}`)
  return taken.count > 0
}

export interface Waiting {
  id: number
  stationId: number
  epoch: number
  kind: string
  args: Record<string, any>
}

/**
 * What this node may send now to the cabinets it holds: of each cabinet the oldest movement, unless one is
 * under way, and the oldest query of each kind, unless that kind is under way (the wire has no correlation id).
 */
export function waiting(q: Queryable, node: string, stationIds?: number[]): Promise<Waiting[]> {
  return q<Waiting[]>`
    select distinct on (c.station_id, c.is_movement, case when c.is_movement then '' else c.kind end)
      c.id, c.station_id, ds.epoch, c.kind, c.args
    from device_commands c join device_sessions ds on ds.station_id = c.station_id and ds.node = ${node}
    where c.status = 'queued' and c.deadline > now()
      ${stationIds ? q`and c.station_id = any(${stationIds}::bigint[])` : q``}
      and not exists (
        select 1 from device_commands s where s.station_id = c.station_id and s.status = 'sent'
          and s.is_movement = c.is_movement and (c.is_movement or s.kind = c.kind))
    order by c.station_id, c.is_movement, case when c.is_movement then '' else c.kind end, c.id`
}

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
      deadline = now() + make_interval(secs => case when is_movement or kind = 'restart' then ${MOVEMENT_SECONDS}::int else ${QUERY_SECONDS}::int end)
    from unnest(${ids}::bigint[], ${items.map((item) => item.epoch)}::bigint[],
      ${items.map((item) => item.hex)}::text[]) as i (id, epoch, hex)
    where c.id = any(${ids}::bigint[]) and c.id = i.id and c.status = 'queued' and c.deadline > now()
      and i.epoch = (select epoch from device_sessions where station_id = c.station_id and node = ${node})
    returning c.id`
  return rows.map((row) => row.id)
}

interface Ended {
  id: number
  stationId: number
  kind: string
  status: CommandStatus
  isMovement: boolean
}

/** What follows when commands ended without an answer: orders of unsent ones fall, the rest is looked into. */
async function afterwards(tx: Tx, ended: Ended[]): Promise<void> {
  const ids = (status: CommandStatus) => ended.filter((row) => row.status === status).map((row) => row.id)
  const requeued = new Set(ended.filter((row) => row.status === 'queued').map((row) => row.stationId))
  for (const stationId of requeued) await tx`select pg_notify(${COMMAND_CHANNEL}, ${String(stationId)})`
  if (ids('expired').length > 0) await orders.neverSent(tx, ids('expired'))
  const doubtful = await tx<{ id: number }[]>`
    select id from orders where status = 'pending' and command_id = any(${ids('unknown')}::bigint[])`
  for (const { id } of doubtful) await ring(tx, `order ${id}`)
  for (const row of ended) if (row.status !== 'queued') await ring(tx, `command ${row.id}`)
  const looks = ended.filter(({ status, isMovement, kind }) =>
    isMovement ? status === 'unknown' : kind === 'inventory' && status !== 'queued',
  )
  for (const { stationId, isMovement } of looks) await lookWithin(tx, stationId, isMovement ? 0 : ASK_AGAIN_SECONDS)
}

/** A query that may be asked again goes back to the queue; a movement never does, and nobody is restarted twice. */
const givenUp = (q: Queryable) => q`
  case when not is_movement and kind <> 'restart' and attempts < ${QUERY_ATTEMPTS_MAX} then 'queued' else 'unknown' end`

/**
 * The connection that carried these cabinets' sent commands is gone: queries go back to the queue once, movements
 * become unknown; a restart is meant to end it and waits for the next login. The caller holds the stations (`lock` in places.ts).
 */
export async function abandon(tx: Tx, stationIds: number[], why: string): Promise<void> {
  const ended = await tx<Ended[]>`
    update device_commands set status = ${givenUp(tx)}, evidence = ${why},
      sent_at = case when ${givenUp(tx)} = 'queued' then null else sent_at end,
      deadline = case when is_movement then deadline else now() + make_interval(secs => ${QUEUED_SECONDS}) end
    where station_id = any(${stationIds}::bigint[]) and status = 'sent' and kind <> 'restart'
    returning id, station_id, kind, status, is_movement`
  if (ended.length > 0) await afterwards(tx, ended)
}

/** A cabinet that dials in again after it was told to restart has done so, whether it said so first or not (0x67). */
export async function restarted(tx: Tx, stationId: number): Promise<void> {
  const done = await tx<{ id: number }[]>`
    update device_commands set status = 'answered', answered_at = now(), answer = '{}', evidence = 'the cabinet logged in again'
    where station_id = ${stationId} and kind = 'restart' and status in ('sent', 'unknown')
      and sent_at > now() - make_interval(secs => ${RESTART_SECONDS})
    returning id`
  for (const { id } of done) await ring(tx, `command ${id}`)
}

/**
 * Ends what is overdue: what never left expires, a silent query is queued once more, a silent movement is
 * unknown until an inventory decides. Any process may call it, several at once; a cabinet that somebody is just
 * working on is left for the next time.
 * @returns how many commands were overdue
 */
export async function expire(tx: Tx): Promise<number> {
  const stations = await tx<{ id: number }[]>`
    select id from stations where id in (
      select station_id from device_commands where status in ('queued', 'sent') and deadline < now()
      order by deadline limit ${DUE_ROWS})
    order by id for no key update skip locked`
  if (stations.length === 0) return 0
  const ended = await tx<Ended[]>`
    update device_commands set
      status = case when status = 'sent' then ${givenUp(tx)} when attempts = 0 then 'expired' else 'unknown' end,
      evidence = case when attempts = 0 then 'the cabinet was not there to take it' else 'no answer in time' end,
      deadline = now() + make_interval(secs => ${QUEUED_SECONDS})
    where id in (
      select id from device_commands
      where station_id = any(${stations.map(({ id }) => id)}::bigint[]) and status in ('queued', 'sent') and deadline < now()
      order by id limit ${DUE_ROWS} for update skip locked)
    returning id, station_id, kind, status, is_movement`
  if (ended.length > 0) await afterwards(tx, ended)
  return ended.length
}
