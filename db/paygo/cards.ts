import { randomBytes } from 'node:crypto'
import * as audit from '../messages/audit.ts'
import { record } from '../messages/events.ts'
import type { Actor } from '../platform/actor.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import { columnsOf } from '../postgres/rows.ts'
import { bankOf } from './banks.ts'
import { cardFingerprint, masked } from './fingerprints.ts'
import { Refused } from './refused.ts'
import type { paymentCards } from './schema.ts'
import type { CardType } from './words.ts'

/** More is nobody's wallet. */
const CARDS_MAX = 20
const tokenBytes = 24

type Row = typeof paymentCards.$inferSelect
const COLUMNS = [
  'id',
  'maskedNumber',
  'bankName',
  'cardType',
  'isPrimary',
  'expiresAt',
  'createdAt',
] as const satisfies (keyof Row)[]

/** A card as its owner sees it. */
export type Card = Pick<Row, (typeof COLUMNS)[number]>

/** What is given of a card. Its code at the back is checked at the door and goes no further. */
export interface NewCard {
  /** Digits only. */
  number: string
  /** The last day of its month. */
  expiresAt: string
  cardholderName: string
  cardType: CardType
}

const unknown = (id: number) => new Refused('not_found', `card ${id}`, { reason: 'card_unknown' })
const ofCards = (q: Queryable) => q`select ${columnsOf(q, 'c', COLUMNS)} from payment_cards c`

/** Somebody's cards, the primary one first, then the oldest. At most `CARDS_MAX`. */
export const list = (q: Queryable, userId: number): Promise<Card[]> =>
  q<
    Card[]
  >`${ofCards(q)} where c.user_id = ${userId} and c.deleted_at is null order by c.is_primary desc, c.id limit ${CARDS_MAX}`

/** Whoever changes somebody's cards does so alone: which of them is the primary one is a question of all. */
async function hold(tx: Tx, userId: number): Promise<void> {
  await tx`select 1 from users where id = ${userId} for no key update`
}

async function mine(tx: Tx, actor: Actor, id: number): Promise<Card> {
  await hold(tx, actor.userId)
  const [card] = await tx<Card[]>`
    ${ofCards(tx)} where c.id = ${id} and c.user_id = ${actor.userId} and c.deleted_at is null`
  if (!card) throw unknown(id)
  return card
}

const note = (tx: Tx, actor: Actor, act: 'add' | 'delete' | 'set_primary', { id, maskedNumber }: Card) =>
  audit.record(tx, actor, 'paygo', {
    action: `card.${act}`,
    entityType: 'payment_card',
    entityId: id,
    newValues: { maskedNumber },
  })

/**
 * Keeps a card of the actor's: a random token, a fingerprint and the last four digits, never the number. The first one is
 * the primary one.
 * @throws Refused conflict (card_known: the same number is there already, cards_too_many)
 */
export async function add(tx: Tx, actor: Actor, given: NewCard, key: Buffer): Promise<Card> {
  const { number, ...rest } = given
  await hold(tx, actor.userId)
  const fingerprint = cardFingerprint(number, key)
  const there = await tx<{ isSame: boolean }[]>`
    select fingerprint = ${fingerprint} as is_same from payment_cards
    where user_id = ${actor.userId} and deleted_at is null`
  if (there.some(({ isSame }) => isSame)) throw new Refused('conflict', 'the card is there', { reason: 'card_known' })
  if (there.length >= CARDS_MAX) throw new Refused('conflict', `${CARDS_MAX} cards`, { reason: 'cards_too_many' })
  const row = {
    ...rest,
    userId: actor.userId,
    token: randomBytes(tokenBytes).toString('base64url'),
    maskedNumber: masked(number),
    fingerprint,
    bankName: bankOf(number),
    isPrimary: there.length === 0,
  }
  const [card] = await tx<Card[]>`insert into payment_cards ${tx(row)} returning ${tx(COLUMNS)}`
  await note(tx, actor, 'add', card!)
  await record(tx, 'card.added', {
    userId: actor.userId,
    data: { cardId: card!.id, maskedNumber: card!.maskedNumber },
  })
  return card!
}

/**
 * Takes a card of the actor's away. If it was the primary one, the oldest of the others is.
 * @throws Refused not_found (card_unknown: never was, is gone, or is somebody else's)
 */
export async function remove(tx: Tx, actor: Actor, id: number): Promise<void> {
  const card = await mine(tx, actor, id)
  await tx`update payment_cards set deleted_at = now(), is_primary = false where id = ${id}`
  if (card.isPrimary)
    await tx`
      update payment_cards set is_primary = true where id = (
        select min(id) from payment_cards where user_id = ${actor.userId} and deleted_at is null)`
  await note(tx, actor, 'delete', card)
  await record(tx, 'card.removed', { userId: actor.userId, data: { cardId: id, maskedNumber: card.maskedNumber } })
}

/**
 * Makes a card of the actor's the primary one.
 * @throws Refused not_found (card_unknown)
 */
export async function setPrimary(tx: Tx, actor: Actor, id: number): Promise<Card> {
  const card = await mine(tx, actor, id)
  if (card.isPrimary) return card
  await tx`update payment_cards set is_primary = false where user_id = ${actor.userId} and is_primary`
  await tx`update payment_cards set is_primary = true where id = ${id}`
  await note(tx, actor, 'set_primary', card)
  return { ...card, isPrimary: true }
}
