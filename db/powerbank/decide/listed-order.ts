import { type Change, calledOff, moved, noted } from './changes.ts'
import {
  askedAt,
  before,
  type InventoryReport,
  isDoubtful,
  isFresh,
  isSettling,
  type LiveOrder,
  type Snapshot,
} from './snapshot.ts'

// What a whole list of a cabinet's slots means for one order.

/** A bank listed to a question this long after an unanswered eject has stayed (docs/decisions.md "Absence needs time to prove anything"; motor 1.2 s, link up to seconds). */
export const STAYED_SECONDS = 7
/** The event of a bank that is gone, and may have been taken by the customer of an order that was cancelled. */
export const BANK_MISSING = 'order.bank_missing'
/** The look at the end of the time for taking a bank comes so late at most while its cabinet is on line. */
const LATE_LOOK_SECONDS = 15
const MS = 1_000

/** The slots were asked for long enough after its eject was sent for that to have happened, if it ever will. */
function isOld(snapshot: Snapshot, { commandStatus, commandSentAt }: LiveOrder): boolean {
  const isRefused = commandStatus === 'failed'
  // Of a bank that its cabinet says it kept even an older picture is enough.
  if (isRefused && snapshot.askedAt.length === 0) return true
  return commandSentAt === null || commandSentAt < before(askedAt(snapshot), isRefused ? 0 : STAYED_SECONDS)
}

/** The list is a picture of after this instant; of before it, it proves nothing. */
const isAfter = (snapshot: Snapshot, at: Date | null) => at === null || askedAt(snapshot) > at

/** What became of an eject that the station's former box was told, no list of its present one tells. */
const isOfOtherMetal = ({ station: { metalSince } }: Snapshot, { commandSentAt }: LiveOrder) =>
  commandSentAt !== null && metalSince !== null && commandSentAt < metalSince

/**
 * A slot that no bank is listed in: nothing is in it, something that cannot be read, or nothing was said of it, as of those
 * beyond the number the cabinet gives, unless it has ever listed one there all the same.
 */
export function faceOf(
  { station: { slotsBeyond } }: Snapshot,
  { slots, unreadable, unknown }: InventoryReport,
  slot: number | null,
): 'empty' | 'unreadable' | 'unknown' {
  if (slot === null) return 'unknown'
  if (unreadable?.includes(slot)) return 'unreadable'
  return unknown?.includes(slot) || (slots && slot > Math.max(slots, slotsBeyond)) ? 'unknown' : 'empty'
}

/** It may have been put back there meanwhile, which ended nothing as long as nobody knew that it was out. */
const askElsewhere = ({ slots }: Snapshot, { powerbankId, stationId: from }: LiveOrder) =>
  slots
    .filter((at) => at.powerbankId === powerbankId && at.stationId !== from)
    .map(({ stationId }) => ({ kind: 'ask', stationId }) as const)

/** A list that does not show the bank of an order whose eject nobody answered, or the cabinet refused. */
function absentInDoubt(snapshot: Snapshot, report: InventoryReport, order: LiveOrder): Change[] | null {
  if (isOfOtherMetal(snapshot, order)) return []
  if (isSettling(snapshot)) return null
  const face = faceOf(snapshot, report, order.slotNumber)
  if (face === 'empty' && isAfter(snapshot, order.commandSentAt))
    return [
      ...moved(order, { to: 'borrow', evidence: `${report.kind}: the slot no longer lists the bank` }),
      { kind: 'absent', orderId: order.id },
      ...askElsewhere(snapshot, order),
    ]
  if (face === 'empty' || order.commandStatus !== 'failed') return null
  const evidence = `${report.kind}: the cabinet refused, and nothing shows that the slot is empty`
  return notTaken(snapshot, order, evidence)
}

