import type { Queryable } from '../postgres/connect.ts'
import { unknown } from './moving.ts'

/** What a contract was charged for a period. Money in minor units, days as `2026-01-31`. */
export interface Invoice {
  id: number
  contractId: number
  contractNumber: string
  customerName: string
  tariffName: string
  periodStart: string
  /** The first day of the next period. */
  periodEnd: string
  amountMinor: number
  balanceAfterMinor: number
  transactionId: string
  chargedAt: Date
}

const charged = (q: Queryable) => q`
  select b.id, b.contract_id, c.number as contract_number,
    concat_ws(' ', u.last_name, u.first_name, u.middle_name) as customer_name, t.name as tariff_name,
    b.period_start, b.period_end, b.amount_minor, p.balance_after_minor, p.transaction_id, b.created_at as charged_at
  from billing_charges b join contract_payments p on p.id = b.payment_id join contracts c on c.id = b.contract_id
    join customers u on u.id = c.customer_id join tariffs t on t.id = b.tariff_id`

/** Of a contract, the latest period first. Periods that cost nothing have none. */
export const list = (q: Queryable, contractId: number, { limit, offset }: { limit: number; offset: number }) =>
  q<Invoice[]>`
    ${charged(q)} where b.contract_id = ${contractId}
    order by b.period_start desc limit ${limit} offset ${offset}`

/** @throws Refused not_found (invoice_unknown): none, or another contract's */
export async function get(q: Queryable, contractId: number, id: number): Promise<Invoice> {
  const [invoice] = await q<Invoice[]>`${charged(q)} where b.contract_id = ${contractId} and b.id = ${id}`
  if (!invoice) throw unknown('invoice', id)
  return invoice
}
