import type { Queryable } from '../postgres/connect.ts'

/** One occupied slot as the cabinet last listed it. Units: percent, millivolts, milliamperes, degrees Celsius. */
export interface Slot {
  slotNumber: number
  powerbankId: number
  serialNumber: string
  /** The id on the wire; null: not of this hardware. */
  deviceId: string | null
  powerbankStatus: string
  level: number | null
  voltage: number | null
  current: number | null
  temperature: number | null
  soh: number
  errorTypec: boolean
  errorLightning: boolean
  errorMicrousb: boolean
  powerbankError: boolean
  lastUpdate: Date
}

/** What a station holds, by slot. */
export function of(q: Queryable, stationId: number): Promise<Slot[]> {
  return q<Slot[]>`
    select sp.slot_number, sp.powerbank_id, p.serial_number, p.device_id, p.status as powerbank_status, sp.level,
      sp.voltage, sp.current, sp.temperature, p.soh, sp.error_typec, sp.error_lightning, sp.error_microusb,
      sp.powerbank_error, sp.last_update
    from station_powerbanks sp join powerbanks p on p.id = sp.powerbank_id
    where sp.station_id = ${stationId} order by sp.slot_number`
}
