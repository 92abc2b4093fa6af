import type { Change, ChangeOf } from './changes.ts'
import type { FilledSlot, KnownBank, SeenBank, Snapshot } from './snapshot.ts'

/** What a report says of a bank's own row, where that differs from what the row has. */
function health({ id, soh, status }: KnownBank, { sohPercent, faults }: SeenBank): ChangeOf<'bank'>[] {
  const isSaid = sohPercent !== undefined && sohPercent >= 0 && sohPercent <= 100 && sohPercent !== soh
  const isBroken = faults?.bank === true && status === 'active'
  return isSaid || isBroken ? [{ kind: 'bank', powerbankId: id, sohPercent: isSaid ? sohPercent : null, isBroken }] : []
}

/**
 * These banks sit in these slots: each is taken out of any other place it was thought to be in, and so is what was
 * thought to be in its slot. With `isWhole` whatever is not listed is not there.
 * @returns `missing`: what was thought to be here and is not listed
 */
export function put(
  { station, banks: known, slots }: Snapshot,
  banks: readonly SeenBank[],
  isWhole: boolean,
): { changes: Change[]; missing: FilledSlot[] } {
  const rows = banks.map((bank) => ({ bank, known: known.get(bank.bankId)! }))
  const slotOf = new Map(rows.map(({ bank, known }) => [known.id, bank.slot]))
  const taken = new Set(slotOf.values())
  const gone = slots.filter(({ stationId, slotNumber, powerbankId }) => {
    const isHere = stationId === station.id
    if (isHere && slotOf.get(powerbankId) === slotNumber) return false
    return slotOf.has(powerbankId) || (isHere && (isWhole || taken.has(slotNumber)))
  })
  const changes: Change[] = [
    ...gone.map(({ powerbankId }) => ({ kind: 'vacate' as const, powerbankId })),
    ...rows.map(({ bank, known }) => ({ kind: 'put' as const, stationId: station.id, powerbankId: known.id, bank })),
    ...rows.flatMap(({ bank, known }) => health(known, bank)),
  ]
  return { changes, missing: gone.filter(({ powerbankId }) => !slotOf.has(powerbankId)) }
}

/** Banks that are not where they were thought to be, and that no order explains. */
export const tellMissing = (missing: readonly FilledSlot[]): Change[] =>
  missing.map(({ stationId, slotNumber, powerbankId }) => {
    const data = { powerbankId, slot: slotNumber }
    return { kind: 'event', name: 'powerbank.missing', stationId, data }
  })
