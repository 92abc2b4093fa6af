import postgres from 'postgres'
import { isOnline } from '../devices/connections.ts'
import * as audit from '../messages/audit.ts'
import { record } from '../messages/events.ts'
import type { Actor } from '../platform/actor.ts'
import { Refused } from '../platform/refused.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import { mustExist } from './org-units.ts'
import { administered, assertInScope, type Scope, within } from './scope.ts'
import type { StationStatus } from './words.ts'

export interface Station {
  id: number
  orgUnitId: number | null
  orgUnitName: string | null
  boxId: string
  iccid: string | null
  slotsDeclared: number
  status: StationStatus
  nik: string | null
  /** What the cabinet last said of itself, each part with its `at` (an ISO instant). */
  deviceState: Record<string, any>
  /** When the slots were last listed whole. */
  inventoryAt: Date | null
  /** Connected, and heard of within two heartbeats. */
  isOnline: boolean
  dialect: string | null
  seenAt: Date | null
  connectedAt: Date | null
  /** Slots that hold a power bank. */
  occupied: number
  createdAt: Date
  updatedAt: Date
}

/** What an operator may say about a station. */
export interface StationFields {
  boxId: string
  slotsDeclared: number
  orgUnitId?: number | null | undefined
  iccid?: string | null | undefined
  status?: StationStatus | undefined
}

/** What of it may be changed; what is undefined stays. */
export type StationChange = { [K in keyof StationFields]?: StationFields[K] | undefined }

/** What the list may be narrowed to; `page` is 1-based. */
export interface StationFilter {
  scope: Scope
  orgUnitId?: number | undefined
  status?: StationStatus | undefined
  page: number
  limit: number
}

const UNIQUE_VIOLATION = '23505'

const view = (q: Queryable) => q`
  select s.id, s.org_unit_id, u.name as org_unit_name, s.box_id, s.iccid, s.slots_declared, s.status, s.nik, s.device_state,
    s.inventory_at, ${isOnline(q)} as is_online, ds.dialect, ds.seen_at, ds.connected_at,
    (select count(*) from station_powerbanks sp where sp.station_id = s.id) as occupied, s.created_at, s.updated_at
  from stations s
  left join org_units u on u.id = s.org_unit_id
  left join device_sessions ds on ds.station_id = s.id
  where s.deleted_at is null`

/** One page of the stations in scope, oldest first, and how many there are in all. */
export async function list(q: Queryable, filter: StationFilter): Promise<{ rows: Station[]; total: number }> {
  const { scope, orgUnitId, status, page, limit } = filter
  const where = q`
    ${within(q, scope, q`s.org_unit_id`)}
    and (${orgUnitId ?? null}::bigint is null or s.org_unit_id = ${orgUnitId ?? null})
    and (${status ?? null}::text is null or s.status = ${status ?? null})`
  const [counted] = await q<{ total: number }[]>`
    select count(*) as total from stations s where s.deleted_at is null and ${where}`
  const rows = await q<Station[]>`${view(q)} and ${where} order by s.id limit ${limit} offset ${(page - 1) * limit}`
  return { rows, total: counted!.total }
}

/** A station, or undefined. */
export async function get(q: Queryable, id: number): Promise<Station | undefined> {
  const [station] = await q<Station[]>`${view(q)} and s.id = ${id}`
  return station
}

const note = (
  tx: Tx,
  actor: Actor,
  act: 'create' | 'change' | 'delete',
  entityId: number,
  newValues: object | null = null,
) => audit.record(tx, actor, 'powerbank', { action: `station.${act}`, entityType: 'station', entityId, newValues })

/**
 * Registers a cabinet. One that knocked before leaves the quarantine: it will be let in when it dials again.
 * @throws Refused not_yours, duplicate (the box id is taken), invalid (no such unit)
 */
