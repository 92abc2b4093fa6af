import type { Original, Totals } from '../../protocol/terminal.ts'
import type { Card } from './cards.ts'

const stanMax = 999_999
/** Older ones are forgotten, and cannot be reversed any more. */
const salesMax = 1_000
const stansPerSecond = 10

/** What became of a sale. `held`: a deposit that is not completed; `in_doubt`: its reversal is on its way. */
type SaleState = 'asked' | 'approved' | 'held' | 'declined' | 'in_doubt' | 'reversed'

/** A purchase, a deposit, or what was approved without a line. Amounts in minor units. */
export interface Sale {
  kind: 'purchase' | 'authorisation' | 'advice'
  stan: string
  sentAt: string
  /** Of a deposit what is held, once it is completed what was due. */
  amountMinor: number
  card: Card
  state: SaleState
  rrn?: string
  approval?: string
  /** It stands among the debits of the batch. */
  isCounted: boolean
}

/** What a terminal knows of its money. It is gone when the simulator ends. */
export interface Till {
  /** The last number given out. */
  stan: number
  /** Oldest first. */
  sales: Sale[]
  /** Since host and terminal last agreed. */
  totals: Totals
  /** The host's own figures, if they were others. */
  hosts: Totals | undefined
}

const noTotals: Totals = {
  ...{ credits: 0, creditsReversed: 0, debits: 0, debitsReversed: 0 },
  ...{ creditsMinor: 0, creditsReversedMinor: 0, debitsMinor: 0, debitsReversedMinor: 0 },
}

/**
 * An empty till.
 * @param stan the number to go on from; unless told one that the time of day gives, so that a terminal that is switched on
 * again does not use the numbers of before
 */
export function newTill(now: Date, stan?: number): Till {
  const seconds = (now.getHours() * 60 + now.getMinutes()) * 60 + now.getSeconds()
  return { stan: stan ?? seconds * stansPerSecond, sales: [], totals: { ...noTotals }, hosts: undefined }
}

/** The next number, 000001 behind 999999. */
export function nextStan(till: Till): string {
  till.stan = (till.stan % stanMax) + 1
  return String(till.stan).padStart(6, '0')
}

/** Remembers a sale. */
export function keep(till: Till, sale: Sale): Sale {
  till.sales.push(sale)
  if (till.sales.length > salesMax) till.sales.shift()
  return sale
}

const count = (totals: Totals, figure: 'debits' | 'debitsReversed', amountMinor: number) => {
  totals[figure] += 1
  totals[`${figure}Minor`] += amountMinor
}

/** The sale stands among the debits; a deposit does once it is completed. */
export function countDebit({ totals }: Till, sale: Sale): void {
  if (sale.isCounted) return
  sale.isCounted = true
  count(totals, 'debits', sale.amountMinor)
}

/** The host has taken the reversal: what is a debit stands in both figures, also what was never approved. */
export function countReversal(till: Till, sale: Sale): void {
  if (sale.kind === 'authorisation' && !sale.isCounted) return
  countDebit(till, sale)
  count(till.totals, 'debitsReversed', sale.amountMinor)
}

/** Both agree: a new batch. */
export function settled(till: Till): void {
  till.totals = { ...noTotals }
  till.hosts = undefined
}

/** People have looked: what the host has counted is right. @throws RangeError it has said nothing of the kind */
export function adopt(till: Till): void {
  if (!till.hosts) throw new RangeError('the host has named no figures of its own')
  till.totals = till.hosts
  till.hosts = undefined
}

const mtis = { purchase: '0200', authorisation: '0100', advice: '0220' } as const

/** A sale as its reversal names it. */
export const originalOf = ({ kind, stan, sentAt }: Sale): Original => ({ mti: mtis[kind], stan, sentAt })
