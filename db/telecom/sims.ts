import { type Actor, hasRole } from '../platform/actor.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import { eq, sql } from '../postgres/drizzle.ts'
import { type Asked, type Change, type New, type ReadBy, tableOf } from '../table.ts'
import { hold } from './booking.ts'
import { illegal, move, noted, unknown } from './moving.ts'
import { Refused } from './refused.ts'
import { contracts, customers, sims } from './schema.ts'

const table = tableOf(sims, {
  deletes: 'soft',
  newestFirst: true,
  audit: { surface: 'telecom', as: 'sim', values: ['iccid', 'imsi', 'msisdn', 'status'] },
  unknown: (id) => unknown('sim', id),
  joins: [
    [contracts, eq(contracts.id, sims.contractId)],
    [customers, eq(customers.id, contracts.customerId)],
  ],
  beside: {
    contractNumber: sql<string | null>`${contracts.number}`,
    customerName: sql<
      string | null
    >`nullif(concat_ws(' ', ${customers.lastName}, ${customers.firstName}, ${customers.middleName}), '')`,
  },
})
/** Without the PUK for whoever may not see it. */
export type Sim = Omit<ReadBy<typeof table>, 'pukCode'> & { pukCode?: string | null }

/** Who may see what opens a card. */
const seesPuk = (actor: Actor) => hasRole(actor, 'operator', 'supervisor', 'admin')

function shownTo(actor: Actor, { pukCode, ...sim }: ReadBy<typeof table>): Sim {
  return seesPuk(actor) ? { ...sim, pukCode } : sim
}

/** SIMs, always without their PUKs. */
export async function list(q: Queryable, actor: Actor, asked: Asked<ReadBy<typeof table>>) {
  const { rows, total } = await table.list(q, actor, asked)
  return { total, rows: rows.map(({ pukCode: _, ...sim }): Sim => sim) }
}

export const get = async (q: Queryable, actor: Actor, id: number) => shownTo(actor, await table.get(q, actor, id))

/** @throws Refused duplicate (iccid, imsi, msisdn) */
export const create = async (tx: Tx, actor: Actor, given: New<typeof sims>) =>
  shownTo(actor, await table.create(tx, actor, given))

/** @throws Refused not_found, duplicate (iccid, imsi, msisdn) */
export const change = async (tx: Tx, actor: Actor, id: number, given: Change<typeof sims>) =>
  shownTo(actor, await table.change(tx, actor, id, given))

/** @throws Refused not_found, conflict (sim_in_use: a contract has it) */
export async function remove(tx: Tx, actor: Actor, id: number): Promise<void> {
  const { contractId } = await table.hold(tx, actor, id)
  if (contractId !== null) throw new Refused('conflict', 'in use', { reason: 'sim_in_use' })
  await table.remove(tx, actor, id)
}

/**
 * Gives a free SIM to a contract that has none; it works as the contract does.
 * @throws Refused not_found, conflict (sim_activate, contract_is_draft, contract_is_terminated, contract_has_sim)
 */
export async function activate(tx: Tx, actor: Actor, id: number, contractId: number): Promise<{ number: string }> {
  const { number, status } = await hold(tx, contractId)
  const [sim] = await tx<{ status: string }[]>`
    select status from sims where id = ${id} and deleted_at is null for no key update`
  if (!sim) throw unknown('sim', id)
  if (sim.status !== 'free') throw illegal('sim', 'activate')
  if (status === 'draft' || status === 'terminated')
    throw new Refused('conflict', status, { reason: `contract_is_${status}` })
  const [other] = await tx`select from sims where contract_id = ${contractId} and deleted_at is null`
  if (other) throw new Refused('conflict', 'has a SIM', { reason: 'contract_has_sim' })
  await tx`
    update sims set status = ${status}, held_by = ${status === 'suspended' ? 'contract' : null}, contract_id = ${contractId},
      activated_at = now(), deactivated_at = null, updated_at = now()
    where id = ${id}`
  await noted(tx, actor, 'sim', id, 'activate', { status, contractId })
  return { number }
}

/** Locks the contract that has it, if any: before the SIM, as everything does. @throws Refused not_found */
async function holdContractOf(tx: Tx, id: number): Promise<void> {
  const [sim] = await tx<{ contractId: number | null }[]>`
    select contract_id from sims where id = ${id} and deleted_at is null`
  if (!sim) throw unknown('sim', id)
  if (sim.contractId !== null) await hold(tx, sim.contractId)
}

/** Takes it from its contract, which stays as it is. @throws Refused not_found, conflict (sim_deactivate) */
export async function deactivate(tx: Tx, actor: Actor, id: number): Promise<void> {
  await holdContractOf(tx, id)
  await move(tx, actor, 'sim', id, 'deactivate', tx`, contract_id = null, held_by = null, deactivated_at = now()`)
}

/** Stops the card itself, lost or stolen: no resumption of its contract sets it going. @throws Refused not_found, conflict (sim_block) */
export async function block(tx: Tx, actor: Actor, id: number): Promise<void> {
  await holdContractOf(tx, id)
  await move(tx, actor, 'sim', id, 'block', tx`, held_by = 'operator'`)
}

/** Ends a card for good. @throws Refused not_found, conflict (sim_close) */
export async function close(tx: Tx, actor: Actor, id: number): Promise<void> {
  await holdContractOf(tx, id)
  await move(tx, actor, 'sim', id, 'close', tx`, contract_id = null, held_by = null, deactivated_at = now()`)
}
