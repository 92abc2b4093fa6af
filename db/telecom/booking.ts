import * as ledger from '../ledger/ledger.ts'
import type { Actor } from '../platform/actor.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import { afterBooking, effectOf } from './decide/contract-state.ts'
import { unknown } from './moving.ts'
import { Refused } from './refused.ts'
import type { contractPayments, contracts, customers } from './schema.ts'
import { follow } from './sims-of-contract.ts'
import { currency } from './words.ts'

/** A contract that is locked until the transaction ends, and its customer, who stays as they are until then. */
export type Held = Pick<
  typeof contracts.$inferSelect,
  'id' | 'number' | 'customerId' | 'tariffId' | 'status' | 'suspensionReason' | 'balanceMinor' | 'billingAnchor'
> & { customerStatus: (typeof customers.$inferSelect)['status'] }

/**
 * Locks a contract. The customer is locked (to share) before it: customer, contract, SIM and book are locked in this order
 * by everything here.
 * @throws Refused not_found
 */
export async function hold(tx: Tx, id: number): Promise<Held> {
  const [customer] = await tx<{ status: Held['customerStatus'] }[]>`
    select status from customers
    where id = (select customer_id from contracts where id = ${id} and deleted_at is null) for share`
  const [contract] = await tx<Omit<Held, 'customerStatus'>[]>`
    select id, number, customer_id, tariff_id, status, suspension_reason, balance_minor, billing_anchor
    from contracts where id = ${id} and deleted_at is null for no key update`
  if (!customer || !contract) throw unknown('contract', id)
  return { ...contract, customerStatus: customer.status }
}

/** Whose book it is. */
export const bookOf = (contractId: number) => ({ owner: { kind: 'telecom' as const, id: contractId }, unit: currency })

/** What a contract has, in minor units, as the ledger says. */
export const balanceOf = (q: Queryable, contractId: number): Promise<number> => {
  const { owner, unit } = bookOf(contractId)
  return ledger.balance(q, owner, unit)
}

type Payment = Pick<typeof contractPayments.$inferSelect, 'id' | 'transactionType' | 'amountMinor'>

/** What a booking came to. */
export interface Booked {
  postingId: number
  balanceMinor: number
}

/**
 * Books a payment of a contract that is held, once, and lets a debt suspend it, or its end resume it.
 * @param mayOwe it may fall below 0: the monthly fee, nothing that is done by hand
 * @throws Refused conflict (contract_is_terminated, contract_not_charged), insufficient_funds
 */
export async function book(
  tx: Tx,
  actor: Actor | null,
  contract: Held,
  payment: Payment,
  { mayOwe = false }: { mayOwe?: boolean } = {},
): Promise<Booked> {
  const { id, transactionType: type, amountMinor } = payment
  const effect = effectOf(type, amountMinor)
  if (contract.status === 'terminated')
    throw new Refused('conflict', 'terminated', { reason: 'contract_is_terminated' })
  if (contract.status === 'draft' && type === 'charge')
    throw new Refused('conflict', 'not charged', { reason: 'contract_not_charged' })
  if (effect < 0 && !mayOwe && contract.balanceMinor + effect < 0)
    throw new Refused('insufficient_funds', '', { available: contract.balanceMinor })
  const posted = await ledger.post(tx, {
    ...bookOf(contract.id),
    key: `telecom payment ${id}`,
    kind: `telecom.${type}`,
    entries: { balance: effect, house: -effect },
    createdBy: actor?.userId ?? null,
  })
  const balanceMinor = posted.balances.balance!
  const next = afterBooking(contract, balanceMinor)
  await tx`
    update contracts set balance_minor = ${balanceMinor}, status = ${next.status},
      suspension_reason = ${next.suspensionReason}, updated_at = now(),
      total_cost_minor = total_cost_minor + ${type === 'charge' ? amountMinor : 0}
    where id = ${contract.id}`
  if (next.status !== contract.status) await follow(tx, contract.id, next.status)
  return { postingId: posted.id, balanceMinor }
}
