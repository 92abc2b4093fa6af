/** Who takes money for us. */
export const paymentProviders = ['yookassa', 'cryptopay', 'freekassa', 'stars', 'tribute'] as const
export type PaymentProvider = (typeof paymentProviders)[number]

/** Where a payment stands. What succeeded is never pending again; what was refunded in part is `succeeded`. */
export const paymentStatuses = [
  'pending',
  'waiting_for_capture',
  'succeeded',
  'canceled',
  'failed',
  'refunded',
] as const
export type PaymentStatus = (typeof paymentStatuses)[number]

/** What a payment is for. `binding`: a method of payment is kept, nothing is bought. */
export const purposes = ['subscription', 'balance', 'binding'] as const
export type Purpose = (typeof purposes)[number]

/** What a provider may be told to do with a payment, and how far that is; `refused` is final. */
export const paymentActKinds = ['refund', 'capture', 'cancel'] as const
export type PaymentActKind = (typeof paymentActKinds)[number]
export const paymentActStates = ['asked', 'done', 'refused'] as const

/** As what a subscription is had now. `bonus`: by days that were given, without ever paying. */
export const subscriptionKinds = ['regular', 'trial', 'gift', 'bonus'] as const
export type SubscriptionKind = (typeof subscriptionKinds)[number]

/** What made a subscription longer; `refund` made it shorter again. */
export const periodKinds = ['payment', 'balance', 'trial', 'gift', 'promo', 'referral', 'provider', 'refund'] as const
export type PeriodKind = (typeof periodKinds)[number]

/** What the panel says of somebody's access. */
export const panelStatuses = ['ACTIVE', 'DISABLED', 'LIMITED', 'EXPIRED'] as const
export type PanelStatus = (typeof panelStatuses)[number]

/** How an attempt to renew stands; `pending`: its charge is under way. */
export const renewalStates = ['pending', 'succeeded', 'failed'] as const

/** `failed`: nobody tries any more, until an operator says so or something changes. */
export const panelTaskStates = ['waiting', 'done', 'failed'] as const
export type PanelTaskState = (typeof panelTaskStates)[number]
