import type { Change } from './changes.ts'
import { before, isOpen, type LiveOrder, type SeenBank, type Snapshot } from './snapshot.ts'

/** Twins are told of again after this. */
const TOLD_AGAIN_SECONDS = 3600

type Around = Pick<Snapshot, 'station'>

/**
 * Has this cabinet listed the bank in this slot all the while that another let one of that id out (`lent`), or has had it?
 * Only a cabinet that was watched proves that: on a connection that is older, or because both were listed at once before.
 * A bank that was carried away while its cabinet was off line, and comes back, is no twin of itself.
 */
export function hasStayed({ station }: Around, bankId: string, slot: number, lent: LiveOrder | undefined): boolean {
  const entry = station.listedBanks[bankId]
  if (entry?.slot !== slot) return false
  const since = new Date(entry.since)
  if (entry.isTwin) return !lent || since < (lent.commandSentAt ?? lent.createdAt)
  const { connectedAt } = station
  const isWatched = connectedAt !== null && entry.at !== undefined && new Date(entry.at) >= connectedAt
  if (!isWatched || !lent) return isWatched
  // A loan that a person wrote down proves nothing of where its bank was.
  return lent.commandSentAt !== null && since < lent.commandSentAt && connectedAt < lent.commandSentAt
}

/** This cabinet lent a bank out of another slot, and listed one of that id in this slot as well before. */
export function isOwnTwin({ station }: Around, bankId: string, slot: number, lent: LiveOrder): boolean {
  const entry = station.listedBanks[bankId]
  if (!entry?.others || lent.slotNumber === null || lent.slotNumber === slot || lent.stationId !== station.id)
    return false
  return [entry.slot, ...entry.others].includes(slot) && new Date(entry.since) < (lent.commandSentAt ?? lent.createdAt)
}

/**
 * Banks that this cabinet lists as it did before, while another cabinet holds a bank of the same id, or has let one out
 * since: two banks with one name. What an unchanged list shows of them is no news, so it moves nothing and ends no loan;
 * people are told of both cabinets. `own`: the other one was let out of this cabinet.
 */
export function twinsOf(
  snapshot: Snapshot,
  listed: readonly SeenBank[],
): { twins: ReadonlySet<string>; own: ReadonlySet<string>; told: Change[] } {
  const { now, station, banks, slots, orders } = snapshot
  const found = listed.flatMap(({ bankId, slot }) => {
    const bank = banks.get(bankId)!
    const held = slots.find(({ powerbankId, stationId }) => powerbankId === bank.id && stationId !== station.id)
    const lent = orders.find(
      (order) => order.powerbankId === bank.id && order.stationId !== station.id && isOpen(order),
    )
    const other = lent?.stationId ?? held?.stationId
    return other !== undefined && hasStayed(snapshot, bankId, slot, lent) ? [{ bank, bankId, slot, other }] : []
  })
  const own = listed.filter(({ bankId, slot }) =>
    orders.some(
      (order) =>
        order.powerbankId === banks.get(bankId)!.id && isOpen(order) && isOwnTwin(snapshot, bankId, slot, order),
    ),
  )
  const told = found.filter(({ bank }) => bank.twinAt === null || bank.twinAt < before(now, TOLD_AGAIN_SECONDS))
  return {
    twins: new Set(found.map(({ bankId }) => bankId)),
    own: new Set(own.map(({ bankId }) => bankId)),
    told: told.flatMap(({ bank, slot, other }): Change[] => [
      { kind: 'bank', powerbankId: bank.id, sohPercent: null, status: null, goodReadings: null, isTwin: true },
      {
        kind: 'event',
        name: 'powerbank.twins',
        stationId: station.id,
        data: { powerbankId: bank.id, slot, stationIds: [station.id, other] },
      },
      // An old return, said again, may be all that it is thought to hold that bank for.
      { kind: 'ask', stationId: other },
    ]),
  }
}
