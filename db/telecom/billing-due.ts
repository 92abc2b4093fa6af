import type { Queryable } from '../postgres/connect.ts'
import { type Bill, type Billable, bill } from './decide/fee.ts'

/** A contract with periods that have begun and are not charged. */
export interface Due extends Billable {
  id: number
  number: string
  tariffId: number
}

const previewContracts = 1_000

const billed = (q: Queryable, until: string) => q`
  c.next_billing_date <= ${until} and c.status in ('active', 'suspended') and c.deleted_at is null`

/** Whether anything is. */
export async function isAnyDue(q: Queryable, until: string): Promise<boolean> {
  const rows = await q`select from contracts c where ${billed(q, until)} limit 1`
  return rows.length > 0
}

/** How many contracts are. */
export async function countDue(q: Queryable, until: string): Promise<number> {
  const [row] = await q<{ count: number }[]>`select count(*) from contracts c where ${billed(q, until)}`
  return row!.count
}

/** The next of them behind an id, by rising id; held: until the transaction ends nobody else moves them. */
export const due = (
  q: Queryable,
  { untilDay, lastContractId }: { untilDay: string; lastContractId: number },
  { size, isHeld }: { size: number; isHeld: boolean },
) => q<Due[]>`
  select c.id, c.number, c.tariff_id, c.status, c.balance_minor, c.billing_anchor, c.next_billing_date,
    t.monthly_fee_minor as fee_minor
  from contracts c join tariffs t on t.id = c.tariff_id
  where c.id > ${lastContractId} and ${billed(q, untilDay)} order by c.id limit ${size}
  ${isHeld ? q`for no key update of c` : q``}`

/** What a run until a day would charge, contract by contract. Nothing is written. */
export async function* preview(q: Queryable, until: string): AsyncGenerator<Bill & { contract: Due }> {
  for (let lastContractId = 0; ; ) {
    const contracts = await due(q, { untilDay: until, lastContractId }, { size: previewContracts, isHeld: false })
    for (const contract of contracts) yield { contract, ...bill(contract, until) }
    if (contracts.length < previewContracts) return
    lastContractId = contracts.at(-1)!.id
  }
}
