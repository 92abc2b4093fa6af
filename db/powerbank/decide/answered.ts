import { type Change, moved, SETTLE_SECONDS } from './changes.ts'
import { learned } from './learned.ts'
import { heardAt } from './returned.ts'
import {
  type AnsweredCommand,
  type AnswerReport,
  before,
  type CabinetAnswer,
  type FilledSlot,
  isDoubtful,
  isOpen,
  type KnownBank,
  type LiveOrder,
  type Snapshot,
} from './snapshot.ts'

/** Answers nobody asked for that are told of within an hour; more of one cabinet are noise. */
export const UNMATCHED_PER_HOUR_MAX = 120
const HOUR_SECONDS = 3600

/** Whether an answer tells of a bank that moved, or should have. */
export const isMovement = ({ kind }: CabinetAnswer) => kind === 'eject' || kind === 'force_eject'

const look = ({ station }: Snapshot, withinSeconds: number): Change => ({
  kind: 'look',
  stationId: station.id,
  withinSeconds,
})

/** An answer to a movement nobody asked for (wrong slot, said twice): no order moves; the slots will tell. */
function unmatched(snapshot: Snapshot, { kind, slot, bankId }: CabinetAnswer): Change[] {
  const lately = snapshot.unmatched.filter((at) => at > before(snapshot.now, HOUR_SECONDS))
  if (lately.length >= UNMATCHED_PER_HOUR_MAX) return [look(snapshot, 0)]
  const event: Change = {
    kind: 'event',
    name: 'answer.unmatched',
    stationId: snapshot.station.id,
    data: { kind, slot, bankId },
  }
  return [look(snapshot, 0), event]
}

/**
 * Is this an old answer, said again while another command of its slot is under way? It names a bank that nobody asked for
 * now, and that is out on an order of its own, or in another cabinet, or was said of this slot before.
 */
export function isStale({ station, banks, orders, slots, isSaidBefore }: Snapshot, report: AnswerReport): boolean {
  const { said, command } = report
  const bank = said.bankId ? banks.get(said.bankId) : undefined
  const wanted = command && askedFor(command)
  if (!bank || !isMovement(said) || !wanted || said.bankId === wanted) return false
  const isOut = (order: LiveOrder) =>
    order.powerbankId === bank.id && isOpen(order) && (order.status === 'borrow' || isDoubtful(order))
  if (orders.some((order) => order.commandId !== command.id && isOut(order))) return true
  const place = slots.find(({ powerbankId }) => powerbankId === bank.id)
  return isSaidBefore || (place !== undefined && place.stationId !== station.id)
}

/**
 * An answer that was said before and names a bank which has been seen here since: an old one, or the same mistake of a cabinet
 * that maps its slots wrongly. If the next list is without that bank, it was none.
 */
export function saidAgain(snapshot: Snapshot, report: AnswerReport & { command: AnsweredCommand }): Change[] {
  const { said, command } = report
  const bank = said.bankId ? snapshot.banks.get(said.bankId) : undefined
  const order = orderOf(snapshot, report)
  const isHere = snapshot.slots.some(
    ({ stationId, powerbankId }) => stationId === snapshot.station.id && powerbankId === bank?.id,
  )
  if (!bank || !isHere || order?.status !== 'pending' || said.bankId === askedFor(command)) return []
  return [{ kind: 'named', orderId: order.id, powerbankId: bank.id }]
}

/** The bank, by its id on the wire, that a movement was to let out, where it says so. */
export const askedFor = ({ args }: AnsweredCommand): string | null =>
  typeof args.bankId === 'string' ? args.bankId : null

/** An answer to a command, which tells of a bank that went out. */
type MovementReport = AnswerReport & { command: AnsweredCommand }

/** The order of the command that was answered. */
const orderOf = ({ orders }: Snapshot, { command }: AnswerReport) =>
  orders.find(({ commandId }) => commandId === command?.id)

/** The place in another cabinet where the bank is thought to be that an eject let out here, if its order asked for it. */
export function placeElsewhere(snapshot: Snapshot, report: AnswerReport): FilledSlot | undefined {
  const { kind, bankId } = report.said
  const bank = bankId ? snapshot.banks.get(bankId) : undefined
  if (kind !== 'eject' || !bank || orderOf(snapshot, report)?.powerbankId !== bank.id) return
  return snapshot.slots.find(
    ({ stationId, powerbankId }) => powerbankId === bank.id && stationId !== snapshot.station.id,
  )
}

/**
 * Has the bank come back, into another cabinet, before the answer to its eject came? The end of its loan says so, and a
 * return heard there since; a list may be an older picture.
 */
function isBack(snapshot: Snapshot, report: MovementReport, place: FilledSlot): boolean {
  if (orderOf(snapshot, report)?.status === 'return') return true
  const { sentAt } = report.command
  const heard = heardAt(snapshot, place)
  return heard !== null && sentAt !== null && heard >= sentAt
}

/**
 * The cabinet let a bank out for this order. Takes late answers too: an order already cancelled comes back to life,
 * because the bank is gone. When another bank left than was asked for, the order follows the metal, unless somebody
 * else already has that bank.
 */
