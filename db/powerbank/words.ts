export const stationStatuses = ['active', 'inactive', 'pending'] as const
export type StationStatus = (typeof stationStatuses)[number]

export const powerbankStatuses = ['active', 'user_reported_broken', 'system_error', 'written_off', 'unknown'] as const
export type PowerbankStatus = (typeof powerbankStatuses)[number]
export const writeOffReasons = ['none', 'broken', 'lost', 'other'] as const
export type WriteOffReason = (typeof writeOffReasons)[number]

export const orderStatuses = ['pending', 'borrow', 'return', 'force_eject', 'cancelled'] as const
export type OrderStatus = (typeof orderStatuses)[number]

export const importStatuses = ['running', 'done', 'failed'] as const
