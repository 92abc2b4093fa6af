import type { LedgerCode } from '../ledger/refused.ts'
import { refusals } from '../platform/refused.ts'

/** The codes of loyalty are the generic ones and the ledger's; the rest is said by reasons. */
export type LoyaltyCode = LedgerCode
export type LoyaltyReason =
  | 'account_unknown'
  | 'account_inactive'
  | 'rule_unknown'
  | 'rule_percentage'
  | 'user_unknown'
  | 'user_inactive'
  | 'certificate_unknown'
  | 'certificate_used'
  | 'certificate_expired'
  | 'certificate_cancelled'
  | 'validity_past'
  | 'recipient_unknown'
  | 'transfer_to_owner'
  | 'document_used'
  | 'referral_code_unknown'
  | 'own_referral_code'
  | 'referrer_type_foreign'

export const Refused = refusals<LoyaltyCode, LoyaltyReason>()
