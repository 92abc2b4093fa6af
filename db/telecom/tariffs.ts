import type { Actor } from '../platform/actor.ts'
import type { Tx } from '../postgres/connect.ts'
import { sql } from '../postgres/drizzle.ts'
import { type ReadBy, tableOf } from '../table.ts'
import { noted, unknown } from './moving.ts'
import { Refused } from './refused.ts'
import { contracts, tariffs } from './schema.ts'

const table = tableOf(tariffs, {
  deletes: 'soft',
  newestFirst: true,
  audit: { surface: 'telecom', as: 'tariff', values: 'all' },
  unknown: (id) => unknown('tariff', id),
  beside: {
    activeContractsCount: sql<number>`(select count(*) from ${contracts} where ${contracts.tariffId} = ${tariffs.id}
      and ${contracts.status} = 'active' and ${contracts.deletedAt} is null)`,
  },
})
export type Tariff = ReadBy<typeof table>
export const { list, get, create, change } = table

/** @throws Refused not_found, conflict (tariff_in_use) */
export async function remove(tx: Tx, actor: Actor, id: number): Promise<void> {
  await table.hold(tx, actor, id)
  const [used] = await tx`select from contracts where tariff_id = ${id} and deleted_at is null limit 1`
  if (used) throw new Refused('conflict', 'in use', { reason: 'tariff_in_use' })
  await table.remove(tx, actor, id)
}

/**
 * Sold from now on, or no more. One that active contracts have goes on being sold.
 * @throws Refused not_found, conflict (tariff_activate, tariff_deactivate: it is so already; tariff_in_use)
 */
export async function sell(tx: Tx, actor: Actor, id: number, isActive: boolean): Promise<void> {
  const tariff = await table.hold(tx, actor, id)
  if (tariff.isActive === isActive)
    throw new Refused('conflict', 'so already', { reason: isActive ? 'tariff_activate' : 'tariff_deactivate' })
  if (!isActive && tariff.activeContractsCount > 0) throw new Refused('conflict', 'in use', { reason: 'tariff_in_use' })
  await tx`update tariffs set is_active = ${isActive}, updated_at = now() where id = ${id}`
  await noted(tx, actor, 'tariff', id, isActive ? 'activate' : 'deactivate', { isActive })
}

/** A tariff that is sold; it is until the transaction ends. @throws Refused invalid {tariff} */
export async function holdSold(tx: Tx, id: number): Promise<void> {
  const [tariff] = await tx<{ isActive: boolean }[]>`
    select is_active from tariffs where id = ${id} and deleted_at is null for share`
  if (!tariff) throw new Refused('invalid', 'unknown', { field: 'tariff', reason: 'tariff_unknown' })
  if (!tariff.isActive) throw new Refused('invalid', 'not sold', { field: 'tariff', reason: 'tariff_inactive' })
}
