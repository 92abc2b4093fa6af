import { enqueue } from '../../db/devices/commands.ts'
import { madeTrueBy } from '../../db/messages/events.ts'
import type { Tx } from '../../db/postgres/connect.ts'
import { answer } from '../../db/powerbank/answers.ts'
import * as sightings from '../../db/powerbank/cabinet-reports.ts'
import { learn as learnClock } from '../../db/powerbank/clocks.ts'
import { type Rules, usualRules } from '../../db/powerbank/decide/snapshot.ts'
import type { Command, Report } from '../../protocol/cabinet.ts'
import { accepted, type Outcome, silent } from '../device-handlers.ts'

type Handler<K extends Report['kind']> = (
  tx: Tx,
  stationId: number,
  report: Extract<Report, { kind: K }>,
  hex: string,
  rules: Rules,
) => Promise<Outcome>

/** A report that answers a command: the command's row takes it, late or not. */
async function answered(tx: Tx, stationId: number, report: Report, hex: string): Promise<Outcome> {
  const settled = await answer(tx, stationId, { ...report }, hex)
  return settled ? { verdict: silent, commandId: settled.commandId } : { verdict: silent }
}

/** The answer to a movement, which may say more than whether it was done. */
async function moved(
  tx: Tx,
  stationId: number,
  report: Extract<Report, { kind: 'eject' | 'force_eject' }>,
  hex: string,
): Promise<Outcome> {
  const outcome = await answered(tx, stationId, report, hex)
  const { ok, isTooOld = false } = report
  if (outcome.commandId !== undefined) await learnClock(tx, stationId, { commandId: outcome.commandId, ok, isTooOld })
  return outcome
}

type Answer = Command['kind']

/** What each report does. A kind without a line here does not compile, unless it answers a command and does no more. */
const handlers: { [K in Exclude<Report['kind'], Answer>]: Handler<K> } & { [K in Answer]?: Handler<K> } = {
  // TCP-B's login lists the slots, which is an inventory; TCP-A's lists nothing.
  async login(tx, stationId, { banks, boxId: _, kind, ...list }, _hex, rules) {
    if (banks) await sightings.inventory(tx, stationId, { ...list, banks }, kind, rules)
    return { verdict: accepted }
  },
  heartbeat: async () => ({ verdict: accepted }),
  // Accepted as soon as it is stored, whosever bank it is; what to do with a stranger's is decided afterwards (0x66).
  async returned(tx, stationId, { bank }) {
    await sightings.returned(tx, stationId, bank)
    return { verdict: accepted }
  },
  async abnormal(tx, stationId, report) {
    await sightings.abnormal(tx, stationId, report)
    return { verdict: accepted }
  },
  // The truth about the slots, whether anybody asked or not.
  async inventory(tx, stationId, report, hex, rules) {
    const outcome = await answered(tx, stationId, report, hex)
    await sightings.inventory(tx, stationId, report, report.kind, rules)
    return outcome
  },
  eject: moved,
  force_eject: moved,
  async server_address(tx, stationId, report, hex) {
    const outcome = await answered(tx, stationId, report, hex)
    const { heartbeatSeconds } = report
    return heartbeatSeconds > 0 ? { ...outcome, heartbeatSeconds } : outcome
  },
  // Takes effect at the restart that has to follow (0x63).
  async set_server_address(tx, stationId, report, hex) {
    const outcome = await answered(tx, stationId, report, hex)
    if (outcome.commandId !== undefined)
      await enqueue(tx, { deviceId: stationId, kind: 'restart', requestedBy: null, origin: 'policy' })
    return outcome
  },
  // The access point's password is the operator's secret: it is set, never kept.
  apn: (tx, stationId, { password: _, ...report }, hex) => answered(tx, stationId, report, hex),
}

/** Does what a report means, inside the caller's transaction. */
export async function handle(
  tx: Tx,
  stationId: number,
  report: Report,
  hex: string,
  rules: Rules = usualRules,
): Promise<Outcome> {
  await madeTrueBy(tx, hex)
  // The table is typed kind by kind; here the kind is only known at run time, and the report is the one it says.
  return await ((handlers[report.kind] ?? answered) as Handler<any>)(tx, stationId, report, hex, rules)
}
