import * as events from '../messages/events.ts'
import type { Outcome } from '../messages/inbox.ts'
import type { Tx } from '../postgres/connect.ts'
import * as accounts from './accounts.ts'
import * as subscriptions from './subscriptions.ts'

/** What the panel says of somebody (docs/providers.md 6). */
export interface PanelNotice {
  event: string
  user: accounts.PanelUser & { expiresAt: Date | null }
  /** Hours after the end of their access, less than 0 before it; null: it is not about that. */
  hours: number | null
  saidAt: Date | null
}

/** So far may the panel's end and ours lie apart. */
const sameMs = 60_000

/**
 * Keeps what the panel says of somebody, and says that access ends where both of us think so. Nothing that a panel says
 * makes access longer or shorter: who pays is told to the panel, not by it.
 */
export async function hear(tx: Tx, accountId: number, { event, user, hours, saidAt }: PanelNotice): Promise<Outcome> {
  await accounts.lock(tx, accountId)
  const result = { accountId, event }
  const known = user.panelUserId === null || event === 'user.deleted' ? { panelUserId: null, status: null } : user
  if (!(await accounts.keepPanelUser(tx, accountId, known, saidAt)))
    return { state: 'ignored', result: { status: 'nothing', ...result }, why: 'something newer was said before' }
  if (hours === null) return { state: 'done', result: { status: 'kept', ...result } }
  const subscription = await subscriptions.of(tx, accountId)
  const theirs = user.expiresAt?.getTime()
  const isBehind = subscription && theirs !== undefined && subscription.endsAt.getTime() - theirs > sameMs
  const kind = isBehind ? 'panel.behind' : 'subscription.ending'
  const endsAt = subscription?.endsAt.toISOString() ?? null
  await events.record(tx, kind, { data: { accountId, hours, endsAt } })
  return { state: 'done', result: { status: isBehind ? 'panel_behind' : 'told', ...result, hours } }
}
