import { randomInt } from 'node:crypto'
import { add, grant, type NewPerson, type Surface } from '../identity/identity.ts'
import * as audit from '../messages/audit.ts'
import type { Actor } from '../platform/actor.ts'
import { Refused } from '../platform/refused.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'

const surface: Surface = 'loyalty'
/** The weightiest first. Who has no row is a patient (docs/contracts.md B1). */
export const loyaltyRoles = ['admin', 'cashier', 'doctor', 'patient'] as const
export type LoyaltyRole = (typeof loyaltyRoles)[number]

/** The rising tiers of a card. */
export const cardTiers = ['bronze', 'silver', 'gold', 'platinum'] as const
export type CardTier = (typeof cardTiers)[number]

/** Somebody's card. Amounts in hundredths. */
export interface Account {
  id: number
  userId: number
  /** `ML` and eight digits. */
  cardNumber: string
  cardTier: CardTier
  totalPointsEarned: number
  totalPointsSpent: number
  totalCashbackEarned: number
  totalCashbackSpent: number
  isActive: boolean
  createdAt: Date
}

/** Whom the surface shows as user. */
export interface Member {
  id: number
  externalId: string | null
  email: string | null
  phone: string | null
  fullName: string
  role: LoyaltyRole
  status: 'pending' | 'active' | 'blocked'
  isVerified: boolean
  createdAt: Date
}

/** Two of 10^8 numbers meet now and then; so many times in a row never. */
const drawsMax = 8
const cardDigits = 8

export const accountColumns = (q: Queryable) => q`
  a.id, a.user_id, a.card_number, a.card_tier, a.total_points_earned, a.total_points_spent, a.total_cashback_earned,
  a.total_cashback_spent, a.is_active, a.created_at`

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
  u.id, u.external_id, u.email, u.phone, u.full_name, u.status, u.is_verified, u.created_at, coalesce((
    select r.role from user_roles r where r.user_id = u.id and r.surface = ${surface}
    order by array_position(${[...loyaltyRoles]}::text[], r.role) limit 1), 'patient') as role`

/** Somebody who is not deleted, as this surface shows them. */
export async function member(q: Queryable, userId: number): Promise<Member | undefined> {
  const [row] = await q<Member[]>`
    select ${memberColumns(q)} from users u where u.id = ${userId} and u.deleted_at is null`
  return row
}
