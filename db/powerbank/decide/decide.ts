import { abnormal } from './abnormal.ts'
import { answered, isMovement } from './answered.ts'
import type { Change } from './changes.ts'
import { connected, disconnected } from './ended.ts'
import { consistent, inventory } from './inventory.ts'
import { returned } from './returned.ts'
import type { Report, Snapshot } from './snapshot.ts'

/** The banks a report names, by their ids on the wire; a snapshot for it knows them. */
export function namedBy(report: Report): string[] {
  if (report.kind === 'inventory' || report.kind === 'login')
    return consistent(report.banks).map(({ bankId }) => bankId)
  if (report.kind === 'returned') return [report.bank.bankId]
  const isOut = report.kind === 'answer' && report.command && isMovement(report.said) && report.said.ok !== false
  return isOut && report.said.bankId ? [report.said.bankId] : []
}

/**
 * What a report means for orders, slots and banks. Pure: the same snapshot and report are always the same changes, so
 * every rule is tried without a database, and many reports can be decided in one transaction.
 */
export function decide(snapshot: Snapshot, report: Report): Change[] {
  switch (report.kind) {
    case 'inventory':
    case 'login':
      return inventory(snapshot, report)
    case 'returned':
      return returned(snapshot, report)
    case 'abnormal':
      return abnormal(snapshot, report)
    case 'answer':
      return answered(snapshot, report)
    case 'connected':
      return connected(snapshot, report)
    case 'disconnected':
      return disconnected(snapshot, report)
  }
}
