import { createHash } from 'node:crypto'
import { clientIdOf } from '../../db/devices/mqtt-credentials.ts'
import type { Db } from '../../db/postgres/connect.ts'
import { bankIdOf } from '../../protocol/cabinet-mqtt/index.ts'

/** Invented; every MQTT cabinet of the benchmark shows it. */
const password = 'EXAMPLE-PASSWORD-OF-THE-BENCH'
export const slotsEach = 8
/** Serial numbers of the banks, beyond those the simulators invent. */
const serialsFrom = 3_000_000_000

/** The IMEI of the nth cabinet, from 0 on; of a range nobody is given. */
export const imeiOf = (index: number) => `001010${String(index).padStart(9, '0')}`

/** The bank of the nth cabinet, which it takes back into one slot after the other. */
export const bankOf = (index: number) => bankIdOf(serialsFrom + index)

/** What the nth cabinet says at CONNECT. */
export function shownBy(index: number): { clientId: string; username: string; password: string } {
  const clientId = clientIdOf({ kind: 'cabinet', serial: imeiOf(index) })
  return { clientId, username: `${clientId}-bench`, password }
}

/** Registers so many stations of 8 slots with a bank each of the same unit, and a credential each. */
export async function registerMqtt(db: Db, count: number): Promise<void> {
  const hash = createHash('sha256').update(password).digest('hex')
  const indexes = Array.from({ length: count }, (_, index) => index)
  const imeis = indexes.map(imeiOf)
  const banks = indexes.map(bankOf)
  await db.transaction(async (tx) => {
    const [unit] = await tx<{ id: number }[]>`
      insert into org_units (unit_type, name, default_powerbank_limit) values ('group', 'Bench', 100) returning id`
    await tx`
      insert into stations (org_unit_id, box_id, slots_declared, status)
      select ${unit!.id}, imei, ${slotsEach}, 'active' from unnest(${imeis}::text[]) imei`
    await tx`
      insert into mqtt_credentials (device_kind, device_id, username, password_hash)
      select 'cabinet', imei, username, ${hash}
      from unnest(${imeis}::text[], ${indexes.map((index) => shownBy(index).username)}::text[]) i (imei, username)`
    await tx`
      insert into powerbanks (org_unit_id, serial_number, device_id, status)
      select ${unit!.id}, serial, device, 'active'
      from unnest(${indexes.map((index) => String(serialsFrom + index))}::text[], ${banks}::text[]) b (serial, device)`
  })
}
