import type { Command, Report } from '../../protocol/cabinet.ts'
import { seal } from '../../protocol/cabinet-mqtt/frame.ts'
import { type Firmware, type ReceivedCommand, uplinks } from '../../protocol/cabinet-mqtt/index.ts'
import { wifiList } from '../../protocol/cabinet-mqtt/settings.ts'
import { encodeBody } from '../../protocol/field.ts'
import type { FaultName } from './faults.ts'

/** States of a pop-up that was not tried (docs/protocol.md 5.5). */
const noTimestamp = 0x87
const ttlExceeded = 0x88
/** As many of its banks old firmware tells who asks by `check` (5.4). */
const fullestMax = 5
/** Gone without an unlock (0x83): this family has no word for it, the next inventory shows it. */
const pulledByHand = 1

/** Whether this wire has a frame for a report. */
export const isSayable = (report: Report): boolean =>
  uplinks.some(({ kinds }) => kinds.includes(report.kind)) &&
  !(report.kind === 'abnormal' && report.event === pulledByHand)

/** The answer to a pop-up that is too old, or does not say how old it is; undefined: it is obeyed (5.4). */
export function refusalOf(
  command: Command,
  when: ReceivedCommand['when'],
  unixSeconds: number,
  faults: ReadonlyMap<FaultName, unknown>,
): Report | undefined {
  if (command.kind !== 'eject' && command.kind !== 'force_eject') return undefined
  const bankId = (command.kind === 'eject' && command.bankId) || null
  const refused = (result: number) => ({ kind: command.kind, slot: command.slot, bankId, ok: false, result })
  if (!when) return faults.has('wants-timestamp') ? refused(noTimestamp) : undefined
  const isStale = unixSeconds > when.unixSeconds + when.ttlSeconds
  return isStale && !faults.has('ignores-ttl') ? refused(ttlExceeded) : undefined
}

/** A reply as this firmware words it: the old one answers `check` with the fullest banks alone. */
export function worded(reply: Report, cmd: string, firmware: Firmware): Report {
  if (firmware !== 'old' || cmd !== 'check' || reply.kind !== 'inventory') return reply
  const fullest = reply.banks.toSorted((one, other) => (other.levelPercent ?? 0) - (one.levelPercent ?? 0))
  return { kind: 'inventory', banks: fullest.slice(0, fullestMax).sort((one, other) => one.slot - other.slot) }
}

/** The networks this cabinet hears, as it answers `getWifi` (5.4). */
export const wifiFrame: Buffer = seal(wifiList.code, encodeBody(wifiList.up, { names: '["Cafe","Guest"]' }))
