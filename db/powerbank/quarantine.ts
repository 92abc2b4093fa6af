import { forgetSim } from '../devices/mqtt-credentials.ts'
import type { quarantine } from '../devices/schema.ts'
import type { Actor } from '../platform/actor.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import { type Page, pageOf } from '../postgres/rows.ts'
import { Refused } from './refused.ts'
import * as stations from './stations.ts'

const COLUMNS = [
  'id',
  'boxId',
  'dialect',
  'reason',
  'address',
  'slots',
  'attempts',
  'firstSeenAt',
  'lastSeenAt',
] as const satisfies (keyof typeof quarantine.$inferSelect)[]

/** A cabinet that dialled and was not let in (written by `quarantine` of the devices). `slots`: as it told, if it did. */
export type PendingDevice = Pick<typeof quarantine.$inferSelect, (typeof COLUMNS)[number]>

/** What an adopted cabinet is taken to have when neither it nor the operator says; its inventory corrects it. */
const SLOTS_DEFAULT = 8
/** TCP-B: the dialect whose frames are signed with a key of the cabinet's own (docs/protocol.md 2.4). */
const SIGNED = 'B'

/** One page, the latest knock first, and how many there are. */
export async function list(q: Queryable, at: { page: number; limit: number }): Promise<Page<PendingDevice>> {
  const of = q`quarantine where kind = 'cabinet'`
  return await pageOf(q, of, q`select ${q(COLUMNS)} from ${of} order by last_seen_at desc, id desc`, at)
}

/**
 * Makes a knocking cabinet a station of ours; or, when it is one already and only lacked its key, finds that
 * station. Either way the row leaves the quarantine, so of two adoptions at once one hears not_found. It `lacksKey` when it
 * signs its frames and none of its keys is known yet.
 * @throws Refused not_found, not_yours, invalid (no such unit)
 */
export async function approve(
  tx: Tx,
  actor: Actor,
  id: number,
  fields: { orgUnitId: number | null; slotsDeclared?: number | undefined },
): Promise<{ station: stations.Station; lacksKey: boolean }> {
  const [pending] = await tx<
    PendingDevice[]
  >`delete from quarantine where id = ${id} and kind = 'cabinet' returning ${tx(COLUMNS)}`
  if (!pending) throw new Refused('not_found', '', { reason: 'pending_device_unknown' })
  const [known] = await tx<{ id: number }[]>`
    select id from stations where box_id = ${pending.boxId} and deleted_at is null for update`
  // Adopting it again is how an operator says that its new SIM is right.
  if (pending.reason === 'sim_changed') await forgetSim(tx, { kind: 'cabinet', serial: pending.boxId })
  const slotsDeclared = fields.slotsDeclared ?? pending.slots ?? SLOTS_DEFAULT
  const made = { boxId: pending.boxId, orgUnitId: fields.orgUnitId, slotsDeclared, status: 'active' as const }
  const station = known ? (await stations.find(tx, known.id))! : await stations.create(tx, actor, made)
  const [key] = await tx`select 1 from device_keys where device_id = ${station.id} limit 1`
  return { station, lacksKey: pending.dialect === SIGNED && !key }
}
