import { record } from '../messages/audit.ts'
import type { Actor } from '../platform/actor.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import type { Fragment } from '../postgres/rows.ts'
import { type ActOf, type Entity, type Move, moveTables } from './decide/moves.ts'
import { type MoveReason, Refused } from './refused.ts'

const tables: Record<Entity, string> = {
  customer: 'customers',
  contract: 'contracts',
  sim: 'sims',
  payment: 'contract_payments',
  ticket: 'tickets',
}

/** Nothing of this kind has this id. */
export const unknown = (entity: Entity | 'tariff' | 'user' | 'invoice', id: number) =>
  new Refused('not_found', `no ${entity} ${id}`, { reason: `${entity}_unknown` })

/** The state does not allow this act. */
export const illegal = <E extends Entity>(entity: E, act: ActOf<E>) =>
  // The template's parts are an entity and one of its acts: exactly the reasons there are.
  new Refused('conflict', `${entity} ${act}`, { reason: `${entity}_${act}` as MoveReason })

/** An act's row of the table of moves. */
export const moveOf = <E extends Entity>(entity: E, act: ActOf<E>): Move<string> =>
  // Indexed by two type parameters, the tables' common type is lost to the compiler.
  (moveTables[entity] as Record<string, Move<string>>)[act]!

/**
 * Moves a row from any of the states in which the act is allowed to the one it leads to, in one update, with what else is
 * set (`, closed_at = now()`), and writes it down.
 * @throws Refused not_found, conflict with the act as its reason
 */
export async function move<E extends Entity>(
  tx: Tx,
  actor: Actor | null,
  entity: E,
  id: number,
  act: ActOf<E>,
  set: Fragment = tx``,
): Promise<void> {
  const { from, to } = moveOf(entity, act)
  const table: string = tables[entity]
  const moved = await tx`
    update ${tx(table)} set status = ${to}, updated_at = now() ${set}
    where id = ${id} and status = any(${[...from]}) and deleted_at is null`
  if (moved.count === 0) {
    if (await isThere(tx, entity, id)) throw illegal(entity, act)
    throw unknown(entity, id)
  }
  await noted(tx, actor, entity, id, act, { status: to })
}

async function isThere(q: Queryable, entity: Entity, id: number): Promise<boolean> {
  const table: string = tables[entity]
  const rows = await q`select 1 from ${q(table)} where id = ${id} and deleted_at is null`
  return rows.length > 0
}

/** Writes down what was done to a row. */
export const noted = (
  tx: Tx,
  actor: Actor | null,
  entityType: Entity | 'tariff',
  entityId: number,
  act: string,
  newValues: object,
) => record(tx, actor, 'telecom', { action: `${entityType}.${act}`, entityType, entityId, newValues })
