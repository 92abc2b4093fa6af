import * as audit from '../messages/audit.ts'
import * as events from '../messages/events.ts'
import type { Actor } from '../platform/actor.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import * as accounts from './accounts.ts'
import { type Extended, extend, extendUntil, withdraw } from './decide/extension.ts'
import * as notices from './notices.ts'
import * as panelTasks from './panel-tasks.ts'
import { Refused } from './refused.ts'
import type { subscriptionPeriods, subscriptions } from './schema.ts'
import type { PeriodKind, SubscriptionKind } from './words.ts'

type Row = typeof subscriptions.$inferSelect
const COLUMNS = [
  'id',
  'accountId',
  'kind',
  'provider',
  'providerSubscriptionId',
  'planId',
  'lastMonths',
  'anchorAt',
  'anchorMonths',
  'startedAt',
  'endsAt',
  'autoRenews',
  'cancelledAt',
  'providerSaidAt',
] as const satisfies (keyof Row)[]

/** Somebody's access. */
export type Subscription = Pick<Row, (typeof COLUMNS)[number]>
type Period = Pick<typeof subscriptionPeriods.$inferSelect, 'months' | 'days' | 'anchorAt' | 'startsAt' | 'endsAt'>

/** What makes a subscription longer. */
export interface Change {
  /** Once for ever: `payment 12`. */
  key: string
  period: PeriodKind
  /** As what it is had from now on; null: as before. */
  kind: SubscriptionKind | null
  /** Calendar months and then days more, or, where its provider says so, until then. */
  by: { months: number; days: number } | { until: Date; months: number }
  planId?: number | null
  paymentId?: number | null
  autoRenews?: boolean
}

/** What became of it. `isNew` false: it was there already, or its provider said nothing new. */
export interface Changed {
  subscription: Subscription
  isNew: boolean
}

/** The subscription of an account that is held. */
export async function of(q: Queryable, accountId: number): Promise<Subscription | undefined> {
  const [row] = await q<Subscription[]>`select ${q(COLUMNS)} from subscriptions where account_id = ${accountId}`
  return row
}

/** One by its id, whoever has it. */
export async function find(q: Queryable, id: number): Promise<Subscription | undefined> {
  const [row] = await q<Subscription[]>`select ${q(COLUMNS)} from subscriptions where id = ${id}`
  return row
}

/** One that has to be there. @throws Refused not_found (subscription_unknown) */
export async function demand(q: Queryable, id: number): Promise<Subscription> {
  const found = await find(q, id)
  if (found) return found
  throw new Refused('not_found', 'there is no such subscription', { reason: 'subscription_unknown' })
}

/** Now, as the database has it: the clock that all its rows were written by. */
export async function nowOf(q: Queryable): Promise<Date> {
  const [row] = await q<{ now: Date }[]>`select now()`
  return row!.now
}

/** Has this change been made? */
async function isMade(tx: Tx, accountId: number, key: string): Promise<boolean> {
  const rows = await tx`
    select 1 from subscription_periods p join subscriptions s on s.id = p.subscription_id
    where s.account_id = ${accountId} and p.key = ${key}`
  return rows.length > 0
}

async function open(tx: Tx, accountId: number, change: Change, term: Extended): Promise<Subscription> {
  const [row] = await tx<Subscription[]>`
    insert into subscriptions (account_id, kind, anchor_at, anchor_months, started_at, ends_at)
    values (${accountId}, ${change.kind ?? 'bonus'}, ${term.anchorAt}, ${term.anchorMonths}, ${term.startsAt}, ${term.endsAt})
    returning ${tx(COLUMNS)}`
  return row!
}

/**
 * Makes a subscription longer, opening it where there is none. The account is locked (`accounts.hold`), so that changes come
 * one after the other; said again with the same key it changes nothing.
 */
