import type { Change } from './changes.ts'
import { type AbnormalReport, before, type Snapshot } from './snapshot.ts'

/** The same abnormal report within this is the same event said twice. */
const REPEAT_SECONDS = 60
/** More from one cabinet within an hour are one broken sensor, or a liar. */
export const FILED_PER_HOUR_MAX = 120
const HOUR_SECONDS = 3600

/** A slot went wrong (0x83): filed once, and the cabinet is asked what it holds now. */
export function abnormal({ now, station, filed }: Snapshot, report: AbnormalReport): Change[] {
  const { event, slot, bankId } = report
  const lately = before(now, REPEAT_SECONDS)
  const isRepeated = filed.some(
    (other) => other.slot === slot && other.event === String(event) && other.bankId === bankId && other.at > lately,
  )
  const inHour = filed.filter(({ at }) => at > before(now, HOUR_SECONDS)).length
  if (isRepeated || inHour >= FILED_PER_HOUR_MAX) return []
  const { id: stationId } = station
  return [
    { kind: 'file', stationId, slot, event, bankId },
    { kind: 'ask', stationId },
  ]
}
