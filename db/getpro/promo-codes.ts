import * as audit from '../messages/audit.ts'
import type { Actor } from '../platform/actor.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import { unlessTaken } from '../postgres/rows.ts'
import { tableOf } from '../table.ts'
import * as accounts from './accounts.ts'
import { Refused } from './refused.ts'
import { promoCodes } from './schema.ts'
import * as subscriptions from './subscriptions.ts'

type Row = typeof promoCodes.$inferSelect
const COLUMNS = [
  'id',
  'code',
  'bonusDays',
  'activationsMax',
  'activations',
  'validUntil',
  'isActive',
  'createdAt',
] as const satisfies (keyof Row)[]

export type PromoCode = Pick<Row, (typeof COLUMNS)[number]>

/** The codes there are, newest first. */
export const { list } = tableOf(promoCodes, { deletes: 'soft', newestFirst: true })

/** @throws Refused duplicate (`code`) */
export async function create(
  tx: Tx,
  actor: Actor | null,
  given: Pick<Row, 'code' | 'bonusDays' | 'activationsMax' | 'validUntil'>,
): Promise<PromoCode> {
  const code = given.code.toUpperCase()
  const [row] = await unlessTaken(
    tx<PromoCode[]>`
      insert into promo_codes (code, bonus_days, activations_max, valid_until, created_by)
      values (${code}, ${given.bonusDays}, ${given.activationsMax}, ${given.validUntil}, ${actor?.userId ?? null})
      returning ${tx(COLUMNS)}`,
    { promo_codes_code: 'code' },
  )
  const newValues = { code, bonusDays: given.bonusDays, activationsMax: given.activationsMax }
  const about = { action: 'promo_code.create', entityType: 'promo_code', entityId: row!.id, newValues }
  await audit.record(tx, actor, 'getpro', about)
  return row!
}

/** The code that somebody typed, if there is one. */
export async function find(q: Queryable, code: string): Promise<PromoCode | undefined> {
  const [row] = await q<PromoCode[]>`
    select ${q(COLUMNS)} from promo_codes where code = ${code.trim().toUpperCase()} and deleted_at is null`
  return row
}

/**
 * Takes one of a code's activations for an account that is held. Twenty at once get as many as there are: the row is
 * counted up only while there is one left.
 * @returns the days it gives; @throws Refused not_found (promo_unknown), conflict (promo_used_up, promo_used)
 */
export async function take(tx: Tx, id: number, accountId: number, paymentId: number | null): Promise<number> {
  const [code] = await tx<{ bonusDays: number; isGood: boolean; isLeft: boolean; isUsed: boolean }[]>`
    select bonus_days, is_active and deleted_at is null and (valid_until is null or valid_until > now()) as is_good,
      activations < activations_max as is_left, exists (
        select from promo_code_activations where promo_code_id = ${id} and account_id = ${accountId}) as is_used
    from promo_codes where id = ${id} for no key update`
  if (!code?.isGood) throw new Refused('not_found', 'there is no such code', { reason: 'promo_unknown' })
  if (code.isUsed) throw new Refused('conflict', 'the code was used by the account', { reason: 'promo_used' })
  if (!code.isLeft) throw new Refused('conflict', 'the code is used up', { reason: 'promo_used_up' })
  await tx`update promo_codes set activations = activations + 1, updated_at = now() where id = ${id}`
  await tx`
    insert into promo_code_activations (promo_code_id, account_id, payment_id) values (${id}, ${accountId}, ${paymentId})`
  return code.bonusDays
}

/**
 * Gives an account the days of a code.
 * @throws Refused not_found (account_unknown, promo_unknown), conflict (promo_used_up, promo_used)
 */
export async function apply(
  tx: Tx,
  actor: Actor | null,
  { accountId, code }: { accountId: number; code: string },
  timeZone: string,
): Promise<subscriptions.Subscription> {
  await accounts.hold(tx, accountId)
  const found = await find(tx, code)
  if (!found) throw new Refused('not_found', 'there is no such code', { reason: 'promo_unknown' })
  const days = await take(tx, found.id, accountId, null)
  const given = { key: `promo ${found.id}`, period: 'promo' as const, kind: null, by: { months: 0, days } }
  const made = await subscriptions.change(tx, actor, accountId, given, timeZone)
  return made!.subscription
}
