import * as audit from '../messages/audit.ts'
import { record } from '../messages/events.ts'
import type { Actor } from '../platform/actor.ts'
import type { Tx } from '../postgres/connect.ts'
import { assertMayActFor } from './borrow.ts'
import * as orders from './orders.ts'
import { unplace } from './powerbank-changes.ts'
import { Refused } from './refused.ts'
import { administered, assertInScope } from './scope.ts'

/** The bank's row, locked: whoever changes a loan of it waits (`lock` in station-lock.ts says in which order). */
async function holdBank(tx: Tx, id: number): Promise<{ orgUnitId: number | null } | undefined> {
  const [bank] = await tx<{ orgUnitId: number | null }[]>`
    select org_unit_id from powerbanks where id = ${id} and deleted_at is null for no key update`
  return bank
}

/** Takes a bank out of service as lost. */
async function lose(tx: Tx, actor: Actor | null, powerbankId: number, note: string | null): Promise<void> {
  await tx`
    update powerbanks set status = 'written_off', write_off_reason = 'lost', updated_at = now() where id = ${powerbankId}`
  await unplace(tx, powerbankId)
  await audit.record(tx, actor, 'powerbank', {
    action: 'powerbank.write_off',
    entityType: 'powerbank',
    entityId: powerbankId,
    newValues: { status: 'written_off', writeOffReason: 'lost' },
    description: note,
  })
}

/**
 * Ends a loan whose bank will not come back: the order is closed by force, the bank is written off as lost. Actor
 * null: the clock. Of two at once one wins; a bank that came back meanwhile stays in service.
 * @returns false when the loan has ended, or another bank was found to be the lent one
 */
export async function loseLoan(tx: Tx, actor: Actor | null, orderId: number, note: string | null): Promise<boolean> {
  const before = await orders.get(tx, orderId)
  if (before?.status !== 'borrow') return false
  const { powerbankId, stationId, userId } = before
  if (powerbankId !== null) await holdBank(tx, powerbankId)
  if ((await orders.get(tx, orderId))?.powerbankId !== powerbankId) return false
  const evidence = `written off as lost by ${actor ? 'an administrator' : 'the clock'}`
  if (!(await orders.move(tx, orderId, { to: 'force_eject', evidence }))) return false
  if (powerbankId === null) return true
  await lose(tx, actor, powerbankId, note)
  await record(tx, 'powerbank.written_off', { stationId, userId, orderId, data: { powerbankId } })
  return true
}

/**
 * An administrator writes off what a user has lost (docs/contracts.md 4.2).
 * @returns the order that was closed
 * @throws Refused power_bank_not_found, not_yours, not_found (no loan of this bank by this user), conflict (its cabinet
 *   has not said yet whether the bank went out)
 */
export async function writeOff(
  tx: Tx,
  actor: Actor,
  { userId, powerbankId, note }: { userId: number; powerbankId: number; note: string | null },
): Promise<number> {
  await assertMayActFor(tx, actor, userId)
  const bank = await holdBank(tx, powerbankId)
  if (!bank) throw new Refused('power_bank_not_found')
  assertInScope(await administered(tx, actor), bank.orgUnitId)
  const [loan] = await tx<{ id: number }[]>`
    select id from orders
    where powerbank_id = ${powerbankId} and user_id = ${userId} and status in ('pending', 'borrow') and deleted_at is null`
  if (!loan) throw new Refused('not_found', '', { reason: 'loan_unknown' })
  if (!(await loseLoan(tx, actor, loan.id, note)))
    throw new Refused('conflict', '', { reason: 'order_under_way', orderId: loan.id })
  return loan.id
}
