import { type Change, calledOff, moved, noted } from './changes.ts'
import { put, tellMissing } from './slots.ts'
import {
  askedAt,
  before,
  type InventoryReport,
  isDoubtful,
  isFresh,
  isSettling,
  type ListedBank,
  type ListedBanks,
  type LiveOrder,
  type SeenBank,
  type Snapshot,
} from './snapshot.ts'
import { twinsOf } from './twins.ts'

/** A bank listed to a question this long after an unanswered eject has stayed (docs/decisions.md "Absence needs time to prove anything"; motor 1.2 s, link up to seconds). */
const STAYED_SECONDS = 7
/** A slot that cannot be read is looked at again so soon, one look after the other, and slowly from then on. */
const UNREAD_LOOKS_SECONDS = [2, 5, 15, 60]
const UNREAD_SLOWLY_SECONDS = 240
const MS = 1_000

/** Machines lie: a slot or a bank listed twice counts where it was listed first. Some count their slots from 0. */
export function consistent(banks: readonly SeenBank[]): SeenBank[] {
  const slots = new Set<number>()
  const ids = new Set<string>()
  return banks.filter(({ slot, bankId }) => {
    const ok = slot >= 0 && !slots.has(slot) && !ids.has(bankId)
    slots.add(slot)
    ids.add(bankId)
    return ok
  })
}

/** The slots were asked for long enough after its eject was sent for that to have happened, if it ever will. */
function isOld(snapshot: Snapshot, { commandStatus, commandSentAt }: LiveOrder): boolean {
  const seconds = commandStatus === 'failed' ? 0 : STAYED_SECONDS
  return commandSentAt === null || commandSentAt < before(askedAt(snapshot), seconds)
}

/** The list is a picture of after this instant; of before it, it proves nothing. */
const isAfter = (snapshot: Snapshot, at: Date | null) => at === null || askedAt(snapshot) > at

/** What became of an eject that the station's former box was told, no list of its present one tells. */
const isOfOtherMetal = ({ station: { metalSince } }: Snapshot, { commandSentAt }: LiveOrder) =>
  commandSentAt !== null && metalSince !== null && commandSentAt < metalSince

/** A slot that no bank is listed in: nothing is in it, something that cannot be read, or nothing was said of it. */
function faceOf(
  { slots, unreadable, unknown }: InventoryReport,
  slot: number | null,
): 'empty' | 'unreadable' | 'unknown' {
  if (slot === null) return 'unknown'
  if (unreadable?.includes(slot)) return 'unreadable'
  return unknown?.includes(slot) || (slots && slot > slots) ? 'unknown' : 'empty'
}

/** A list that does not show the bank of an order whose eject nobody answered, or the cabinet refused. */
function absentInDoubt(snapshot: Snapshot, report: InventoryReport, order: LiveOrder): Change[] | null {
  if (isOfOtherMetal(snapshot, order)) return []
  if (isSettling(snapshot)) return null
  const face = faceOf(report, order.slotNumber)
  if (face === 'empty' && isAfter(snapshot, order.commandSentAt))
    return [
      ...moved(order, { to: 'borrow', evidence: `${report.kind}: the slot no longer lists the bank` }),
      { kind: 'absent', orderId: order.id },
      // It may have been put back there meanwhile, which ended nothing as long as nobody knew that it was out.
      ...snapshot.slots
        .filter((at) => at.powerbankId === order.powerbankId && at.stationId !== order.stationId)
        .map(({ stationId }) => ({ kind: 'ask', stationId }) as const),
    ]
  if (face === 'empty' || order.commandStatus !== 'failed') return null
  const evidence = `${report.kind}: the cabinet refused, and nothing shows that the slot is empty`
  return notTaken(snapshot, order, evidence)
}

