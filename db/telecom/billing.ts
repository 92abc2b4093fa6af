import { randomUUID } from 'node:crypto'
import type { NewPosting } from '../ledger/ledger.ts'
import { postAll } from '../ledger/ledger-set.ts'
import { recordAll } from '../messages/audit.ts'
import type { Db, Queryable, Tx } from '../postgres/connect.ts'
import { type Due, due, isAnyDue } from './billing-due.ts'
import { type Bill, bill, type Charge } from './decide/fee.ts'
import { plusDays } from './decide/periods.ts'
import type { billingRuns } from './schema.ts'
import { currency } from './words.ts'

export type Run = typeof billingRuns.$inferSelect

/** Contracts that are charged in one transaction. */
const batchContracts = 2_000
/** After a run that could not charge all: what failed then is tried again, but not at every tick of the clock. */
const retryMinutes = 60
const errorCharactersMax = 500

/** How a run is made. */
export interface BillingOptions {
  /** Periods that begin until this day are charged. */
  until: string
  /** Somebody asked for it; null: the clock. */
  createdBy?: number | null
  /** While another process charges a batch: true waits for it and shares the work, false leaves it all to that process. */
  isPatient?: boolean
  signal?: AbortSignal
  /** Hears of each batch. */
  progress?(run: Run): void
  /** Hears of a contract that could not be charged. */
  failed?(error: unknown, runId: number): void
  /** Contracts in one transaction. */
  batch?: number
}

/** The run that is under way, or a new one where something is due; null: nothing is. */
const begin = (db: Db, { until, createdBy = null }: BillingOptions) =>
  db.transaction(async (tx) => {
    const [going] = await tx<Run[]>`select * from billing_runs where status = 'running'`
    if (going || !(await isAnyDue(tx, until))) return going ?? null
    await tx`
      insert into billing_runs (until_day, created_by) values (${until}, ${createdBy})
      on conflict (status) where status = 'running' do nothing`
    const [run] = await tx<Run[]>`select * from billing_runs where status = 'running'`
    return run ?? null
  })

/**
 * Charges all that is due, going on with a run that another process began and left. Any number of processes may: who charges a
 * batch holds the run's row, so each contract is charged by one of them, and a process that dies leaves its batch undone.
 * @returns the run; null: nothing was due
 */
export async function run(db: Db, options: BillingOptions): Promise<Run | null> {
  const { signal, progress, failed, isPatient = false } = options
  const most = options.batch ?? batchContracts
  let last = await begin(db, options)
  let size = most
  while (last?.status === 'running' && !signal?.aborted) {
    const runId = last.id
    try {
      const moved = await db.transaction((tx) => step(tx, runId, { size, isPatient }))
      if (moved === null) break
      last = moved
      size = Math.min(most, size * 2)
      progress?.(last)
    } catch (error) {
      // One that cannot be charged is found by halves, and left for the next run.
      if (size === 1) {
        await db.transaction((tx) => leave(tx, runId, error))
        failed?.(error, runId)
      }
      size = Math.max(1, Math.floor(size / 2))
    }
    // What was left of an older day is done: the days since are another run.
    if (last.status !== 'running' && last.untilDay < options.until) last = (await begin(db, options)) ?? last
  }
  return last
}

/** What the clock asks for at every tick. @returns null: nothing was due, or what failed lately waits */
export async function runByClock(db: Db, zone: string, options: Omit<BillingOptions, 'until'>): Promise<Run | null> {
  const [at] = await db.sql<{ today: string; isWaiting: boolean }[]>`
    select (now() at time zone ${zone})::date as today, exists (select from billing_runs
      where status = 'failed' and ended_at > now() - make_interval(mins => ${retryMinutes})) as is_waiting`
  return at!.isWaiting ? null : await run(db, { ...options, until: at!.today })
}

/** Today in a zone. */
export async function today(q: Queryable, zone: string): Promise<string> {
  const [at] = await q<{ today: string }[]>`select (now() at time zone ${zone})::date as today`
  return at!.today
}

/** The last runs, the latest first. */
export const runs = (q: Queryable, limit: number) =>
  q<Run[]>`select * from billing_runs order by id desc limit ${limit}`

/** Holds a run that is under way until the transaction ends; null: it is over, or another process is at it. */
async function hold(tx: Tx, id: number, isPatient: boolean): Promise<Run | null> {
  const [held] = await tx<Run[]>`
    select * from billing_runs where id = ${id} and status = 'running'
    for update ${isPatient ? tx`` : tx`skip locked`}`
  return held ?? null
}

const end = (tx: Tx, id: number) => tx<Run[]>`
  update billing_runs set status = case when failures > 0 then 'failed' else 'done' end, ended_at = now(), moved_at = now()
  where id = ${id} returning *`

/** One batch in one transaction; without any contract that is due the run is over. */
async function step(tx: Tx, runId: number, { size, isPatient }: { size: number; isPatient: boolean }) {
  const held = await hold(tx, runId, isPatient)
  if (!held) return (isPatient && (await tx<Run[]>`select * from billing_runs where id = ${runId}`)[0]) || null
  const contracts = await due(tx, held, { size, isHeld: true })
  if (contracts.length === 0) return (await end(tx, runId))[0]!
  const bills = contracts.map((contract) => ({ contract, ...bill(contract, held.untilDay) }))
  const charges = await book(tx, bills)
  await write(tx, runId, bills, charges)
  const [moved] = await tx<Run[]>`
    update billing_runs set moved_at = now(), last_contract_id = ${contracts.at(-1)!.id},
      contracts = contracts + ${contracts.length}, charges = charges + ${charges.length},
      amount_minor = amount_minor + ${charges.reduce((sum, { amountMinor }) => sum + amountMinor, 0)}::bigint,
      suspended = suspended + ${bills.filter(({ isSuspended }) => isSuspended).length}
    where id = ${runId} returning *`
  return moved!
}

