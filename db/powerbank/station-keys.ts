import * as keys from '../devices/keys.ts'
import * as audit from '../messages/audit.ts'
import type { Actor } from '../platform/actor.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import { type Page, pageOf } from '../postgres/rows.ts'
import { Refused } from './refused.ts'
import { administered, assertInScope, type Scope, within } from './scope.ts'

/** What the list may be narrowed to; `page` is 1-based. */
export interface KeyFilter {
  scope: Scope
  stationId?: number | undefined
  page: number
  limit: number
}

/** One page of the keys of the stations in scope, newest first, hints only, and how many there are in all. */
export async function list(q: Queryable, filter: KeyFilter): Promise<Page<keys.DeviceKey>> {
  const { scope, stationId = null } = filter
  const of = q`
    device_keys k join stations s on s.id = k.device_id
    where s.deleted_at is null and ${within(q, scope, q`s.org_unit_id`)}
      and (${stationId}::bigint is null or k.device_id = ${stationId})`
  const rows = q`select k.id, k.device_id, k.key_hint, k.valid_until, k.created_at from ${of} order by k.id desc`
  return await pageOf(q, of, rows, filter)
}

/** @throws Refused station_not_found, not_yours */
export async function assertStation(tx: Tx, actor: Actor, stationId: number): Promise<void> {
  const [station] = await tx<{ orgUnitId: number | null }[]>`
    select org_unit_id from stations where id = ${stationId} and deleted_at is null`
  if (!station) throw new Refused('station_not_found')
  assertInScope(await administered(tx, actor), station.orgUnitId)
}

/** The audit says that keys changed and whose they are, never a part of one. */
const note = (tx: Tx, actor: Actor, act: 'add' | 'delete', stationId: number, about: object) =>
  audit.record(tx, actor, 'powerbank', {
    action: `station_key.${act}`,
    entityType: 'station',
    entityId: stationId,
    newValues: about,
  })

/**
 * Stores a station's new key (see `keys.add` for what becomes of the older ones).
 * @throws Refused station_not_found, not_yours, invalid
 */
export async function add(
  tx: Tx,
  actor: Actor,
  given: { stationId: number; value: string },
  secret: string,
): Promise<keys.DeviceKey> {
  await assertStation(tx, actor, given.stationId)
  const key = await keys.add(tx, actor, { deviceId: given.stationId, value: given.value }, secret)
  await note(tx, actor, 'add', given.stationId, { keyId: key.id })
  return key
}

/**
 * Deletes one key.
 * @throws Refused not_found, not_yours
 */
export async function remove(tx: Tx, actor: Actor, keyId: number): Promise<void> {
  const key = await keys.remove(tx, keyId)
  await assertStation(tx, actor, key.deviceId)
  await note(tx, actor, 'delete', key.deviceId, { keyId })
}

/**
 * Deletes all keys of a station and says how many there were.
 * @throws Refused station_not_found, not_yours
 */
export async function removeAll(tx: Tx, actor: Actor, stationId: number): Promise<number> {
  await assertStation(tx, actor, stationId)
  const count = await keys.removeAll(tx, stationId)
  await note(tx, actor, 'delete', stationId, { count })
  return count
}
