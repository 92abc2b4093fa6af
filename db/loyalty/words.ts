/** The rising tiers of a card. */
export const cardTiers = ['bronze', 'silver', 'gold', 'platinum'] as const

export const transactionTypes = ['accrual', 'deduction', 'refund', 'expiration'] as const
export type TransactionType = (typeof transactionTypes)[number]
export const currencies = ['points', 'cashback'] as const
export type Currency = (typeof currencies)[number]

/** Only `active` leads anywhere, and nothing leads back to it (docs/contracts.md D2). */
export const certificateStatuses = ['active', 'used', 'expired', 'cancelled'] as const
export type CertificateStatus = (typeof certificateStatuses)[number]

/** What somebody who came by a code did (docs/contracts.md 3.4). */
export const eventTypes = ['registration', 'first_visit', 'paid_service', 'repeat_visit'] as const
export type EventType = (typeof eventTypes)[number]
export const rewardTypes = ['fixed', 'percentage', 'points'] as const
export type RewardType = (typeof rewardTypes)[number]