/** What it means for an order that a whole list does not show its bank. Null: that decides nothing, look again later. */
export function absent(snapshot: Snapshot, report: InventoryReport, order: LiveOrder): Change[] | null {
  if (order.stationId !== snapshot.station.id) return []
  if (order.status === 'pending' && isDoubtful(order)) return absentInDoubt(snapshot, report, order)
  if (isSettling(snapshot) || faceOf(snapshot, report, order.slotNumber) !== 'empty')
    return order.status === 'cancelled' ? untilStayed(snapshot, order) : []
  switch (order.status) {
    case 'pending':
      return calledOff(order, `${report.kind}: the bank was gone before the eject was sent`)
    case 'borrow':
      return isAfter(snapshot, order.borrowedAt) && order.absentAt === null
        ? [{ kind: 'absent', orderId: order.id }, noted(snapshot, order, 'order.bank_left')]
        : []
    default:
      return isAfter(snapshot, order.notTakenAt) && !isOfOtherMetal(snapshot, order)
        ? takenAfterAll(snapshot, order, report.kind)
        : []
  }
}

/** Its bank has left since its order was cancelled: within the time for taking it that was its customer. */
function takenAfterAll(snapshot: Snapshot, order: LiveOrder, how: string): Change[] {
  const { rules } = snapshot
  const until = before(order.notTakenAt!, -(rules.takingSeconds + LATE_LOOK_SECONDS))
  // Whoever took it then nobody saw: told, for a person to decide.
  if (askedAt(snapshot) > until)
    return [{ kind: 'stayed', orderId: order.id }, noted(snapshot, order, BANK_MISSING, { slot: order.slotNumber })]
  return [
    ...moved(order, { to: 'borrow', evidence: `${how}: the bank was taken after all` }),
    { kind: 'absent', orderId: order.id },
    ...askElsewhere(snapshot, order),
  ]
}

/** How long the borrower may still take the bank out; 0 or less: not any more. */
const takingSecondsLeft = ({ now, rules }: Snapshot, { borrowedAt, createdAt }: LiveOrder) =>
  rules.takingSeconds - (now.getTime() - (borrowedAt ?? createdAt).getTime()) / MS

/**
 * A lent bank is listed in the slot it left. Within the time for taking it that is a slow customer; it came back only
 * where it was seen to leave, or a return was heard.
 */
function stillThere(snapshot: Snapshot, order: LiveOrder, slot: number, how: string): Change[] | null {
  const { id: stationId } = snapshot.station
  const leftAt = [order.absentAt, order.returnHeardAt].find((at) => at !== null && isAfter(snapshot, at))
  if (leftAt) return moved(order, { to: 'return', returnStationId: stationId, returnSlot: slot, evidence: how })
  const left = takingSecondsLeft(snapshot, order)
  if (left > 0) return [{ kind: 'look', stationId, withinSeconds: Math.ceil(left) }]
  if (!isAfter(snapshot, order.borrowedAt)) return null
  return notTaken(snapshot, order, `${how}: the bank was not taken`)
}

/** The list was asked for when nobody could pull the bank out any more. */
const hasStayed = (snapshot: Snapshot, { notTakenAt }: LiveOrder) =>
  notTakenAt !== null && askedAt(snapshot) >= before(notTakenAt, -snapshot.rules.takingSeconds)

/** Looks again then. */
function untilStayed({ now, rules, station: { id: stationId } }: Snapshot, { notTakenAt }: LiveOrder): Change[] {
  const seconds = rules.takingSeconds - (now.getTime() - (notTakenAt ?? now).getTime()) / MS
  return [{ kind: 'look', stationId, withinSeconds: Math.max(STAYED_SECONDS, Math.ceil(seconds)) }]
}

/** Its order ends, and once nobody can pull the bank out any more it is looked at again. */
const notTaken = (snapshot: Snapshot, order: LiveOrder, evidence: string): Change[] => [
  ...moved(order, { to: 'cancelled', evidence, isNotTaken: true }),
  { kind: 'look', stationId: snapshot.station.id, withinSeconds: snapshot.rules.takingSeconds },
]

/** A list shows the bank of an order whose eject nobody answered, or the cabinet refused. */
function presentInDoubt(snapshot: Snapshot, order: LiveOrder, slot: number, how: string): Change[] | null {
  const here = order.stationId === snapshot.station.id
  if (here && !isOld(snapshot, order)) return null
  if (here && slot === order.slotNumber) return notTaken(snapshot, order, `${how}: the bank stayed`)
  return moved(order, {
    to: 'return',
    returnStationId: snapshot.station.id,
    returnSlot: slot,
    evidence: `${how}: seen in ${here ? 'another slot' : 'another cabinet'}`,
  })
}

