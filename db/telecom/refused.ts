import type { LedgerCode } from '../ledger/refused.ts'
import { refusals } from '../platform/refused.ts'
import type { ActOf, Entity } from './decide/moves.ts'

/** The codes of telecom are the generic ones and the ledger's; the rest is said by reasons. */
export type TelecomCode = LedgerCode
/** An act that the state does not allow: `sim_activate`. */
export type MoveReason = { [E in Entity]: `${E}_${ActOf<E>}` }[Entity]
export type TelecomReason =
  | MoveReason
  | `${Entity | 'tariff' | 'user' | 'invoice'}_unknown`
  | 'tariff_activate'
  | 'tariff_deactivate'
  | 'customer_inactive'
  | 'customer_has_contracts'
  | 'customer_in_use'
  | 'tariff_inactive'
  | 'tariff_in_use'
  | 'contract_fixed'
  | 'contract_in_use'
  | 'contract_in_debt'
  | 'contract_not_charged'
  | 'contract_has_sim'
  | 'contract_is_draft'
  | 'contract_is_terminated'
  | 'sim_not_free'
  | 'sim_in_use'
  | 'payment_booked'
  | 'payment_sign'
  | 'contract_of_another'
  | 'ticket_reason_needed'
  | 'ticket_started'
  | 'calendar_missing'

export const Refused = refusals<TelecomCode, TelecomReason>()
