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
 * so that none waits in a circle: station, connection, commands, power banks, slots, user, orders, loyalty
 * accounts, books of the ledger; several of a kind by rising id.
 */
export async function lock(tx: Tx, stationId: number): Promise<Place> {
  const [station] = await tx<Place[]>`
    select s.id, s.org_unit_id, ds.connected_at, now()
    from stations s left join device_sessions ds on ds.station_id = s.id where s.id = ${stationId} for no key update of s`
  if (!station) throw new Error(`station ${stationId} does not exist`)
  return station
}

/** A slot was opened: whatever we thought was in it is not, and this bank is nowhere. */
export async function vacate(tx: Tx, stationId: number, slot: number, bankId: number | null): Promise<void> {
  await tx`
    select id from station_powerbanks where station_id = ${stationId} or powerbank_id = ${bankId} order by id for update`
  await tx`
    delete from station_powerbanks where (station_id = ${stationId} and slot_number = ${slot}) or powerbank_id = ${bankId}`
}

/** Has a cabinet looked into in so many seconds; a look that is due sooner stays due. */
export const lookWithin = (tx: Tx, stationId: number, seconds: number) => tx`
  update stations set inventory_due_at = least(inventory_due_at, now() + make_interval(secs => ${seconds}))
  where id = ${stationId}`
