import { may } from '../auth.ts'

/** "Admin" of the document: everywhere, or in the own group (api-contracts 4). */
export const admins = may('service_admin', 'group_admin')
/** Who looks after cabinets and people day by day: admins, and a subgroup's own. */
export const staff = may('service_admin', 'group_admin', 'subgroup_admin')
/** The roles whose units are the reach of `staff`: for `scope.of`, where a service_admin has all anyway. */
export const STAFF = ['group_admin', 'subgroup_admin'] as const
