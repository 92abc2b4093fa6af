import type { Actor } from '../platform/actor.ts'
import type { Tx } from '../postgres/connect.ts'
import { eq, sql } from '../postgres/drizzle.ts'
import { type New, type Part, type ReadBy, tableOf } from '../table.ts'
import { hold } from './booking.ts'
import * as customersOf from './customers.ts'
import { move, unknown } from './moving.ts'
import { Refused } from './refused.ts'
import { contracts, customers, sims, tariffs } from './schema.ts'
import { follow, release } from './sims-of-contract.ts'
import * as tariffsOf from './tariffs.ts'

const simOf = (column: typeof sims.id | typeof sims.msisdn) => sql`(select ${column} from ${sims}
  where ${sims.contractId} = ${contracts.id} and ${sims.deletedAt} is null)`

const table = tableOf(contracts, {
  deletes: 'soft',
  newestFirst: true,
  audit: { surface: 'telecom', as: 'contract', values: ['customerId', 'tariffId', 'signedDate', 'notes'] },
  unknown: (id) => unknown('contract', id),
  joins: [
    [customers, eq(customers.id, contracts.customerId)],
    [tariffs, eq(tariffs.id, contracts.tariffId)],
  ],
  beside: {
    customerName: sql<string>`concat_ws(' ', ${customers.lastName}, ${customers.firstName}, ${customers.middleName})`,
    tariffName: sql<string>`${tariffs.name}`,
    simId: sql<number | null>`${simOf(sims.id)}`,
    msisdn: sql<string | null>`${simOf(sims.msisdn)}`,
  },
})
export type Contract = ReadBy<typeof table>
export const { list, get, find } = table

/** What a body may set. */
export type Given = Pick<New<typeof contracts>, 'customerId' | 'tariffId' | 'signedDate' | 'notes'>

/** The next number of the year in this zone, without a gap: whoever makes a contract waits for the one before. */
async function nextNumber(tx: Tx, zone: string): Promise<string> {
  const [row] = await tx<{ year: number; last: number }[]>`
    insert into contract_numbers (year, last) values (extract(year from now() at time zone ${zone}), 1)
    on conflict (year) do update set last = contract_numbers.last + 1 returning year, last`
  return `CTR-${row!.year}-${String(row!.last).padStart(6, '0')}`
}

/** A draft, for an active customer and a tariff that is sold. @throws Refused invalid {customer}, invalid {tariff} */
export async function create(tx: Tx, actor: Actor, given: Given, zone: string): Promise<Contract> {
  await customersOf.holdActive(tx, given.customerId)
  await tariffsOf.holdSold(tx, given.tariffId)
  return await table.create(tx, actor, { ...given, number: await nextNumber(tx, zone) })
}

/**
 * Another tariff holds from the next charge on; another customer is for drafts only.
 * @throws Refused not_found, invalid {customer}, invalid {tariff}, conflict (contract_is_terminated)
 */
export async function change(tx: Tx, actor: Actor, id: number, given: Part<Given>): Promise<Contract> {
  const before = await hold(tx, id)
  const { customerId = before.customerId, tariffId = before.tariffId } = given
  if (before.status === 'terminated' && tariffId !== before.tariffId)
    throw new Refused('conflict', 'terminated', { reason: 'contract_is_terminated' })
  if (customerId !== before.customerId) {
    if (before.status !== 'draft')
      throw new Refused('invalid', 'not a draft', { field: 'customer', reason: 'contract_fixed' })
    await customersOf.holdActive(tx, customerId)
  }
  if (tariffId !== before.tariffId) await tariffsOf.holdSold(tx, tariffId)
  return await table.change(tx, actor, id, given)
}

/** @throws Refused not_found, conflict (contract_in_use: no draft, or with payments or tickets) */
export async function remove(tx: Tx, actor: Actor, id: number): Promise<void> {
  const { status } = await hold(tx, id)
  const [used] = await tx`
    select from contract_payments where contract_id = ${id} and deleted_at is null
    union all select from tickets where contract_id = ${id} and deleted_at is null limit 1`
  if (used || status !== 'draft') throw new Refused('conflict', 'in use', { reason: 'contract_in_use' })
  await table.remove(tx, actor, id)
}

/** What an activation ties together. */
export interface Activated {
  number: string
  msisdn: string
}

/**
 * A draft becomes active with a free SIM: both, or nothing. Its first day is today in this zone, and its periods are
 * counted from it.
 * @throws Refused not_found, conflict (contract_activate, customer_inactive, sim_not_free)
 */
export async function activate(
  tx: Tx,
  actor: Actor,
  id: number,
  { simId, zone }: { simId: number; zone: string },
): Promise<Activated> {
  const { number, customerStatus } = await hold(tx, id)
  const [known] = await tx`select from sims where id = ${simId} and deleted_at is null`
  if (!known) throw unknown('sim', simId)
  await move(
    tx,
    actor,
    'contract',
    id,
    'activate',
    tx`, activation_date = (now() at time zone ${zone})::date, billing_anchor = (now() at time zone ${zone})::date,
      next_billing_date = ((now() at time zone ${zone})::date + interval '1 month')::date`,
  )
  if (customerStatus !== 'active') throw new Refused('conflict', 'customer', { reason: 'customer_inactive' })
  const [sim] = await tx<{ msisdn: string }[]>`
    update sims set status = 'active', contract_id = ${id}, activated_at = now(), deactivated_at = null, updated_at = now()
    where id = ${simId} and status = 'free' and deleted_at is null returning msisdn`
  if (!sim) throw new Refused('conflict', 'not free', { reason: 'sim_not_free' })
  return { number, msisdn: sim.msisdn }
}

/** Stops a contract and its SIM. @throws Refused not_found, conflict (contract_suspend) */
export async function suspend(tx: Tx, actor: Actor, id: number): Promise<void> {
  await hold(tx, id)
  await move(tx, actor, 'contract', id, 'suspend', tx`, suspension_reason = 'operator'`)
  await follow(tx, id, 'suspended')
}

/**
 * Sets a contract going again, and its SIM.
 * @throws Refused not_found, conflict (contract_resume, contract_in_debt: the balance suspended it, customer_inactive)
 */
export async function resume(tx: Tx, actor: Actor, id: number): Promise<void> {
  const { suspensionReason, balanceMinor, customerStatus } = await hold(tx, id)
  await move(tx, actor, 'contract', id, 'resume', tx`, suspension_reason = null`)
  if (customerStatus !== 'active') throw new Refused('conflict', 'customer', { reason: 'customer_inactive' })
  if (suspensionReason === 'balance' && balanceMinor < 0)
    throw new Refused('conflict', 'in debt', { reason: 'contract_in_debt' })
  await follow(tx, id, 'active')
}

/** Ends a contract for good; its SIM is free again. @throws Refused not_found, conflict (contract_terminate) */
export async function terminate(tx: Tx, actor: Actor, id: number, zone: string): Promise<void> {
  await hold(tx, id)
  await move(
    tx,
    actor,
    'contract',
    id,
    'terminate',
    tx`, suspension_reason = null, next_billing_date = null, termination_date = (now() at time zone ${zone})::date`,
  )
  await release(tx, id)
}
