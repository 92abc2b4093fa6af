import type { Queryable, Tx } from '../postgres/connect.ts'
import { columnsOf, type Fragment } from '../postgres/rows.ts'
import type { getproAccounts, savedPaymentMethods, subscriptionPayments } from './schema.ts'
import type { PaymentProvider } from './words.ts'

type Row = typeof subscriptionPayments.$inferSelect
const COLUMNS = [
  'id',
  'accountId',
  'purpose',
  'months',
  'provider',
  'providerPaymentId',
  'reference',
  'amountKopecks',
  'chargedAmount',
  'chargedCurrency',
  'status',
  'description',
  'confirmationUrl',
  'savesMethod',
  'isCaptured',
  'providerKey',
  'attempts',
  'createdAt',
] as const satisfies (keyof Row)[]

/** A payment whose provider is asked, and whoever asks has it: what has to be told, and by which number it is theirs. */
export type Asking = Pick<Row, (typeof COLUMNS)[number]> &
  Pick<typeof getproAccounts.$inferSelect, 'telegramId' | 'email'> & {
    /** The method that is charged without its owner. */
    providerMethodId: (typeof savedPaymentMethods.$inferSelect)['providerMethodId'] | null
  }

/** Nobody's business any more: it is asked for no longer, and a notice settles it all the same. */
const OPEN_DAYS = 30
/** Of its age: what is new is asked for often. */
const PAUSE_SHARE = 0.25
const PAUSE_SECONDS_MAX = 21_600
const errorCharactersMax = 500

const isOpen = (q: Queryable) => q`p.status in ('pending', 'waiting_for_capture')`
const isFree = (q: Queryable) => q`(p.leased_until is null or p.leased_until <= now())`

/** Takes these for one asker only, until the lease is over or given back. */
const lease = (q: Queryable, ids: Fragment, leaseSeconds: number) => q<Asking[]>`
  update subscription_payments p set attempts = p.attempts + 1, leased_until = now() + make_interval(secs => ${leaseSeconds})
  from getpro_accounts a, (${ids}) as taken
  where p.id = taken.id and a.id = p.account_id
  returning ${columnsOf(q, 'p', COLUMNS)}, a.telegram_id, a.email, (
    select m.provider_method_id from saved_payment_methods m where m.id = p.saved_method_id) as provider_method_id`

/** Takes payments of a provider that are due, each for one asker only. The oldest question first. */
export async function claim(
  q: Queryable,
  provider: PaymentProvider,
  { limit, leaseSeconds }: { limit: number; leaseSeconds: number },
): Promise<Asking[]> {
  const due = q`
    select p.id from subscription_payments p
    where p.provider = ${provider} and ${isOpen(q)} and p.due_at <= now() and ${isFree(q)}
      and p.created_at > now() - make_interval(days => ${OPEN_DAYS})
    order by p.due_at, p.id limit ${limit} for update skip locked`
  return await lease(q, due, leaseSeconds)
}

/** Takes one that somebody wants to know about now; undefined: it is not open, or somebody is asking. */
export async function claimOne(q: Queryable, id: number, leaseSeconds: number): Promise<Asking | undefined> {
  const one = q`
    select p.id from subscription_payments p
    where p.id = ${id} and ${isOpen(q)} and ${isFree(q)} for update skip locked`
  const [taken] = await lease(q, one, leaseSeconds)
  return taken
}

/** One that its asker has from beginning it. */
export async function begun(q: Queryable, id: number): Promise<Asking> {
  const [row] = await q<Asking[]>`
    select ${columnsOf(q, 'p', COLUMNS)}, a.telegram_id, a.email, (
      select m.provider_method_id from saved_payment_methods m where m.id = p.saved_method_id) as provider_method_id
    from subscription_payments p join getpro_accounts a on a.id = p.account_id where p.id = ${id}`
  return row!
}

/** What came of a question. */
export interface Answered {
  /** Why nothing is known. */
  error?: string | null
  /** It is asked for again after so long; null: the older it is, the later. */
  seconds?: number | null
}

/** Gives a payment back, and says when it is asked for again; by then of somebody else, it stays theirs. */
export async function release(
  q: Queryable,
  { id, attempts }: Pick<Asking, 'id' | 'attempts'>,
  { error = null, seconds = null }: Answered,
  pollSeconds: number,
): Promise<void> {
  await q`
    update subscription_payments set leased_until = null, last_error = ${error?.slice(0, errorCharactersMax) ?? null},
      due_at = now() + coalesce(make_interval(secs => ${seconds}),
        least(greatest((now() - created_at) * ${PAUSE_SHARE}, make_interval(secs => ${pollSeconds})),
          make_interval(secs => ${PAUSE_SECONDS_MAX}))),
      updated_at = now()
    where id = ${id} and attempts = ${attempts}`
}

/** Gives up a payment that its provider refused to make: nobody can pay it. False: it is settled otherwise by now. */
export async function fail(tx: Tx, { id }: Pick<Asking, 'id'>, reason: string): Promise<boolean> {
  const failed = await tx`
    update subscription_payments set status = 'failed', cancel_reason = ${reason}, leased_until = null, settled_at = now(),
      updated_at = now()
    where id = ${id} and status = 'pending' and provider_payment_id is null`
  return failed.count > 0
}

/** A number under which FreeKassa takes a call. */
export async function nextNonce(q: Queryable): Promise<number> {
  const [row] = await q<{ nonce: number }[]>`select nextval('freekassa_nonces') as nonce`
  return row!.nonce
}
