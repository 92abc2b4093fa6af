import * as loyalty from '../../../db/loyalty/loyalty.ts'
import * as points from '../../../db/loyalty/points.ts'
import type { Currency } from '../../../db/loyalty/words.ts'
import type { Db } from '../../../db/postgres/connect.ts'
import { act, actor, next, person } from '../world.ts'

/** Tiers at 10, 50 and 100 points; points for a month. */
export const rules: points.PointRules = { silverMinor: 1_000, goldMinor: 5_000, platinumMinor: 10_000, pointsDays: 30 }

export type Given = Partial<points.NewTransaction>

/** A cashier's desk over a test's database. */
export async function desk(db: Db) {
  const cashier = actor(await person(db), 'cashier')
  const filled = (amount: number, change: Given): points.NewTransaction => ({
    amount,
    currency: 'points',
    source: 'visit',
    sourceId: null,
    description: null,
    idempotencyKey: null,
    ...change,
  })
  return {
    cashier,
    /** Somebody with an account and nothing on it. */
    async customer() {
      const userId = await person(db)
      const { id: accountId } = await act(db, (tx) => loyalty.openAccount(tx, userId))
      return { userId, accountId }
    },
    accrue: (accountId: number, amount: number, change: Given = {}, by = rules) =>
      act(db, (tx) => points.accrue(tx, cashier, { accountId, ...filled(amount, change), rules: by })),
    deduct: (accountId: number, amount: number, change: Given = {}) =>
      act(db, (tx) => points.deduct(tx, cashier, { accountId, ...filled(amount, change) })),
    expire: (accountId: number) => act(db, (tx) => points.expire(tx, accountId)),
    /** A key that no other test has. */
    key: () => `test:${next()}`,
    /** The day has come for these accruals. */
    lapse: async (...ids: number[]) =>
      void (await db.sql`update loyalty_transactions set expires_at = now() where id = any(${ids}::bigint[])`),
    /** What is left of each accrual, oldest first. */
    async lots(accountId: number) {
      const rows = await db.sql<{ remaining: number }[]>`
        select remaining from loyalty_transactions where account_id = ${accountId} and remaining is not null order by id`
      return rows.map(({ remaining }) => remaining)
    },
    /** The same amount told by four witnesses: the ledger, its entries, the rows that count, and what is left of them. */
    async witnesses(accountId: number, currency: Currency) {
      const [row] = await db.sql<{ kept: number; entries: number; rows: number; lots: number }[]>`
        with book as (
          select b.id from ledger_books b join loyalty_accounts a on a.user_id = b.owner_id
          where a.id = ${accountId} and b.owner_kind = 'user' and b.unit = ${currency}),
        t as (select * from loyalty_transactions where account_id = ${accountId} and currency = ${currency})
        select
          coalesce((select balance from ledger_accounts where book_id = (select id from book) and name = 'balance'), 0) as kept,
          (select coalesce(sum(e.amount), 0)::bigint from ledger_entries e join ledger_accounts a on a.id = e.account_id
            where a.book_id = (select id from book) and a.name = 'balance') as entries,
          (select coalesce(sum(case when transaction_type in ('accrual', 'refund') then amount else -amount end), 0)::bigint
            from t where not is_reversed) as rows,
          (select coalesce(sum(remaining), 0)::bigint from t where not is_reversed) as lots`
      return row!
    },
  }
}
