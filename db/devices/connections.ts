import { record } from '../messages/events.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import { isStale } from '../powerbank/sims.ts'
import { lock, lookWithin } from '../powerbank/slots.ts'
import { abandon, restarted } from './commands.ts'
import { unseal } from './keys.ts'
import { hasDialled } from './mqtt-credentials.ts'

/**
 * How long after the last sign of life a cabinet still counts as online: two heartbeats and five seconds
 * (docs/protocol.md 4), and ten more because each node writes its cabinets' `seen_at` in batches.
 */
export const ONLINE_SLACK_SECONDS = 15
const DEFAULT_HEARTBEAT_SECONDS = 30
/** The longest that a cabinet which hung up may be waited for. Over MQTT heartbeats are ten minutes apart (5.6). */
const GRACE_SECONDS_MAX = 60
/** Cabinets that knocked and are remembered; beyond, whoever has been quiet longest is forgotten. */
const QUARANTINE_ROWS_MAX = 10_000

/** SQL as text: is the cabinet behind this `device_sessions` row (alias `ds`) online? */
export const ONLINE = `coalesce(
  ds.node is not null and ds.seen_at > now() - make_interval(secs => 2 * ds.heartbeat_seconds + ${ONLINE_SLACK_SECONDS}), false)`
export const isOnline = (q: Queryable) => q`${q.unsafe(ONLINE)}`

/**
 * SQL: may something be asked of this cabinet (alias `ds`)? A weak SIM hangs up and dials again every few minutes, so
 * one heartbeat of grace is given, a minute at most over MQTT; what is asked waits in the queue meanwhile.
 */
export const isReachable = (q: Queryable) => q`
  (${isOnline(q)} or coalesce(ds.disconnected_at > now() - make_interval(secs =>
    case when ds.dialect = 'mqtt' then least(ds.heartbeat_seconds, ${GRACE_SECONDS_MAX}) else ds.heartbeat_seconds end), false))`

/**
 * Whose box id is this, and which keys may sign its frames (newest first)? `isOnBroker`: it has shown a credential to the
 * broker. Null: nobody's.
 */
export async function identify(
  q: Queryable,
  boxId: string,
  keysSecret: string,
): Promise<{
  stationId: number
  slotsDeclared: number
  /** Its SIM was not read for a day. */
  isSimStale: boolean
  isOnBroker: boolean
  keys: string[]
} | null> {
  const [station] = await q<
    { id: number; slotsDeclared: number; isSimStale: boolean; isOnBroker: boolean; sealed: string[] }[]
  >`
    select s.id, s.slots_declared, ${isStale(q)} as is_sim_stale, ${hasDialled(q)} as is_on_broker, array(
      select key_ciphertext from station_secret_keys
      where station_id = s.id and (valid_until is null or valid_until > now()) order by id desc limit 2
    ) as sealed
    from stations s where s.box_id = ${boxId} and s.deleted_at is null`
  if (!station) return null
  const { id: stationId, sealed, ...known } = station
  return { stationId, ...known, keys: sealed.map((key) => unseal(key, keysSecret)) }
}

/**
 * A cabinet has logged in on this node: the newest connection owns it (`epoch` + 1), what the old one had
 * under way is settled, and an inventory becomes due.
 */
export async function open(
  tx: Tx,
  {
    stationId,
    node,
    dialect,
    address,
    vsn = null,
    heartbeatSeconds = null,
  }: {
    stationId: number
    node: string
    dialect: string
    address: string
    vsn?: number | null
    /** Where the dialect fixes it; else what the cabinet was set to holds. */
    heartbeatSeconds?: number | null
  },
): Promise<{ epoch: number; heartbeatSeconds: number }> {
  await lock(tx, stationId)
  const [session] = await tx<{ epoch: number; heartbeatSeconds: number }[]>`
    insert into device_sessions as ds (station_id, node, epoch, dialect, address, vsn, heartbeat_seconds, connected_at, seen_at)
    values (${stationId}, ${node}, 1, ${dialect}, ${address}, ${vsn},
      coalesce(${heartbeatSeconds}::int, ${DEFAULT_HEARTBEAT_SECONDS}), now(), now())
    on conflict (station_id) do update set node = excluded.node, epoch = ds.epoch + 1, dialect = excluded.dialect,
      address = excluded.address, vsn = excluded.vsn, connected_at = now(), seen_at = now(), disconnected_at = null,
      heartbeat_seconds = coalesce(${heartbeatSeconds}::int,
        case when ds.dialect = 'mqtt' then ${DEFAULT_HEARTBEAT_SECONDS} else ds.heartbeat_seconds end)
    returning epoch, heartbeat_seconds`
  await restarted(tx, stationId)
  await abandon(tx, [stationId], 'the cabinet logged in again')
  await lookWithin(tx, stationId, 0)
  await record(tx, 'station.connected', { stationId, data: { dialect, address } })
  return session!
}

/** The connection is gone. Does nothing when a newer one owns the cabinet already. */
export async function close(
  tx: Tx,
  { stationId, node, epoch, reason }: { stationId: number; node: string; epoch: number; reason: string },
): Promise<void> {
  await lock(tx, stationId)
  const closed = await tx`
    update device_sessions set node = null, disconnected_at = now()
    where station_id = ${stationId} and node = ${node} and epoch = ${epoch}`
  if (closed.count === 0) return
  await abandon(tx, [stationId], `the connection ended: ${reason}`)
  await record(tx, 'station.disconnected', { stationId, data: { reason } })
}

/**
 * A node says goodbye (graceful shutdown): all its cabinets are offline until they dial again. Call it when
 * `seen` runs no more: both write many connections at once.
 */
export async function releaseNode(tx: Tx, node: string): Promise<number> {
  await tx`
    select s.id from stations s join device_sessions ds on ds.station_id = s.id and ds.node = ${node}
    order by s.id for no key update of s`
  const released = await tx<{ stationId: number }[]>`
    update device_sessions set node = null, disconnected_at = now() where node = ${node} returning station_id`
  await abandon(
    tx,
    released.map((row) => row.stationId),
    'the gateway was stopped',
  )
  return released.length
}

/**
 * Writes the time of the last sign of life of all these cabinets in one statement.
 * @returns those this node still owns; any other has been taken over and its old socket may be closed
 */
export async function seen(q: Queryable, node: string, stationIds: number[]): Promise<number[]> {
  const owned = await q<{ stationId: number }[]>`
    update device_sessions set seen_at = now() where node = ${node} and station_id = any(${stationIds}::bigint[])
    returning station_id`
  return owned.map((row) => row.stationId)
}

/** A cabinet knocked that we cannot let in: kept, counted, and adoptable by an operator. */
export async function quarantine(
  q: Queryable,
  about: {
    boxId: string
    dialect: string
    reason: 'unknown_box_id' | 'no_key' | 'bad_token' | 'sim_changed'
    address: string
    slots?: number | undefined
  },
): Promise<void> {
  const [pending] = await q<{ isNew: boolean }[]>`
    insert into quarantine as known (box_id, dialect, reason, address, slots)
    values (${about.boxId}, ${about.dialect}, ${about.reason}, ${about.address}, ${about.slots ?? null})
    on conflict (box_id) do update set dialect = excluded.dialect, reason = excluded.reason, address = excluded.address,
      slots = coalesce(excluded.slots, known.slots), attempts = known.attempts + 1, last_seen_at = now()
    returning xmax = 0 as is_new`
  if (!pending?.isNew) return
  await q`
    delete from quarantine where id in (
      select id from quarantine order by last_seen_at desc, id desc offset ${QUARANTINE_ROWS_MAX})`
}
