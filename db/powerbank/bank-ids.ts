import { record } from '../messages/events.ts'
import type { Tx } from '../postgres/connect.ts'
import type { KnownBank } from './decide/snapshot.ts'

/** The MQTT family counts its banks with four bytes; its labels show them in decimal, eight or nine digits (5.5). */
const NUMBER_MAX = 0xffff_ffff

/**
 * The id cabinets use for a power bank whose label or serial number a person typed: 16 hex digits are taken
 * as they are; the label's form, four characters and eight hex digits (`DCHA54000016`), is the same eight
 * bytes (docs/protocol.md 2.6); a number of eight to ten digits is one of the MQTT family, eight hex digits (5.5).
 * Anything else (`PB001`) names no hardware: null.
 */
export function deviceIdOf(serialNumber: string): string | null {
  if (/^[0-9a-f]{16}$/i.test(serialNumber)) return serialNumber.toUpperCase()
  if (/^[\x21-\x7e]{4}[0-9a-f]{8}$/i.test(serialNumber))
    return (Buffer.from(serialNumber.slice(0, 4), 'latin1').toString('hex') + serialNumber.slice(4)).toUpperCase()
  if (/^[1-9]\d{7,9}$/.test(serialNumber) && Number(serialNumber) <= NUMBER_MAX)
    return Number(serialNumber).toString(16).padStart(8, '0').toUpperCase()
  return null
}

/** What stands on the label of a bank nobody has registered: the MQTT family's numbers in decimal, else the id itself. */
export const serialOf = (deviceId: string): string =>
  /^[0-9A-F]{8}$/.test(deviceId) ? String(Number.parseInt(deviceId, 16)) : deviceId

/** Strangers' banks one cabinet may make known within an hour: a full one of the largest kind, and never the disk. */
const DISCOVERIES_PER_HOUR_MAX = 300
/** How far back in a station's log they are counted. A cabinet about which more was written within the hour is raving. */
const RECENT_EVENTS_MAX = 2_000

/** How many more banks nobody knows this cabinet may name: none, where what it has named is out of sight. */
async function discoveriesLeft(tx: Tx, stationId: number): Promise<number> {
  const [row] = await tx<{ all: number; found: number }[]>`
    select count(*) as all, count(*) filter (where kind = 'powerbank.discovered') as found from (
      select kind, created_at from events where station_id = ${stationId} order by id desc limit ${RECENT_EVENTS_MAX}
    ) recent where created_at > now() - interval '1 hour'`
  return row!.all >= RECENT_EVENTS_MAX ? 0 : Math.max(0, DISCOVERIES_PER_HOUR_MAX - row!.found)
}

/**
 * The rows of these power banks, locked by rising id (see `lock` in station-lock.ts). One that nobody has registered
 * becomes `unknown`, in the station's unit, for an administrator to activate (docs/contracts.md 4.9); one whose id or label
 * somebody typed as its serial number is that bank. A cabinet that invents banks without end is not believed: those
 * beyond its measure are absent from the answer.
 */
export async function ensure(
  tx: Tx,
  station: { id: number; orgUnitId: number | null },
  deviceIds: readonly string[],
): Promise<Map<string, KnownBank>> {
  const find = () => tx<KnownBank[]>`
    select id, device_id, status, soh, good_readings, twin_at from powerbanks where device_id = any(${[...deviceIds]}) and deleted_at is null
    order by id for no key update`
  let banks = await find()
  if (banks.length < deviceIds.length) {
    const have = new Set(banks.map((bank) => bank.deviceId))
    const missing = deviceIds.filter((deviceId) => !have.has(deviceId)).toSorted()
    const serials = missing.map(serialOf)
    await tx`
      update powerbanks set device_id = i.device_id, updated_at = now()
      from unnest(${missing}::text[], ${serials}::text[]) as i (device_id, serial)
      where serial_number = i.serial and powerbanks.device_id is null and deleted_at is null`
    const added = await tx<{ id: number; serialNumber: string }[]>`
      insert into powerbanks (org_unit_id, serial_number, device_id)
      select ${station.orgUnitId}::bigint, i.serial, i.device_id
      from unnest(${missing}::text[], ${serials}::text[]) as i (device_id, serial)
      where not exists (select 1 from powerbanks where device_id = i.device_id and deleted_at is null)
      limit ${await discoveriesLeft(tx, station.id)}
      on conflict do nothing returning id, serial_number`
    for (const { id, serialNumber } of added)
      await record(tx, 'powerbank.discovered', { stationId: station.id, data: { powerbankId: id, serialNumber } })
    banks = await find()
  }
  return new Map(banks.map((bank) => [bank.deviceId, bank]))
}
