import * as audit from '../messages/audit.ts'
import type { Actor } from '../platform/actor.ts'
import { Refused } from '../platform/refused.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import { administered, assertInScope, type Scope, within } from './scope.ts'

/** A group, or a subgroup of one (docs/contracts.md 4.6). */
export interface Unit {
  id: number
  parentId: number | null
  unitType: 'group' | 'subgroup'
  name: string
  /** Spelt as in the document (docs/contracts.md 4). */
  adress: string | null
  logoUrl: string | null
  defaultPowerbankLimit: number
  reminderHours: number
  writeOffHours: number
  createdAt: Date
  updatedAt: Date
}

export type UnitRow = Unit & { parentName: string | null }
/** Only what is given changes. */
export type UnitChange = { [K in keyof Omit<Unit, 'id' | 'createdAt' | 'updatedAt'>]?: Unit[K] | undefined }
export type NewUnit = Pick<Unit, 'unitType' | 'name'> & UnitChange

const unit = (q: Queryable) =>
  q`u.id, u.parent_id, u.unit_type, u.name, u.adress, u.logo_url, u.default_powerbank_limit, u.reminder_hours,
    u.write_off_hours, u.created_at, u.updated_at`

const invalid = (field: string, reason: string) => new Refused('invalid', reason, { field, reason })

/** Locks a unit that others are about to refer to against deletion. Throws `Refused('invalid')`: the reference is wrong. */
export async function mustExist(tx: Tx, id: number, field = 'org_unit_id'): Promise<Pick<Unit, 'unitType'>> {
  const [row] = await tx<Pick<Unit, 'unitType'>[]>`
    select unit_type from org_units where id = ${id} and deleted_at is null for share`
  if (!row) throw invalid(field, 'unit_unknown')
  return row
}

export async function get(q: Queryable, id: number): Promise<UnitRow | undefined> {
  const [row] = await q<UnitRow[]>`
    select ${unit(q)}, p.name as parent_name from org_units u left join org_units p on p.id = u.parent_id
    where u.id = ${id} and u.deleted_at is null`
  return row
}

export interface UnitFilter {
  unitType?: Unit['unitType'] | undefined
  parentId?: number | undefined
}

/** The units of a scope, oldest first. */
export async function list(
  q: Queryable,
  scope: Scope,
  { unitType, parentId }: UnitFilter,
  limit: number,
  offset: number,
): Promise<{ rows: UnitRow[]; total: number }> {
  const condition = q`u.deleted_at is null and ${within(q, scope, q`u.id`)}
    ${unitType ? q`and u.unit_type = ${unitType}` : q``} ${parentId ? q`and u.parent_id = ${parentId}` : q``}`
  const rows = await q<UnitRow[]>`
    select ${unit(q)}, p.name as parent_name from org_units u left join org_units p on p.id = u.parent_id
    where ${condition} order by u.id limit ${limit} offset ${offset}`
  const [count] = await q<{ total: number }[]>`select count(*) as total from org_units u where ${condition}`
  return { rows, total: count!.total }
}

type UnitPlace = Pick<UnitChange, 'unitType' | 'parentId'> & { id?: number }

/** The shape of the tree: a group stands alone, a subgroup hangs below a group. Throws `invalid`, `forbidden`, `not_yours`. */
async function assertShape(tx: Tx, scope: Scope, unit: UnitPlace): Promise<void> {
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

const audited = ({ id, createdAt, updatedAt, ...values }: Unit) => values

/** Throws `invalid` (shape of the tree), `forbidden` (a group by a group_admin), `not_yours` (a foreign parent). */
export async function create(tx: Tx, actor: Actor, given: NewUnit): Promise<UnitRow> {
  const scope = await administered(tx, actor)
  await assertShape(tx, scope, given)
  const { defaultPowerbankLimit = 1, reminderHours = 24, writeOffHours = 48 } = given
  const [row] = await tx<{ id: number }[]>`
    insert into org_units
      (parent_id, unit_type, name, adress, logo_url, default_powerbank_limit, reminder_hours, write_off_hours)
    values (${given.parentId ?? null}, ${given.unitType}, ${given.name}, ${given.adress ?? null},
      ${given.logoUrl ?? null}, ${defaultPowerbankLimit}, ${reminderHours}, ${writeOffHours})
    returning id`
  const made = (await get(tx, row!.id))!
  await audit.record(tx, actor, 'powerbank', {
    action: 'org_unit.create',
    entityType: 'org_unit',
    entityId: made.id,
    newValues: audited(made),
  })
  return made
}

/** Locks a unit the actor administers. Throws `not_found`, `not_yours`. */
async function lock(tx: Tx, actor: Actor, id: number): Promise<{ before: Unit; scope: Scope }> {
  const [before] = await tx<Unit[]>`
    select ${unit(tx)} from org_units u where u.id = ${id} and u.deleted_at is null for update`
  if (!before) throw new Refused('not_found', `unit ${id}`, { reason: 'unit_unknown' })
  const scope = await administered(tx, actor)
  assertInScope(scope, id)
  return { before, scope }
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
  const { before, scope } = await lock(tx, actor, id)
  const kept = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  const after: Unit = { ...before, ...kept }
  if (after.unitType !== before.unitType || after.parentId !== before.parentId) {
    await assertShape(tx, scope, after)
    const { children } = await dependants(tx, id)
    if (children && after.unitType === 'subgroup') throw invalid('unit_type', 'group_has_subgroups')
  }
  await tx`
    update org_units set parent_id = ${after.parentId}, unit_type = ${after.unitType}, name = ${after.name},
      adress = ${after.adress}, logo_url = ${after.logoUrl}, default_powerbank_limit = ${after.defaultPowerbankLimit},
      reminder_hours = ${after.reminderHours}, write_off_hours = ${after.writeOffHours}, updated_at = now()
    where id = ${id}`
  await audit.record(tx, actor, 'powerbank', {
    action: 'org_unit.update',
    entityType: 'org_unit',
    entityId: id,
    oldValues: audited(before),
    newValues: audited(after),
  })
  return (await get(tx, id))!
}

/** Soft. Throws `not_found`, `not_yours`, and `conflict` with the counts while anything hangs on the unit. */
export async function remove(tx: Tx, actor: Actor, id: number): Promise<void> {
  const { before } = await lock(tx, actor, id)
  const holds = await dependants(tx, id)
  if (Object.values(holds).some((count) => count > 0)) {
    throw new Refused('conflict', `unit ${id} is in use`, { reason: 'unit_in_use', ...holds })
  }
  await tx`update org_units set deleted_at = now(), updated_at = now() where id = ${id}`
  await audit.record(tx, actor, 'powerbank', {
    action: 'org_unit.delete',
    entityType: 'org_unit',
    entityId: id,
    oldValues: audited(before),
  })
}
