import type { Db } from '../postgres/connect.ts'
import { askInventory } from './looks.ts'
import * as orders from './orders.ts'

/** An order whose cabinet never came back to tell: after this long nobody is made to wait or pay for it. */
const GIVE_UP_HOURS = 24
const SWEEP_ROWS = 200

/**
 * Looks where something is in doubt: asks this node's cabinets for the inventories that are due, and ends
 * orders that waited a day. Any number of nodes may sweep at once; each cabinet is asked by the node that holds it.
 * @returns how many cabinets were asked
 */
export async function sweep(db: Db, node: string): Promise<number> {
  const asked = await db.transaction(async (tx) => {
    const due = await tx<{ id: number }[]>`
      update stations set inventory_due_at = null
      where id in (
        select s.id from stations s join device_sessions ds on ds.device_id = s.id and ds.node = ${node}
        where s.inventory_due_at < now() order by s.inventory_due_at limit ${SWEEP_ROWS} for no key update of s skip locked)
      returning id`
    for (const { id } of due) await askInventory(tx, id, 'janitor')
    return due.length
  })
  await db.transaction(async (tx) => {
    const forgotten = await tx<{ id: number }[]>`
      select o.id from orders o join stations s on s.id = o.station_id left join device_commands c on c.id = o.command_id
      where o.status = 'pending' and o.deleted_at is null and o.created_at < now() - make_interval(hours => ${GIVE_UP_HOURS})
        -- What other metal was told stays in doubt until its bank is seen, or a person decides.
        and (c.sent_at is null or (s.deleted_at is null and coalesce(s.metal_since <= c.sent_at, true)))
      order by o.id limit ${SWEEP_ROWS} for update of o skip locked`
    for (const { id } of forgotten)
      await orders.move(tx, id, { to: 'cancelled', evidence: `the cabinet told nothing for ${GIVE_UP_HOURS} hours` })
  })
  return asked
}
