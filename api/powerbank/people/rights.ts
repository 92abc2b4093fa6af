import type { Actor } from '../../../db/platform/actor.ts'
import { Refused } from '../../../db/powerbank/refused.ts'
import { may } from '../../auth.ts'

/** "Admin" of the document: everywhere, or in the own group (docs/contracts.md 4). */
export const admins = may('service_admin', 'group_admin')
/** Who looks after cabinets and people day by day: admins, and a subgroup's own. */
export const staff = may('service_admin', 'group_admin', 'subgroup_admin')
/** The roles whose units are the reach of `staff`: for `scope.of`, where a service_admin has all anyway. */
export const STAFF = ['group_admin', 'subgroup_admin'] as const

/**
 * The token says who acts: a body that names an administrator must name the caller.
 * @throws Refused not_yours
 */
export function assertSelf(actor: Actor, named: number | null | undefined): void {
  if (named != null && named !== actor.userId) throw new Refused('not_yours')
}
