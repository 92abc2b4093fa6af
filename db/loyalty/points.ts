import { createHash, randomUUID } from 'node:crypto'
import * as ledger from '../ledger/ledger.ts'
import * as audit from '../messages/audit.ts'
import type { Actor } from '../platform/actor.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import { columnsOf, type Page, pageOf } from '../postgres/rows.ts'
import { type Account, accountColumns, openAccount } from './loyalty.ts'
import { Refused } from './refused.ts'
import type { loyaltyTransactions } from './schema.ts'
import { type Currency, cardTiers, type TransactionType } from './words.ts'

/** What the settings say of points. Thresholds in hundredths of points ever earned. */
export interface PointRules {
  silverMinor: number
  goldMinor: number
  platinumMinor: number
  /** How long points are good; null: for ever. Cashback never expires. */
  pointsDays: number | null
}

type Row = typeof loyaltyTransactions.$inferSelect
const COLUMNS = [
  'id',
  'accountId',
  'transactionType',
  'amount',
  'currency',
  'source',
  'sourceId',
  'description',
  'isReversed',
  'createdAt',
] as const satisfies (keyof Row)[]

/** One movement of points or cashback. Amount in hundredths, more than 0. */
export type Transaction = Pick<Row, (typeof COLUMNS)[number]>

/** What is to be moved. */
export interface NewTransaction {
  /** Hundredths, more than 0. */
  amount: number
  currency: Currency
  /** Why: `visit`, `referral`, `rental` … */
  source: string
  sourceId: string | null
  description: string | null
  /** Said again with the same key it counts once. Each door has a prefix of its own, so that none takes another's. */
  idempotencyKey: string | null
}

/** Whose: by the account, or by the user, for whom one is opened if there is none. */
export type Whose = { accountId: number } | { userId: number }

const columns = (q: Queryable) => columnsOf(q, 't', COLUMNS)

/**
 * Locks an account until the transaction ends: the movements of one customer come one after the other. Behind what
 * `lock` in station-lock.ts names, before the books of the ledger. One whose owner is deleted is there for the clock only.
 * @throws Refused not_found (`reason` account_unknown, user_unknown), conflict (account_inactive)
 */
async function lock(tx: Tx, whose: Whose, { orGone = false } = {}): Promise<Account> {
  const id = 'accountId' in whose ? whose.accountId : (await openAccount(tx, whose.userId)).id
  const [row] = await tx<(Account & { isGone: boolean })[]>`
    select ${accountColumns(tx)}, not exists (
      select from users u where u.id = a.user_id and u.deleted_at is null) as is_gone
    from loyalty_accounts a where a.id = ${id} for no key update`
  if (!row || (row.isGone && !orGone)) throw new Refused('not_found', `account ${id}`, { reason: 'account_unknown' })
  const { isGone: _, ...account } = row
  if (!account.isActive) throw new Refused('conflict', `account ${id}`, { reason: 'account_inactive' })
  return account
}

/** What a key stands for: the same key for anything else is a mistake. */
const hashOf = (accountId: number, type: TransactionType, given: NewTransaction): string => {
  const { amount, currency, source, sourceId, description } = given
  const said = [accountId, type, amount, currency, source, sourceId, description]
  return createHash('sha256').update(JSON.stringify(said)).digest('hex')
}

/** @throws Refused idempotency_mismatch */
async function repeated(tx: Tx, key: string | null, requestHash: string): Promise<Transaction | undefined> {
  if (key === null) return undefined
  const [row] = await tx<(Transaction & { requestHash: string })[]>`
    select ${columns(tx)}, t.request_hash from loyalty_transactions t where t.idempotency_key = ${key}`
  if (!row) return undefined
  const { requestHash: first, ...transaction } = row
  if (first !== requestHash) throw new Refused('idempotency_mismatch', 'the key was used for another transaction')
  return transaction
}

interface Move {
  account: Account
  type: TransactionType
  given: NewTransaction
  actor: Actor | null
  /** Of an accrual: when it expires. */
  expiresAt?: Date | null
}

/**
 * The posting and its row, both or none.
 * @throws Refused insufficient_funds {available}, idempotency_mismatch (the key is being used for another account)
 */
async function write(tx: Tx, { account, type, given, actor, expiresAt = null }: Move) {
  const { amount, currency, source, sourceId, description, idempotencyKey: key } = given
  const signed = type === 'accrual' || type === 'refund' ? amount : -amount
  const posting = await ledger.post(tx, {
    owner: { kind: 'user', id: account.userId },
    unit: currency,
    key: `loyalty:${key ?? randomUUID()}`,
    kind: type,
    entries: { balance: signed, house: -signed },
    createdBy: actor?.userId ?? null,
    about: { source, sourceId },
  })
  const [row] = await tx<Transaction[]>`
    insert into loyalty_transactions as t (account_id, transaction_type, amount, currency, source, source_id, description,
      idempotency_key, request_hash, remaining, expires_at, posting_id, created_by)
    values (${account.id}, ${type}, ${amount}, ${currency}, ${source}, ${sourceId}, ${description}, ${key},
      ${key && hashOf(account.id, type, given)}, ${signed > 0 ? amount : null}, ${expiresAt}, ${posting.id},
      ${actor?.userId ?? null})
    returning ${columns(tx)}`
  const balance = posting.balances.balance!
  await audit.record(tx, actor, 'loyalty', {
    action: `loyalty.${type}`,
    entityType: 'loyalty_account',
    entityId: account.id,
    oldValues: { currency, balanceMinor: balance - signed },
    newValues: { currency, balanceMinor: balance, amountMinor: amount, transactionId: row!.id, source, sourceId },
  })
  return row!
}

