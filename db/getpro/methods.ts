import type { Queryable, Tx } from '../postgres/connect.ts'
import type { savedPaymentMethods } from './schema.ts'
import type { PaymentProvider } from './words.ts'

type Row = typeof savedPaymentMethods.$inferSelect
const COLUMNS = [
  'id',
  'provider',
  'methodType',
  'title',
  'cardLast4',
  'cardNetwork',
  'isDefault',
  'revokedReason',
  'createdAt',
] as const satisfies (keyof Row)[]

/** A method of payment as people may see it: not the name by which it is charged. */
export type SavedMethod = Pick<Row, (typeof COLUMNS)[number]>

/** A method of payment that a provider keeps from now on. */
export interface NewMethod {
  providerMethodId: string
  methodType: string
  title: string | null
  cardLast4: string | null
  cardNetwork: string | null
}

/** Reasons after which a method is never charged again (docs/providers.md 1). */
const dead = ['permission_revoked', 'card_expired', 'invalid_card_number']

/** Keeps a method for an account that is held: the newest is the one that renewals take. Kept already, it stays. */
export async function keep(tx: Tx, accountId: number, provider: PaymentProvider, method: NewMethod): Promise<void> {
  await tx`update saved_payment_methods set is_default = false where account_id = ${accountId} and is_default`
  await tx`
    insert into saved_payment_methods
      (account_id, provider, provider_method_id, method_type, title, card_last4, card_network, is_default)
    values (${accountId}, ${provider}, ${method.providerMethodId}, ${method.methodType}, ${method.title}, ${method.cardLast4},
      ${method.cardNetwork}, true)
    on conflict (provider, provider_method_id) do update
      set is_default = saved_payment_methods.account_id = excluded.account_id and saved_payment_methods.deleted_at is null`
}

/** Gives up a method that a charge was refused for, when the reason is one that lasts. */
export async function giveUp(tx: Tx, id: number, reason: string | null): Promise<boolean> {
  if (reason === null || !dead.includes(reason)) return false
  const given = await tx`
    update saved_payment_methods set revoked_reason = ${reason}, is_default = false, deleted_at = now()
    where id = ${id} and deleted_at is null`
  return given.count > 0
}

/** What can be charged without the payer, the default first. */
export async function list(q: Queryable, accountId: number): Promise<SavedMethod[]> {
  return await q<SavedMethod[]>`
    select ${q(COLUMNS)} from saved_payment_methods where account_id = ${accountId} and deleted_at is null
    order by is_default desc, id desc limit 100`
}

/** What a renewal is charged to; undefined: nothing was saved, or nothing is good any more. */
export async function chargeable(q: Queryable, accountId: number): Promise<SavedMethod | undefined> {
  const [first] = await list(q, accountId)
  return first
}
