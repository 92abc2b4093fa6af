import type { Queryable, Tx } from '../postgres/connect.ts'
import { abandon, type Ended, type Hold, restarted } from './commands.ts'

/**
 * How long after the last sign of life a device still counts as online: two heartbeats and five seconds
 * (docs/protocol.md 4), and ten more because each node writes its devices' `seen_at` in batches.
 */
export const ONLINE_SLACK_SECONDS = 15
const DEFAULT_HEARTBEAT_SECONDS = 30
/** The longest that a device which hung up may be waited for. Over MQTT heartbeats are ten minutes apart (5.6). */
const GRACE_SECONDS_MAX = 60
/** SQL as text: is the device behind this `device_sessions` row (alias `ds`) online? */
export const ONLINE = `coalesce(
  ds.node is not null and ds.seen_at > now() - make_interval(secs => 2 * ds.heartbeat_seconds + ${ONLINE_SLACK_SECONDS}), false)`
export const isOnline = (q: Queryable) => q`${q.unsafe(ONLINE)}`

/**
 * SQL: may something be asked of this device (alias `ds`)? A weak SIM hangs up and dials again every few minutes, so
 * one heartbeat of grace is given, a minute at most over MQTT; what is asked waits in the queue meanwhile.
 */
export const isReachable = (q: Queryable) => q`
  (${isOnline(q)} or coalesce(ds.disconnected_at > now() - make_interval(secs =>
    case when ds.dialect = 'mqtt' then least(ds.heartbeat_seconds, ${GRACE_SECONDS_MAX}) else ds.heartbeat_seconds end), false))`

/** How a device comes in. */
export interface Arrival {
  deviceId: number
  node: string
  dialect: string
  address: string
  vsn?: number | null
  /** Where the dialect fixes it; else what the device was set to holds. */
  heartbeatSeconds?: number | null
}

/**
 * A device has logged in on this node: the newest connection owns it (`epoch` + 1), and what the old one had under way is
 * settled. The caller holds the device.
 */
export async function open(
  tx: Tx,
  { deviceId, node, dialect, address, vsn = null, heartbeatSeconds = null }: Arrival,
): Promise<{ epoch: number; heartbeatSeconds: number; ended: Ended[]; restarted: number[] }> {
  const [session] = await tx<{ epoch: number; heartbeatSeconds: number }[]>`
    insert into device_sessions as ds (device_id, node, epoch, dialect, address, vsn, heartbeat_seconds, connected_at, seen_at)
    values (${deviceId}, ${node}, 1, ${dialect}, ${address}, ${vsn},
      coalesce(${heartbeatSeconds}::int, ${DEFAULT_HEARTBEAT_SECONDS}), now(), now())
    on conflict (device_id) do update set node = excluded.node, epoch = ds.epoch + 1, dialect = excluded.dialect,
      address = excluded.address, vsn = excluded.vsn, connected_at = now(), seen_at = now(), disconnected_at = null,
      heartbeat_seconds = coalesce(${heartbeatSeconds}::int,
        case when ds.dialect = 'mqtt' then ${DEFAULT_HEARTBEAT_SECONDS} else ds.heartbeat_seconds end)
    returning epoch, heartbeat_seconds`
  const restarts = await restarted(tx, deviceId)
  return { ...session!, restarted: restarts, ended: await abandon(tx, [deviceId], 'the device logged in again') }
}

/** A connection that is over. */
export interface Departure {
  deviceId: number
  node: string
  epoch: number
  reason: string
}

/**
 * The connection is gone. The caller holds the device.
 * @returns what ended with it; null: a newer one owns the device already, and nothing was done
 */
export async function close(tx: Tx, { deviceId, node, epoch, reason }: Departure): Promise<Ended[] | null> {
  const closed = await tx`
    update device_sessions set node = null, disconnected_at = now()
    where device_id = ${deviceId} and node = ${node} and epoch = ${epoch}`
  if (closed.count === 0) return null
  return abandon(tx, [deviceId], `the connection ended: ${reason}`)
}

/**
 * A node says goodbye (graceful shutdown): all its devices are offline until they dial again. Call it when
 * `seen` runs no more: both write many connections at once.
 */
export async function releaseNode(tx: Tx, node: string, hold: Hold): Promise<{ deviceIds: number[]; ended: Ended[] }> {
  const connected = await tx<{ deviceId: number }[]>`select device_id from device_sessions where node = ${node}`
  const connectedIds = connected.map(({ deviceId }) => deviceId)
  await hold(tx, connectedIds, 'wait')
  await tx`select 1 from devices where id = any(${connectedIds}::bigint[]) order by id for no key update`
  const released = await tx<{ deviceId: number }[]>`
    update device_sessions set node = null, disconnected_at = now() where node = ${node} returning device_id`
  const deviceIds = released.map((row) => row.deviceId)
  return { deviceIds, ended: await abandon(tx, deviceIds, 'the gateway was stopped') }
}

/**
 * Writes the time of the last sign of life of all these devices in one statement.
 * @returns those this node still owns; any other has been taken over and its old socket may be closed
 */
export async function seen(q: Queryable, node: string, deviceIds: number[]): Promise<number[]> {
  const owned = await q<{ deviceId: number }[]>`
    update device_sessions set seen_at = now() where node = ${node} and device_id = any(${deviceIds}::bigint[])
    returning device_id`
  return owned.map((row) => row.deviceId)
}
