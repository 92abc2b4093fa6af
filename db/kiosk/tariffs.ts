import { orgUnits } from '../identity/schema.ts'
import type { Actor } from '../platform/actor.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import { eq, sql } from '../postgres/drizzle.ts'
import { mustExist } from '../powerbank/org-units.ts'
import { administered, assertInScope, looksAfter } from '../powerbank/scope.ts'
import { type ReadBy, tableOf } from '../table.ts'
import { currentTariff, PRICES } from './current-tariff.ts'
import type { Tariff } from './decide/price.ts'
import { Refused } from './refused.ts'
import { kioskTariffs } from './schema.ts'

const table = tableOf(kioskTariffs, {
  deletes: 'hard',
  audit: { surface: 'powerbank', as: 'kiosk_tariff', values: ['orgUnitId', 'validFrom', ...PRICES] },
  scope: { by: 'orgUnitId', seen: looksAfter, changed: administered },
  joins: [[orgUnits, eq(orgUnits.id, kioskTariffs.orgUnitId)]],
  beside: { orgUnitName: sql<string>`${orgUnits.name}` },
  newestFirst: true,
  unknown: () => new Refused('not_found', '', { reason: 'tariff_unknown' }),
})
/** The history of all units that the actor looks after, the newest first. */
export const { get, list } = table
/** What a rental costs in a unit from an instant on. */
export type KioskTariff = ReadBy<typeof table>

/** A price list to come into force; without `validFrom` at once. */
export interface NewTariff extends Tariff {
  orgUnitId: number
  validFrom?: Date | undefined
}

/**
 * Sets what rentals cost in a unit, and in those below it that have no tariff of their own. Nothing is changed for what began
 * before: the row takes the place of the one before it, which stays.
 * @throws Refused invalid (unit_unknown, valid_from_past, lost_over_deposit), not_yours, duplicate
 */
export async function create(tx: Tx, actor: Actor, given: NewTariff): Promise<KioskTariff> {
  const { validFrom, lostMinor, depositMinor } = given
  if (validFrom && validFrom < new Date())
    throw new Refused('invalid', '', { field: 'valid_from', reason: 'valid_from_past' })
  if (lostMinor > depositMinor) throw new Refused('invalid', '', { field: 'lost_minor', reason: 'lost_over_deposit' })
  await mustExist(tx, given.orgUnitId)
  return await table.create(tx, actor, { ...given, createdBy: actor.userId })
}

/** What a rental that begins now costs in a unit that the actor looks after. @throws Refused not_yours, not_found (tariff_unknown) */
export async function current(q: Queryable, actor: Actor, orgUnitId: number): Promise<KioskTariff> {
  assertInScope(await looksAfter(q, actor), orgUnitId)
  const known = await currentTariff(q, orgUnitId)
  if (!known) throw new Refused('not_found', '', { reason: 'tariff_unknown' })
  // Also that of the unit above, which is not the actor's to list.
  return (await table.find(q, known.id))!
}
