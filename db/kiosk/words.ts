/**
 * Where a rental stands. `authorising`: the acquirer has not held the deposit yet; `lending`: the cabinet was asked for a bank;
 * `rented`: the customer has it; `settling`: what is due is being taken, or the deposit let go.
 */
export const rentalStates = ['authorising', 'lending', 'rented', 'settling', 'ended'] as const
export type RentalState = (typeof rentalStates)[number]

/**
 * How a rental ended. `declined`: no deposit was held; `not_lent`: no bank went out; `returned`: settled by the tariff; `lost`: the
 * price of a lost bank was due; `recovered`: that bank came back; `waived`: people took the order away; `unsecured`: something is
 * due, and no money is held for it; `failed`: the acquirer refused what was due. The last two are for people.
 */
export const rentalOutcomes = [
  'declined',
  'not_lent',
  'returned',
  'lost',
  'recovered',
  'waived',
  'unsecured',
  'failed',
] as const
export type RentalOutcome = (typeof rentalOutcomes)[number]

/** What a rental has the acquirer told. */
export const settlements = ['capture', 'release', 'refund'] as const
export type Settlement = (typeof settlements)[number]
