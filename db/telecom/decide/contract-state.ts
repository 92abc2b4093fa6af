import type { ContractStatus, CustomerStatus, SuspensionReason, TransactionType } from '../words.ts'

/** Where a contract stands, and why it is suspended. */
export interface ContractState {
  status: ContractStatus
  suspensionReason: SuspensionReason | null
}

/** How an amount moves the balance; a correction says so by its sign. */
export const effectOf = (type: TransactionType, amountMinor: number): number =>
  type === 'charge' || type === 'refund' ? -amountMinor : amountMinor

/**
 * Where a contract stands once its balance is this. A debt suspends what was active; what the balance suspended goes on
 * without a debt, unless its customer is stopped: then it goes on with the customer.
 */
export function afterBooking(
  state: ContractState & { customerStatus: CustomerStatus },
  balanceMinor: number,
): ContractState {
  const { status, suspensionReason, customerStatus } = state
  if (status === 'active' && balanceMinor < 0) return { status: 'suspended', suspensionReason: 'balance' }
  if (status !== 'suspended' || suspensionReason !== 'balance' || balanceMinor < 0) return { status, suspensionReason }
  return customerStatus === 'active'
    ? { status: 'active', suspensionReason: null }
    : { status: 'suspended', suspensionReason: 'customer' }
}
