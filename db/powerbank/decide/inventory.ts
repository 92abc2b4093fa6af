import { type Change, calledOff, moved } from './changes.ts'
import { put, tellMissing } from './slots.ts'
import {
  before,
  type InventoryReport,
  isDoubtful,
  isFresh,
  isSettling,
  type LiveOrder,
  type SeenBank,
  type Snapshot,
} from './snapshot.ts'

/** A bank listed to a question this long after an unanswered eject has stayed (docs/decisions.md "Absence needs time to prove anything"; motor 1.2 s, link up to seconds). */
const STAYED_SECONDS = 7
/** A question older than this is not answered any more. */
const ASKED_SECONDS = 60

/** Machines lie: a slot or a bank listed twice counts where it was listed first. */
export function consistent(banks: readonly SeenBank[]): SeenBank[] {
  const slots = new Set<number>()
  const ids = new Set<string>()
  return banks.filter(({ slot, bankId }) => {
    const ok = slot > 0 && !slots.has(slot) && !ids.has(bankId)
    slots.add(slot)
    ids.add(bankId)
    return ok
  })
}

/**
 * No later than when the cabinet was asked for this list: the first question of this connection that may be the answered
 * one, for after a silence nobody knows which of them it is. Now, for a list given unasked.
 */
function askedAt({ now, station: { connectedAt }, askedAt }: Snapshot): Date {
  const oldest = before(now, ASKED_SECONDS)
  const mayBe = askedAt.filter((at) => at > oldest && connectedAt !== null && at >= connectedAt)
  return mayBe.reduce((first, at) => (at < first ? at : first), now)
}

/** The slots were asked for long enough after its eject was sent for that to have happened, if it ever will. */
function isOld(snapshot: Snapshot, { commandStatus, commandSentAt }: LiveOrder): boolean {
  const seconds = commandStatus === 'failed' ? 0 : STAYED_SECONDS
  return commandSentAt === null || commandSentAt < before(askedAt(snapshot), seconds)
}

/** What it means for an order that a whole list does not show its bank. Null: that decides nothing, look again later. */
function absent(snapshot: Snapshot, order: LiveOrder, how: string): Change[] | null {
  if (order.status === 'borrow' || order.stationId !== snapshot.station.id) return []
  if (isSettling(snapshot)) return isDoubtful(order) ? null : []
  return isDoubtful(order)
    ? moved(order, { to: 'borrow', evidence: `${how}: the slot no longer lists the bank` })
    : calledOff(order, `${how}: the bank was gone before the eject was sent`)
}

/** What it means for an order that a list shows its bank in this slot. Null: that decides nothing, look again later. */
function present(snapshot: Snapshot, order: LiveOrder, slot: number, how: string): Change[] | null {
  const here = order.stationId === snapshot.station.id
  const back = { to: 'return', returnStationId: snapshot.station.id, returnSlot: slot } as const
  if (order.status === 'borrow')
    return here && isFresh(snapshot, order) ? null : moved(order, { ...back, evidence: how })
  if (!isDoubtful(order))
    return here ? [] : calledOff(order, `${how}: the bank was in another cabinet before the eject was sent`)
  if (here && !isOld(snapshot, order)) return null
  if (here && slot === order.slotNumber) return moved(order, { to: 'cancelled', evidence: `${how}: the bank stayed` })
  return moved(order, { ...back, evidence: `${how}: seen in ${here ? 'another slot' : 'another cabinet'}` })
}

/**
 * A whole list of a cabinet's slots (0x64, or the login of TCP-B): the truth about what it holds. Closes the
 * orders of banks that are present, decides ejects nobody answered, moves banks and forgets those that are gone. Just
 * after a login absence proves nothing: the cabinet still checks its banks.
 */
export function inventory(snapshot: Snapshot, report: InventoryReport): Change[] {
  const { station, orders } = snapshot
  const { kind: how, slots, banks: listed } = report
  const banks = consistent(listed).filter(({ bankId }) => snapshot.banks.has(bankId))
  const slotOf = new Map<number | null, number>(banks.map(({ bankId, slot }) => [snapshot.banks.get(bankId)!.id, slot]))
  const meanings = orders.map((order) => {
    const slot = slotOf.get(order.powerbankId)
    const changes = slot === undefined ? absent(snapshot, order, how) : present(snapshot, order, slot, how)
    return { order, changes }
  })
  const open = meanings.filter(({ changes }) => changes === null).map(({ order }) => order)
  const out = new Set(open.filter(({ status }) => status === 'borrow').map(({ powerbankId }) => powerbankId))
  const isWhole = !isSettling(snapshot)
  const held = banks.filter(({ bankId }) => !out.has(snapshot.banks.get(bankId)!.id))
  const { changes, missing } = put(snapshot, held, isWhole)
  const explained = new Set(orders.map(({ powerbankId }) => powerbankId))
  const { id: stationId } = station
  return [
    ...meanings.flatMap(({ changes }) => changes ?? []),
    ...changes,
    ...tellMissing(missing.filter(({ powerbankId }) => !explained.has(powerbankId))),
    ...(banks.length < listed.length
      ? [{ kind: 'event', name: 'inventory.inconsistent', stationId, data: { source: how } } as const]
      : []),
    { kind: 'listed', stationId, slots: slots || null },
    ...(isWhole && open.length === 0 ? [] : [{ kind: 'look', stationId, withinSeconds: STAYED_SECONDS } as const]),
  ]
}
