import * as events from '../messages/events.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import * as accounts from './accounts.ts'
import * as balance from './balance.ts'
import { dueStep } from './decide/renewal.ts'
import * as methods from './methods.ts'
import * as notices from './notices.ts'
import type { Payment } from './payments.ts'
import * as subscriptions from './subscriptions.ts'

/** When renewals are tried. */
export interface RenewalRules {
  /** IANA name of the zone by whose clocks months are counted. */
  timeZone: string
  /** Hours before the end at which a renewal is tried, falling; less than 0: after it. */
  stepHours: readonly number[]
}

/** A charge that is to be made, and by which key it is the same. */
export interface Charge {
  renewalId: number
  subscriptionId: number
  key: string
}

/** What an attempt came to; `pending`: it is to be charged now that it is a row. */
export type Attempted = 'nothing' | 'renewed' | 'failed' | 'pending'

/** Subscriptions of which an attempt is due that was not made. */
export const due = (q: Queryable, { stepHours }: RenewalRules, limit: number) => q<{ id: number }[]>`
  select s.id from subscriptions s
  where s.auto_renews and s.provider is null and s.ends_at <= now() + make_interval(hours => ${stepHours[0]!})
    and not exists (
      select from subscription_renewals r where r.subscription_id = s.id and (r.state = 'pending' or (r.period_end = s.ends_at
        and r.step >= (
          select count(*) - 1 from unnest(${[...stepHours]}::int[]) as h
          where s.ends_at - make_interval(hours => h) <= now()))))
  order by s.ends_at, s.id limit ${limit}`

/** The plan that a subscription is renewed by: its own, or one of as many months, that is on sale. */
async function planOf(tx: Tx, { planId, lastMonths }: subscriptions.Subscription) {
  const [plan] = await tx<{ id: number; months: number; priceKopecks: number }[]>`
    select id, months, price_kopecks from plans
    where is_active and deleted_at is null and (id = ${planId} or months = ${lastMonths ?? 1})
    order by id is distinct from ${planId}::bigint, price_kopecks, id limit 1`
  return plan
}

interface Attempt {
  subscription: subscriptions.Subscription
  step: number
  isLast: boolean
  amountKopecks: number
}

const write = (
  tx: Tx,
  { subscription, step, amountKopecks }: Attempt,
  state: string,
  reason: string | null = null,
) => tx<{ id: number }[]>`
  insert into subscription_renewals (subscription_id, period_end, step, state, amount_kopecks, reason, ended_at)
  values (${subscription.id}, ${subscription.endsAt}, ${step}, ${state}, ${amountKopecks}, ${reason},
    case when ${state} <> 'pending' then now() end)
  returning id`

/** It could not be charged: its owner is told, and after the last attempt it is not to be renewed any more. */
async function told(tx: Tx, id: number, { subscription, isLast, amountKopecks }: Attempt, reason: string) {
  const { accountId, endsAt, autoRenews } = subscription
  if (isLast && autoRenews) await subscriptions.setRenewal(tx, null, accountId, false)
  const isOver = isLast || !autoRenews
  const about = { endsAt: endsAt.toISOString(), amountKopecks, isLast: isOver }
  await notices.tell(tx, accountId, 'getpro.renewal_failed', about, `renewal ${id}`)
  await events.record(tx, 'subscription.renewal_failed', { data: { accountId, reason, ...about } })
}

async function fail(tx: Tx, attempt: Attempt, reason: string): Promise<Attempted> {
  const [row] = await write(tx, attempt, 'failed', reason)
  await told(tx, row!.id, attempt, reason)
  return 'failed'
}

/** The money and the time move together; the key of the posting is the period's, whatever the attempt. */
async function takeFromBalance(tx: Tx, attempt: Attempt, plan: { id: number; months: number }, timeZone: string) {
  const { subscription, amountKopecks } = attempt
  const { id, accountId, endsAt } = subscription
  const key = `renewal ${id} ${endsAt.toISOString()}`
  const about = { planId: plan.id, months: plan.months, subscriptionId: id }
  await balance.move(tx, null, accountId, { key, kind: 'subscription_purchase', amount: -amountKopecks, about })
  const longer = { key, period: 'balance' as const, kind: 'regular' as const, planId: plan.id }
  await subscriptions.change(tx, null, accountId, { ...longer, by: { months: plan.months, days: 0 } }, timeZone)
  await write(tx, attempt, 'succeeded')
}

