import { randomInt } from 'node:crypto'
import * as audit from '../messages/audit.ts'
import { type Actor, hasRole } from '../platform/actor.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import { columnsOf } from '../postgres/rows.ts'
import { codeOf } from './loyalty.ts'
import { Refused } from './refused.ts'
import type { referralCodes, referralRewards } from './schema.ts'

type Row = typeof referralCodes.$inferSelect
const COLUMNS = [
  'id',
  'userId',
  'code',
  'referrerType',
  'totalReferrals',
  'successfulReferrals',
  'totalRevenue',
  'isActive',
  'expiresAt',
  'createdAt',
] as const satisfies (keyof Row)[]

/** Somebody's code, and what came of it (docs/contracts.md 3.4). Revenue in kopecks. */
export type ReferralCode = Pick<Row, (typeof COLUMNS)[number]>

/** Own types everybody has; others that a rule pays by are given by an administrator, or by one's role. */
const everybodysType = 'patient'
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'
const codeCharacters = 8
/** Two of 36^8 codes meet hardly ever; five in a row never. */
const drawsMax = 5

const columns = (q: Queryable) => columnsOf(q, 'r', COLUMNS)

const draw = () => `REF-${Array.from({ length: codeCharacters }, () => alphabet[randomInt(alphabet.length)]).join('')}`

async function activeOf(q: Queryable, userId: number): Promise<ReferralCode | undefined> {
  const [row] = await q<ReferralCode[]>`
    select ${columns(q)} from referral_codes r where r.user_id = ${userId} and r.is_active`
  return row
}

/** What is asked for when somebody is to get a code. `customCode` null: one is drawn. */
export interface NewCode {
  userId: number
  referrerType: string
  customCode: string | null
}

/**
 * Somebody's code: the active one if there is one, whatever was asked for, else a new one. Any number at once get the
 * same.
 * @throws Refused forbidden (another's, or a type that rules pay by and that is not one's own), not_found (no such
 *   user), duplicate (`field: 'custom_code'`)
 */
export async function createCode(
  tx: Tx,
  actor: Actor,
  { userId, referrerType, customCode }: NewCode,
): Promise<ReferralCode> {
  const isAdmin = hasRole(actor, 'admin')
  if (!isAdmin && actor.userId !== userId) throw new Refused('not_yours')
  const [user] = await tx`select id from users where id = ${userId} and deleted_at is null`
  if (!user) throw new Refused('not_found', '', { reason: 'user_unknown' })
  if (!isAdmin && referrerType !== everybodysType && !hasRole(actor, referrerType)) {
    const paid = await tx`select 1 from reward_rules where referrer_type = ${referrerType}`
    if (paid.length > 0) throw new Refused('forbidden', '', { reason: 'referrer_type_foreign' })
  }
  await tx`
    update referral_codes set is_active = false where user_id = ${userId} and is_active and expires_at <= now()`
  for (let attempt = 0; attempt < drawsMax; attempt++) {
    const existing = await activeOf(tx, userId)
    if (existing) return existing
    const code = customCode === null ? draw() : codeOf(customCode)
    // Waits for whoever is just making one; then theirs is found, or the code itself was taken.
    const [made] = await tx<ReferralCode[]>`
      insert into referral_codes as r (user_id, code, referrer_type) values (${userId}, ${code}, ${referrerType})
      on conflict do nothing returning ${columns(tx)}`
    if (made) {
      await audit.record(tx, actor, 'loyalty', {
        action: 'referral_code.create',
        entityType: 'referral_code',
        entityId: made.id,
        newValues: { userId, code: made.code, referrerType },
      })
      return made
    }
    if (customCode !== null && !(await activeOf(tx, userId)))
      throw new Refused('duplicate', '', { field: 'custom_code' })
  }
  throw new Error(`no free referral code in ${drawsMax} draws`)
}

/** The own code; made when there is none. */
export const myCode = (tx: Tx, actor: Actor) =>
  createCode(tx, actor, {
    userId: actor.userId,
    referrerType: hasRole(actor, 'doctor') ? 'doctor' : everybodysType,
    customCode: null,
  })

/** What somebody's codes brought. Amounts in hundredths: of a rouble, and in `totalRewards` of points too. */
export interface ReferralStats {
  totalReferrals: number
  successfulReferrals: number
  /** Registered and never came: registrations less first visits. */
  pendingReferrals: number
  totalRevenue: number
  totalRewards: number
  /** The active code. */
  code: string | null
}

/** The same for somebody without a code: zeros, and no code is made. */
export async function stats(q: Queryable, userId: number): Promise<ReferralStats> {
  const [row] = await q<ReferralStats[]>`
    with r as (select * from referral_codes where user_id = ${userId}),
      e as (
        select count(*) filter (where event_type = 'registration') as registrations,
          count(*) filter (where event_type = 'first_visit') as visits
        from referral_events where referral_code_id in (select id from r))
    select coalesce(sum(r.total_referrals), 0)::bigint as total_referrals,
      coalesce(sum(r.successful_referrals), 0)::bigint as successful_referrals,
      coalesce(sum(r.total_revenue), 0)::bigint as total_revenue,
      (select greatest(registrations - visits, 0) from e) as pending_referrals,
      (select coalesce(sum(reward_amount), 0)::bigint from referral_rewards where recipient_user_id = ${userId})
        as total_rewards,
      max(r.code) filter (where r.is_active and coalesce(r.expires_at > now(), true)) as code
    from r`
  return row!
}

const REWARD = [
  'id',
  'eventId',
  'recipientUserId',
  'rewardType',
  'rewardAmount',
  'referralLevel',
  'awardedAt',
] as const satisfies (keyof typeof referralRewards.$inferSelect)[]

/** One reward. Hundredths of a point or of a rouble, as `rewardType` says. */
export type Reward = Pick<typeof referralRewards.$inferSelect, (typeof REWARD)[number]>

/** A page of somebody's rewards, newest first. */
export async function rewards(
  q: Queryable,
  { userId, limit, offset }: { userId: number; limit: number; offset: number },
): Promise<Reward[]> {
  return await q<Reward[]>`
    select ${q(REWARD)} from referral_rewards
    where recipient_user_id = ${userId} order by id desc limit ${limit} offset ${offset}`
}
