import type { Hold } from '../devices/commands.ts'
import type { Tx } from '../postgres/connect.ts'
import type { Snapshot } from './decide/snapshot.ts'

/** A station, locked. */
export interface LockedStation extends Readonly<Snapshot['station']> {
  orgUnitId: number | null
  /** The transaction's. */
  now: Date
}

/**
 * Locks a station until the transaction ends: what a cabinet does and what is asked of it are worked one after
 * the other, whichever way they came. Every verb that works on a cabinet begins here, and all lock in one order,
 * so that none waits in a circle: station, device, connection, commands, power banks, slots, user, orders, loyalty
 * accounts, books of the ledger; several of a kind by rising id. (The station's own row is locked for the older build,
 * which knows no devices; it comes first because a device's row follows a change of its station's.)
 */
export async function lock(tx: Tx, stationId: number): Promise<LockedStation> {
  const [station] = await tx<LockedStation[]>`
    select s.id, s.org_unit_id, s.slots_declared, s.metal_since, s.unread_looks, s.listed_banks, ds.connected_at,
      coalesce((s.device_state->>'slotsBeyond')::int, 0) as slots_beyond, now()
    from devices d join stations s on s.id = d.id left join device_sessions ds on ds.device_id = d.id
    where d.id = ${stationId} for no key update of s, d`
  if (!station) throw new Error(`station ${stationId} does not exist`)
  return station
}

/** Locks the stations among devices, for the older build; goes with it. */
export const holdStations: Hold = (tx, deviceIds, others) => tx<{ id: number }[]>`
  with held as (
    select id from stations where id = any(${deviceIds}::bigint[])
    order by id for no key update ${others === 'leave' ? tx`skip locked` : tx``})
  select id from stations where id = any(${deviceIds}::bigint[]) and id not in (select id from held)`
