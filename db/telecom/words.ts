/** What a customer's contracts and bills are counted in. */
export const currency = 'KGS' as const

export const customerStatuses = ['active', 'suspended', 'blocked', 'archived'] as const
export type CustomerStatus = (typeof customerStatuses)[number]

export const documentTypes = ['passport', 'foreign_passport', 'driver_license'] as const
export type DocumentType = (typeof documentTypes)[number]

export const simStatuses = ['free', 'active', 'suspended', 'blocked', 'closed'] as const
export type SimStatus = (typeof simStatuses)[number]

/** Why a SIM does not work: it follows its contract, or its contract's customer, or somebody stopped the card itself. */
export const simHolders = ['contract', 'customer', 'operator'] as const
export type SimHolder = (typeof simHolders)[number]

export const contractStatuses = ['draft', 'active', 'suspended', 'terminated'] as const
export type ContractStatus = (typeof contractStatuses)[number]

/** Why a contract is suspended: only what suspended it resumes it. */
export const suspensionReasons = ['balance', 'customer', 'operator'] as const
export type SuspensionReason = (typeof suspensionReasons)[number]

/** What moves a contract's balance. */
export const transactionTypes = ['payment', 'charge', 'refund', 'correction'] as const
export type TransactionType = (typeof transactionTypes)[number]

/** Where a payment stands. `success` and `refunded` (a refund that was paid out) are booked, and never change again. */
export const paymentStatuses = ['pending', 'processing', 'success', 'failed', 'cancelled', 'refunded'] as const
export type PaymentStatus = (typeof paymentStatuses)[number]

export const paymentMethods = [
  'cash',
  'card',
  'bank_transfer',
  'mobile_payment',
  'auto_payment',
  'system',
  'terminal',
] as const
export type PaymentMethod = (typeof paymentMethods)[number]

export const ticketCategories = ['technical', 'billing', 'tariff', 'sim', 'complaint', 'other'] as const
export type TicketCategory = (typeof ticketCategories)[number]

export const ticketStatuses = ['new', 'in_progress', 'waiting', 'resolved', 'closed'] as const
export type TicketStatus = (typeof ticketStatuses)[number]

export const ticketPriorities = ['low', 'medium', 'high', 'critical'] as const
export type TicketPriority = (typeof ticketPriorities)[number]

/** How a day differs from what its weekday is: free, or worked although its weekday is free. */
export const dayKinds = ['holiday', 'day_off', 'workday'] as const
export type DayKind = (typeof dayKinds)[number]

export const billingRunStatuses = ['running', 'done', 'failed'] as const
export type BillingRunStatus = (typeof billingRunStatuses)[number]