export async function create(tx: Tx, actor: Actor, fields: StationFields): Promise<Station> {
  const { boxId, slotsDeclared, orgUnitId = null, iccid = null, status = 'pending' } = fields
  if (orgUnitId !== null) await mustExist(tx, orgUnitId)
  assertInScope(await administered(tx, actor), orgUnitId)
  const [row] = await tx<{ id: number }[]>`
    insert into stations (org_unit_id, box_id, iccid, slots_declared, status)
    values (${orgUnitId}, ${boxId}, ${iccid}, ${slotsDeclared}, ${status})
    on conflict (box_id) where deleted_at is null do nothing returning id`
  if (!row) throw new Refused('duplicate', `box id ${boxId} is taken`, { field: 'box_id' })
  await tx`delete from quarantine where box_id = ${boxId}`
  await note(tx, actor, 'create', row.id, { boxId, orgUnitId, iccid, slotsDeclared, status })
  await record(tx, 'station.created', { stationId: row.id, data: { boxId, orgUnitId } })
  return (await get(tx, row.id))!
}

/** Ends the present connection: its node hears at its next `seen` that the cabinet is no longer its own. */
const disown = (tx: Tx, id: number) => tx`
  update device_sessions set node = null, epoch = epoch + 1, disconnected_at = now()
  where station_id = ${id} and node is not null`

/** The row to change, locked. @throws Refused station_not_found, not_yours */
async function hold(tx: Tx, actor: Actor, id: number): Promise<{ boxId: string; topSlot: number | null }> {
  const [held] = await tx<{ boxId: string; orgUnitId: number | null; topSlot: number | null }[]>`
    select box_id, org_unit_id, (select max(slot_number) from station_powerbanks where station_id = s.id) as top_slot
    from stations s where id = ${id} and deleted_at is null for update`
  if (!held) throw new Refused('station_not_found')
  assertInScope(await administered(tx, actor), held.orgUnitId)
  return held
}

/**
 * Changes what is given. A new box id ends the cabinet's connection, for it is another cabinet now.
 * @throws Refused station_not_found, not_yours, duplicate, invalid (no such unit; fewer slots than are occupied)
 */
export async function change(tx: Tx, actor: Actor, id: number, fields: StationChange): Promise<Station> {
  const { boxId, topSlot } = await hold(tx, actor, id)
  if (fields.slotsDeclared !== undefined && topSlot !== null && fields.slotsDeclared < topSlot) {
    const about = { field: 'slots_declared', reason: 'slot_occupied', slot: topSlot }
    throw new Refused('invalid', `slot ${topSlot} is occupied`, about)
  }
  if (fields.orgUnitId !== undefined) {
    if (fields.orgUnitId !== null) await mustExist(tx, fields.orgUnitId)
    assertInScope(await administered(tx, actor), fields.orgUnitId)
  }
  const given = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
  try {
    await tx`update stations set ${tx({ ...given, updatedAt: new Date() })} where id = ${id}`
  } catch (error) {
    if (!(error instanceof postgres.PostgresError) || error.code !== UNIQUE_VIOLATION) throw error
    throw new Refused('duplicate', `box id ${fields.boxId} is taken`, { field: 'box_id' })
  }
  if (fields.boxId !== undefined && fields.boxId !== boxId) {
    await disown(tx, id)
    await tx`delete from quarantine where box_id = ${fields.boxId}`
  }
  await note(tx, actor, 'change', id, given)
  await record(tx, 'station.changed', { stationId: id, data: given })
  return (await get(tx, id))!
}

/**
 * Takes a station out of service for good: its orders stay, its banks are nowhere, its keys are destroyed, its
 * cabinet is no longer let in.
 * @throws Refused station_not_found, not_yours
 */
export async function remove(tx: Tx, actor: Actor, id: number): Promise<void> {
  await hold(tx, actor, id)
  await tx`update stations set deleted_at = now(), updated_at = now(), inventory_due_at = null where id = ${id}`
  await disown(tx, id)
  await tx`delete from station_powerbanks where station_id = ${id}`
  await tx`delete from station_secret_keys where station_id = ${id}`
  await note(tx, actor, 'delete', id)
  await record(tx, 'station.deleted', { stationId: id })
}
