import * as commands from '../devices/commands.ts'
import type { Actor } from '../platform/actor.ts'
import type { Tx } from '../postgres/connect.ts'
import { type Borrowed, borrow } from './borrow.ts'
import { Refused } from './refused.ts'

/**
 * Borrows one power bank wherever it sits (docs/contracts.md 4.8).
 * @throws Refused power_bank_not_found, power_bank_not_in_station, and all of `borrow`
 */
export async function borrowBank(
  tx: Tx,
  actor: Actor,
  request: { powerbankId: number; userId: number; idempotency?: commands.Idempotency | undefined },
): Promise<Borrowed & { stationId: number }> {
  const { powerbankId, userId, idempotency } = request
  // Asked first: the first time may have taken the bank out of its station.
  const commandId = idempotency ? await commands.replayed(tx, actor.userId, idempotency) : null
  if (commandId !== null) {
    const [order] = await tx<{ id: number; stationId: number }[]>`
      select id, station_id from orders where command_id = ${commandId}`
    if (!order) throw new Refused('idempotency_mismatch')
    return { orderId: order.id, stationId: order.stationId, commandId, repeated: true }
  }
  const [bank] = await tx<{ stationId: number | null }[]>`
    select sp.station_id from powerbanks p left join station_powerbanks sp on sp.powerbank_id = p.id
    where p.id = ${powerbankId} and p.deleted_at is null`
  if (!bank) throw new Refused('power_bank_not_found')
  if (bank.stationId === null) throw new Refused('power_bank_not_in_station')
  const { stationId } = bank
  return { stationId, ...(await borrow(tx, actor, { stationId, userId, choice: { powerbankId }, idempotency })) }
}
