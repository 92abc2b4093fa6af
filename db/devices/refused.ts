import { refusals } from '../platform/refused.ts'

/** What a device of any kind makes impossible. */
export type DeviceCode = 'device_offline' | 'device_silent' | 'too_many_commands'

export const Refused = refusals<DeviceCode, never>()
