import { postAll } from '../../../db/ledger/ledger-set.ts'
import type { Db } from '../../../db/postgres/connect.ts'

let made = 0

/** What contracts are made with. */
export interface Contracts {
  count?: number
  feeMinor?: number
  balanceMinor?: number
  /** The first day; the next period begins a month after it. */
  anchor?: string
  status?: 'active' | 'suspended'
}

/** Contracts of one customer with one tariff, each with an active SIM and its money in the books; their ids, rising. */
export async function contracts(db: Db, given: Contracts = {}): Promise<number[]> {
  const { count = 1, feeMinor = 30_000, balanceMinor = 100_000, anchor = '2026-01-31', status = 'active' } = given
  const n = ++made
  const rows = await db.sql<{ id: number }[]>`
    with customer as (
      insert into customers (first_name, last_name, phone, document_type, document_number)
      values ('Some', 'Body', ${`+996550${String(n).padStart(6, '0')}`}, 'passport', 'AN1') returning id),
    tariff as (insert into tariffs (name, monthly_fee_minor) values (${`tariff ${n}`}, ${feeMinor}) returning id),
    contract as (
      insert into contracts (number, customer_id, tariff_id, status, suspension_reason, balance_minor, activation_date,
        billing_anchor, next_billing_date)
      select 'CTR-' || ${n}::int || '-' || lpad(i::text, 6, '0'), customer.id, tariff.id, ${status},
        ${status === 'suspended' ? 'operator' : null}, ${balanceMinor}, ${anchor}, ${anchor},
        (${anchor}::date + interval '1 month')::date
      from generate_series(1, ${count}) i, customer, tariff returning id),
    sim as (
      insert into sims (iccid, imsi, msisdn, status, held_by, contract_id)
      select '899960000000' || lpad(id::text, 7, '0'), '43701' || lpad(id::text, 10, '0'), '+996700' || lpad(id::text, 6, '0'),
        ${status}, ${status === 'suspended' ? 'contract' : null}, id from contract)
    select id from contract order by id`
  const ids = rows.map(({ id }) => id)
  if (balanceMinor !== 0) await fund(db, ids, balanceMinor)
  return ids
}

/** Puts what contracts have into their books, and the payments beside it, in one go. */
async function fund(db: Db, ids: readonly number[], amountMinor: number): Promise<void> {
  await db.transaction(async (tx) => {
    const posted = await postAll(
      tx,
      ids.map((id) => ({
        ...{ owner: { kind: 'telecom' as const, id }, unit: 'KGS' as const, key: `test top-up ${id}` },
        ...{ kind: 'telecom.correction', entries: { balance: amountMinor, house: -amountMinor }, createdBy: null },
      })),
    )
    await tx`
      insert into contract_payments (contract_id, transaction_type, amount_minor, status, transaction_id, posting_id)
      select id, 'correction', ${amountMinor}, 'success', 'TEST-' || id, posting_id
      from unnest(${[...ids]}::bigint[], ${posted.map(({ id }) => id)}::bigint[]) as p (id, posting_id)`
  })
}
