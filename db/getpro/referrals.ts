import type { Tx } from '../postgres/connect.ts'
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
