import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { iccidOf } from '../../protocol/iccid.ts'
import * as audit from '../messages/audit.ts'
import { record } from '../messages/events.ts'
import type { Actor } from '../platform/actor.ts'
import { ringDevice } from '../postgres/channels.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import type { DeviceKind, Firmware } from './words.ts'

const PASSWORD_BYTES = 32
/** Tells a device's credentials apart; the name itself is no secret. */
const NAME_BYTES = 6
/** Credentials that are over, kept per device for whoever asks what happened. */
const HISTORY_ROWS_MAX = 8

/** A device of one kind, which has its own topics (docs/protocol.md 5.2), as these name it: a cabinet by its IMEI. */
export interface Device {
  deviceKind: DeviceKind
  deviceId: string
}

/** What a device shows to the broker. The password is told once, here; the row keeps its SHA-256. */
export interface Issued {
  clientId: string
  username: string
  password: string
}

/** A credential that was shown, is right and is not revoked. */
export interface Credential extends Device {
  id: number
  firmware: Firmware
  /** The station behind a cabinet's credential; null: there is none any more. */
  stationId: number | null
}

/** A name we have given out looks so. The database is not asked for others, nor can it be for all of them (NUL). */
export const isGiven = (username: string) => /^[a-z]+-[\w-]{1,64}$/.test(username)

const hashOf = (password: string | Buffer) => createHash('sha256').update(password).digest('hex')

/**
 * SQL: may the cabinet behind this `stations` row (alias `s`) come by the broker? Not one that is gone, and not one that
 * has a key to sign its frames with (TCP-B): a bootstrap without a secret would go past that.
 */
export const mayDial = (q: Queryable) => q`
  (s.deleted_at is null and not exists (
    select 1 from device_keys k where k.device_id = s.id and (k.valid_until is null or k.valid_until > now())))`

/**
 * SQL: is this cabinet (alias `s`) one that comes by a broker, ours or another? Then whoever comes without a credential is
 * somebody else.
 */
export const hasDialled = (q: Queryable) => q`
  (exists (select 1 from mqtt_credentials c
    where c.device_kind = 'cabinet' and c.device_id = s.box_id and c.first_used_at is not null)
    or exists (select 1 from device_sessions where device_id = s.id and dialect = 'mqtt'))`

/** Under this id a device is one client of the broker: MQTT's own takeover ends its older connection. */
export const clientIdOf = ({ deviceKind, deviceId }: Device) => `${deviceKind}-${deviceId}`

/**
 * A new credential for a device. The one it uses stays good until this one is first used (the answer that carries it may
 * be lost); one that was never used is replaced, so at most two are good. The bootstrap has no secret (docs/protocol.md
 * 5.1): the first SIM a device names is pinned, and whoever names another, or none any more, gets nothing until an
 * operator has let the new one in (`forgetSim`). `iccid` is in the one spelling (protocol/iccid.ts); pins of earlier
 * versions may not be.
 */
export async function issue(
  tx: Tx,
  asked: Device & { iccid: string | null; firmware: Firmware; software: string | null; address: string },
): Promise<Issued | 'unknown_device' | 'sim_changed'> {
  const { deviceKind, deviceId, iccid } = asked
  const station = await lockDevice(tx, asked)
  if (!station?.mayDial) return 'unknown_device'
  const [pin] = await tx<{ iccid: string }[]>`
    select iccid from mqtt_credentials
    where device_kind = ${deviceKind} and device_id = ${deviceId} and iccid is not null order by id desc limit 1`
  if (pin && (iccidOf(pin.iccid) ?? pin.iccid) !== iccid) return 'sim_changed'
  await tx`
    update mqtt_credentials set revoked_at = now()
    where device_kind = ${deviceKind} and device_id = ${deviceId} and revoked_at is null and first_used_at is null`
  await tx`
    delete from mqtt_credentials where id in (
      select id from mqtt_credentials where device_kind = ${deviceKind} and device_id = ${deviceId} and revoked_at is not null
      order by id desc offset ${HISTORY_ROWS_MAX})`
  const clientId = clientIdOf(asked)
  const username = `${clientId}-${randomBytes(NAME_BYTES).toString('hex')}`
  const password = randomBytes(PASSWORD_BYTES).toString('base64url')
  await tx`
    insert into mqtt_credentials (device_kind, device_id, username, password_hash, iccid, firmware, software, address)
    values (${deviceKind}, ${deviceId}, ${username}, ${hashOf(password)}, ${iccid}, ${asked.firmware}, ${asked.software},
      ${asked.address})`
  return { clientId, username, password }
}

