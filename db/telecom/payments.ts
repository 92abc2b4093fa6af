import { randomUUID } from 'node:crypto'
import { type Actor, hasRole } from '../platform/actor.ts'
import type { Tx } from '../postgres/connect.ts'
import { eq, sql } from '../postgres/drizzle.ts'
import { type New, type Part, type ReadBy, tableOf } from '../table.ts'
import { book, hold } from './booking.ts'
import { illegal, move, moveOf, noted, unknown } from './moving.ts'
import { Refused } from './refused.ts'
import { contractPayments, contracts } from './schema.ts'
import type { PaymentMethod, TransactionType } from './words.ts'

const table = tableOf(contractPayments, {
  deletes: 'soft',
  newestFirst: true,
  audit: {
    surface: 'telecom',
    as: 'payment',
    values: ['contractId', 'transactionType', 'amountMinor', 'paymentMethod', 'transactionId', 'description', 'status'],
  },
  unknown: (id) => unknown('payment', id),
  joins: [[contracts, eq(contracts.id, contractPayments.contractId)]],
  beside: { contractNumber: sql<string>`${contracts.number}` },
})
export type Payment = ReadBy<typeof table>
export const { list, get } = table

/** Payments that wait to be booked. */
export const pending = sql`${contractPayments.status} in ('pending', 'processing')`

type Given = Pick<
  New<typeof contractPayments>,
  'contractId' | 'transactionType' | 'amountMinor' | 'paymentMethod' | 'description' | 'paymentDate'
> & { transactionId?: string | undefined }

/** Nobody else's: unless the client names it. */
const newTransactionId = () => `TXN-${randomUUID().replaceAll('-', '').slice(0, 16).toUpperCase()}`

/** Money that goes back, and mistakes that are put right, are for supervisors. @throws Refused forbidden */
function assertMay(actor: Actor, type: TransactionType): void {
  const isDelicate = type === 'refund' || type === 'correction'
  if (isDelicate && !hasRole(actor, 'supervisor', 'admin')) throw new Refused('forbidden', `${type} is a supervisor's`)
}

/** Only a correction says by its sign which way it goes. @throws Refused invalid {amount} */
function assertSign(type: TransactionType, amountMinor: number): void {
  if (amountMinor <= 0 && type !== 'correction')
    throw new Refused('invalid', 'sign', { field: 'amount', reason: 'payment_sign' })
}

/** @throws Refused invalid {contract} */
async function assertContract(tx: Tx, id: number): Promise<void> {
  const [contract] = await tx`select from contracts where id = ${id} and deleted_at is null for key share`
  if (!contract) throw new Refused('invalid', 'unknown', { field: 'contract', reason: 'contract_unknown' })
}

/** A payment that waits to be processed. @throws Refused forbidden, invalid {contract}, duplicate (transaction_id) */
export async function create(tx: Tx, actor: Actor, given: Given): Promise<Payment> {
  assertMay(actor, given.transactionType)
  assertSign(given.transactionType, given.amountMinor)
  await assertContract(tx, given.contractId)
  const { transactionId = newTransactionId(), ...rest } = given
  return await table.create(tx, actor, { ...rest, transactionId, createdBy: actor.userId })
}

/**
 * What is booked stays as it is: a mistake is undone by another payment.
 * @throws Refused not_found, forbidden, conflict (payment_booked), invalid {contract, amount}, duplicate (transaction_id)
 */
export async function change(tx: Tx, actor: Actor, id: number, given: Part<Given>) {
  const before = await holdUnbooked(tx, actor, id)
  const { transactionType = before.transactionType, amountMinor = before.amountMinor } = given
  assertMay(actor, before.transactionType)
  assertMay(actor, transactionType)
  assertSign(transactionType, amountMinor)
  if (given.contractId !== undefined) await assertContract(tx, given.contractId)
  return await table.change(tx, actor, id, given)
}

/** @throws Refused not_found, conflict (payment_booked) */
async function holdUnbooked(tx: Tx, actor: Actor, id: number): Promise<Payment> {
  const payment = await table.hold(tx, actor, id)
  if (payment.postingId !== null) throw new Refused('conflict', 'booked', { reason: 'payment_booked' })
  return payment
}

/** @throws Refused not_found, conflict (payment_booked) */
export async function remove(tx: Tx, actor: Actor, id: number): Promise<void> {
  await holdUnbooked(tx, actor, id)
  await table.remove(tx, actor, id)
}

/**
 * Books a payment, once: whoever says it second, or at the same time, is refused. A refund that is paid out is `refunded`.
 * @throws Refused not_found, forbidden, conflict (payment_process, contract_is_terminated, contract_not_charged),
 *   insufficient_funds
 */
export async function process(tx: Tx, actor: Actor, id: number): Promise<{ balanceMinor: number }> {
  const known = await table.find(tx, id)
  if (!known) throw unknown('payment', id)
  const contract = await hold(tx, known.contractId)
  const payment = await table.hold(tx, actor, id)
  assertMay(actor, payment.transactionType)
  const { from, to } = moveOf('payment', payment.transactionType === 'refund' ? 'refund' : 'process')
  if (!from.includes(payment.status) || payment.contractId !== contract.id) throw illegal('payment', 'process')
  const { postingId, balanceMinor } = await book(tx, actor, contract, payment)
  await tx`
    update contract_payments set status = ${to}, posting_id = ${postingId}, balance_after_minor = ${balanceMinor},
      processed_at = now(), processed_by = ${actor.userId}, updated_at = now()
    where id = ${id}`
  await noted(tx, actor, 'payment', id, 'process', { status: to, balanceMinor })
  return { balanceMinor }
}

/** @throws Refused not_found, conflict (payment_cancel) */
export const cancel = (tx: Tx, actor: Actor, id: number) => move(tx, actor, 'payment', id, 'cancel')

/** @throws Refused not_found, conflict (payment_fail) */
export const fail = (tx: Tx, actor: Actor, id: number, reason: string | null) =>
  move(tx, actor, 'payment', id, 'fail', tx`, fail_reason = ${reason}`)

/** What a contract had before and after. */
export interface Moved {
  oldMinor: number
  newMinor: number
}

/** Of a payment that is made and booked in one: a top-up, a charge by hand. */
interface AtOnce {
  transactionType: 'payment' | 'charge'
  amountMinor: number
  paymentMethod: PaymentMethod
  description: string
}

/**
 * Tops a contract up, or charges it by hand, which never makes a debt.
 * @throws Refused not_found, conflict (contract_is_terminated, contract_not_charged), insufficient_funds
 */
export async function atOnce(tx: Tx, actor: Actor, contractId: number, given: AtOnce): Promise<Moved> {
  const { balanceMinor: oldMinor } = await hold(tx, contractId)
  const { id } = await create(tx, actor, { ...given, contractId })
  const { balanceMinor: newMinor } = await process(tx, actor, id)
  return { oldMinor, newMinor }
}
