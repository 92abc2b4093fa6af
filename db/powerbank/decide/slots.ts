import type { Change } from './changes.ts'
import type { FilledSlot, KnownBank, SeenBank, Snapshot } from './snapshot.ts'

/**
 * What a report says of a bank's own row, where that differs from what the row has. A fault takes it out of service; so
 * many good readings, one after the other, bring it back.
 */
function health({ rules, station }: Snapshot, { id, soh, status, goodReadings }: KnownBank, seen: SeenBank): Change[] {
  const { sohPercent, faults, isUnread, slot } = seen
  const isSaid = sohPercent !== undefined && sohPercent >= 0 && sohPercent <= 100 && sohPercent !== soh
  const isFaulty = faults?.bank === true
  const readings = isFaulty ? 0 : faults && !isUnread ? goodReadings + 1 : goodReadings
  const isBroken = isFaulty && status === 'active'
  const isMended = status === 'system_error' && readings >= rules.goodReadings
  const isCounted = status === 'system_error' && readings !== goodReadings
  if (!isSaid && !isBroken && !isMended && !isCounted) return []
  const changes: Change[] = [
    {
      kind: 'bank',
      powerbankId: id,
      sohPercent: isSaid ? sohPercent : null,
      status: isBroken ? 'system_error' : isMended ? 'active' : null,
      goodReadings: isBroken || isMended ? 0 : isCounted ? readings : null,
      isTwin: false,
    },
  ]
  if (!isBroken && !isMended) return changes
  const data = { powerbankId: id, slot }
  const name = isBroken ? 'powerbank.faulty' : 'powerbank.recovered'
  return [...changes, { kind: 'event', name, stationId: station.id, data }]
}

/**
 * These banks sit in these slots: each is taken out of any other place it was thought to be in, and so is what was
 * thought to be in its slot. What was thought to be in a slot that `isEmpty` is not there; in one that is not, and in
 * which no bank is listed, it stays, but is not for rent.
 * @returns `missing`: what was thought to be here and is not listed
 */
export function put(
  snapshot: Snapshot,
  banks: readonly SeenBank[],
  isEmpty: (slot: number) => boolean,
): { changes: Change[]; missing: FilledSlot[] } {
  const { station, banks: known, slots } = snapshot
  const rows = banks.map((bank) => ({ bank, known: known.get(bank.bankId)! }))
  const slotOf = new Map(rows.map(({ bank, known }) => [known.id, bank.slot]))
  const taken = new Set(slotOf.values())
  const gone = slots.filter(({ stationId, slotNumber, powerbankId }) => {
    const isHere = stationId === station.id
    if (isHere && slotOf.get(powerbankId) === slotNumber) return false
    return slotOf.has(powerbankId) || (isHere && (taken.has(slotNumber) || isEmpty(slotNumber)))
  })
  const changes: Change[] = [
    ...gone.map(({ powerbankId }) => ({ kind: 'vacate' as const, powerbankId })),
    ...rows.map(({ bank, known }) => ({ kind: 'put' as const, stationId: station.id, powerbankId: known.id, bank })),
    ...rows.flatMap(({ bank, known }) => health(snapshot, known, bank)),
    // Does it hold one of that id, too? Asked at once, for once this one is lent nobody could tell.
    ...[...new Set(gone.map(({ stationId }) => stationId))]
      .filter((stationId) => stationId !== station.id)
      .map((stationId) => ({ kind: 'ask', stationId }) as const),
  ]
  return { changes, missing: gone.filter(({ powerbankId }) => !slotOf.has(powerbankId)) }
}

/** Banks that are not where they were thought to be, and that no order explains. */
export const tellMissing = (missing: readonly FilledSlot[]): Change[] =>
  missing.map(({ stationId, slotNumber, powerbankId }) => {
    const data = { powerbankId, slot: slotNumber }
    return { kind: 'event', name: 'powerbank.missing', stationId, data }
  })
