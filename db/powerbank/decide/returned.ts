import { type Change, calledOff, moved, noted, SETTLE_SECONDS } from './changes.ts'
import { put, tellMissing } from './slots.ts'
import {
  type FilledSlot,
  isDoubtful,
  isFresh,
  type LiveOrder,
  type ReturnReport,
  type SeenBank,
  type Snapshot,
} from './snapshot.ts'
import { hasStayed, isOwnTwin } from './twins.ts'

/** The event of a return that may be an old one. Whoever looks for returns that were heard finds it, too. */
export const RETURN_HEARD = 'order.return_heard'

const isSame = (a: FilledSlot, b: FilledSlot) =>
  a.stationId === b.stationId && a.slotNumber === b.slotNumber && a.powerbankId === b.powerbankId

/** When this very return was last heard, however long ago: one that was not acknowledged waits in a cabinet's flash (0x66). */
export const heardAt = ({ returns }: Pick<Snapshot, 'returns'>, place: FilledSlot): Date | null =>
  returns.reduce<Date | null>(
    (last, heard) => (isSame(heard, place) && (!last || heard.at > last) ? heard.at : last),
    null,
  )

/** This very return was heard before the bank was asked for, or let out: it may be that one, said again. */
const isRepeat = ({ returns }: Snapshot, { borrowedAt, createdAt }: LiveOrder, place: FilledSlot): boolean =>
  returns.some((heard) => isSame(heard, place) && heard.at <= (borrowedAt ?? createdAt))

/**
 * A return that decides only together with a look: it may be an old one, said late or again after the bank was asked for
 * anew, as any may be of the slot that the bank was let out of. Of a bank whose eject from here nobody answered yet only a
 * list of the slots tells whether it left.
 */
function mayBeOld(snapshot: Snapshot, order: LiveOrder, place: FilledSlot): boolean {
  if (isRepeat(snapshot, order, place)) return true
  if (order.stationId !== snapshot.station.id) return false
  return order.status === 'pending' || order.slotNumber === place.slotNumber || isFresh(snapshot, order)
}

/** What it means for the bank's order that the bank was put into this slot. */
function closed(order: LiveOrder, { stationId, slotNumber, powerbankId }: FilledSlot): Change[] {
  if (order.status === 'pending' && !isDoubtful(order))
    return calledOff(order, 'return frame: the bank was in another cabinet before the eject was sent')
  return moved(order, {
    to: 'return',
    powerbankId,
    evidence: 'return frame',
    returnStationId: stationId,
    returnSlot: slotNumber,
  })
}

/** The telemetry of a return is often unread yet: no level, 2010 mV (docs/protocol.md 3, 0x66). A later look has it. */
const believable = (bank: SeenBank): SeenBank => (bank.levelPercent ? bank : { slot: bank.slot, bankId: bank.bankId })

/**
 * A bank was put into a slot (0x66). Its order closes, whatever cabinet it came from; said twice counts once.
 * The bank is ours to keep from here on, so a stranger's is taken too and decided about afterwards. A return
 * that may be an old one repeated closes nothing: the next inventory decides.
 */
export function returned(snapshot: Snapshot, { bank }: ReturnReport): Change[] {
  const known = snapshot.banks.get(bank.bankId)
  // Beyond what one cabinet may make known: taken, and left for the next list of its slots to name.
  if (!known) return []
  const { id: stationId } = snapshot.station
  const place = { stationId, slotNumber: bank.slot, powerbankId: known.id }
  // The slots are looked at once the cabinet has checked itself: for the level, and for what this leaves open.
  const look: Change = { kind: 'look', stationId, withinSeconds: SETTLE_SECONDS }
  const heardBefore = heardAt(snapshot, place)
  const own = snapshot.orders.find(({ powerbankId, status }) => powerbankId === known.id && status !== 'cancelled')
  // It was asked for, another was named, and it is gone: its order is that one.
  const isGone = !snapshot.slots.some(({ powerbankId }) => powerbankId === known.id)
  const misnamed = snapshot.orders.find((order) => order.askedPowerbankId === known.id && order.status === 'borrow')
  const order = own ?? (isGone ? misnamed : undefined)
  const isElsewhere = snapshot.slots.some((at) => at.powerbankId === known.id && at.stationId !== stationId)
  // A cabinet that has listed it there all the while says nothing new of it.
  const isTwin = order
    ? isOwnTwin(snapshot, bank.bankId, bank.slot, order) ||
      (order.stationId !== stationId && hasStayed(snapshot, bank.bankId, bank.slot, order))
    : isElsewhere && hasStayed(snapshot, bank.bankId, bank.slot, undefined)
  if (isTwin) return [{ kind: 'ask', stationId }, look]
  // At once, and once more when the cabinet has checked itself: whoever put it back waits for the answer.
  if (order && mayBeOld(snapshot, order, place))
    return [
      // A repeat does not even prove that the bank was out.
      ...(order.status === 'borrow' && !isRepeat(snapshot, order, place)
        ? [{ kind: 'heard', orderId: order.id } as const]
        : []),
      noted(snapshot, order, RETURN_HEARD, { slot: bank.slot }),
      { kind: 'ask', stationId },
      look,
    ]
  if (!order && heardBefore) return [{ kind: 'ask', stationId }, look]
  const { changes, missing } = put(snapshot, [believable(bank)], () => false)
  const data = { powerbankId: known.id, slot: bank.slot, orders: order ? 1 : 0, status: known.status }
  return [
    ...(order ? closed(order, place) : []),
    ...changes,
    ...tellMissing(missing),
    { kind: 'event', name: 'powerbank.returned', stationId, data },
    look,
  ]
}