/** Holds a device until the transaction ends; undefined: it is none of ours. Terminals come with their own table. */
async function lockDevice(tx: Tx, { deviceKind, deviceId }: Device) {
  if (deviceKind !== 'cabinet') return
  const [station] = await tx<{ id: number; mayDial: boolean }[]>`
    select s.id, ${mayDial(tx)} as may_dial from stations s
    where s.box_id = ${deviceId} and s.deleted_at is null for no key update`
  return station
}

/** Who shows this name and password; null: nobody, by whichever of the two. Compared in constant time. */
export async function check(q: Queryable, username: string, password: Buffer): Promise<Credential | null> {
  if (!isGiven(username)) return null
  const [row] = await q<(Credential & { passwordHash: string })[]>`
    select c.id, c.device_kind, c.device_id, c.firmware, c.password_hash, s.id as station_id
    from mqtt_credentials c
      left join stations s on c.device_kind = 'cabinet' and s.box_id = c.device_id and ${mayDial(q)}
    where c.username = ${username} and c.revoked_at is null`
  const shown = Buffer.from(hashOf(password))
  // Somebody unknown is compared with what he showed himself: a name that exists takes no longer than one that does not.
  const isRight = timingSafeEqual(shown, row ? Buffer.from(row.passwordHash) : shown)
  if (!row || !isRight) return null
  const { passwordHash: _, ...credential } = row
  return credential
}

/** The credential was used: those before it end. False: it was revoked meanwhile. */
export async function use(tx: Tx, { id, deviceKind, deviceId }: Credential): Promise<boolean> {
  const used = await tx`
    update mqtt_credentials set first_used_at = coalesce(first_used_at, now()) where id = ${id} and revoked_at is null`
  if (used.count === 0) return false
  await tx`
    update mqtt_credentials set revoked_at = now()
    where device_kind = ${deviceKind} and device_id = ${deviceId} and id < ${id} and revoked_at is null`
  return true
}

/** Is this credential still good, and its device still the same station of ours? */
export async function isGood(q: Queryable, { id, stationId }: Credential): Promise<boolean> {
  const [row] = await q`
    select 1 from mqtt_credentials c join stations s on s.box_id = c.device_id and ${mayDial(q)}
    where c.id = ${id} and c.revoked_at is null and s.id = ${stationId}`
  return row !== undefined
}

/** May a device speak over HTTP, whose calls prove nothing? Only one that has a credential. Its station, or null. */
export async function stationOf(q: Queryable, { deviceKind, deviceId }: Device): Promise<number | null> {
  const [row] = await q<{ id: number }[]>`
    select s.id from stations s where s.box_id = ${deviceId} and ${mayDial(q)} and exists (
      select 1 from mqtt_credentials
      where device_kind = ${deviceKind} and device_id = s.box_id and revoked_at is null and first_used_at is not null)`
  return row?.id ?? null
}

/**
 * Ends all credentials of a device, and with the bell its connection. It may fetch a new one with the SIM it has; to keep
 * a device out for good its station is deleted.
 * @returns how many there were; 0 when it was said before
 */
export async function revoke(tx: Tx, actor: Actor | null, device: Device): Promise<number> {
  const { deviceKind, deviceId } = device
  const station = await lockDevice(tx, device)
  const { count } = await tx`
    update mqtt_credentials set revoked_at = now()
    where device_kind = ${deviceKind} and device_id = ${deviceId} and revoked_at is null`
  if (count === 0 || !station) return count
  const stationId = station.id
  await record(tx, 'station.credentials_revoked', { stationId, data: { deviceKind, revoked: count } })
  await audit.record(tx, actor, 'powerbank', {
    action: 'station.revoke_credentials',
    entityType: 'station',
    entityId: stationId,
    newValues: { deviceKind, revoked: count },
  })
  await ringDevice(tx, stationId)
  return count
}

/** An operator lets a device in whose SIM was changed: the next one it names is pinned instead. */
export async function forgetSim(tx: Tx, { deviceKind, deviceId }: Device): Promise<void> {
  await tx`
    update mqtt_credentials set iccid = null
    where device_kind = ${deviceKind} and device_id = ${deviceId} and iccid is not null`
}
