import type { Actor } from '../platform/actor.ts'
import { value } from '../postgres/composed.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import { and, sql } from '../postgres/drizzle.ts'
import { type Asked, type Change, holding, type New, type ReadBy, tableOf } from '../table.ts'
import { move, unknown } from './moving.ts'
import { Refused } from './refused.ts'
import { customers } from './schema.ts'
import { keyOf } from './search-key.ts'
import type { CustomerStatus } from './words.ts'

/** What a body may set. */
const SET = [
  'firstName',
  'lastName',
  'middleName',
  'birthDate',
  'phone',
  'email',
  'documentType',
  'documentNumber',
  'passportIssuedBy',
  'passportIssueDate',
  'address',
] as const
export type CustomerFields = Pick<New<typeof customers>, (typeof SET)[number]>

const table = tableOf(customers, {
  deletes: 'soft',
  newestFirst: true,
  // Who they are is not copied into the log of changes: their papers and addresses would outlive them there.
  audit: { surface: 'telecom', as: 'customer', values: ['status'] },
  unknown: (id) => unknown('customer', id),
})
export type Customer = ReadBy<typeof table>
export const { get, create } = table

/** SQL: rows whose key has all words in it, which an index finds. */
function keyed(words: string) {
  const found = words.split(/\s+/).filter(Boolean)
  return and(...found.map((word) => sql`${customers.searchKey} like ${value(holding(keyOf(word)))}`))
}

/** One page of them, and how many there are in all. */
export const list = (q: Queryable, actor: Actor, asked: Asked<Customer>) =>
  table.list(q, actor, asked.search ? { ...asked, where: keyed(asked.search.words) } : asked)

/** @throws Refused not_found, duplicate */
export const change = (tx: Tx, actor: Actor, id: number, given: Change<typeof customers>): Promise<Customer> =>
  table.change(tx, actor, id, given)

/**
 * The same, and perhaps into the archive: the one move that a body may ask for.
 * @throws Refused not_found, duplicate, conflict (customer_archive, customer_has_contracts), invalid {status}
 */
export async function patch(
  tx: Tx,
  actor: Actor,
  id: number,
  given: Change<typeof customers>,
  status?: CustomerStatus,
): Promise<Customer> {
  const before = await table.hold(tx, actor, id)
  if (status !== undefined && status !== before.status) {
    if (status !== 'archived') throw new Refused('invalid', 'not by a body', { field: 'status' })
    await archive(tx, actor, id)
  }
  return await table.change(tx, actor, id, given)
}

/** @throws Refused not_found, conflict (customer_in_use: contracts or tickets) */
export async function remove(tx: Tx, actor: Actor, id: number): Promise<void> {
  await table.hold(tx, actor, id)
  const [used] = await tx`
    select from contracts where customer_id = ${id} and deleted_at is null
    union all select from tickets where customer_id = ${id} and deleted_at is null limit 1`
  if (used) throw new Refused('conflict', 'in use', { reason: 'customer_in_use' })
  await table.remove(tx, actor, id)
}

/** Stops all that works of a customer's: contracts that were active, and no others, will go on with them. */
async function stop(tx: Tx, id: number): Promise<void> {
  await tx`
    update contracts set status = 'suspended', suspension_reason = 'customer', updated_at = now()
    where customer_id = ${id} and status = 'active' and deleted_at is null`
}

/** SIMs of the contracts that are stopped with their customer, but those that somebody stopped themselves. */
const stopSims = (tx: Tx, id: number, to: 'suspended' | 'blocked') => tx`
  update sims set status = ${to}, held_by = 'customer', updated_at = now()
  where contract_id in (select id from contracts where customer_id = ${id} and suspension_reason = 'customer')
    and (status = 'active' or (${to === 'blocked'} and status = 'suspended' and held_by <> 'operator'))
    and deleted_at is null`

/** Stops service until `activate`. @throws Refused not_found, conflict (customer_suspend) */
export async function suspend(tx: Tx, actor: Actor, id: number): Promise<void> {
  await move(tx, actor, 'customer', id, 'suspend')
  await stop(tx, id)
  await stopSims(tx, id, 'suspended')
}

/** The same, and blocks the SIMs. @throws Refused not_found, conflict (customer_block) */
export async function block(tx: Tx, actor: Actor, id: number): Promise<void> {
  await move(tx, actor, 'customer', id, 'block')
  await stop(tx, id)
  await stopSims(tx, id, 'blocked')
}

/** @throws Refused not_found, conflict (customer_archive; customer_has_contracts: an active one) */
async function archive(tx: Tx, actor: Actor, id: number): Promise<void> {
  await move(tx, actor, 'customer', id, 'archive')
  const [active] = await tx`
    select from contracts where customer_id = ${id} and status = 'active' and deleted_at is null limit 1`
  if (active) throw new Refused('conflict', 'active contracts', { reason: 'customer_has_contracts' })
}

/**
 * Undoes suspension, blocking and archiving: the contracts that stopped with the customer go on, and their SIMs. One that
 * is in debt by now stays suspended, for the debt.
 * @throws Refused not_found, conflict (customer_activate)
 */
export async function activate(tx: Tx, actor: Actor, id: number): Promise<void> {
  await move(tx, actor, 'customer', id, 'activate')
  await tx`
    with resumed as (
      update contracts set status = case when balance_minor < 0 then 'suspended' else 'active' end,
        suspension_reason = case when balance_minor < 0 then 'balance' end, updated_at = now()
      where customer_id = ${id} and suspension_reason = 'customer' and deleted_at is null returning id, status)
    update sims s set status = r.status, held_by = case r.status when 'suspended' then 'contract' end, updated_at = now()
    from resumed r where s.contract_id = r.id and s.held_by in ('contract', 'customer') and s.deleted_at is null`
}

/** A customer who may have a new contract; stays as they are until the transaction ends. @throws Refused invalid {customer} */
export async function holdActive(tx: Tx, id: number): Promise<void> {
  const [customer] = await tx<{ status: CustomerStatus }[]>`
    select status from customers where id = ${id} and deleted_at is null for share`
  if (!customer) throw new Refused('invalid', 'unknown', { field: 'customer', reason: 'customer_unknown' })
  if (customer.status !== 'active')
    throw new Refused('invalid', 'not active', { field: 'customer', reason: 'customer_inactive' })
}
