import type { Queryable, Tx } from '../postgres/connect.ts'
import type { Page } from '../postgres/rows.ts'
import type { Account } from './accounts.ts'
import { rewardFor } from './decide/extension.ts'
import type { Payment } from './payments.ts'
import * as subscriptions from './subscriptions.ts'

/** Has somebody paid before this payment? */
export async function isFirst(tx: Tx, { id, accountId }: Pick<Payment, 'id' | 'accountId'>): Promise<boolean> {
  const rows = await tx`
    select 1 from subscription_payments
    where account_id = ${accountId} and id <> ${id} and purpose = 'subscription' and status in ('succeeded', 'refunded')
    limit 1`
  return rows.length === 0
}

/**
 * Gives days to who was invited and to who invited them, for a first payment; both accounts are locked. An inviter without a
 * subscription gets one.
 */
export async function reward(tx: Tx, account: Account, payment: Payment, timeZone: string): Promise<void> {
  const { inviterDays, inviteeDays } = rewardFor(payment.months ?? 0)
  if (account.inviterId === null || inviterDays === 0) return
  const given = { key: `referral ${payment.id}`, period: 'referral' as const, kind: null, paymentId: payment.id }
  for (const [id, days] of [
    [account.id, inviteeDays],
    [account.inviterId, inviterDays],
  ] as const)
    await subscriptions.change(tx, null, id, { ...given, by: { months: 0, days } }, timeZone)
}

/** Somebody who was invited, as their inviter may know them. */
export interface Invited {
  id: number
  createdAt: Date
  /** They have paid for access. */
  hasPaid: boolean
  /** What the inviter got for it. */
  bonusDays: number
}

/** Whom an account has invited, newest first. */
export async function list(
  q: Queryable,
  accountId: number,
  { limit, offset }: { limit: number; offset: number },
): Promise<Page<Invited>> {
  const [counted] = await q<{ total: number }[]>`
    select count(*) as total from getpro_accounts where inviter_id = ${accountId} and deleted_at is null`
  const rows = await q<Invited[]>`
    select a.id, a.created_at, exists (
        select from subscription_payments p
        where p.account_id = a.id and p.purpose = 'subscription' and p.status in ('succeeded', 'refunded')) as has_paid,
      coalesce((
        select sum(d.days) from subscription_payments p
        join subscription_periods d on d.payment_id = p.id and d.kind = 'referral'
        join subscriptions s on s.id = d.subscription_id and s.account_id = ${accountId}
        where p.account_id = a.id), 0)::int as bonus_days
    from getpro_accounts a where a.inviter_id = ${accountId} and a.deleted_at is null
    order by a.id desc limit ${limit} offset ${offset}`
  return { rows, total: counted!.total }
}
