import type { Tx } from '../postgres/connect.ts'
import type { ContractStatus } from './words.ts'

/**
 * A contract's SIM follows it: stopped with it, and set going again unless it is the card itself that somebody blocked. The
 * contract is locked, and so is any other way to its SIM.
 */
export const follow = (tx: Tx, contractId: number, status: ContractStatus) =>
  status === 'active'
    ? tx`
        update sims set status = 'active', held_by = null, updated_at = now()
        where contract_id = ${contractId} and held_by in ('contract', 'customer') and deleted_at is null`
    : tx`
        update sims set status = 'suspended', held_by = 'contract', updated_at = now()
        where contract_id = ${contractId} and status = 'active' and deleted_at is null`

/** Gives a contract's SIM back, whatever its state. */
export const release = (tx: Tx, contractId: number) => tx`
  update sims set status = 'free', held_by = null, contract_id = null, deactivated_at = now(), updated_at = now()
  where contract_id = ${contractId} and deleted_at is null`
