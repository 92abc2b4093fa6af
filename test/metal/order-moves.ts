import type { Change } from '../../db/powerbank/decide/changes.ts'
import { EVENT } from '../../db/powerbank/decide/order-states.ts'
import { at, type House, type Order } from './rows.ts'

/** An order whose bank is this from now on (`move` in db/powerbank/orders.ts). */
function named({ powerbankId: before, askedPowerbankId: asked }: Order, powerbankId: number | null) {
  if (powerbankId === before) return { powerbankId, askedPowerbankId: asked }
  return { powerbankId, askedPowerbankId: powerbankId === asked ? null : (asked ?? before) }
}

/** A constraint of the tables would not have taken it. */
export class BrokenConstraintError extends Error {}

/** An order goes on (`move` in db/powerbank/orders.ts). */
export function move(
  house: House,
  { id, to, evidence, powerbankId, slotNumber, isNotTaken }: Extract<Change, { kind: 'order' }>,
): void {
  const order = house.orders.get(id)!
  const now = at(house.now)
  order.turns.push(`${house.now.toFixed(1)} ${EVENT[to]}: ${evidence}`)
  Object.assign(order, {
    status: to,
    evidence,
    borrowedAt: to === 'borrow' || to === 'return' ? (order.borrowedAt ?? now) : order.borrowedAt,
    notTakenAt: isNotTaken ? now : null,
    ...named(order, powerbankId ?? order.powerbankId),
    slotNumber: slotNumber === undefined ? order.slotNumber : slotNumber,
  })
  if (to !== 'borrow') return
  for (const other of house.orders.values())
    if (
      other !== order &&
      other.powerbankId === order.powerbankId &&
      (other.status === 'borrow' || other.status === 'pending')
    )
      throw new BrokenConstraintError(`orders ${other.id} and ${id} lend one bank`)
}
