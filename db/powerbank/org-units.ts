import { orgUnits } from '../identity/schema.ts'
import type { Actor } from '../platform/actor.ts'
import type { Tx } from '../postgres/connect.ts'
import { alias, eq, sql } from '../postgres/drizzle.ts'
import { type Change, type New, tableOf } from '../table.ts'
import { type PowerbankReason, Refused } from './refused.ts'
import { administered, assertInScope, of, type Scope } from './scope.ts'

type Unit = typeof orgUnits.$inferSelect
export type UnitRow = Unit & { parentName: string | null }
export type NewUnit = New<typeof orgUnits>
/** Only what is given changes. */
export type UnitChange = Change<typeof orgUnits>

const parents = alias(orgUnits, 'parents')
/** Groups, and subgroups of them (docs/contracts.md 4.6). */
const units = tableOf(orgUnits, {
  deletes: 'soft',
  audit: {
    surface: 'powerbank',
    as: 'org_unit',
    values: 'all',
  },
  scope: { by: 'id', seen: of, changed: administered },
  joins: [[parents, eq(parents.id, orgUnits.parentId)]],
  beside: { parentName: sql<string | null>`${parents.name}` },
  unknown: (id) => new Refused('not_found', `unit ${id}`, { reason: 'unit_unknown' }),
})
export const { find, get, list } = units

const invalid = (field: string, reason: PowerbankReason) => new Refused('invalid', reason, { field, reason })

/** Locks a unit that others are about to refer to against deletion. Throws `Refused('invalid')`: the reference is wrong. */
export async function mustExist(tx: Tx, id: number, field = 'org_unit_id'): Promise<Pick<Unit, 'unitType'>> {
  const [row] = await tx<Pick<Unit, 'unitType'>[]>`
    select unit_type from org_units where id = ${id} and deleted_at is null for share`
  if (!row) throw invalid(field, 'unit_unknown')
  return row
}

/** The shape of the tree: a group stands alone, a subgroup hangs below a group. Throws `invalid`, `forbidden`, `not_yours`. */
async function assertShape(tx: Tx, scope: Scope, unit: UnitChange & { id?: number }): Promise<void> {
  const { id, unitType, parentId } = unit
  if (unitType === 'group') {
    if (parentId != null) throw invalid('parent_org_unit_id', 'group_has_parent')
    if (scope !== 'all') throw new Refused('forbidden', 'only a service_admin has groups')
    return
  }
  if (parentId == null) throw invalid('parent_org_unit_id', 'subgroup_needs_parent')
  if (parentId === id) throw invalid('parent_org_unit_id', 'parent_is_self')
  const parent = await mustExist(tx, parentId, 'parent_org_unit_id')
  if (parent.unitType !== 'group') throw invalid('parent_org_unit_id', 'parent_not_group')
  assertInScope(scope, parentId)
}

/** Throws `invalid` (shape of the tree), `forbidden` (a group by a group_admin), `not_yours` (a foreign parent). */
export async function create(tx: Tx, actor: Actor, given: NewUnit): Promise<UnitRow> {
  await assertShape(tx, await administered(tx, actor), given)
  return await units.create(tx, actor, given)
}

/** What hangs on a unit. */
async function dependants(tx: Tx, id: number): Promise<Record<string, number>> {
  const [row] = await tx<Record<string, number>[]>`select
    (select count(*) from org_units where parent_id = ${id} and deleted_at is null) as children,
    (select count(*) from stations where org_unit_id = ${id} and deleted_at is null) as stations,
    (select count(*) from powerbanks where org_unit_id = ${id} and deleted_at is null) as powerbanks,
    (select count(distinct r.user_id) from user_roles r join users p on p.id = r.user_id
      where r.org_unit_id = ${id} and p.deleted_at is null) as users`
  return row!
}

/** Throws `not_found`, `not_yours`, `invalid`, `forbidden`. */
export async function change(tx: Tx, actor: Actor, id: number, given: UnitChange): Promise<UnitRow> {
  const before = await units.hold(tx, actor, id)
  const { unitType = before.unitType, parentId = before.parentId } = given
  if (unitType !== before.unitType || parentId !== before.parentId) {
    await assertShape(tx, await administered(tx, actor), { id, unitType, parentId })
    const { children } = await dependants(tx, id)
    if (children && unitType === 'subgroup') throw invalid('unit_type', 'group_has_subgroups')
  }
  return await units.change(tx, actor, id, given)
}

/** Soft. Throws `not_found`, `not_yours`, and `conflict` with the counts while anything hangs on the unit. */
export async function remove(tx: Tx, actor: Actor, id: number): Promise<void> {
  await units.hold(tx, actor, id)
  const holds = await dependants(tx, id)
  if (Object.values(holds).some((count) => count > 0)) {
    throw new Refused('conflict', `unit ${id} is in use`, { reason: 'unit_in_use', ...holds })
  }
  await units.remove(tx, actor, id)
}
