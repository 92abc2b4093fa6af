/** The roles of a surface, the weightiest first where they have a weight. Who has no row has the last. */
export const roles = {
  paygo: ['user', 'admin', 'terminal_operator', 'finance_manager'],
  getpro: ['admin', 'user'],
  loyalty: ['admin', 'cashier', 'doctor', 'patient'],
  powerbank: ['service_admin', 'group_admin', 'subgroup_admin', 'user'],
  telecom: ['admin', 'supervisor', 'operator', 'employee'],
} as const
/** The surfaces people have roles on. */
export type Surface = keyof typeof roles
export type Role<S extends Surface> = (typeof roles)[S][number]

export const userStatuses = ['pending', 'active', 'blocked'] as const
export const unitTypes = ['group', 'subgroup'] as const
