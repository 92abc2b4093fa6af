import type { Change } from './changes.ts'
import { absent, faceOf, misnamed, present, STAYED_SECONDS } from './listed-order.ts'
import { put, tellMissing } from './slots.ts'
import {
  type InventoryReport,
  isSettling,
  type ListedBank,
  type ListedBanks,
  type LiveOrder,
  type SeenBank,
  type Snapshot,
} from './snapshot.ts'
import { twinsOf } from './twins.ts'

/** A slot that cannot be read is looked at again so soon, one look after the other, and slowly from then on. */
const UNREAD_LOOKS_SECONDS = [2, 5, 15, 60]
const UNREAD_SLOWLY_SECONDS = 240

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
    ([, { slot }]) => isSettling(snapshot) || faceOf(snapshot, report, slot) !== 'empty',
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
  const { slotsBeyond } = station
  const highest = Math.max(0, ...banks.map(({ slot }) => slot), ...unreadable)
  const listed = Math.max(slots ?? 0, highest, slotsBeyond)
  const isBeyond = slots !== undefined && slots > 0 && highest > Math.max(slots, slotsBeyond)
  const count = slots ? listed : Math.max(listed, station.slotsDeclared)
  const data = { declared: station.slotsDeclared, listed: count }
  const told: Change[] =
    count === 0 || count === station.slotsDeclared
      ? []
      : [{ kind: 'event', name: 'station.slots_corrected', stationId: station.id, data }]
  const beyond: Change = { kind: 'state', stationId: station.id, state: { slotsBeyond: highest } }
  return { count: count || station.slotsDeclared, told: isBeyond ? [...told, beyond] : told }
}

/** What lay in slots that could not be read, unless it is listed in another. */
function unread({ station, slots, banks: known }: Snapshot, unreadable: readonly number[], banks: readonly SeenBank[]) {
  const listed = new Set(banks.map(({ bankId }) => known.get(bankId)!.id))
  return slots
    .filter(({ stationId, slotNumber }) => stationId === station.id && unreadable.includes(slotNumber))
    .filter(({ powerbankId }) => !listed.has(powerbankId))
    .map(({ powerbankId }): Change => ({ kind: 'unread', powerbankId }))
}

/** What a list means for an order; null: nothing yet, it is looked at again. */
interface Meaning {
  order: LiveOrder
  changes: Change[] | null
}

/** Its bank is listed, and waits there to be pulled out. */
const isWaiting = ({ order: { status }, changes }: Meaning) =>
  status === 'borrow' && (changes === null || changes[0]?.kind === 'look')

/** That its bank is not where it was is no news. */
const explains = ({ order, changes }: Meaning) =>
  order.status !== 'cancelled' || changes?.some(({ kind }) => kind === 'order')

function meaningsOf(
  snapshot: Snapshot,
  report: InventoryReport,
  banks: readonly SeenBank[],
  twins: ReadonlySet<string>,
): Meaning[] {
  const idOf = (bankId: string) => snapshot.banks.get(bankId)!.id
  const slotOf = new Map<number | null, number>(banks.map(({ bankId, slot }) => [idOf(bankId), slot]))
  const isTwin = new Set([...twins].map(idOf))
  return snapshot.orders.map((order) => {
    if (order.powerbankId !== null && isTwin.has(order.powerbankId)) return { order, changes: [] }
    const slot = slotOf.get(order.powerbankId)
    const changes =
      misnamed(snapshot, report, order, slotOf) ??
      (slot === undefined ? absent(snapshot, report, order) : present(snapshot, order, slot, report.kind))
    return { order, changes }
  })
}

/**
 * A whole list of a cabinet's slots (0x64, or the login of TCP-B): the truth about what it holds. Closes the
 * orders of banks that are present, decides ejects nobody answered, moves banks and forgets those that are gone. Just
 * after a login absence proves nothing: the cabinet still checks its banks.
 */
export function inventory(snapshot: Snapshot, report: InventoryReport): Change[] {
  const { station } = snapshot
  const { kind: how, banks: listed, unreadable = [] } = report
  const known = consistent(listed).filter(({ bankId }) => snapshot.banks.has(bankId))
  const { twins, own, told: ofTwins } = twinsOf(snapshot, known)
  const banks = known.filter(({ bankId }) => !twins.has(bankId) && !own.has(bankId))
  const meanings = meaningsOf(snapshot, report, banks, twins)
  const open = meanings.filter(({ changes }) => changes === null).map(({ order }) => order)
  const out = new Set(meanings.filter(isWaiting).map(({ order }) => order.powerbankId))
  const isWhole = !isSettling(snapshot)
  const held = banks.filter(({ bankId }) => !out.has(snapshot.banks.get(bankId)!.id))
  const isRead = (slot: number) => faceOf(snapshot, report, slot) === 'empty'
  const { changes, missing } = put(snapshot, held, isWhole ? isRead : () => false)
  const explained = new Set(
    meanings
      .filter(explains)
      .flatMap(({ order }) => [order.powerbankId, order.askedPowerbankId, order.namedPowerbankId]),
  )
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
