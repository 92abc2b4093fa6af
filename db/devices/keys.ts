import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import type { Actor } from '../platform/actor.ts'
import { ringDevice } from '../postgres/channels.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import { Refused } from './refused.ts'
import type { deviceKeys } from './schema.ts'

/** How long an older key still verifies after a new one was stored, so that a device can be re-keyed without a gap. */
export const KEY_OVERLAP_HOURS = 24
const KEY_LENGTH_MAX = 128
const NONCE_BYTES = 12
const TAG_BYTES = 16

type Row = typeof deviceKeys.$inferSelect
const COLUMNS = ['id', 'deviceId', 'keyHint', 'validUntil', 'createdAt'] as const satisfies (keyof Row)[]

/** All that may ever be shown of a key: its hint is its last two characters. */
export type DeviceKey = Pick<Row, (typeof COLUMNS)[number]>

const derived = new Map<string, Buffer>()
/** KEYS_SECRET → the AES key; remembered, because every login needs it. */
function aesKey(secret: string): Buffer {
  let key = derived.get(secret)
  if (!key) {
    key = Buffer.from(hkdfSync('sha256', secret, '', 'voltbay station keys', 32))
    derived.set(secret, key)
  }
  return key
}

/** Encrypts a device's key for storage: AES-256-GCM, base64 of nonce, tag, ciphertext. */
export function seal(plain: string, secret: string): string {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', aesKey(secret), nonce)
  const body = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()])
  return Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64')
}

/** The inverse of `seal`. Throws when the secret is another or the row was tampered with. */
export function unseal(sealed: string, secret: string): string {
  const bytes = Buffer.from(sealed, 'base64')
  const decipher = createDecipheriv('aes-256-gcm', aesKey(secret), bytes.subarray(0, NONCE_BYTES))
  decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES))
  return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]).toString('utf8')
}

/**
 * Stores a device's new key; the one before stays valid for KEY_OVERLAP_HOURS, any older ones end now.
 * @throws Refused not_found (no such device), invalid (empty, too long, not printable ASCII)
 */
export async function add(
  tx: Tx,
  actor: Pick<Actor, 'userId'> | null,
  { deviceId, value }: { deviceId: number; value: string },
  secret: string,
): Promise<DeviceKey> {
  if (value.length > KEY_LENGTH_MAX || !/^[\x21-\x7e]+$/.test(value))
    throw new Refused('invalid', 'key_value: 1 to 128 printable ASCII characters', { field: 'key_value' })
  const [device] = await tx`select id from devices where id = ${deviceId} and deleted_at is null for no key update`
  if (!device) throw new Refused('not_found')
  await tx`
    update device_keys k
    set valid_until = case
      when id = (select max(id) from device_keys where device_id = ${deviceId})
      then now() + make_interval(hours => ${KEY_OVERLAP_HOURS}) else now() end
    where device_id = ${deviceId} and (valid_until is null or valid_until > now())`
  const [key] = await tx<DeviceKey[]>`
    insert into device_keys (device_id, key_ciphertext, key_hint, created_by)
    values (${deviceId}, ${seal(value, secret)}, ${value.length >= 8 ? value.slice(-2) : ''}, ${actor?.userId ?? null})
    returning ${tx(COLUMNS)}`
  await ringDevice(tx, deviceId)
  return key!
}

/** The keys a device's frames may be signed with, newest first. */
export async function valid(q: Queryable, deviceId: number, secret: string): Promise<string[]> {
  const rows = await q<{ keyCiphertext: string }[]>`
    select key_ciphertext from device_keys
    where device_id = ${deviceId} and (valid_until is null or valid_until > now()) order by id desc limit 2`
  return rows.map((row) => unseal(row.keyCiphertext, secret))
}

/**
 * Deletes one key.
 * @throws Refused not_found
 */
export async function remove(tx: Tx, keyId: number): Promise<DeviceKey> {
  const [key] = await tx<DeviceKey[]>`delete from device_keys where id = ${keyId} returning ${tx(COLUMNS)}`
  if (!key) throw new Refused('not_found')
  await ringDevice(tx, key.deviceId)
  return key
}

/** Deletes all keys of a device and says how many there were. */
export async function removeAll(tx: Tx, deviceId: number): Promise<number> {
  const { count } = await tx`delete from device_keys where device_id = ${deviceId}`
  await ringDevice(tx, deviceId)
  return count
}