function ejected(snapshot: Snapshot, order: LiveOrder, bank: KnownBank | undefined, how: string): Change[] {
  const { orders, station, slots } = snapshot
  const powerbankId = bank?.id ?? order.powerbankId
  const isSwapped = powerbankId !== order.powerbankId
  const evidence = isSwapped ? `${how}; another bank left the slot` : how
  const taken = orders.find(
    (other) => other.id !== order.id && isOpen(other) && powerbankId !== null && other.powerbankId === powerbankId,
  )
  const place = slots.find((at) => at.stationId === station.id && at.powerbankId === powerbankId)
  const slotNumber = isSwapped ? (place?.slotNumber ?? null) : order.slotNumber
  if (!taken) return moved(order, { to: 'borrow', evidence, powerbankId, slotNumber })
  const { id: orderId, stationId, userId } = order
  const data = { powerbankId, heldByOrder: taken.id }
  return [
    { kind: 'event', name: 'order.bank_conflict', stationId, userId, orderId, data },
    ...(isSwapped && order.status === 'pending' ? moved(order, { to: 'borrow', evidence }) : []),
  ]
}

/**
 * An administrator had a slot opened: a closed order says who and which (docs/contracts.md 4.2). A loan still
 * waiting for that very bank ends, and its eject stays at home if it has not left.
 */
function forced(snapshot: Snapshot, command: AnsweredCommand, bank: KnownBank | undefined): Change[] {
  const evidence = 'an administrator ejected the bank'
  const waiting = bank && snapshot.orders.find((order) => order.powerbankId === bank.id && order.status === 'pending')
  const { id: commandId, requestedBy: userId, slot } = command
  const { id: stationId } = snapshot.station
  return [
    ...(waiting?.commandId
      ? [{ kind: 'withdraw', commandId: waiting.commandId, evidence, orderId: null } as const]
      : []),
    ...(waiting ? moved(waiting, { to: 'cancelled', evidence }) : []),
    ...(userId === null
      ? []
      : [{ kind: 'forced', stationId, userId, powerbankId: bank?.id ?? null, slot, commandId } as const]),
  ]
}

/** The loan that has just begun is over: the bank came back before the answer to its eject. */
const cameBack = (order: LiveOrder, { stationId, slotNumber }: FilledSlot): Change[] =>
  moved(order, {
    to: 'return',
    evidence: 'return frame, before the eject answer',
    returnStationId: stationId,
    returnSlot: slotNumber,
  })

/** What it means for the order of an eject that a bank went out; `back`: it has come back since, to there. */
function lent(snapshot: Snapshot, report: MovementReport, back: FilledSlot | undefined): Change[] {
  const { said, command } = report
  const order = orderOf(snapshot, report)
  if (!order) return []
  const bank = said.bankId ? snapshot.banks.get(said.bankId) : undefined
  const begun = ejected(snapshot, order, bank, `${command.isLate ? 'late ' : ''}eject answer`)
  if (!back) return begun
  const isBegun = begun.some(({ kind }) => kind === 'order')
  return [...begun, ...cameBack(isBegun ? { ...order, status: 'borrow' } : order, back)]
}

/** A bank went out of a slot: the order moves, the slot empties, and is looked at once the cabinet has checked itself. */
function wentOut(snapshot: Snapshot, report: MovementReport): Change[] {
  const { said, command } = report
  const { station, slots } = snapshot
  const bank = said.bankId ? snapshot.banks.get(said.bankId) : undefined
  const place = placeElsewhere(snapshot, report)
  const back = place && isBack(snapshot, report, place) ? place : undefined
  // Of a bank that was asked for, where another is named, only a list tells.
  const isSwapped = said.kind === 'eject' && bank !== undefined && said.bankId !== (askedFor(command) ?? said.bankId)
  const gone = slots.filter(
    ({ stationId, slotNumber, powerbankId }) =>
      (!isSwapped && stationId === station.id && slotNumber === command.slot) || (!back && powerbankId === bank?.id),
  )
  return [
    ...(said.kind === 'force_eject' ? forced(snapshot, command, bank) : lent(snapshot, report, back)),
    ...gone.map(({ powerbankId }) => ({ kind: 'vacate' as const, powerbankId })),
    ...(bank ? [{ kind: 'letOut', stationId: station.id, bankId: bank.deviceId } as const] : []),
    look(snapshot, SETTLE_SECONDS),
    // Its row may not be locked here: that cabinet is asked by a command.
    ...(place && !back ? [{ kind: 'ask', stationId: place.stationId } as const] : []),
  ]
}

/** A cabinet has answered, late or not: the order moves, the slot empties, the cabinet's own data are kept. */
export function answered(snapshot: Snapshot, { kind, said, command }: AnswerReport): Change[] {
  if (!command) return isMovement(said) ? unmatched(snapshot, said) : []
  if (!isMovement(said)) return said.ok === false ? [] : learned(snapshot, said, command)
  // Only an inventory proves that the bank stayed (docs/protocol.md 3, 0x65), so the order waits for one.
  return said.ok === false ? [look(snapshot, 0)] : wentOut(snapshot, { kind, said, command })
}
