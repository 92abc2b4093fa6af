import type { Tx } from '../postgres/connect.ts'
import { BrokenError, rows } from './ledger-pages.ts'

/** Rows that tell people of money; each `is_whole` when the ledger says the same. */
interface Witness {
  id: string
  isWhole: boolean
}

/** The balance's entry `e` of a posting `p` in its book `b`; joined, for that is what the planner does fastest. */
const moved = (posting: string) => `
  left join ledger_postings p on p.id = ${posting} left join ledger_books b on b.id = p.book_id
  left join ledger_accounts l on l.book_id = b.id and l.name = 'balance'
  left join ledger_entries e on e.posting_id = p.id and e.account_id = l.id`

const held = (ownerKind: string, owner: string, unit: string, what: string) => `(
  select ${what} from ledger_books b join ledger_accounts l on l.book_id = b.id and l.name = 'balance'
  where b.owner_kind = '${ownerKind}' and b.owner_id = ${owner} and b.unit = ${unit})`

const transactions = `
  select t.id::text, coalesce((b.owner_kind, b.owner_id, b.unit, p.kind) = ('user', a.user_id, t.currency, t.transaction_type)
    and e.amount = case when t.transaction_type in ('accrual', 'refund') then t.amount else -t.amount end, false) as is_whole
  from loyalty_transactions t left join loyalty_accounts a on a.id = t.account_id ${moved('t.posting_id')} order by t.id`

/** As many rows as postings, and as much left of the accruals as there is: no row of an account is gone or another's. */
const accounts = `
  select a.id::text, coalesce(${held('user', 'a.user_id', 'c.name', 'b.last_seq')}, 0) = coalesce(t.rows, 0)
    and coalesce(${held('user', 'a.user_id', 'c.name', 'l.balance')}, 0) = coalesce(t.remaining, 0) as is_whole
  from loyalty_accounts a cross join (values ('points'), ('cashback')) c (name), lateral (
    select count(*) as rows, sum(remaining) as remaining
    from loyalty_transactions t where t.account_id = a.id and t.currency = c.name) t
  order by a.id`

const redemptions = `
  select r.id::text, coalesce((b.owner_kind, b.owner_id, b.unit, p.kind)
    = ('certificate', r.certificate_id, 'RUB', 'certificate.redeem') and e.amount = -r.amount, false) as is_whole
  from certificate_redemptions r ${moved('r.posting_id')} order by r.id`

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

/** What was taken and is held at a terminal is what its transactions say. */
const terminals = `
  select t.id::text, coalesce((
      select sum(l.balance) from ledger_books b join ledger_accounts l on l.book_id = b.id and l.name in ('balance', 'held')
      where b.owner_kind = 'terminal' and b.owner_id = t.id and b.unit = 'RUB'), 0)
    = coalesce((select sum(booked_minor) from transactions where terminal_id = t.id), 0) as is_whole
  from terminals t order by t.id`

/** What was paid for a subscription, or to a balance, in roubles. */
const payments = `
  select t.id::text, coalesce((b.owner_kind, b.owner_id, b.unit, p.kind) = ('getpro', t.account_id, 'RUB', 'getpro.balance_add')
    and e.amount = t.amount_kopecks, false) as is_whole
  from subscription_payments t left join ledger_postings p on p.key = 'getpro payment ' || t.id
  left join ledger_books b on b.id = p.book_id left join ledger_accounts l on l.book_id = b.id and l.name = 'balance'
  left join ledger_entries e on e.posting_id = p.id and e.account_id = l.id
  where t.status in ('succeeded', 'refunded') and t.amount_kopecks > 0 order by t.id`

/** A contract has what its book says, and what was booked of its payments is all that is in it. */
const contracts = `
  select c.id::text, c.balance_minor = coalesce(l.balance, 0) and c.balance_minor = coalesce(p.booked, 0) as is_whole
  from contracts c
  left join ledger_books b on b.owner_kind = 'telecom' and b.owner_id = c.id and b.unit = 'KGS'
  left join ledger_accounts l on l.book_id = b.id and l.name = 'balance'
  left join (
    select contract_id,
      sum(case when transaction_type in ('charge', 'refund') then -amount_minor else amount_minor end) as booked
    from contract_payments where posting_id is not null group by contract_id) p on p.contract_id = c.id
  order by c.id`

const witnesses: [name: string, query: string, what: string][] = [
  ['transactions', transactions, 'loyalty transaction'],
  ['accounts', accounts, 'loyalty account'],
  ['redemptions', redemptions, 'redemption'],
  ['certificates', certificates, 'certificate'],
  ['terminals', terminals, 'terminal'],
  ['payments', payments, 'subscription payment'],
  ['contracts', contracts, 'contract'],
]

/**
 * Holds what people are shown against the ledger: rows of points, cashback, certificates and payments each have their
 * posting, of their owner and amount, and none is missing; what was paid at a terminal is in its book, and so is the
 * balance of a contract. So a book that was cut back to an earlier whole is noticed as well.
 * @throws BrokenError
 */
export async function proveWitnesses(tx: Tx, signal?: AbortSignal): Promise<void> {
  for (const [name, query, what] of witnesses)
    for await (const { id, isWhole } of rows<Witness>(tx, name, query, signal))
      if (!isWhole) throw new BrokenError(`${what} ${id} is not what the ledger says`)
}
