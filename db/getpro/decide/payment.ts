import type { PaymentStatus } from '../words.ts'

/** What we know of a payment. */
export interface Known {
  status: PaymentStatus
  /** The provider's name for it; null: not told yet. */
  providerPaymentId: string | null
  chargedAmount: string
  chargedCurrency: string
}

/** What a provider says of it. */
export interface Said {
  status: 'succeeded' | 'waiting_for_capture' | 'canceled'
  providerPaymentId: string | null
  /** As it was written; null: it does not say. */
  amount: string | null
  currency: string | null
  /** Play money. */
  isTest: boolean
}

/** What is to be done: `refuse` is authentic, does not fit, and credits nothing; people have to look. */
export type Verdict =
  | { do: 'settle' | 'hold' | 'cancel' }
  | { do: 'nothing'; why: string }
  | { do: 'refuse'; why: 'INVALID_AMOUNT' | 'DUPLICATE_PAYMENT' | 'TEST_PAYMENT' }

const decimalPattern = /^(\d{1,20})(?:\.(\d{1,20}))?(?:[eE]([+-]?\d{1,2}))?$/
/** As many digits behind the point as any coin has, and more. */
const scale = 40

/** A decimal number as an integer of its smallest unit, however it was written; null when it is none. */
function decimalOf(text: string): bigint | null {
  const [, whole, fraction = '', exponent = '0'] = decimalPattern.exec(text) ?? []
  if (whole === undefined) return null
  const shift = scale - fraction.length + Number(exponent)
  return shift < 0 ? null : BigInt(whole + fraction) * 10n ** BigInt(shift)
}

/** Whether two texts are the same sum: `1`, `1.00` and `1e0` are. Never by way of a float. */
export function isSameAmount(one: string, other: string): boolean {
  const [a, b] = [decimalOf(one), decimalOf(other)]
  return a !== null && b !== null && a === b
}

/** Kopecks of a sum in roubles, exactly; null when it is none. */
export function kopecksOf(text: string): number | null {
  const units = decimalOf(text)
  const kopeck = 10n ** BigInt(scale - 2)
  const kopecks = units === null || units % kopeck !== 0n ? null : units / kopeck
  return kopecks === null || kopecks > BigInt(Number.MAX_SAFE_INTEGER) ? null : Number(kopecks)
}

const isPaid = ({ status }: Known) => status === 'succeeded' || status === 'refunded'

/**
 * What a provider's word means for a payment. Whatever the order in which words come, what was paid stays paid; and a payment
 * that was given up and paid all the same was paid.
 */
export function judge(known: Known, said: Said, isTestAllowed: boolean): Verdict {
  if (known.providerPaymentId && said.providerPaymentId && known.providerPaymentId !== said.providerPaymentId)
    return { do: 'refuse', why: 'DUPLICATE_PAYMENT' }
  if (said.status === 'canceled')
    return known.status === 'pending' || known.status === 'waiting_for_capture'
      ? { do: 'cancel' }
      : { do: 'nothing', why: `it is ${known.status}` }
  if (said.isTest && !isTestAllowed) return { do: 'refuse', why: 'TEST_PAYMENT' }
  const isSame =
    said.amount !== null &&
    isSameAmount(said.amount, known.chargedAmount) &&
    said.currency?.toUpperCase() === known.chargedCurrency.toUpperCase()
  if (!isSame) return { do: 'refuse', why: 'INVALID_AMOUNT' }
  if (said.status === 'waiting_for_capture')
    return known.status === 'pending' ? { do: 'hold' } : { do: 'nothing', why: `it is ${known.status}` }
  return isPaid(known) ? { do: 'nothing', why: `it is ${known.status}` } : { do: 'settle' }
}

/** Money that went back, as a provider says it. */
export interface SaidRefund {
  /** Null: all of it. */
  amount: string | null
  currency: string | null
}

/** What a refund means: so many kopecks, or why it does not fit. `later`: the payment itself was not told yet. */
export function judgeRefund(
  known: Known & { amountKopecks: number; refundedKopecks: number },
  { amount, currency }: SaidRefund,
): { kopecks: number; isWhole: boolean } | { refuse: 'INVALID_AMOUNT' } | 'later' | 'nothing' {
  if (!isPaid(known)) return 'later'
  const left = known.amountKopecks - known.refundedKopecks
  if (currency !== null && currency.toUpperCase() !== known.chargedCurrency.toUpperCase())
    return { refuse: 'INVALID_AMOUNT' }
  const isAll = amount === null || isSameAmount(amount, known.chargedAmount)
  // By another name of the same: told by a notice and by whoever asked.
  if (isAll && left === 0 && known.amountKopecks > 0) return 'nothing'
  const kopecks = isAll ? known.amountKopecks : known.chargedCurrency === 'RUB' ? kopecksOf(amount) : null
  if (kopecks === null || kopecks > left || (kopecks === 0 && !isAll)) return { refuse: 'INVALID_AMOUNT' }
  return { kopecks, isWhole: kopecks === left }
}
