import * as audit from '../messages/audit.ts'
import type { Tx } from '../postgres/connect.ts'
import { accountOf } from './loyalty.ts'
import * as points from './points.ts'
import { Refused } from './refused.ts'

/** A patient's visit, as the clinic's books have it. Amounts in hundredths, 0 or more. */
export interface Visit {
  /** Once for ever: what a document earns is earned once. */
  documentId: string
  patientExternalId: string
  visitAt: Date | null
  totalMinor: number
  pointsMinor: number
  cashbackMinor: number
}

/** What became of a visit. */
export type Accrued =
  | { kind: 'success'; userId: number; pointsMinor: number; cashbackMinor: number }
  | { kind: 'user_not_found' }
  | { kind: 'account_not_found'; userId: number }

/** Finds the patient by the clinic's own id, and gives what the visit earned (docs/contracts.md 3.6). */
export async function accrue(tx: Tx, rules: points.PointRules, visit: Visit): Promise<Accrued> {
  const { documentId, pointsMinor, cashbackMinor, totalMinor, visitAt } = visit
  const [user] = await tx<{ id: number }[]>`
    select id from users where external_id = ${visit.patientExternalId} and deleted_at is null`
  if (!user) return { kind: 'user_not_found' }
  const account = await accountOf(tx, user.id)
  if (!account?.isActive) return { kind: 'account_not_found', userId: user.id }
  const earned = { points: pointsMinor, cashback: cashbackMinor }
  for (const currency of ['points', 'cashback'] as const) {
    if (earned[currency] === 0) continue
    await points.accrue(tx, null, {
      accountId: account.id,
      amount: earned[currency],
      currency,
      source: '1c_visit',
      sourceId: documentId,
      description: `Визит, документ ${documentId}`,
      idempotencyKey: `1c:${documentId}:${currency}`,
      rules,
    })
  }
  await audit.record(tx, null, 'loyalty', {
    action: 'visit.accrue',
    entityType: 'loyalty_account',
    entityId: account.id,
    newValues: { documentId, visitAt: visitAt?.toISOString() ?? null, totalMinor, pointsMinor, cashbackMinor },
  })
  return { kind: 'success', userId: user.id, pointsMinor, cashbackMinor }
}

/**
 * Tells who a patient of 1C is here. Visits that came before are counted when they are looked at again (db/messages/inbox.ts).
 * @throws Refused not_found, duplicate (`field: 'external_id'`)
 */
export async function link(tx: Tx, userId: number, externalId: string): Promise<void> {
  const [user] = await tx<{ externalId: string | null }[]>`
    select external_id from users where id = ${userId} and deleted_at is null for no key update`
  if (!user) throw new Refused('not_found', `there is no user ${userId}`, { reason: 'user_unknown' })
  const taken = await tx`
    select 1 from users where external_id = ${externalId} and id <> ${userId} and deleted_at is null`
  if (taken.length > 0) throw new Refused('duplicate', 'external-id is taken', { field: 'external_id' })
  await tx`update users set external_id = ${externalId}, updated_at = now() where id = ${userId}`
  await audit.record(tx, null, 'loyalty', {
    action: 'user.link',
    entityType: 'user',
    entityId: userId,
    oldValues: { externalId: user.externalId },
    newValues: { externalId },
  })
}
