import { abandon } from '../devices/commands.ts'
import { ONLINE_SLACK_SECONDS } from '../devices/connections.ts'
import { mayDial } from '../devices/mqtt-credentials.ts'
import type { Firmware } from '../devices/words.ts'
import { record } from '../messages/events.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import { afterwards } from './aftermath.ts'
import { open } from './cabinets.ts'
import { askInventory } from './looks.ts'
import { Refused } from './refused.ts'
import { lock } from './station-lock.ts'

// Cabinets behind a broker that is not ours: no node holds their connections, so all nodes share one name in the rows.

const SILENT_ROWS = 200

/** A cabinet as a node behind an external broker knows it. */
export interface MqttStation {
  stationId: number
  /** Its IMEI. */
  boxId: string
  firmware: Firmware
  /** Of its session, if that is open under this name; else null. */
  epoch: number | null
}

const stationColumns = (q: Queryable, node: string) => q`
  s.id as station_id, s.box_id, ds.epoch,
  coalesce((select firmware from mqtt_credentials c
    where c.device_kind = 'cabinet' and c.device_id = s.box_id order by c.id desc limit 1), 'current') as firmware
  from stations s join devices d on d.id = s.id left join device_sessions ds on ds.device_id = s.id and ds.node = ${node}`

/** Whose IMEI is this? Null: nobody's. */
export async function stationBehind(q: Queryable, node: string, boxId: string): Promise<MqttStation | null> {
  const [station] = await q<MqttStation[]>`
    select ${stationColumns(q, node)} where s.box_id = ${boxId} and ${mayDial(q)}`
  return station ?? null
}

/** The stations of these that are open under this name. */
export function stationsBehind(q: Queryable, node: string, stationIds: readonly number[]): Promise<MqttStation[]> {
  return q<MqttStation[]>`
    select ${stationColumns(q, node)}
    where s.id = any(${[...stationIds]}::bigint[]) and ${mayDial(q)} and ds.epoch is not null`
}

/** How a cabinet comes in through a broker. */
export interface Arrival {
  stationId: number
  node: string
  heartbeatSeconds: number
  /** True: it has dialled the broker just now, so that what was under way on its older connection is over. */
  isLogin: boolean
}

/**
 * A cabinet was heard through the broker. Its session is opened unless it is open under this name already, and it is
 * asked what it holds. Said by several nodes at once it is opened once.
 * @returns the session's epoch
 */
export async function arrive(tx: Tx, { stationId, node, heartbeatSeconds, isLogin }: Arrival): Promise<number> {
  await lock(tx, stationId)
  const [session] = await tx<{ epoch: number }[]>`
    select epoch from device_sessions where device_id = ${stationId} and node = ${node}`
  if (session && !isLogin) return session.epoch
  const opened = await open(tx, { stationId, node, dialect: 'mqtt', address: 'broker', heartbeatSeconds })
  try {
    await askInventory(tx, stationId, 'login')
  } catch (error) {
    // A full queue must not keep a cabinet out.
    if (!(error instanceof Refused && error.code === 'too_many_commands')) throw error
  }
  return opened.epoch
}

/**
 * Closes the sessions of cabinets that nobody has heard for two heartbeats (docs/protocol.md 5.6): nobody sees them
 * leave. Any number of nodes may look; one that is just being worked on is left for the next time.
 * @returns how many were closed
 */
export async function closeSilent(tx: Tx, node: string): Promise<number> {
  const silent = await tx<{ id: number }[]>`
    select d.id from devices d join stations s on s.id = d.id
      join device_sessions ds on ds.device_id = d.id and ds.node = ${node}
    where ds.seen_at < now() - make_interval(secs => 2 * ds.heartbeat_seconds + ${ONLINE_SLACK_SECONDS})
    order by d.id limit ${SILENT_ROWS} for no key update of s, d skip locked`
  if (silent.length === 0) return 0
  const closed = await tx<{ deviceId: number }[]>`
    update device_sessions set node = null, disconnected_at = now()
    where device_id = any(${silent.map(({ id }) => id)}::bigint[]) and node = ${node}
      and seen_at < now() - make_interval(secs => 2 * heartbeat_seconds + ${ONLINE_SLACK_SECONDS})
    returning device_id`
  const ids = closed.map(({ deviceId }) => deviceId)
  await afterwards(tx, await abandon(tx, ids, 'the cabinet was silent'))
  for (const stationId of ids) await record(tx, 'station.disconnected', { stationId, data: { reason: 'silent' } })
  return ids.length
}

/**
 * All cabinets open under this name are to be asked what they hold: a broker acknowledges also what nobody of us was there
 * to hear.
 * @returns how many they are
 */
export async function lookAtAll(tx: Tx, node: string): Promise<number> {
  const { count } = await tx`
    with missed as (
      select s.id from stations s join device_sessions ds on ds.device_id = s.id and ds.node = ${node}
      order by s.id for no key update of s)
    update stations set inventory_due_at = least(inventory_due_at, now()) where id in (select id from missed)`
  return count
}
