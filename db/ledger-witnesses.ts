import type { Tx } from './connect.ts'
import { BrokenError, rows } from './ledger-pages.ts'

/** Rows that tell people of money; each `is_whole` when the ledger says the same. */
interface Witness {
  id: string
  isWhole: boolean
}

/** The amount of a posting on an account of a book: `of` gives its posting, owner and unit. */
const moved = (of: { posting: string; ownerKind: string; owner: string; unit: string; kind: string }) => `(
  select e.amount from ledger_postings p join ledger_books b on b.id = p.book_id
    join ledger_entries e on e.posting_id = p.id join ledger_accounts l on l.id = e.account_id and l.name = 'balance'
  where p.id = ${of.posting} and p.kind = ${of.kind} and b.owner_kind = '${of.ownerKind}' and b.owner_id = ${of.owner}
    and b.unit = ${of.unit})`

const held = (ownerKind: string, owner: string, unit: string, what: string) => `(
  select ${what} from ledger_books b join ledger_accounts l on l.book_id = b.id and l.name = 'balance'
  where b.owner_kind = '${ownerKind}' and b.owner_id = ${owner} and b.unit = ${unit})`

const transactions = `
  select t.id::text, coalesce(${moved({
    posting: 't.posting_id',
    ownerKind: 'user',
    owner: 'a.user_id',
    unit: 't.currency',
    kind: 't.transaction_type',
  })} = case when t.transaction_type in ('accrual', 'refund') then t.amount else -t.amount end, false) as is_whole
  from loyalty_transactions t left join loyalty_accounts a on a.id = t.account_id order by t.id`

/** As many rows as postings, and as much left of the accruals as there is: no row of an account is gone or another's. */
const accounts = `
  select a.id::text, coalesce(${held('user', 'a.user_id', 'c.name', 'b.last_seq')}, 0) = coalesce(t.rows, 0)
    and coalesce(${held('user', 'a.user_id', 'c.name', 'l.balance')}, 0) = coalesce(t.remaining, 0) as is_whole
  from loyalty_accounts a cross join (values ('points'), ('cashback')) c (name), lateral (
    select count(*) as rows, sum(remaining) as remaining
    from loyalty_transactions t where t.account_id = a.id and t.currency = c.name) t
  order by a.id`

const redemptions = `
  select r.id::text, coalesce(${moved({
    posting: 'r.posting_id',
    ownerKind: 'certificate',
    owner: 'r.certificate_id',
    unit: "'RUB'",
    kind: "'certificate.redeem'",
  })} = -r.amount, false) as is_whole
  from certificate_redemptions r order by r.id`

/** A certificate has what nobody redeemed while it is active, else nothing; the last redemption said what was left. */
const certificates = `
  select c.id::text, coalesce(
    ${held('certificate', 'c.id', "'RUB'", 'l.balance')} = case c.status when 'active' then c.initial_amount - r.amount else 0 end
    and case c.status when 'used' then r.amount = c.initial_amount else r.amount < c.initial_amount end
    and c.initial_amount - r.amount = coalesce((
      select remaining from certificate_redemptions where certificate_id = c.id order by id desc limit 1
    ), c.initial_amount), false) as is_whole
  from certificates c, lateral (
    select coalesce(sum(amount), 0) as amount from certificate_redemptions where certificate_id = c.id) r
  order by c.id`

const witnesses: [name: string, query: string, what: string][] = [
  ['transactions', transactions, 'loyalty transaction'],
  ['accounts', accounts, 'loyalty account'],
  ['redemptions', redemptions, 'redemption'],
  ['certificates', certificates, 'certificate'],
]

/**
 * Holds what people are shown against the ledger: rows of points, cashback and certificates each have their posting,
 * of their owner and amount, and none is missing. So a book that was cut back to an earlier whole is noticed as well.
 * @throws BrokenError
 */
export async function proveWitnesses(tx: Tx, signal?: AbortSignal): Promise<void> {
  for (const [name, query, what] of witnesses)
    for await (const { id, isWhole } of rows<Witness>(tx, name, query, signal))
      if (!isWhole) throw new BrokenError(`${what} ${id} is not what the ledger says`)
}