/** What it means for an order that a whole list does not show its bank. Null: that decides nothing, look again later. */
function absent(snapshot: Snapshot, report: InventoryReport, order: LiveOrder): Change[] | null {
  if (order.stationId !== snapshot.station.id) return []
  if (order.status === 'pending' && isDoubtful(order)) return absentInDoubt(snapshot, report, order)
  if (isSettling(snapshot) || faceOf(report, order.slotNumber) !== 'empty')
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
        ? [
            ...moved(order, { to: 'borrow', evidence: `${report.kind}: the bank was taken after all` }),
            { kind: 'absent', orderId: order.id },
          ]
        : []
  }
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
function present(snapshot: Snapshot, order: LiveOrder, slot: number, how: string): Change[] | null {
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

/** When the slots are looked at again: for what the list left open, and for slots that could not be read. */
function nextLook(snapshot: Snapshot, unreadable: readonly number[], isOpen: boolean): Change[] {
  const { id: stationId, unreadLooks } = snapshot.station
  const waits = [
    ...(isOpen || isSettling(snapshot) ? [STAYED_SECONDS] : []),
    ...(unreadable.length > 0 ? [UNREAD_LOOKS_SECONDS[unreadLooks] ?? UNREAD_SLOWLY_SECONDS] : []),
  ]
  return waits.map((withinSeconds) => ({ kind: 'look', stationId, withinSeconds }))
}

/**
 * Since when the lists of this cabinet have shown these banks, one list after the other, and where. One that a list is
 * without stays among them while the cabinet settles, and while nobody can read its slot. (One that is let out and not
 * pulled out yet is none: if it comes back after a walk, that is news.)
 */
function since(
  snapshot: Snapshot,
  report: InventoryReport,
  banks: readonly SeenBank[],
  { twins, own }: Pick<ReturnType<typeof twinsOf>, 'twins' | 'own'>,
): ListedBanks {
  const { now, station, slots, banks: known } = snapshot
  const at = now.toISOString()
  const hidden = Object.entries(station.listedBanks).filter(
    ([, { slot }]) => isSettling(snapshot) || faceOf(report, slot) !== 'empty',
  )
  const isHere = (bankId: string) =>
    slots.some(({ stationId, powerbankId }) => stationId === station.id && powerbankId === known.get(bankId)!.id)
  const listed = banks.map(({ bankId, slot }): [string, ListedBank] => {
    const last = station.listedBanks[bankId]
    const isTwin = twins.has(bankId) || last?.isTwin === true
    const isNews = !isHere(bankId) && !twins.has(bankId) && !own.has(bankId)
    const beside = report.banks.filter((one) => one.bankId === bankId).map(({ slot }) => slot)
    const others = new Set([...beside, ...(last?.others ? [last.slot, ...last.others] : [])])
    others.delete(slot)
    return [
      bankId,
      {
        since: last && !isNews ? last.since : at,
        at,
        slot,
        ...(others.size > 0 && { others: [...others] }),
        ...(isTwin && !isNews && { isTwin }),
      },
    ]
  })
  return Object.fromEntries([...hidden, ...listed])
}

/** How many slots there are, as far as the list tells; told where that is not what was thought. */
function counted({ station }: Snapshot, { slots, banks, unreadable = [] }: InventoryReport) {
  const listed = Math.max(0, slots ?? 0, ...banks.map(({ slot }) => slot), ...unreadable)
  const count = slots ? listed : Math.max(listed, station.slotsDeclared)
  const data = { declared: station.slotsDeclared, listed: count }
  const told: Change[] =
    count === 0 || count === station.slotsDeclared
      ? []
      : [{ kind: 'event', name: 'station.slots_corrected', stationId: station.id, data }]
  return { count: count || station.slotsDeclared, told }
}

/** What lay in slots that could not be read, unless it is listed in another. */
function unread({ station, slots, banks: known }: Snapshot, unreadable: readonly number[], banks: readonly SeenBank[]) {
  const listed = new Set(banks.map(({ bankId }) => known.get(bankId)!.id))
  return slots
    .filter(({ stationId, slotNumber }) => stationId === station.id && unreadable.includes(slotNumber))
    .filter(({ powerbankId }) => !listed.has(powerbankId))
    .map(({ powerbankId }): Change => ({ kind: 'unread', powerbankId }))
}

/**
 * A whole list of a cabinet's slots (0x64, or the login of TCP-B): the truth about what it holds. Closes the
 * orders of banks that are present, decides ejects nobody answered, moves banks and forgets those that are gone. Just
 * after a login absence proves nothing: the cabinet still checks its banks.
 */
export function inventory(snapshot: Snapshot, report: InventoryReport): Change[] {
  const { station, orders } = snapshot
  const { kind: how, banks: listed, unreadable = [] } = report
  const known = consistent(listed).filter(({ bankId }) => snapshot.banks.has(bankId))
  const { twins, own, told: ofTwins } = twinsOf(snapshot, known)
  const banks = known.filter(({ bankId }) => !twins.has(bankId) && !own.has(bankId))
  const slotOf = new Map<number | null, number>(banks.map(({ bankId, slot }) => [snapshot.banks.get(bankId)!.id, slot]))
  const isTwin = new Set([...twins].map((bankId) => snapshot.banks.get(bankId)!.id))
  const meanings = orders.map((order) => {
    if (order.powerbankId !== null && isTwin.has(order.powerbankId)) return { order, changes: [] }
    const slot = slotOf.get(order.powerbankId)
    const changes = slot === undefined ? absent(snapshot, report, order) : present(snapshot, order, slot, how)
    return { order, changes }
  })
  const open = meanings.filter(({ changes }) => changes === null).map(({ order }) => order)
  const isWaiting = ({ order: { status }, changes }: (typeof meanings)[number]) =>
    status === 'borrow' && (changes === null || changes[0]?.kind === 'look')
  const out = new Set(meanings.filter(isWaiting).map(({ order }) => order.powerbankId))
  const isWhole = !isSettling(snapshot)
  const held = banks.filter(({ bankId }) => !out.has(snapshot.banks.get(bankId)!.id))
  const isRead = (slot: number) => faceOf(report, slot) === 'empty'
  const { changes, missing } = put(snapshot, held, isWhole ? isRead : () => false)
  const explained = new Set(orders.map(({ powerbankId }) => powerbankId))
  const { id: stationId } = station
  const { count, told } = counted(snapshot, report)
  return [
    ...meanings.flatMap(({ changes }) => changes ?? []),
    ...changes,
    ...unread(snapshot, unreadable, banks),
    ...ofTwins,
    ...tellMissing(missing.filter(({ powerbankId }) => !explained.has(powerbankId))),
    ...(known.length < listed.length
      ? [{ kind: 'event', name: 'inventory.inconsistent', stationId, data: { source: how } } as const]
      : []),
    ...told,
    {
      kind: 'listed',
      stationId,
      slots: count,
      banks: since(
        snapshot,
        report,
        known.filter(({ bankId }) => !out.has(snapshot.banks.get(bankId)!.id)),
        { twins, own },
      ),
      unreadable,
      rules: snapshot.rules,
    },
    ...nextLook(snapshot, unreadable, open.length > 0),
  ]
}
