import { daysBetween, nextStart } from './periods.ts'

/** Of one contract in one go: ten years. What is left is for the next run. */
export const periodsMax = 120

/** A contract whose periods are to be charged. Money in minor units, days as `2026-01-31`. */
export interface Billable {
  status: 'active' | 'suspended'
  balanceMinor: number
  /** What its tariff asks for a period. */
  feeMinor: number
  /** Its first day, which its periods are counted from. */
  billingAnchor: string
  /** The first day of the period that is charged next. */
  nextBillingDate: string
}

/** What a period costs; it is from `periodStart` to before `periodEnd`. */
export interface Charge {
  periodStart: string
  periodEnd: string
  periodDays: number
  /** All of its days, or none: nothing is charged by parts. */
  chargedDays: number
  amountMinor: number
  balanceAfterMinor: number
}

/** What a contract is charged, and where it stands then. */
export interface Bill {
  charges: Charge[]
  balanceMinor: number
  /** It had no money for its fee, and is suspended for it. */
  isSuspended: boolean
  nextBillingDate: string
}

/**
 * Charges each period that has begun until a day, in their order, as if each had been charged on its first day: the whole
 * fee to an active contract, nothing to a suspended one, be it that the fee before suspended it
 * (docs/decisions.md "A period is charged once, on its first day").
 */
export function bill(contract: Billable, until: string): Bill {
  const { feeMinor, billingAnchor } = contract
  const charges: Charge[] = []
  let { status, balanceMinor, nextBillingDate: periodStart } = contract
  while (periodStart <= until && charges.length < periodsMax) {
    const periodEnd = nextStart(billingAnchor, periodStart)
    const periodDays = daysBetween(periodStart, periodEnd)
    const isCharged = status === 'active'
    const amountMinor = isCharged ? feeMinor : 0
    balanceMinor -= amountMinor
    charges.push({
      ...{ periodStart, periodEnd, periodDays, amountMinor },
      chargedDays: isCharged ? periodDays : 0,
      balanceAfterMinor: balanceMinor,
    })
    if (isCharged && balanceMinor < 0) status = 'suspended'
    periodStart = periodEnd
  }
  const isSuspended = contract.status === 'active' && status === 'suspended'
  return { charges, balanceMinor, isSuspended, nextBillingDate: periodStart }
}
