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

/** One page, the latest knock first, and how many there are. */
export async function list(q: Queryable, at: { page: number; limit: number }): Promise<Page<PendingDevice>> {
  const of = q`quarantine where kind = 'cabinet'`
  return await pageOf(q, of, q`select ${q(COLUMNS)} from ${of} order by last_seen_at desc, id desc`, at)
}

/**
 * Makes a knocking cabinet a station of ours; or, when it is one already and only lacked its key, finds that
 * station. Either way the row leaves the quarantine, so of two adoptions at once one hears not_found.
 * @throws Refused not_found, not_yours, invalid (no such unit)
 */
export async function approve(
  tx: Tx,
  actor: Actor,
  id: number,
  fields: { orgUnitId: number | null; slotsDeclared?: number | undefined },
): Promise<stations.Station> {
  const [pending] = await tx<
    PendingDevice[]
  >`delete from quarantine where id = ${id} and kind = 'cabinet' returning ${tx(COLUMNS)}`
  if (!pending) throw new Refused('not_found', '', { reason: 'pending_device_unknown' })
  const [known] = await tx<{ id: number }[]>`
    select id from stations where box_id = ${pending.boxId} and deleted_at is null for update`
  // Adopting it again is how an operator says that its new SIM is right.
  if (pending.reason === 'sim_changed') await forgetSim(tx, { kind: 'cabinet', serial: pending.boxId })
  if (known) return (await stations.find(tx, known.id))!
  const slotsDeclared = fields.slotsDeclared ?? pending.slots ?? SLOTS_DEFAULT
  return stations.create(tx, actor, {
    boxId: pending.boxId,
    orgUnitId: fields.orgUnitId,
    slotsDeclared,
    status: 'active',
  })
}
