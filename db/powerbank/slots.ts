import type { Tx } from '../postgres/connect.ts'
import type { KnownBank } from './bank-ids.ts'

/** A power bank in a slot, as a cabinet reports it. Units: percent, millivolts, milliamperes, degrees Celsius. */
export interface SeenBank {
  slot: number
  bankId: string
  levelPercent?: number
  millivolts?: number
  milliamps?: number
  celsius?: number
  sohPercent?: number
  faults?: { bank: boolean; typeC: boolean; lightning: boolean; microUsb: boolean }
}

/** A bank that is not where it was thought to be. */
export interface Missing {
  powerbankId: number
  slotNumber: number
}

/** A station, locked. */
export interface Place {
  id: number
  orgUnitId: number | null
  /** It dialled in seconds ago and may not have looked at all its slots yet. */
  isSettling: boolean
}

/** After a login a cabinet needs this long to check its power banks (docs/protocol.md 3, 0x60). */
const SETTLING_SECONDS = 7

/**
 * Locks a station until the transaction ends: what a cabinet does and what is asked of it are worked one after
 * the other, whichever way they came. Every verb that works on a cabinet begins here, and all lock in one order,
 * so that none waits in a circle: station, connection, commands, power banks, slots, user, orders, loyalty
 * accounts, books of the ledger; several of a kind by rising id.
 */
export async function lock(tx: Tx, stationId: number): Promise<Place> {
  const [station] = await tx<Place[]>`
    select s.id, s.org_unit_id,
      coalesce(ds.connected_at > now() - make_interval(secs => ${SETTLING_SECONDS}), false) as is_settling
    from stations s left join device_sessions ds on ds.station_id = s.id where s.id = ${stationId} for no key update of s`
  if (!station) throw new Error(`station ${stationId} does not exist`)
  return station
}

/** Locks the slots of a station and any other place these banks were thought to be in, in the order of `lock`. */
async function lockSlots(tx: Tx, stationId: number, bankIds: number[]): Promise<number[]> {
  const rows = await tx<{ id: number }[]>`
    select id from station_powerbanks where station_id = ${stationId} or powerbank_id = any(${bankIds}::bigint[])
    order by id for update`
  return rows.map(({ id }) => id)
}

/**
 * Writes what sits where. A bank is taken out of any other place it was thought to be in; with `isWhole` those
 * not listed are taken out too.
 * @returns the banks that were thought to be here and are not listed
 */
export async function put(
  tx: Tx,
  station: Place,
  banks: readonly SeenBank[],
  known: ReadonlyMap<string, KnownBank>,
  isWhole: boolean,
): Promise<Missing[]> {
  const ids = banks.map((bank) => known.get(bank.bankId)!.id)
  const locked = await lockSlots(tx, station.id, ids)
  const removed = await tx<Missing[]>`
    with here as (select * from unnest(${ids}::bigint[], ${banks.map((bank) => bank.slot)}::int[]) as i (powerbank_id, slot))
    delete from station_powerbanks sp
    where sp.id = any(${locked}::bigint[])
      and not exists (select 1 from here
        where powerbank_id = sp.powerbank_id and slot = sp.slot_number and sp.station_id = ${station.id})
      and (sp.station_id <> ${station.id} or ${isWhole} or exists (select 1 from here
        where powerbank_id = sp.powerbank_id or slot = sp.slot_number))
    returning sp.powerbank_id, sp.slot_number`
  if (banks.length > 0) await write(tx, station, banks, ids)
  const listed = new Set(ids)
  return removed.filter(({ powerbankId }) => !listed.has(powerbankId))
}

/** One row per bank. What a report does not say stays as it was. */
async function write(tx: Tx, station: Place, banks: readonly SeenBank[], ids: number[]): Promise<void> {
  const rows = banks.map((bank, i) => ({ ...bank, powerbankId: ids[i] }))
  await tx`
    insert into station_powerbanks as sp (station_id, powerbank_id, slot_number, level, voltage, current, temperature,
      error_typec, error_lightning, error_microusb, powerbank_error)
    select ${station.id}, i."powerbankId", i.slot, i."levelPercent", i.millivolts, i.milliamps, i.celsius,
      coalesce((i.faults->>'typeC')::boolean, false), coalesce((i.faults->>'lightning')::boolean, false),
      coalesce((i.faults->>'microUsb')::boolean, false), coalesce((i.faults->>'bank')::boolean, false)
    from jsonb_to_recordset(${tx.json(rows as any)}) as i ("powerbankId" bigint, slot int, "levelPercent" int,
      millivolts int, milliamps int, celsius int, faults jsonb)
    on conflict (powerbank_id) do update set level = coalesce(excluded.level, sp.level),
      voltage = coalesce(excluded.voltage, sp.voltage), current = coalesce(excluded.current, sp.current),
      temperature = coalesce(excluded.temperature, sp.temperature), error_typec = excluded.error_typec,
      error_lightning = excluded.error_lightning, error_microusb = excluded.error_microusb,
      powerbank_error = excluded.powerbank_error, last_update = now()`
  const broken = ids.filter((_, i) => banks[i]!.faults?.bank)
  await tx`
    update powerbanks p set soh = case when i.soh between 0 and 100 then i.soh else p.soh end,
      status = case when p.id = any(${broken}::bigint[]) and p.status = 'active' then 'system_error' else p.status end,
      updated_at = now()
    from unnest(${ids}::bigint[], ${banks.map((bank) => bank.sohPercent ?? null)}::int[]) as i (id, soh)
    where p.id = i.id and ((i.soh between 0 and 100 and i.soh <> p.soh)
      or (p.id = any(${broken}::bigint[]) and p.status = 'active'))`
}

/** A slot was opened: whatever we thought was in it is not, and this bank is nowhere. */
export async function vacate(tx: Tx, stationId: number, slot: number, bankId: number | null): Promise<void> {
  await lockSlots(tx, stationId, bankId === null ? [] : [bankId])
  await tx`
    delete from station_powerbanks where (station_id = ${stationId} and slot_number = ${slot}) or powerbank_id = ${bankId}`
}

/** Has a cabinet looked into in so many seconds; a look that is due sooner stays due. */
export const lookWithin = (tx: Tx, stationId: number, seconds: number) => tx`
  update stations set inventory_due_at = least(inventory_due_at, now() + make_interval(secs => ${seconds}))
  where id = ${stationId}`
