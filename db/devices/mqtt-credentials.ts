import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { iccidOf } from '../../protocol/iccid.ts'
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
  kind: DeviceKind
  serial: string
}

/** What a device that asks for a credential says of itself. */
export interface Asked extends Device {
  iccid: string | null
  firmware: Firmware
  software: string | null
  address: string
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
  /** Whose it is; null: there is no such device any more. */
  deviceId: number | null
}

/** A name we have given out looks so. The database is not asked for others, nor can it be for all of them (NUL). */
export const isGiven = (username: string) => /^[a-z]+-[\w-]{1,64}$/.test(username)

const hashOf = (password: string | Buffer) => createHash('sha256').update(password).digest('hex')

/**
 * SQL: may this device (alias `d`) come by the broker? Not one that is gone, and not one that has a key to sign its frames
 * with (TCP-B): a bootstrap without a secret would go past that.
 */
export const mayDial = (q: Queryable) => q`
  (d.deleted_at is null and not exists (
    select 1 from device_keys k where k.device_id = d.id and (k.valid_until is null or k.valid_until > now())))`

/**
 * SQL: is this device (alias `d`) one that comes by a broker, ours or another? Then whoever comes without a credential is
 * somebody else.
 */
export const hasDialled = (q: Queryable) => q`
  (exists (select 1 from mqtt_credentials c
    where c.device_kind = d.kind and c.device_id = d.serial and c.first_used_at is not null)
    or exists (select 1 from device_sessions where device_id = d.id and dialect = 'mqtt'))`

/** SQL: the row of a credential (alias `c`) and, where it may still dial, its device (`d`). */
const credentialed = (q: Queryable) => q`
  mqtt_credentials c left join devices d on d.kind = c.device_kind and d.serial = c.device_id and ${mayDial(q)}`

/** SQL: the credentials of a device. */
const isOf = (q: Queryable, { kind, serial }: Device) => q`device_kind = ${kind} and device_id = ${serial}`

/** Under this id a device is one client of the broker: MQTT's own takeover ends its older connection. */
export const clientIdOf = ({ kind, serial }: Device) => `${kind}-${serial}`

/**
 * A new credential for a device. The one it uses stays good until this one is first used (the answer that carries it may
 * be lost); one that was never used is replaced, so at most two are good. The bootstrap has no secret (docs/protocol.md
 * 5.1): the first SIM a device names is pinned, and whoever names another, or none any more, gets nothing until an
 * operator has let the new one in (`forgetSim`). `iccid` is in the one spelling (protocol/iccid.ts); pins of earlier
 * versions may not be.
 */
export async function issue(tx: Tx, asked: Asked): Promise<Issued | 'unknown_device' | 'sim_changed'> {
  const { kind, serial, iccid } = asked
  const device = await lockDevice(tx, asked)
  if (!device?.mayDial) return 'unknown_device'
  const [pin] = await tx<{ iccid: string }[]>`
    select iccid from mqtt_credentials
    where ${isOf(tx, asked)} and iccid is not null order by id desc limit 1`
  if (pin && (iccidOf(pin.iccid) ?? pin.iccid) !== iccid) return 'sim_changed'
  await tx`
    update mqtt_credentials set revoked_at = now()
    where ${isOf(tx, asked)} and revoked_at is null and first_used_at is null`
  await tx`
    delete from mqtt_credentials where id in (
      select id from mqtt_credentials where ${isOf(tx, asked)} and revoked_at is not null
      order by id desc offset ${HISTORY_ROWS_MAX})`
  const clientId = clientIdOf(asked)
  const username = `${clientId}-${randomBytes(NAME_BYTES).toString('hex')}`
  const password = randomBytes(PASSWORD_BYTES).toString('base64url')
  await tx`
    insert into mqtt_credentials (device_kind, device_id, username, password_hash, iccid, firmware, software, address)
    values (${kind}, ${serial}, ${username}, ${hashOf(password)}, ${iccid}, ${asked.firmware}, ${asked.software},
      ${asked.address})`
  return { clientId, username, password }
}

