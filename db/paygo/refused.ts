import type { DeviceCode } from '../devices/refused.ts'
import { refusals } from '../platform/refused.ts'

/** What PayGo has beside the generic codes: of people who come in, and of terminals. */
export type PaygoCode = DeviceCode | 'invalid_credentials' | 'account_locked' | 'terminal_unavailable'
export type PaygoReason =
  | 'user_inactive'
  | 'password_needed'
  | 'password_wrong'
  | 'template_unknown'
  | 'card_unknown'
  | 'card_known'
  | 'cards_too_many'
  | 'card_needed'
  | 'terminal_unknown'
  | 'method_unsupported'
  | 'command_unknown'
  | 'transaction_unknown'
  | 'refund_reversed'
  | 'refund_not_completed'
  | 'refund_under_way'
  | 'refund_too_much'
  | 'refund_declined'
  | 'refund_not_for_owners'
  | 'dates_reversed'

export const Refused = refusals<PaygoCode, PaygoReason>()