type Billed = Bill & { contract: Due }
interface Booked extends Charge {
  contract: Due
  paymentId: number | null
  postingId: number | null
}

/** Posts what is to be paid. @throws Error a contract's balance is not that of its book */
async function book(tx: Tx, bills: readonly Billed[]): Promise<Booked[]> {
  const all = bills.flatMap(({ contract, charges }) => charges.map((charge) => ({ contract, ...charge })))
  const paid = all.filter(({ amountMinor }) => amountMinor > 0)
  const ids = await tx<{ id: number }[]>`
    select nextval(pg_get_serial_sequence('contract_payments', 'id')) as id from generate_series(1, ${paid.length}::int)`
  const posted = await postAll(
    tx,
    paid.map(
      ({ contract, amountMinor, periodStart }, at): NewPosting => ({
        owner: { kind: 'telecom', id: contract.id },
        unit: currency,
        // As every other payment of a contract is booked.
        key: `telecom payment ${ids[at]!.id}`,
        kind: 'telecom.charge',
        entries: { balance: -amountMinor, house: amountMinor },
        createdBy: null,
        about: { period: periodStart },
      }),
    ),
  )
  const bookings = new Map(paid.map((one, at) => [one, { paymentId: ids[at]!.id, ...posted[at]! }]))
  return all.map((one) => {
    const booking = bookings.get(one)
    if (booking && booking.balances.balance !== one.balanceAfterMinor)
      throw new Error(`contract ${one.contract.id} has another balance than its book`)
    return { ...one, paymentId: booking?.paymentId ?? null, postingId: booking?.id ?? null }
  })
}

/** Writes down what was charged: the payments, the charges, where the contracts and their SIMs stand. */
async function write(tx: Tx, runId: number, bills: readonly Billed[], charges: readonly Booked[]): Promise<void> {
  const rows = charges.map(({ contract, ...charge }) => ({
    ...{ contractId: contract.id, tariffId: contract.tariffId, feeMinor: contract.feeMinor, ...charge },
    transactionId: `TXN-${randomUUID().replaceAll('-', '').slice(0, 16).toUpperCase()}`,
    description: `Абонентская плата за ${charge.periodStart} – ${plusDays(charge.periodEnd, -1)}`,
  }))
  const given = tx.json(rows)
  await tx`
    insert into contract_payments (id, contract_id, transaction_type, amount_minor, status, payment_method, transaction_id,
      description, processed_at, balance_after_minor, posting_id)
    select "paymentId", "contractId", 'charge', "amountMinor", 'success', 'system', "transactionId", description, now(),
      "balanceAfterMinor", "postingId"
    from jsonb_to_recordset(${given}) as c ("paymentId" bigint, "contractId" bigint, "amountMinor" bigint,
      "transactionId" text, description text, "balanceAfterMinor" bigint, "postingId" bigint)
    where "paymentId" is not null`
  await tx`
    insert into billing_charges (contract_id, tariff_id, period_start, period_end, fee_minor, charged_days, period_days,
      amount_minor, payment_id, posting_id, run_id)
    select "contractId", "tariffId", "periodStart", "periodEnd", "feeMinor", "chargedDays", "periodDays", "amountMinor",
      "paymentId", "postingId", ${runId}
    from jsonb_to_recordset(${given}) as c ("contractId" bigint, "tariffId" bigint, "periodStart" date, "periodEnd" date,
      "feeMinor" bigint, "chargedDays" int, "periodDays" int, "amountMinor" bigint, "paymentId" bigint, "postingId" bigint)`
  await settle(tx, bills)
}

/** Where the contracts stand; the SIM of one that is suspended stops with it. */
async function settle(tx: Tx, bills: readonly Billed[]): Promise<void> {
  const states = bills.map(({ contract, balanceMinor, nextBillingDate, isSuspended }) => ({
    ...{ id: contract.id, balance: balanceMinor, cost: contract.balanceMinor - balanceMinor },
    ...{ next: nextBillingDate, suspended: isSuspended },
  }))
  await tx`
    update contracts c set balance_minor = s.balance, total_cost_minor = c.total_cost_minor + s.cost,
      next_billing_date = s.next, status = case when s.suspended then 'suspended' else c.status end,
      suspension_reason = case when s.suspended then 'balance' else c.suspension_reason end, updated_at = now()
    from jsonb_to_recordset(${tx.json(states)}) as s (id bigint, balance bigint, cost bigint, next date, suspended boolean)
    where c.id = s.id`
  const suspended = bills.filter(({ isSuspended }) => isSuspended).map(({ contract }) => contract.id)
  if (suspended.length === 0) return
  await tx`
    update sims set status = 'suspended', held_by = 'contract', updated_at = now()
    where contract_id = any(${suspended}::bigint[]) and status = 'active' and deleted_at is null`
  const newValues = { status: 'suspended', suspensionReason: 'balance' }
  await recordAll(
    tx,
    null,
    'telecom',
    suspended.map((entityId) => ({ action: 'contract.suspend', entityType: 'contract', entityId, newValues })),
  )
}

/** Leaves the next contract uncharged, and goes on behind it: it is due still, for the next run. */
async function leave(tx: Tx, runId: number, error: unknown): Promise<void> {
  const held = await hold(tx, runId, true)
  const [next] = held ? await due(tx, held, { size: 1, isHeld: false }) : []
  if (!next) return
  const text = `contract ${next.id}: ${String(error)}`.slice(0, errorCharactersMax)
  await tx`
    update billing_runs set last_contract_id = ${next.id}, failures = failures + 1, error = ${text}, moved_at = now()
    where id = ${runId}`
}
