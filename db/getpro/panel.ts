import * as events from '../messages/events.ts'
import type { Outcome } from '../messages/inbox.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import * as accounts from './accounts.ts'
import * as panelTasks from './panel-tasks.ts'
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
const secondMs = 1_000

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
  if (isBehind) await panelTasks.enqueue(tx, accountId, 'panel.behind')
  await events.record(tx, kind, { data: { accountId, hours, endsAt } })
  return { state: 'done', result: { status: isBehind ? 'panel_behind' : 'told', ...result, hours } }
}

/** How an account is to stand at the panel. */
export interface Wanted {
  accountId: number
  telegramId: number
  /** As it is known there; null: not yet. */
  panelUserId: string | null
  /** It was we who switched them off. */
  isPanelOff: boolean
  endsAt: Date
  /** There is access, and for more than a moment: the panel refuses an end that is past when it hears of it. */
  isLive: boolean
  /** Of what was bought last; null: no limit of its own. */
  trafficLimitBytes: number | null
}

/** How an account is to stand at the panel now; undefined: it never had access. */
export async function wanted(q: Queryable, accountId: number): Promise<Wanted | undefined> {
  const [row] = await q<Wanted[]>`
    select a.id as account_id, a.telegram_id, a.panel_user_id, a.is_panel_off, s.ends_at,
      s.ends_at > now() + make_interval(secs => ${sameMs / secondMs}) as is_live, p.traffic_limit_bytes
    from getpro_accounts a join subscriptions s on s.account_id = a.id left join plans p on p.id = s.plan_id
    where a.id = ${accountId}`
  return row
}

/** Keeps how the panel has an account after it was told. */
export async function keep(tx: Tx, accountId: number, user: accounts.PanelUser, isOff: boolean): Promise<void> {
  await accounts.keepPanelUser(tx, accountId, user, null)
  await tx`update getpro_accounts set is_panel_off = ${isOff} where id = ${accountId}`
}
