import { type Change, calledOff, moved, SETTLE_SECONDS } from './changes.ts'
import { put, tellMissing } from './slots.ts'
import {
  before,
  type FilledSlot,
  isDoubtful,
  isFresh,
  type LiveOrder,
  type ReturnReport,
  type SeenBank,
  type Snapshot,
} from './snapshot.ts'

/** A cabinet whose acknowledgement was lost says its return again after the next login, which may be minutes later. */
const RETURN_REPEAT_SECONDS = 15 * 60

const isSame = (a: FilledSlot, b: FilledSlot) =>
  a.stationId === b.stationId && a.slotNumber === b.slotNumber && a.powerbankId === b.powerbankId

/** When this very return was last heard, if lately: a cabinet whose acknowledgement was lost says it again (0x66). */
export function heardAt({ now, returns }: Pick<Snapshot, 'now' | 'returns'>, place: FilledSlot): Date | null {
  const oldest = before(now, RETURN_REPEAT_SECONDS)
  return returns.reduce<Date | null>(
    (last, heard) => (isSame(heard, place) && heard.at > oldest && (!last || heard.at > last) ? heard.at : last),
    null,
  )
}

/**
 * A return that decides nothing: it may be an old one, said again after the bank was asked for anew. Of a bank whose
 * eject from here nobody answered yet only a list of the slots tells whether it left.
 */
function mayBeOld(snapshot: Snapshot, order: LiveOrder, heardBefore: Date | null): boolean {
  if (heardBefore !== null && heardBefore <= (order.borrowedAt ?? order.createdAt)) return true
  if (order.stationId !== snapshot.station.id) return false
  return order.status === 'pending' || isFresh(snapshot, order)
}

/** What it means for the bank's order that the bank was put into this slot. */
function closed(order: LiveOrder, { stationId, slotNumber }: FilledSlot): Change[] {
  if (order.status === 'pending' && !isDoubtful(order))
    return calledOff(order, 'return frame: the bank was in another cabinet before the eject was sent')
  return moved(order, {
    to: 'return',
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
  const order = snapshot.orders.find(({ powerbankId }) => powerbankId === known.id)
  if (order && mayBeOld(snapshot, order, heardBefore)) return [look]
  if (!order && heardBefore && snapshot.slots.some((slot) => isSame(slot, place))) return [look]
  const { changes, missing } = put(snapshot, [believable(bank)], false)
  const data = { powerbankId: known.id, slot: bank.slot, orders: order ? 1 : 0, status: known.status }
  return [
    ...(order ? closed(order, place) : []),
    ...changes,
    ...tellMissing(missing),
    { kind: 'event', name: 'powerbank.returned', stationId, data },
    look,
  ]
}
