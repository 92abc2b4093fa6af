import type { Queryable } from '../postgres/connect.ts'
import {
  contractStatuses,
  customerStatuses,
  documentTypes,
  paymentMethods,
  paymentStatuses,
  simStatuses,
  ticketCategories,
  ticketPriorities,
  ticketStatuses,
} from './words.ts'

// Counted in one statement each: a row for every combination of words that there is, summed up here.

type Counts<W extends string> = Record<W, number>

/** How many rows have each of these words; a zero for those that none has. */
function counts<R extends { count: number }, K extends keyof R, W extends R[K] & string>(
  rows: readonly R[],
  by: K,
  words: readonly W[],
): Counts<W> {
  const of = (word: string) => rows.reduce((sum, row) => (row[by] === word ? sum + row.count : sum), 0)
  // fromEntries forgets the keys; they are exactly the words.
  return Object.fromEntries(words.map((word) => [word, of(word)])) as Counts<W>
}

const totalOf = (rows: readonly { count: number }[]) => rows.reduce((sum, { count }) => sum + count, 0)

/** Half up, away from zero where it is negative: 12.345 is 12.35. */
const average = (sum: number, count: number): number => {
  if (count === 0) return 0
  const [whole, of] = [Math.abs(sum) * 2 + count, count * 2]
  return Math.sign(sum) * Math.floor(whole / of)
}

/** Customers in all, by status and by document. */
export async function ofCustomers(q: Queryable) {
  const rows = await q<{ status: string; documentType: string; count: number }[]>`
    select status, document_type, count(*) from customers where deleted_at is null group by 1, 2`
  return {
    total: totalOf(rows),
    byStatus: counts(rows, 'status', customerStatuses),
    byDocumentType: counts(rows, 'documentType', documentTypes),
  }
}

/** SIMs in all and by status. */
export async function ofSims(q: Queryable) {
  const rows = await q<{ status: string; count: number }[]>`
    select status, count(*) from sims where deleted_at is null group by 1`
  return { total: totalOf(rows), byStatus: counts(rows, 'status', simStatuses) }
}

/** Tariffs in all, those that are sold, by type, and the average fee in minor units. `known` types are there without any. */
export async function ofTariffs(q: Queryable, known: readonly string[]) {
  const rows = await q<{ tariffType: string; isActive: boolean; count: number; fees: number }[]>`
    select tariff_type, is_active, count(*), sum(monthly_fee_minor)::bigint as fees
    from tariffs where deleted_at is null group by 1, 2`
  const total = totalOf(rows)
  const fees = rows.reduce((sum, row) => sum + row.fees, 0)
  const types = [...new Set([...known, ...rows.map(({ tariffType }) => tariffType)])]
  return {
    total,
    active: totalOf(rows.filter(({ isActive }) => isActive)),
    averageFeeMinor: average(fees, total),
    byType: counts(rows, 'tariffType', types),
  }
}

/** Contracts in all and by status, and what they have in minor units. */
export async function ofContracts(q: Queryable) {
  const rows = await q<{ status: string; count: number; balance: number }[]>`
    select status, count(*), sum(balance_minor)::bigint as balance from contracts where deleted_at is null group by 1`
  const total = totalOf(rows)
  const balanceMinor = rows.reduce((sum, { balance }) => sum + balance, 0)
  return {
    total,
    byStatus: counts(rows, 'status', contractStatuses),
    balanceMinor,
    averageMinor: average(balanceMinor, total),
  }
}

/** Payments in all, by status and method; and the money of those that succeeded, in minor units. */
export async function ofPayments(q: Queryable) {
  const rows = await q<
    { status: string; paymentMethod: string; transactionType: string; count: number; amount: number }[]
  >`
    select status, payment_method, transaction_type, count(*), sum(amount_minor)::bigint as amount
    from contract_payments where deleted_at is null group by 1, 2, 3`
  const booked = rows.filter(({ status }) => status === 'success')
  const sum = (type?: string) =>
    booked.reduce((all, row) => (type === undefined || row.transactionType === type ? all + row.amount : all), 0)
  return {
    total: totalOf(rows),
    byStatus: counts(rows, 'status', paymentStatuses),
    byMethod: counts(rows, 'paymentMethod', paymentMethods),
    amountMinor: sum(),
    averageMinor: average(sum(), totalOf(booked)),
    depositsMinor: sum('payment'),
    deductionsMinor: sum('charge'),
  }
}

/** Tickets in all, by status, category and priority; those that nobody has, and those that are overdue. */
export async function ofTickets(q: Queryable) {
  type Row = {
    status: string
    category: string
    priority: string
    count: number
    unassigned: number
    overdue: number
  }
  const rows = await q<Row[]>`
    select status, category, priority, count(*), count(*) filter (where status = 'new' and assigned_to is null) as unassigned,
      count(*) filter (where status in ('new', 'in_progress') and due_at < now()) as overdue
    from tickets where deleted_at is null group by 1, 2, 3`
  return {
    total: totalOf(rows),
    byStatus: counts(rows, 'status', ticketStatuses),
    byCategory: counts(rows, 'category', ticketCategories),
    byPriority: counts(rows, 'priority', ticketPriorities),
    unassigned: rows.reduce((sum, row) => sum + row.unassigned, 0),
    overdue: rows.reduce((sum, row) => sum + row.overdue, 0),
  }
}
