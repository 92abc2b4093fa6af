import { randomInt } from 'node:crypto'
import { add, grant, type NewPerson } from '../identity/identity.ts'
import type { users } from '../identity/schema.ts'
import { type Role, roles, type Surface } from '../identity/words.ts'
import * as audit from '../messages/audit.ts'
import type { Actor } from '../platform/actor.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import { columnsOf } from '../postgres/rows.ts'
import { Refused } from './refused.ts'
import type { loyaltyAccounts } from './schema.ts'

const surface: Surface = 'loyalty'
const ACCOUNT = [
  'id',
  'userId',
  'cardNumber',
  'cardTier',
  'totalPointsEarned',
  'totalPointsSpent',
  'totalCashbackEarned',
  'totalCashbackSpent',
  'isActive',
  'createdAt',
] as const satisfies (keyof typeof loyaltyAccounts.$inferSelect)[]

/** Somebody's card, `ML` and eight digits. Amounts in hundredths. */
export type Account = Pick<typeof loyaltyAccounts.$inferSelect, (typeof ACCOUNT)[number]>

const MEMBER = [
  'id',
  'externalId',
  'email',
  'phone',
  'fullName',
  'status',
  'isVerified',
  'createdAt',
] as const satisfies (keyof typeof users.$inferSelect)[]

/** Whom the surface shows as user. */
export type Member = Pick<typeof users.$inferSelect, (typeof MEMBER)[number]> & { role: Role<'loyalty'> }

/** Two of 10^8 numbers meet now and then; so many times in a row never. */
const drawsMax = 8
const cardDigits = 8

/** SQL: the columns of an `Account`, of `loyalty_accounts a`. */
export const accountColumns = (q: Queryable) => columnsOf(q, 'a', ACCOUNT)

/**
 * A code as it is stored, from however somebody typed it. Nothing is said of its alphabet: codes of other issuers hold
 * other letters (docs/contracts.md C8 (10)). What cannot be a text of PostgreSQL is no code of anybody.
 */
export const codeOf = (text: string) => (text.includes('\0') ? '' : text.trim().toUpperCase())

const drawCard = () => `ML${String(randomInt(10 ** cardDigits)).padStart(cardDigits, '0')}`

/** Somebody's account, if there is one. */
export async function accountOf(q: Queryable, userId: number): Promise<Account | undefined> {
  const [row] = await q<Account[]>`select ${accountColumns(q)} from loyalty_accounts a where a.user_id = ${userId}`
  return row
}

/**
 * Somebody's account, opened now if there is none: who came by another surface gets it at the first login here or
 * the first reward. Any number at once open one.
 * @throws Refused not_found (`reason` user_unknown: never was, or is deleted)
 */
export async function openAccount(tx: Tx, userId: number): Promise<Account> {
  for (let attempt = 0; attempt < drawsMax; attempt++) {
    const there = await accountOf(tx, userId)
    if (there) return there
    // Waits for whoever is just opening it; then theirs is found, or the number itself was taken.
    const [made] = await tx<Account[]>`
      insert into loyalty_accounts as a (user_id, card_number)
      select id, ${drawCard()} from users where id = ${userId} and deleted_at is null
      on conflict do nothing returning ${accountColumns(tx)}`
    if (made) return made
    const [user] = await tx`select id from users where id = ${userId} and deleted_at is null`
    if (!user) throw new Refused('not_found', `user ${userId}`, { reason: 'user_unknown' })
  }
  throw new Error(`no free card number in ${drawsMax} draws`)
}

/**
 * A new patient with role and account. `actor` null: the newcomer, or the clock.
 * @throws Refused duplicate (`about.field`: email, phone)
 */
export async function addPatient(tx: Tx, actor: Actor | null, person: NewPerson): Promise<number> {
  const id = await add(tx, person, 'active')
  await grant(tx, id, { surface, role: 'patient' })
  const { cardNumber } = await openAccount(tx, id)
  await audit.record(tx, actor ?? { userId: id, roles: [] }, surface, {
    action: 'user.register',
    entityType: 'user',
    entityId: id,
    newValues: { role: 'patient', status: 'active', cardNumber },
  })
  return id
}

/** What is selected for a `Member` of `users u`. */
export const memberColumns = (q: Queryable) => q`
  ${columnsOf(q, 'u', MEMBER)}, coalesce((
    select r.role from user_roles r where r.user_id = u.id and r.surface = ${surface}
    order by array_position(${[...roles.loyalty]}::text[], r.role) limit 1), 'patient') as role`

/** Somebody who is not deleted, as this surface shows them. */
export async function member(q: Queryable, userId: number): Promise<Member | undefined> {
  const [row] = await q<Member[]>`
    select ${memberColumns(q)} from users u where u.id = ${userId} and u.deleted_at is null`
  return row
}
