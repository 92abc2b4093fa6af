/** What a device is: each kind has a business of its own, and protocols of its own. */
export const deviceKinds = ['cabinet', 'terminal'] as const
export type DeviceKind = (typeof deviceKinds)[number]

/** What became of a command. `unknown`: its bytes left, and nobody knows what came of them. */
export const commandStatuses = ['queued', 'sent', 'answered', 'failed', 'expired', 'unknown'] as const
export type CommandStatus = (typeof commandStatuses)[number]

/** Who wanted a command: somebody through the API, the janitor, a login, a rule of ours. */
export const commandOrigins = ['api', 'janitor', 'login', 'policy'] as const
export type CommandOrigin = (typeof commandOrigins)[number]

/** Why somebody who dialled was not let in. `sim_changed`: over MQTT only. */
export const quarantineReasons = ['unknown_box_id', 'no_key', 'bad_token', 'sim_changed'] as const
export type QuarantineReason = (typeof quarantineReasons)[number]

/** Which of the vendor's MQTT bootstraps a device spoke (docs/protocol.md 5.1). */
export const firmwares = ['current', 'old'] as const
export type Firmware = (typeof firmwares)[number]
