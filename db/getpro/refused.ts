import type { LedgerCode } from '../ledger/refused.ts'
import { refusals } from '../platform/refused.ts'

/** The codes of 2GETPRO are the generic ones and the ledger's; the rest is said by reasons. */
export type GetproCode = LedgerCode
export type GetproReason =
  | 'account_unknown'
  | 'broadcast_unknown'
  | 'login_unknown'
  | 'inviter_unknown'
  | 'plan_unknown'
  | 'plan_without_stars'
  | 'provider_off'
  | 'provider_unreachable'
  | 'provider_refused'
  | 'provider_cannot'
  | 'payment_not_paid'
  | 'payment_not_held'
  | 'payment_busy'
  | 'refund_too_much'
  | 'payment_unknown'
  | 'subscription_unknown'
  | 'task_unknown'
  | 'trial_used'
  | 'no_saved_method'
  | 'renewed_elsewhere'
  | 'promo_unknown'
  | 'promo_used_up'
  | 'promo_used'

export const Refused = refusals<GetproCode, GetproReason>()
