import type { OrderStatus } from '../words.ts'

/**
 * The ways an order may go. `cancelled` is left only when a late answer, or a slot that is empty now, proves that the bank
 * went out after all; a loan is cancelled whose bank was unlocked and not taken; `pending` goes straight to `return` when
 * the bank is seen coming back before its eject was confirmed.
 */
const MOVES: Record<OrderStatus, readonly OrderStatus[]> = {
  pending: ['borrow', 'cancelled', 'return'],
  borrow: ['return', 'force_eject', 'cancelled'],
  return: [],
  force_eject: [],
  cancelled: ['borrow'],
}

/** The event that tells of an order's present status. */
export const EVENT: Record<OrderStatus, string> = {
  pending: 'order.requested',
  borrow: 'order.borrowed',
  return: 'order.returned',
  force_eject: 'order.force_ejected',
  cancelled: 'order.cancelled',
}

/** Whether an order may go this way, whoever sends it: a cabinet, the clock or an administrator. */
export const mayMove = (from: OrderStatus, to: OrderStatus) => MOVES[from].includes(to)

/** Where an order must stand to go there. */
export const mayLeave = (to: OrderStatus) =>
  (Object.keys(MOVES) as OrderStatus[]).filter((from) => MOVES[from].includes(to))
