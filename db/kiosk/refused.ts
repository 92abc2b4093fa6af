import { refusals } from '../platform/refused.ts'
import type { PowerbankCode, PowerbankReason } from '../powerbank/refused.ts'

/** What kiosks refuse beside what cabinets do. */
export type KioskReason =
  | PowerbankReason
  | 'terminal_unknown'
  | 'kiosk_unknown'
  | 'tariff_unknown'
  | 'tariff_needed'
  | 'valid_from_past'
  | 'lost_over_deposit'
  | 'rental_unknown'

export const Refused = refusals<PowerbankCode, KioskReason>()
