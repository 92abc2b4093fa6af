import type { Change } from './changes.ts'
import { before, isOpen, type SeenBank, type Snapshot } from './snapshot.ts'

/** Twins are told of again after this. */
const TOLD_AGAIN_SECONDS = 3600

/**
 * Banks that this cabinet lists as it did before, while another cabinet holds a bank of the same id, or has let one out
 * since: two banks with one name. What an unchanged list shows of them is no news, so it moves nothing and ends no loan;
 * people are told of both cabinets.
 */
export function twinsOf(
  { now, station, banks, slots, orders }: Snapshot,
  listed: readonly SeenBank[],
): { twins: ReadonlySet<string>; told: Change[] } {
  const found = listed.flatMap(({ bankId, slot }) => {
    const bank = banks.get(bankId)!
    const held = slots.find(({ powerbankId, stationId }) => powerbankId === bank.id && stationId !== station.id)
    const lent = orders.find(
      (order) => order.powerbankId === bank.id && order.stationId !== station.id && isOpen(order),
    )
    const listedAt = station.listedBanks[bankId]?.since
    const isBefore = listedAt !== undefined && (!lent || new Date(listedAt) < (lent.commandSentAt ?? lent.createdAt))
    const other = lent?.stationId ?? held?.stationId
    return isBefore && other !== undefined ? [{ bank, bankId, slot, other }] : []
  })
  const told = found.filter(({ bank }) => bank.twinAt === null || bank.twinAt < before(now, TOLD_AGAIN_SECONDS))
  return {
    twins: new Set(found.map(({ bankId }) => bankId)),
    told: told.flatMap(({ bank, slot, other }): Change[] => [
      { kind: 'bank', powerbankId: bank.id, sohPercent: null, status: null, goodReadings: null, isTwin: true },
      {
        kind: 'event',
        name: 'powerbank.twins',
        stationId: station.id,
        data: { powerbankId: bank.id, slot, stationIds: [station.id, other] },
      },
    ]),
  }
}