export async function change(
  tx: Tx,
  actor: Actor | null,
  accountId: number,
  given: Change,
  timeZone: string,
): Promise<Changed | null> {
  const [before, now] = [await of(tx, accountId), await nowOf(tx)]
  if (before && (await isMade(tx, accountId, given.key))) return { subscription: before, isNew: false }
  const { by } = given
  const term = 'until' in by ? extendUntil(before ?? null, by.until, now) : extend(before ?? null, by, now, timeZone)
  if (!term) return before ? { subscription: before, isNew: false } : null
  const { id } = before ?? (await open(tx, accountId, given, term))
  const [subscription] = await tx<Subscription[]>`
    update subscriptions set kind = coalesce(${given.kind}, kind), anchor_at = ${term.anchorAt},
      anchor_months = ${term.anchorMonths}, ends_at = ${term.endsAt},
      started_at = case when ends_at <= now() then ${term.startsAt} else started_at end,
      plan_id = coalesce(${given.planId ?? null}, plan_id), last_months = coalesce(nullif(${by.months}::int, 0), last_months),
      auto_renews = coalesce(${given.autoRenews ?? null}, auto_renews),
      cancelled_at = case when ${given.autoRenews ?? false} then null else cancelled_at end, updated_at = now()
    where id = ${id} returning ${tx(COLUMNS)}`
  await tx`
    insert into subscription_periods
      (subscription_id, key, kind, months, days, anchor_at, starts_at, ends_at, payment_id, created_by)
    values (${id}, ${given.key}, ${given.period}, ${by.months}, ${'days' in by ? by.days : 0}, ${term.anchorAt}, ${term.startsAt},
      ${term.endsAt}, ${given.paymentId ?? null}, ${actor?.userId ?? null})`
  await panelTasks.enqueue(tx, accountId, `subscription.${given.period}`)
  await events.record(tx, 'subscription.extended', {
    data: { accountId, subscriptionId: id, period: given.period, endsAt: term.endsAt.toISOString() },
  })
  await tell(tx, subscription!, given, before !== undefined && before.endsAt > now)
  return { subscription: subscription!, isNew: true }
}

/** What its owner is told of a change, in the transaction that makes it. */
function tell(tx: Tx, { accountId, id, endsAt }: Subscription, { period, by, key }: Change, wasLive: boolean) {
  const about = { endsAt: endsAt.toISOString() }
  const once = `period ${id} ${key}`
  if (period === 'promo' || period === 'referral') {
    const kind = period === 'promo' ? 'getpro.promo_applied' : 'getpro.referral_bonus'
    return notices.tell(tx, accountId, kind, { ...about, days: 'days' in by ? by.days : 0 }, once)
  }
  const kind = wasLive ? 'getpro.subscription_extended' : 'getpro.subscription_activated'
  return notices.tell(tx, accountId, kind, about, once)
}

/** A subscription at a provider that renews it by itself. */
export interface Renewed {
  provider: string
  providerSubscriptionId: string
  kind: SubscriptionKind
  /** When that was said; null: it does not say. */
  saidAt: Date | null
}

/** Writes down who renews the subscription of an account that is locked. */
export async function bind(tx: Tx, accountId: number, given: Renewed): Promise<void> {
  await tx`
    update subscriptions set provider = ${given.provider}, provider_subscription_id = ${given.providerSubscriptionId},
      kind = ${given.kind}, provider_said_at = greatest(${given.saidAt}, provider_said_at), auto_renews = true,
      cancelled_at = null, updated_at = now()
    where account_id = ${accountId}`
}

/** Takes back what a payment that went back had given; said again it changes nothing. The account is locked. */
export async function takeBack(tx: Tx, accountId: number, paymentId: number, timeZone: string): Promise<boolean> {
  const [before, now] = [await of(tx, accountId), await nowOf(tx)]
  const [given] = await tx<Period[]>`
    select months, days, anchor_at, starts_at, ends_at from subscription_periods
    where payment_id = ${paymentId} and kind in ('payment', 'provider')`
  const key = `refund ${paymentId}`
  if (!before || !given || (await isMade(tx, accountId, key))) return false
  const stretch = { ...given, anchorMonths: 0 }
  const term = withdraw(before, stretch, now, timeZone)
  await tx`
    update subscriptions set anchor_at = ${term.anchorAt}, anchor_months = ${term.anchorMonths}, ends_at = ${term.endsAt},
      updated_at = now()
    where id = ${before.id}`
  await tx`
    insert into subscription_periods (subscription_id, key, kind, months, days, anchor_at, starts_at, ends_at)
    values (${before.id}, ${key}, 'refund', ${-given.months}, ${-given.days}, ${term.anchorAt}, ${before.endsAt}, ${term.endsAt})`
  await panelTasks.enqueue(tx, accountId, 'subscription.refund')
  await events.record(tx, 'subscription.shortened', {
    data: { accountId, subscriptionId: before.id, paymentId, endsAt: term.endsAt.toISOString() },
  })
  const about = { endsAt: term.endsAt.toISOString() }
  await notices.tell(tx, accountId, 'getpro.subscription_shortened', about, `period ${before.id} ${key}`)
  return true
}