/** What it means for an order that a list shows its bank in this slot. Null: that decides nothing, look again later. */
export function present(snapshot: Snapshot, order: LiveOrder, slot: number, how: string): Change[] | null {
  const { id: stationId } = snapshot.station
  const here = order.stationId === stationId
  if (order.status === 'cancelled')
    return hasStayed(snapshot, order) ? [{ kind: 'stayed', orderId: order.id }] : untilStayed(snapshot, order)
  if (order.status === 'pending')
    return isDoubtful(order)
      ? presentInDoubt(snapshot, order, slot, how)
      : here
        ? []
        : calledOff(order, `${how}: the bank was in another cabinet before the eject was sent`)
  if (here && (order.slotNumber === null || slot === order.slotNumber)) return stillThere(snapshot, order, slot, how)
  if (here && isFresh(snapshot, order)) return null
  return moved(order, { to: 'return', returnStationId: stationId, returnSlot: slot, evidence: how })
}

/** What it means for an order whose cabinet named another bank than was asked for. Null: nothing of its own. */
export function misnamed(
  snapshot: Snapshot,
  report: InventoryReport,
  order: LiveOrder,
  slotOf: ReadonlyMap<number | null, number>,
): Change[] | null {
  return namedLeft(snapshot, report, order, slotOf) ?? askedLeft(snapshot, report, order, slotOf)
}

/** The slot here that a bank was thought to be in, and that a list shows empty. */
function leftSlot(snapshot: Snapshot, report: InventoryReport, id: number): number | null {
  const { slots, station } = snapshot
  const place = slots.find(({ powerbankId, stationId }) => powerbankId === id && stationId === station.id)
  const isEmpty = place && !isSettling(snapshot) && faceOf(snapshot, report, place.slotNumber) === 'empty'
  return isEmpty ? place.slotNumber : null
}

/** An answer named a bank that may be an old one's: it is not, if that bank has left since. */
function namedLeft(
  snapshot: Snapshot,
  report: InventoryReport,
  order: LiveOrder,
  slotOf: ReadonlyMap<number | null, number>,
): Change[] | null {
  const { namedPowerbankId: named, status, stationId, commandSentAt } = order
  const isAnothers = snapshot.orders.some(({ id, powerbankId }) => powerbankId === named && id !== order.id)
  if (named === null || status !== 'pending' || stationId !== snapshot.station.id || isAnothers) return null
  if (slotOf.has(named) || !isAfter(snapshot, commandSentAt)) return null
  const slotNumber = leftSlot(snapshot, report, named)
  if (slotNumber === null) return null
  const evidence = `${report.kind}: the bank that was named has left`
  return [
    ...moved(order, { to: 'borrow', evidence, powerbankId: named, slotNumber }),
    { kind: 'absent', orderId: order.id },
  ]
}

/**
 * Where the bank that was named is still in its slot and the one that was asked for is not, that left; where it came back
 * after it was gone, the loan is over.
 */
function askedLeft(
  snapshot: Snapshot,
  report: InventoryReport,
  order: LiveOrder,
  slotOf: ReadonlyMap<number | null, number>,
): Change[] | null {
  const { askedPowerbankId: asked, powerbankId: named, status } = order
  const { station, slots, orders } = snapshot
  const isAnothers = orders.some(({ id, powerbankId }) => powerbankId === asked && id !== order.id)
  if (asked === null || status !== 'borrow' || isAnothers || !isAfter(snapshot, order.commandSentAt)) return null
  const place = slots.find(({ powerbankId }) => powerbankId === asked)
  const slot = slotOf.get(asked)
  if (slot !== undefined)
    return place || slotOf.has(named)
      ? null
      : moved(order, {
          to: 'return',
          powerbankId: asked,
          returnStationId: station.id,
          returnSlot: slot,
          evidence: `${report.kind}: the bank that was asked for is back`,
        })
  const from = leftSlot(snapshot, report, asked)
  if (from === null || station.id !== order.stationId || slotOf.get(named) !== order.slotNumber) return null
  const evidence = `${report.kind}: the bank that was asked for left, not the one that was named`
  return [
    { kind: 'renamed', orderId: order.id, powerbankId: asked, slotNumber: from, evidence },
    noted(snapshot, { ...order, powerbankId: asked }, 'order.bank_corrected', { named }),
  ]
}
