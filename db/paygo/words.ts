/**
 * `authorised`: the amount is held and not taken, which clients see as pending. `cancelled`: reversed, before or after it was
 * completed.
 */
export const transactionStatuses = ['pending', 'authorised', 'completed', 'failed', 'cancelled', 'refunded'] as const
export type TransactionStatus = (typeof transactionStatuses)[number]

/** What the acquirer can be told to do. */
export const acts = ['purchase', 'authorise', 'capture', 'reverse', 'refund'] as const
export type Act = (typeof acts)[number]
