import { type Change, moved } from './changes.ts'
import type { ConnectReport, DisconnectReport, EndedCommand, LiveOrder, Snapshot } from './snapshot.ts'

/** An inventory nobody answered is asked for again after this. */
const ASK_AGAIN_SECONDS = 30

/** What it means for the order of a command, if it has one, that this ended so. */
function fate(status: EndedCommand['status'], order: LiveOrder | undefined): Change[] {
  if (order?.status !== 'pending') return []
  // It never left the house: nothing moved.
  if (status === 'expired' || status === 'failed')
    return moved(order, { to: 'cancelled', evidence: 'the command was never sent' })
  return status === 'unknown' ? [{ kind: 'wake', orderId: order.id }] : []
}

/** Whether the cabinet is to be looked into for this. */
function look({ deviceId: stationId, kind, status, isMovement }: EndedCommand): Change[] {
  if (isMovement) return status === 'unknown' ? [{ kind: 'look', stationId, withinSeconds: 0 }] : []
  return kind === 'inventory' && (status === 'unknown' || status === 'expired')
    ? [{ kind: 'look', stationId, withinSeconds: ASK_AGAIN_SECONDS }]
    : []
}

/**
 * What it means for orders and slots that commands to cabinets ended without an answer: orders of unsent ones fall, the
 * rest is looked into. `orders` are theirs.
 */
export function ended(orders: readonly LiveOrder[], commands: readonly EndedCommand[]): Change[] {
  const orderOf = new Map(orders.map((order) => [order.commandId, order]))
  return commands.flatMap((command) => [...fate(command.status, orderOf.get(command.id)), ...look(command)])
}

/** A cabinet has logged in: what its older connection had under way is settled, and its slots are looked at. */
export const connected = (
  { station, orders }: Snapshot,
  { dialect, address, ended: over }: ConnectReport,
): Change[] => [
  ...ended(orders, over),
  { kind: 'look', stationId: station.id, withinSeconds: 0 },
  { kind: 'event', name: 'station.connected', stationId: station.id, data: { dialect, address } },
]

/** A cabinet is not connected any more. */
export const disconnected = ({ station, orders }: Snapshot, { reason, ended: over }: DisconnectReport): Change[] => [
  ...ended(orders, over),
  { kind: 'event', name: 'station.disconnected', stationId: station.id, data: { reason } },
]
