import type { Actor } from './actor.ts'
import type { Tx } from './connect.ts'

/** One change, as an auditor reads it (data-model B7). Values never hold a secret. */
export interface Change {
  /** `verb` and what: `user.approve`, `org_unit.delete`. */
  action: string
  entityType: string
  entityId: number
  oldValues?: object | null
  newValues?: object | null
  description?: string | null
}

/** Writes who changed what, in the transaction of the change itself; nobody (null) is the clock. */
export async function record(tx: Tx, actor: Actor | null, surface: string, change: Change): Promise<void> {
  const { action, entityType, entityId, oldValues = null, newValues = null, description = null } = change
  const [before, after] = [oldValues, newValues].map((values) => values && tx.json(values as any))
  await tx`
    insert into audit_log (user_id, surface, action, entity_type, entity_id, old_values, new_values, description)
    values (${actor?.userId ?? null}, ${surface}, ${action}, ${entityType}, ${entityId}, ${before!}, ${after!}, ${description})`
}