/**
 * Gives points or cashback; a card rises to the tier that was earned, and never falls. Said again with the same key
 * it gives the first transaction.
 * @throws Refused not_found, conflict (account_inactive), idempotency_mismatch, invalid (beyond counting)
 */
export async function accrue(
  tx: Tx,
  actor: Actor | null,
  { rules, ...given }: Whose & NewTransaction & { rules: PointRules },
): Promise<Transaction> {
  const account = await lock(tx, given)
  const first = await repeated(tx, given.idempotencyKey, hashOf(account.id, 'accrual', given))
  if (first) return first
  const days = given.currency === 'points' ? rules.pointsDays : null
  const [at] = await tx<{ expiresAt: Date | null }[]>`select now() + make_interval(days => ${days}) as expires_at`
  const transaction = await write(tx, { account, type: 'accrual', given, actor, expiresAt: at!.expiresAt })
  const points = given.currency === 'points' ? given.amount : 0
  const { silverMinor, goldMinor, platinumMinor } = rules
  await tx`
    update loyalty_accounts set total_points_earned = total_points_earned + ${points},
      total_cashback_earned = total_cashback_earned + ${given.amount - points},
      card_tier = (${[...cardTiers]}::text[])[greatest(array_position(${[...cardTiers]}::text[], card_tier),
        1 + (select count(*) from unnest(${[silverMinor, goldMinor, platinumMinor]}::bigint[]) as earned
          where earned <= total_points_earned + ${points})::int)]
    where id = ${account.id}`
  return transaction
}

/**
 * Takes points or cashback, those that expire first. Said again with the same key it gives the first transaction.
 * @throws Refused not_found, conflict (account_inactive), insufficient_funds {available}, idempotency_mismatch
 */
export async function deduct(tx: Tx, actor: Actor | null, given: Whose & NewTransaction): Promise<Transaction> {
  const account = await lock(tx, given)
  const first = await repeated(tx, given.idempotencyKey, hashOf(account.id, 'deduction', given))
  if (first) return first
  let expired: number
  do expired = await expireOf(tx, account)
  while (expired === lotsMax)
  const { amount, currency } = given
  const transaction = await write(tx, { account, type: 'deduction', given, actor })
  await tx`
    with lots as (
      select id, (sum(remaining) over (order by expires_at nulls last, id) - remaining)::bigint as before
      from loyalty_transactions where account_id = ${account.id} and currency = ${currency} and remaining > 0)
    update loyalty_transactions t set remaining = t.remaining - least(t.remaining, ${amount} - lots.before)
    from lots where lots.id = t.id and lots.before < ${amount}`
  const points = currency === 'points' ? amount : 0
  await tx`
    update loyalty_accounts set total_points_spent = total_points_spent + ${points},
      total_cashback_spent = total_cashback_spent + ${amount - points}
    where id = ${account.id}`
  return transaction
}

/** Of one account at once; what is left comes with the next. */
const lotsMax = 500

/** What has expired of a locked account is taken away, each accrual by a transaction of its own. Returns how many. */
async function expireOf(tx: Tx, account: Account): Promise<number> {
  const lots = await tx<{ id: number; currency: Currency; remaining: number }[]>`
    select id, currency, remaining from loyalty_transactions
    where account_id = ${account.id} and remaining > 0 and expires_at <= now() order by currency, expires_at, id
    limit ${lotsMax}`
  for (const { id, currency, remaining } of lots) {
    await tx`update loyalty_transactions set remaining = 0 where id = ${id}`
    const given: NewTransaction = {
      amount: remaining,
      currency,
      source: 'expiration',
      sourceId: String(id),
      description: null,
      idempotencyKey: `expiration:${id}`,
    }
    await write(tx, { account, type: 'expiration', given, actor: null })
  }
  return lots.length
}

/** Accounts at one tick of the clock; the rest come with the next. */
const accountsMax = 500

/** Accounts with something that has expired. */
export async function expired(q: Queryable): Promise<{ id: number }[]> {
  return await q<{ id: number }[]>`
    select t.account_id as id from loyalty_transactions t join loyalty_accounts a on a.id = t.account_id and a.is_active
    where t.remaining > 0 and t.expires_at <= now()
    group by t.account_id order by min(t.expires_at) limit ${accountsMax}`
}

/** Takes away what has expired of an account; how many accruals that was. Said twice counts once. */
export async function expire(tx: Tx, accountId: number): Promise<number> {
  return await expireOf(tx, await lock(tx, { accountId }, { orGone: true }))
}

/** What somebody has. Hundredths. */
export interface Balance {
  pointsBalance: number
  cashbackBalance: number
  cardTier: Account['cardTier']
  transactionsCount: number
}

/** Somebody's balances; undefined without an account. */
export async function balance(q: Queryable, userId: number): Promise<Balance | undefined> {
  const held = (currency: Currency) => q`coalesce((
    select l.balance from ledger_books b join ledger_accounts l on l.book_id = b.id and l.name = 'balance'
    where b.owner_kind = 'user' and b.owner_id = a.user_id and b.unit = ${currency}), 0)`
  const [row] = await q<Balance[]>`
    select ${held('points')} as points_balance, ${held('cashback')} as cashback_balance, a.card_tier,
      (select count(*) from loyalty_transactions t where t.account_id = a.id) as transactions_count
    from loyalty_accounts a where a.user_id = ${userId}`
  return row
}

/** A page of somebody's transactions, newest first; nothing without an account. */
export async function transactions(
  q: Queryable,
  userId: number,
  at: { limit: number; offset: number },
): Promise<Page<Transaction>> {
  const of = q`loyalty_transactions t where t.account_id = (select id from loyalty_accounts where user_id = ${userId})`
  return await pageOf(q, of, q`select ${columns(q)} from ${of} order by t.id desc`, at)
}
