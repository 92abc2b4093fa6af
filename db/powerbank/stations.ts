import { fail } from '../devices/commands.ts'
import { ONLINE } from '../devices/connections.ts'
import { deviceSessions } from '../devices/schema.ts'
import { orgUnits } from '../identity/schema.ts'
import * as audit from '../messages/audit.ts'
import { record } from '../messages/events.ts'
import type { Actor } from '../platform/actor.ts'
import type { Tx } from '../postgres/connect.ts'
import { alias, eq, sql } from '../postgres/drizzle.ts'
import { type New, type ReadBy, tableOf } from '../table.ts'
import { afterwards } from './aftermath.ts'
import { mustExist } from './org-units.ts'
import { Refused } from './refused.ts'
import { stations } from './schema.ts'
import { administered, of } from './scope.ts'

/** The columns that are an operator's to set, and are audited. */
const SET = ['boxId', 'orgUnitId', 'iccid', 'slotsDeclared', 'status'] as const satisfies (keyof New<typeof stations>)[]
/** What an operator may say about a station. */
export type StationFields = Pick<New<typeof stations>, (typeof SET)[number]>
/** What of it may be changed; what is undefined stays. */
export type StationChange = { [K in keyof StationFields]?: StationFields[K] | undefined }

const ds = alias(deviceSessions, 'ds')
const table = tableOf(stations, {
  deletes: 'soft',
  scope: { by: 'orgUnitId', seen: of, changed: administered },
  joins: [
    [orgUnits, eq(orgUnits.id, stations.orgUnitId)],
    [ds, eq(ds.deviceId, stations.id)],
  ],
  beside: {
    orgUnitName: sql<string | null>`${orgUnits.name}`,
    /** Connected, and heard of lately enough (`isReachable`). */
    isOnline: sql<boolean>`${sql.raw(ONLINE)}`,
    dialect: sql<string | null>`${ds.dialect}`,
    seenAt: sql<Date | null>`${ds.seenAt}`,
    connectedAt: sql<Date | null>`${ds.connectedAt}`,
    /** Slots that hold a power bank, or something nobody could read. */
    occupied: sql<number>`(select count(*) from (
      select sp.slot_number from station_powerbanks sp where sp.station_id = ${stations.id}
      union select unnest(${stations.unreadableSlots})) o)`,
  },
  unknown: () => new Refused('station_not_found'),
})
export const { get, list, find } = table
/** A station with what is known of its cabinet at the moment. */
export type Station = ReadBy<typeof table>

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
  if (fields.orgUnitId != null) await mustExist(tx, fields.orgUnitId)
  const made = await table.create(tx, actor, fields)
  const { id, boxId, orgUnitId } = made
  await tx`delete from quarantine where box_id = ${boxId}`
  await note(tx, actor, 'create', id, Object.fromEntries(SET.map((name) => [name, made[name]])))
  await record(tx, 'station.created', { stationId: id, data: { boxId, orgUnitId } })
  return made
}

/** Ends the present connection: its node hears at its next `seen` that the cabinet is no longer its own. */
const disown = (tx: Tx, id: number) => tx`
  update device_sessions set node = null, epoch = epoch + 1, disconnected_at = now()
  where device_id = ${id} and node is not null`

/**
 * The station has another box from now on: what the one before it held is nowhere, and no list of this one tells what that
 * let out, nor what it was asked.
 */
export async function replaced(tx: Tx, id: number): Promise<void> {
  const unsent = await tx<{ id: number }[]>`
    select id from device_commands where device_id = ${id} and status = 'queued' and is_movement`
  const ids = unsent.map((command) => command.id)
  await afterwards(tx, await fail(tx, id, ids, 'the station has another box'))
  await tx`
    update stations set metal_since = now(), listed_banks = '{}', unreadable_slots = '{}', unread_looks = 0 where id = ${id}`
  await tx`delete from station_powerbanks where station_id = ${id}`
  await leaveInDoubt(tx, id, 'the station has another box since')
}

/** Only the bank itself, wherever it is seen, or a person can tell now what came of an eject that was sent. */
const leaveInDoubt = (tx: Tx, id: number, why: string) => tx`
  update orders o set evidence = ${`${why}: its bank must be seen, or a person decides`} from device_commands c
  where o.station_id = ${id} and o.status = 'pending' and o.deleted_at is null and c.id = o.command_id
    and c.sent_at is not null`

/** A cabinet has no fewer slots than the highest that is occupied. @throws Refused invalid */
async function assertSlots(tx: Tx, id: number, slotsDeclared: number): Promise<void> {
  const [top] = await tx<{ slot: number | null }[]>`
    select max(slot_number) as slot from station_powerbanks where station_id = ${id}`
  const { slot } = top!
  if (slot !== null && slotsDeclared < slot)
    throw new Refused('invalid', `slot ${slot} is occupied`, { field: 'slots_declared', reason: 'slot_occupied', slot })
}

/**
 * Changes what is given. A new box id ends the cabinet's connection, for it is another cabinet now.
 * @throws Refused station_not_found, not_yours, duplicate, invalid (no such unit; fewer slots than are occupied)
 */
export async function change(tx: Tx, actor: Actor, id: number, fields: StationChange): Promise<Station> {
  const { boxId } = await table.hold(tx, actor, id)
  if (fields.slotsDeclared !== undefined) await assertSlots(tx, id, fields.slotsDeclared)
  if (fields.orgUnitId != null) await mustExist(tx, fields.orgUnitId)
  await table.change(tx, actor, id, fields)
  // Typed, not read: the cabinet is asked at its next login.
  if (fields.iccid !== undefined) await tx`update stations set device_state = device_state - 'sim' where id = ${id}`
  if (fields.boxId !== undefined && fields.boxId !== boxId) {
    await disown(tx, id)
    await replaced(tx, id)
    await tx`delete from quarantine where box_id = ${fields.boxId}`
  }
  const given = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
  await note(tx, actor, 'change', id, given)
  await record(tx, 'station.changed', { stationId: id, data: given })
  return (await find(tx, id))!
}

/**
 * Takes a station out of service for good: its orders stay, its banks are nowhere, its keys are destroyed, its
 * cabinet is no longer let in.
 * @throws Refused station_not_found, not_yours
 */
export async function remove(tx: Tx, actor: Actor, id: number): Promise<void> {
  await table.remove(tx, actor, id)
  await tx`update stations set inventory_due_at = null where id = ${id}`
  await disown(tx, id)
  await tx`delete from station_powerbanks where station_id = ${id}`
  await tx`delete from device_keys where device_id = ${id}`
  await leaveInDoubt(tx, id, 'the station was removed')
  await note(tx, actor, 'delete', id)
  await record(tx, 'station.deleted', { stationId: id })
}