/** Holds a device until the transaction ends; undefined: it is none of ours. */
async function lockDevice(tx: Tx, { kind, serial }: Device) {
  const [device] = await tx<{ id: number; mayDial: boolean }[]>`
    select d.id, ${mayDial(tx)} as may_dial from devices d
    where d.kind = ${kind} and d.serial = ${serial} and d.deleted_at is null for no key update`
  return device
}

/** Who shows this name and password; null: nobody, by whichever of the two. Compared in constant time. */
export async function check(q: Queryable, username: string, password: Buffer): Promise<Credential | null> {
  if (!isGiven(username)) return null
  const [row] = await q<(Credential & { passwordHash: string })[]>`
    select c.id, c.device_kind as kind, c.device_id as serial, c.firmware, c.password_hash, d.id as device_id
    from ${credentialed(q)} where c.username = ${username} and c.revoked_at is null`
  const shown = Buffer.from(hashOf(password))
  // Somebody unknown is compared with what he showed himself: a name that exists takes no longer than one that does not.
  const isRight = timingSafeEqual(shown, row ? Buffer.from(row.passwordHash) : shown)
  if (!row || !isRight) return null
  const { passwordHash: _, ...credential } = row
  return credential
}

/** Whose good credential has this name? For what a broker asks after it has checked the password. */
export async function holder(
  q: Queryable,
  username: string,
): Promise<Pick<Credential, keyof Device | 'deviceId'> | null> {
  if (!isGiven(username)) return null
  const [row] = await q<Pick<Credential, keyof Device | 'deviceId'>[]>`
    select c.device_kind as kind, c.device_id as serial, d.id as device_id
    from ${credentialed(q)} where c.username = ${username} and c.revoked_at is null`
  return row ?? null
}

/** The credential was used: those before it end. False: it was revoked meanwhile. */
export async function use(tx: Tx, credential: Credential): Promise<boolean> {
  const { id } = credential
  const used = await tx`
    update mqtt_credentials set first_used_at = coalesce(first_used_at, now()) where id = ${id} and revoked_at is null`
  if (used.count === 0) return false
  await tx`
    update mqtt_credentials set revoked_at = now()
    where ${isOf(tx, credential)} and id < ${id} and revoked_at is null`
  return true
}

/** Is this credential still good, and its device still the same? */
export async function isGood(q: Queryable, { id, deviceId }: Credential): Promise<boolean> {
  const [row] = await q`
    select 1 from ${credentialed(q)} where c.id = ${id} and c.revoked_at is null and d.id = ${deviceId}`
  return row !== undefined
}

/** May a device speak over HTTP, whose calls prove nothing? Only one that has a credential. Its id, or null. */
export async function deviceOf(q: Queryable, device: Device): Promise<number | null> {
  const [row] = await q<{ id: number }[]>`
    select d.id from ${credentialed(q)}
    where ${isOf(q, device)} and c.revoked_at is null and c.first_used_at is not null and d.id is not null limit 1`
  return row?.id ?? null
}

/**
 * Ends all credentials of a device, and with the bell its connection. It may fetch a new one with the SIM it has; to keep
 * a device out for good it is deleted.
 * @returns how many there were; 0 when it was said before
 */
export async function revoke(tx: Tx, device: Device): Promise<number> {
  const held = await lockDevice(tx, device)
  const { count } = await tx`
    update mqtt_credentials set revoked_at = now() where ${isOf(tx, device)} and revoked_at is null`
  if (count > 0 && held) await ringDevice(tx, held.id)
  return count
}

/** An operator lets a device in whose SIM was changed: the next one it names is pinned instead. */
export async function forgetSim(tx: Tx, device: Device): Promise<void> {
  await tx`update mqtt_credentials set iccid = null where ${isOf(tx, device)} and iccid is not null`
}
