import type { Tx } from '../postgres/connect.ts'

/** A station, locked. */
export interface Place {
  id: number
  orgUnitId: number | null
  connectedAt: Date | null
  /** The transaction's. */
  now: Date
}

/**
 * Locks a station until the transaction ends: what a cabinet does and what is asked of it are worked one after
 * the other, whichever way they came. Every verb that works on a cabinet begins here, and all lock in one order,
 * so that none waits in a circle: device, station, connection, commands, power banks, slots, user, orders, loyalty
 * accounts, books of the ledger; several of a kind by rising id. (The station's own row is locked for the older build,
 * which knows no devices.)
 */
export async function lock(tx: Tx, stationId: number): Promise<Place> {
  const [station] = await tx<Place[]>`
    select s.id, s.org_unit_id, ds.connected_at, now()
    from devices d join stations s on s.id = d.id left join device_sessions ds on ds.device_id = d.id
    where d.id = ${stationId} for no key update of d, s`
  if (!station) throw new Error(`station ${stationId} does not exist`)
  return station
}

/** Locks the stations among devices that are locked already, for the older build; goes with it. */
export const holdStations = (tx: Tx, deviceIds: number[]) => tx`
  select 1 from stations where id = any(${deviceIds}::bigint[]) order by id for no key update`

/** A slot was opened: whatever we thought was in it is not, and this bank is nowhere. */
export async function vacate(tx: Tx, stationId: number, slot: number, bankId: number | null): Promise<void> {
  await tx`
    select id from station_powerbanks where station_id = ${stationId} or powerbank_id = ${bankId} order by id for update`
  await tx`
    delete from station_powerbanks where (station_id = ${stationId} and slot_number = ${slot}) or powerbank_id = ${bankId}`
}
