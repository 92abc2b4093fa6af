import { endHold, outcome, refund, state } from './acquirer.ts'
import type { Change } from './changes.ts'
import type { Report, Snapshot } from './snapshot.ts'
import { advice, again, reversal, sale, totals } from './terminal.ts'

/**
 * What a message of a terminal, an answer of the acquirer or a refund means for a transaction, its books and the terminal's
 * batch (docs/protocol.md 7.7). Pure: the same snapshot and report are always the same changes.
 */
export function decide(snapshot: Snapshot, report: Report): Change[] {
  switch (report.kind) {
    case 'purchase':
    case 'authorisation':
      return again(snapshot, report) ?? sale(snapshot, report)
    case 'advice':
      return again(snapshot, report) ?? advice(snapshot, report)
    case 'reversal':
      return again(snapshot, report) ?? reversal(snapshot, report)
    case 'totals':
      return again(snapshot, report) ?? totals(snapshot, report)
    case 'refund':
      return refund(snapshot, report)
    case 'capture':
    case 'release':
      return endHold(snapshot, report)
    case 'outcome':
      return outcome(snapshot, report)
    case 'state':
      return state(snapshot, report)
  }
}
