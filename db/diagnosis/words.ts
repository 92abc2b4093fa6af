/** Why a station may be off line. */
export const causeCodes = [
  'database_away',
  'gateway_down',
  'broker_down',
  'wrong_key',
  'no_key',
  'wrong_dialect',
  'sim_changed',
  'unknown_box_id',
  'sim_blocked',
  'contract_in_debt',
  'sim_not_active',
  'site_down',
  'power_schedule',
  'weak_link',
  'never_connected',
  'silent',
] as const
export type CauseCode = (typeof causeCodes)[number]
