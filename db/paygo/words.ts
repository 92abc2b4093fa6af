/** What a transaction began as: three things a terminal says, and `stored`, a payment over HTTP with a card that is kept. */
export const transactionKinds = ['purchase', 'authorisation', 'advice', 'stored'] as const
export type TransactionKind = (typeof transactionKinds)[number]

/**
 * `authorised`: the amount is held and not taken, which clients see as pending. `cancelled`: reversed, before or after it was
 * completed.
 */
export const transactionStatuses = ['pending', 'authorised', 'completed', 'failed', 'cancelled', 'refunded'] as const
export type TransactionStatus = (typeof transactionStatuses)[number]

/** What the acquirer can be told to do. */
export const acts = ['purchase', 'authorise', 'capture', 'reverse', 'refund'] as const
export type Act = (typeof acts)[number]

/** What came of it; `silent`: nothing, in the time it had, so it is asked. */
export const actResults = ['approved', 'declined', 'silent'] as const
export type ActResult = (typeof actResults)[number]

export const paymentMethods = ['nfc', 'qr_code', 'biometric', 'card_insert'] as const
export type PaymentMethod = (typeof paymentMethods)[number]

export const terminalTypes = ['standalone', 'integrated', 'mobile'] as const
export type TerminalType = (typeof terminalTypes)[number]

/** What commands and people set; clients see it in the place of `online` and `offline` unless it is `working`. */
export const terminalConditions = ['working', 'maintenance', 'error'] as const
export type TerminalCondition = (typeof terminalConditions)[number]

export const cardTypes = ['debit', 'credit', 'prepaid', 'unknown'] as const
export type CardType = (typeof cardTypes)[number]

export const biometricTypes = ['fingerprint', 'face', 'voice'] as const
export type BiometricType = (typeof biometricTypes)[number]

/** What a terminal may be told to do (docs/protocol.md 7.5, 0600). */
export const commandTypes = [
  'restart',
  'update_config',
  'update_software',
  'maintenance_on',
  'maintenance_off',
  'ping',
  'print_receipt',
  'set_volume',
  'set_server_address',
  'payment',
] as const
export type CommandType = (typeof commandTypes)[number]

/** What became of one, as clients see it. `executing`: it was told, and has not answered. */
export const terminalCommandStatuses = ['pending', 'executing', 'completed', 'failed', 'expired'] as const
export type TerminalCommandStatus = (typeof terminalCommandStatuses)[number]
