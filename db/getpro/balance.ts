import * as ledger from '../ledger/ledger.ts'
import * as ledgerHistory from '../ledger/ledger-history.ts'
import * as audit from '../messages/audit.ts'
import type { Actor } from '../platform/actor.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import * as accounts from './accounts.ts'

/** Whose book it is: an account's balance in kopecks. */
export const book = (accountId: number) => ({ owner: { kind: 'getpro' as const, id: accountId }, unit: 'RUB' as const })

/** Kinds of movements of a balance (docs/contracts.md 2). */
export type MovementKind =
  | 'balance_add'
  | 'balance_deduct'
  | 'subscription_purchase'
  | 'refund'
  | 'payment_refund'
  | 'gift_sent'
  | 'gift_received'

/** One movement; `amount` in kopecks, more than 0 in and less than 0 out. Said again with the same key it counts once. */
export interface Movement {
  key: string
  kind: MovementKind
  amount: number
  about?: Record<string, unknown>
}

/**
 * Moves a balance; the account is held.
 * @throws Refused insufficient_funds, idempotency_mismatch, invalid
 */
export const move = (tx: Tx, actor: Actor | null, accountId: number, { key, kind, amount, about }: Movement) =>
  ledger.post(tx, {
    ...book(accountId),
    key: `getpro ${key}`,
    kind: `getpro.${kind}`,
    entries: { balance: amount, house: -amount },
    createdBy: actor?.userId ?? null,
    ...(about ? { about } : {}),
  })

/** What an account has, in kopecks. */
export const get = (q: Queryable, accountId: number): Promise<number> => {
  const { owner, unit } = book(accountId)
  return ledger.balance(q, owner, unit)
}

/** What moved a balance, newest first. */
export async function history(q: Queryable, accountId: number, at: { limit: number; offset: number }) {
  const { rows, total } = await ledgerHistory.page(q, book(accountId), at)
  return {
    total,
    rows: rows.map(({ id, kind, entries, about, createdAt }) => ({
      id,
      kind: kind.replace(/^getpro\./, ''),
      amountKopecks: entries.balance ?? 0,
      reason: typeof about.reason === 'string' ? about.reason : null,
      paymentId: typeof about.paymentId === 'number' ? about.paymentId : null,
      createdAt,
    })),
  }
}

/**
 * Gives to a balance, or takes from it, by hand.
 * @throws Refused not_found (account_unknown), insufficient_funds, idempotency_mismatch, invalid
 */
export async function change(
  tx: Tx,
  actor: Actor | null,
  { accountId, amountKopecks, key, reason }: { accountId: number; amountKopecks: number; key: string; reason: string },
): Promise<{ postingId: number; balanceKopecks: number }> {
  await accounts.hold(tx, accountId)
  const kind = amountKopecks > 0 ? ('balance_add' as const) : ('balance_deduct' as const)
  const posted = await move(tx, actor, accountId, {
    key: `by hand ${key}`,
    kind,
    amount: amountKopecks,
    about: { reason },
  })
  if (!posted.repeated)
    await audit.record(tx, actor, 'getpro', {
      action: `balance.${kind === 'balance_add' ? 'add' : 'deduct'}`,
      entityType: 'getpro_account',
      entityId: accountId,
      newValues: { amountKopecks, reason },
    })
  return { postingId: posted.id, balanceKopecks: posted.balances.balance! }
}
