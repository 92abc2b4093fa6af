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
      select id from orders where status = 'pending' and deleted_at is null and created_at < now() - make_interval(hours => ${GIVE_UP_HOURS})
      order by id limit ${SWEEP_ROWS} for update skip locked`
    for (const { id } of forgotten)
      await orders.move(tx, id, { to: 'cancelled', evidence: `the cabinet told nothing for ${GIVE_UP_HOURS} hours` })
  })
  return asked
}