/** Has this attempt been made, or is one under way? */
async function isMade(tx: Tx, { id, endsAt }: subscriptions.Subscription, step: number): Promise<boolean> {
  const rows = await tx`
    select 1 from subscription_renewals
    where subscription_id = ${id} and (state = 'pending' or (period_end = ${endsAt} and step >= ${step})) limit 1`
  return rows.length > 0
}

/**
 * Makes the attempt that is due to renew a subscription, once, however many try: from the balance where that is enough, else by a
 * saved method, for whose charge there is a row when this returns. Asks nobody outside.
 */
export async function attempt(tx: Tx, id: number, rules: RenewalRules): Promise<Attempted> {
  const known = await subscriptions.find(tx, id)
  if (!known) return 'nothing'
  await accounts.lock(tx, known.accountId)
  const subscription = (await subscriptions.find(tx, id))!
  const now = dueStep(rules.stepHours, subscription.endsAt, await subscriptions.nowOf(tx))
  if (now === null || !subscription.autoRenews || subscription.provider !== null) return 'nothing'
  const last = rules.stepHours.length - 1
  const { step, isLast } = now === 'too late' ? { step: last, isLast: true } : now
  if (await isMade(tx, subscription, step)) return 'nothing'
  const plan = await planOf(tx, subscription)
  const about = { subscription, step, isLast, amountKopecks: plan?.priceKopecks ?? 0 }
  if (now === 'too late') return await fail(tx, about, 'too_late')
  if (!plan) return await fail(tx, { ...about, isLast: true }, 'plan_unknown')
  const { accountId } = subscription
  if ((await balance.get(tx, accountId)) >= plan.priceKopecks) {
    await takeFromBalance(tx, about, plan, rules.timeZone)
    return 'renewed'
  }
  const saved = await methods.list(tx, accountId)
  if (saved.length === 0 || plan.id !== subscription.planId) return await fail(tx, about, 'insufficient_funds')
  await write(tx, about, 'pending')
  return 'pending'
}

/** Charges of which it is not known what they came to: to be asked for by the same key. */
export async function pending(q: Queryable, limit: number): Promise<Charge[]> {
  const rows = await q<{ id: number; subscriptionId: number; periodEnd: Date; step: number }[]>`
    select id, subscription_id, period_end, step from subscription_renewals where state = 'pending'
    order by id limit ${limit}`
  return rows.map(({ id: renewalId, subscriptionId, periodEnd, step }) => ({
    renewalId,
    subscriptionId,
    key: `${subscriptionId} ${periodEnd.toISOString()} ${step}`,
  }))
}

/** What a charge came to: its payment as it is now, or why there is none. */
export type Came = Pick<Payment, 'id' | 'status' | 'cancelReason'> | { refused: string }

/** Writes down what a charge came to; while its payment is open, nothing is said. */
export async function end(tx: Tx, renewalId: number, came: Came, { stepHours }: RenewalRules): Promise<void> {
  const state = 'refused' in came ? 'failed' : stateOf(came.status)
  const reason = 'refused' in came ? came.refused : came.cancelReason
  const [known] = await tx<{ accountId: number }[]>`
    select s.account_id from subscription_renewals r join subscriptions s on s.id = r.subscription_id where r.id = ${renewalId}`
  await accounts.lock(tx, known!.accountId)
  const [row] = await tx<{ subscriptionId: number; step: number; amountKopecks: number; periodEnd: Date }[]>`
    update subscription_renewals set state = ${state}, reason = ${reason}, payment_id = ${'id' in came ? came.id : null},
      ended_at = case when ${state} <> 'pending' then now() end
    where id = ${renewalId} and state = 'pending'
    returning subscription_id, step, amount_kopecks, period_end`
  if (state !== 'failed' || !row) return
  const subscription = (await subscriptions.find(tx, row.subscriptionId))!
  // Made longer meanwhile, in another way: nothing has to be renewed now.
  if (subscription.endsAt.getTime() !== row.periodEnd.getTime()) return
  const { step, amountKopecks } = row
  const about = { subscription, step, amountKopecks, isLast: step >= stepHours.length - 1 }
  await told(tx, renewalId, about, reason ?? 'unknown')
}

const stateOf = (status: Payment['status']) =>
  status === 'succeeded' || status === 'refunded'
    ? ('succeeded' as const)
    : status === 'canceled' || status === 'failed'
      ? ('failed' as const)
      : ('pending' as const)
