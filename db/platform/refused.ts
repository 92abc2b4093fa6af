/**
 * Why a verb said no. Surfaces map each code to their own status and words; a new code is a type error in
 * every surface until it does.
 */
export type RefusalCode =
  | 'not_found'
  | 'conflict'
  | 'duplicate'
  | 'invalid'
  | 'unauthorised'
  | 'forbidden'
  | 'not_yours'
  | 'station_not_found'
  | 'station_inactive'
  | 'device_offline'
  | 'device_silent'
  | 'no_access'
  | 'slot_out_of_range'
  | 'slot_empty'
  | 'no_free_slot'
  | 'no_power_bank'
  | 'power_bank_not_found'
  | 'power_bank_not_active'
  | 'power_bank_on_loan'
  | 'power_bank_not_in_station'
  | 'no_open_order'
  | 'limit_reached'
  | 'eject_failed'
  | 'too_many_commands'
  | 'idempotency_mismatch'
  | 'insufficient_funds'

/** The state says no: nothing was changed. `about` is data for the surface's answer (limits, fields), never a secret. */
export class Refused extends Error {
  readonly code: RefusalCode
  readonly about: Record<string, unknown>
  constructor(code: RefusalCode, detail = '', about: Record<string, unknown> = {}) {
    super(detail || code)
    this.name = 'Refused'
    this.code = code
    this.about = about
  }
}
