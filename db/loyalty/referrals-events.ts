import * as audit from '../messages/audit.ts'
import type { Actor } from '../platform/actor.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import { columnsOf } from '../postgres/rows.ts'
import { codeOf } from './loyalty.ts'
import * as points from './points.ts'
import { Refused } from './refused.ts'
import type { referralCodes, referralEvents } from './schema.ts'
import type { EventType } from './words.ts'

/** These happen once in somebody's life, whosever code is named. */
const onceInALife: readonly EventType[] = ['registration', 'first_visit']

type Row = typeof referralEvents.$inferSelect
const COLUMNS = [
  'id',
  'referralCodeId',
  'referredUserId',
  'eventType',
  'transactionAmount',
  'onecDocumentId',
  'processed',
  'occurredAt',
] as const satisfies (keyof Row)[]

/** One thing that was done. Amount in kopecks; `processed`: its reward, if a rule gives one, is paid. */
export type ReferralEvent = Pick<Row, (typeof COLUMNS)[number]>

/** What is reported: who came by which code, and what for. Amount in kopecks. */
export interface NewEvent {
  code: string
  referredUserId: number
  eventType: EventType
  transactionAmount: number | null
  documentId: string | null
}

type Code = Pick<typeof referralCodes.$inferSelect, 'id' | 'userId' | 'referrerType'>

const columns = (q: Queryable) => columnsOf(q, 'e', COLUMNS)

/** A code that counts: active, not expired, and whose it is can be paid. */
async function usable(q: Queryable, code: string): Promise<Code | undefined> {
  const [row] = await q<Code[]>`
    select r.id, r.user_id, r.referrer_type from referral_codes r join users u on u.id = r.user_id
      left join loyalty_accounts a on a.user_id = u.id
    where upper(r.code) = ${codeOf(code)} and r.is_active and coalesce(r.expires_at > now(), true)
      and u.status = 'active' and u.deleted_at is null and coalesce(a.is_active, true)`
  return row
}

/**
 * The event that this one repeats: of the same document, or of what happens once in a life.
 * @throws Refused idempotency_mismatch (the document was about something else)
 */
async function repeated(tx: Tx, codeId: number, given: NewEvent): Promise<ReferralEvent | undefined> {
  const { referredUserId, eventType, transactionAmount, documentId } = given
  const [same] = await tx<ReferralEvent[]>`
    select ${columns(tx)} from referral_events e
    where e.onec_document_id = ${documentId} and e.event_type = ${eventType}`
  if (same) {
    const isSame =
      same.referralCodeId === codeId &&
      same.referredUserId === referredUserId &&
      same.transactionAmount === transactionAmount
    if (!isSame) throw new Refused('idempotency_mismatch', '', { reason: 'document_used' })
    return same
  }
  if (!onceInALife.includes(eventType)) return undefined
  const [first] = await tx<ReferralEvent[]>`
    select ${columns(tx)} from referral_events e
    where e.referred_user_id = ${referredUserId} and e.event_type = ${eventType} order by e.id limit 1`
  return first
}

/**
 * Counts an event for a code and pays the referrer what the rules say. Said again (the same document, or once more
 * what happens once in a life) it gives the first event, and pays nothing.
 *
 * Locks, in this order: the person referred, so that two codes cannot both win the same first visit; the code; the
 * referrer's account and book.
 * @throws Refused not_found (`reason` referral_code_unknown, user_unknown), invalid (the own code),
 *   idempotency_mismatch
 */
export async function register(
  tx: Tx,
  actor: Actor,
  given: NewEvent,
  rules: points.PointRules,
): Promise<ReferralEvent> {
  const { referredUserId, eventType, transactionAmount, documentId } = given
  const code = await usable(tx, given.code)
  if (!code) throw new Refused('not_found', '', { reason: 'referral_code_unknown' })
  if (code.userId === referredUserId) throw new Refused('invalid', '', { reason: 'own_referral_code' })
  const [referred] = await tx`
    select id from users where id = ${referredUserId} and deleted_at is null for no key update`
  if (!referred) throw new Refused('not_found', '', { reason: 'user_unknown' })
  const first = await repeated(tx, code.id, given)
  if (first) return first
  const [event] = await tx<ReferralEvent[]>`
    insert into referral_events as e
      (referral_code_id, referred_user_id, event_type, transaction_amount, onec_document_id, processed, created_by)
    values (${code.id}, ${referredUserId}, ${eventType}, ${transactionAmount}, ${documentId}, true, ${actor.userId})
    on conflict do nothing returning ${columns(tx)}`
  // Another person's event of this document came first, just now.
  if (!event) return (await repeated(tx, code.id, given))!
  await tx`
    update referral_codes set total_referrals = total_referrals + 1,
      successful_referrals = successful_referrals + ${eventType === 'first_visit' ? 1 : 0},
      total_revenue = total_revenue + ${transactionAmount ?? 0}
    where id = ${code.id}`
  const reward = await pay(tx, actor, { code, event, rules })
  await audit.record(tx, actor, 'loyalty', {
    action: 'referral.event',
    entityType: 'referral_event',
    entityId: event.id,
    newValues: { referralCodeId: code.id, referredUserId, eventType, transactionAmount, documentId, reward },
  })
  return event
}

/**
 * Somebody signed up with a code: the registration, once. A code that is unknown or does not count is no reason to
 * turn a newcomer away: null then.
 */
export async function registered(
  tx: Tx,
  code: string,
  userId: number,
  rules: points.PointRules,
): Promise<ReferralEvent | null> {
  if (!(await usable(tx, code))) return null
  const newcomer = { userId, roles: [] }
  const given = { code, referredUserId: userId, transactionAmount: null, documentId: null }
  return await register(tx, newcomer, { ...given, eventType: 'registration' }, rules)
}

/** Hundredths of a percent in the whole. */
const whole = 10_000n

/** What a rule gives: a percentage is rounded down to the kopeck, so that it is never more than was promised. */
const rewardOf = ({ rewardType, value }: { rewardType: string; value: number }, amount: number | null) =>
  rewardType === 'percentage' ? Number((BigInt(amount ?? 0) * BigInt(value)) / whole) : value

/** Pays the referrer: points as points, everything else as cashback. A rule of the referrer's own type goes first. */
async function pay(
  tx: Tx,
  actor: Actor,
  { code, event, rules }: { code: Code; event: ReferralEvent; rules: points.PointRules },
): Promise<number> {
  const [rule] = await tx<{ rewardType: string; value: number }[]>`
    select reward_type, value from reward_rules
    where event_type = ${event.eventType} and is_active and (referrer_type is null or referrer_type = ${code.referrerType})
    order by referrer_type nulls last limit 1`
  const amount = rule ? rewardOf(rule, event.transactionAmount) : 0
  if (!rule || amount === 0) return 0
  const transaction = await points.accrue(tx, actor, {
    userId: code.userId,
    amount,
    currency: rule.rewardType === 'points' ? 'points' : 'cashback',
    source: 'referral',
    sourceId: String(event.id),
    description: null,
    idempotencyKey: `referral:${event.id}`,
    rules,
  })
  await tx`
    insert into referral_rewards (event_id, recipient_user_id, reward_type, reward_amount, transaction_id)
    values (${event.id}, ${code.userId}, ${rule.rewardType}, ${amount}, ${transaction.id})`
  return amount
}
