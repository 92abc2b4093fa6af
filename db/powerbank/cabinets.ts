import * as connections from '../devices/connections.ts'
import { unseal } from '../devices/keys.ts'
import { type Asked, hasDialled, type Issued, issue } from '../devices/mqtt-credentials.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import { work } from './cabinet-reports.ts'
import { isStale, learn } from './sims.ts'
import { lock } from './station-lock.ts'

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
      select key_ciphertext from device_keys
      where device_id = s.id and (valid_until is null or valid_until > now()) order by id desc limit 2
    ) as sealed
    from stations s join devices d on d.id = s.id where s.box_id = ${boxId} and s.deleted_at is null`
  if (!station) return null
  const { id: stationId, sealed, ...known } = station
  return { stationId, ...known, keys: sealed.map((key) => unseal(key, keysSecret)) }
}

/**
 * A cabinet asks for what it shows to the broker, and names its SIM (docs/protocol.md 5.1). @see issue
 * @param asked its IMEI, and the SIM; null: it named none
 */
export async function issueCredential(
  tx: Tx,
  asked: Omit<Asked, 'kind'>,
): Promise<Issued | 'unknown_device' | 'sim_changed'> {
  // The station before its device (station-lock.ts).
  await tx`select 1 from stations where box_id = ${asked.serial} and deleted_at is null for no key update`
  const issued = await issue(tx, { kind: 'cabinet', ...asked })
  if (typeof issued !== 'string') await learn(tx, { boxId: asked.serial }, asked.iccid ?? '', 'bootstrap')
  return issued
}

/** A cabinet has logged in on this node: it is connected there, and an inventory becomes due. */
export async function open(
  tx: Tx,
  { stationId, ...arrival }: Omit<connections.Arrival, 'deviceId'> & { stationId: number },
): Promise<{ epoch: number; heartbeatSeconds: number }> {
  const station = await lock(tx, stationId)
  const { ended, restarted: _, ...opened } = await connections.open(tx, { deviceId: stationId, ...arrival })
  await work(tx, station, { kind: 'connected', dialect: arrival.dialect, address: arrival.address, ended })
  return opened
}

/** A cabinet's connection is gone. Does nothing when a newer one owns the cabinet already. */
export async function close(
  tx: Tx,
  { stationId, ...departure }: Omit<connections.Departure, 'deviceId'> & { stationId: number },
): Promise<void> {
  const station = await lock(tx, stationId)
  const ended = await connections.close(tx, { deviceId: stationId, ...departure })
  if (ended !== null) await work(tx, station, { kind: 'disconnected', reason: departure.reason, ended })
}
