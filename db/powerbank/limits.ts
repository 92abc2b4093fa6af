import type { Queryable } from '../postgres/connect.ts'

/** How many open loans somebody may have, and has (docs/contracts.md 4.8). */
export interface Limit {
  userId: number
  individualLimit: number | null
  groupDefaultLimit: number | null
  groupName: string | null
  /** Null: no limit (staff). */
  effectiveLimit: number | null
  limitType: 'individual' | 'group' | 'no_group' | 'role_exempt'
  activeCount: number
}

/** The user's limit as it stands. Staff have none; without an own limit and without a unit it is 0. Null: no such active user. */
export async function of(q: Queryable, userId: number): Promise<Limit | null> {
  const [row] = await q<(Omit<Limit, 'effectiveLimit' | 'limitType'> & { isStaff: boolean })[]>`
    select u.id as user_id, u.powerbank_limit as individual_limit, g.default_powerbank_limit as group_default_limit,
      g.name as group_name,
      exists (select 1 from user_roles where user_id = u.id and surface = 'powerbank' and role <> 'user') as is_staff,
      (select count(*) from orders where user_id = u.id and status in ('pending', 'borrow') and deleted_at is null) as active_count
    from users u left join lateral (
      select o.name, o.default_powerbank_limit from user_roles r join org_units o on o.id = r.org_unit_id
      where r.user_id = u.id and r.surface = 'powerbank' and o.deleted_at is null
      order by o.default_powerbank_limit desc, o.id limit 1
    ) g on true
    where u.id = ${userId} and u.status = 'active' and u.deleted_at is null`
  if (!row) return null
  const { isStaff, ...limit } = row
  if (isStaff) return { ...limit, effectiveLimit: null, limitType: 'role_exempt' }
  if (limit.individualLimit !== null)
    return { ...limit, effectiveLimit: limit.individualLimit, limitType: 'individual' }
  if (limit.groupDefaultLimit !== null) return { ...limit, effectiveLimit: limit.groupDefaultLimit, limitType: 'group' }
  return { ...limit, effectiveLimit: 0, limitType: 'no_group' }
}
