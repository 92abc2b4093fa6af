import type { Actor } from '../platform/actor.ts'
import type { Tx } from '../postgres/connect.ts'

/** One change, as an auditor reads it (docs/contracts.md B7). Values never hold a secret. */
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
  const [before, after] = [oldValues, newValues].map((values) => values && tx.json(values))
  await tx`
    insert into audit_log (user_id, surface, action, entity_type, entity_id, old_values, new_values, description)
    values (${actor?.userId ?? null}, ${surface}, ${action}, ${entityType}, ${entityId}, ${before!}, ${after!}, ${description})`
}

/** The same for many changes at once. One statement, however many. */
export async function recordAll(
  tx: Tx,
  actor: Actor | null,
  surface: string,
  changes: readonly Change[],
): Promise<void> {
  const given = changes.map(({ action, entityType, entityId, oldValues, newValues, description }) => ({
    action,
    entity_type: entityType,
    entity_id: entityId,
    old_values: oldValues ?? null,
    new_values: newValues ?? null,
    description: description ?? null,
  }))
  await tx`
    insert into audit_log (user_id, surface, action, entity_type, entity_id, old_values, new_values, description)
    select ${actor?.userId ?? null}::bigint, ${surface}, action, entity_type, entity_id, old_values, new_values, description
    from jsonb_to_recordset(${tx.json(given)})
      as c (action text, entity_type text, entity_id bigint, old_values jsonb, new_values jsonb, description text)`
}