/** What makes a trial. */
const trialDays = 3

/**
 * Three days for somebody who never had a subscription.
 * @throws Refused not_found (account_unknown), conflict (trial_used)
 */
export async function trial(tx: Tx, actor: Actor | null, accountId: number, timeZone: string): Promise<Subscription> {
  await accounts.hold(tx, accountId)
  if (await of(tx, accountId))
    throw new Refused('conflict', 'there was a subscription before', { reason: 'trial_used' })
  const by = { months: 0, days: trialDays }
  const made = await change(tx, actor, accountId, { key: 'trial', period: 'trial', kind: 'trial', by }, timeZone)
  return made!.subscription
}

/** @throws Refused idempotency_mismatch: by this key something else was given */
async function assertGiven(tx: Tx, id: number, key: string, { months, days }: { months: number; days: number }) {
  const rows = await tx`
    select 1 from subscription_periods
    where subscription_id = ${id} and key = ${key} and months = ${months} and days = ${days}`
  if (rows.length === 0) throw new Refused('idempotency_mismatch', 'the key was used for another gift')
}

/**
 * Access that nobody pays for. `key` of the giver's own: said again it is given once.
 * @throws Refused not_found (account_unknown), idempotency_mismatch
 */
export async function gift(
  tx: Tx,
  actor: Actor | null,
  { accountId, by, key }: { accountId: number; by: { months: number; days: number }; key: string },
  timeZone: string,
): Promise<Changed> {
  await accounts.hold(tx, accountId)
  const before = await of(tx, accountId)
  // Whoever pays goes on paying: a gift makes it longer and nothing else.
  const kind = before?.kind === 'regular' ? null : 'gift'
  const made = await change(tx, actor, accountId, { key: `gift ${key}`, period: 'gift', kind, by }, timeZone)
  if (!made!.isNew) await assertGiven(tx, made!.subscription.id, `gift ${key}`, by)
  if (made!.isNew) {
    const { id, endsAt } = made!.subscription
    const newValues = { ...by, endsAt: endsAt.toISOString() }
    await audit.record(tx, actor, 'getpro', {
      action: 'subscription.gift',
      entityType: 'subscription',
      entityId: id,
      newValues,
    })
  }
  return made!
}

/**
 * Says whether it is to be renewed; access lasts until its end either way.
 * @throws Refused not_found (subscription_unknown)
 */
export async function setRenewal(
  tx: Tx,
  actor: Actor | null,
  accountId: number,
  autoRenews: boolean,
  { saidAt = null as Date | null } = {},
): Promise<Subscription> {
  const [row] = await tx<Subscription[]>`
    update subscriptions set auto_renews = ${autoRenews}, cancelled_at = case when ${autoRenews} then null else coalesce(cancelled_at, now()) end,
      provider_said_at = greatest(${saidAt}, provider_said_at), updated_at = now()
    where account_id = ${accountId} returning ${tx(COLUMNS)}`
  if (!row) throw new Refused('not_found', 'there is no subscription', { reason: 'subscription_unknown' })
  await audit.record(tx, actor, 'getpro', {
    action: autoRenews ? 'subscription.renew' : 'subscription.cancel',
    entityType: 'subscription',
    entityId: row.id,
    newValues: { autoRenews },
  })
  return row
}
