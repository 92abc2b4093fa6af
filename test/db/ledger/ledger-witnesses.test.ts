import { beforeAll, expect, test } from 'vitest'
import { verify } from '../../../db/ledger/ledger-verify.ts'
import type { Tx } from '../../../db/postgres/connect.ts'
import { testDb } from '../../postgres.ts'
import { desk as certificateDesk } from '../loyalty/certificates.ts'
import { desk as pointsDesk } from '../loyalty/points.ts'
import { act } from '../world.ts'

const { db } = await testDb()
const points = await pointsDesk(db)
const certificates = await certificateDesk(db)
const tables = [
  ...['ledger_books', 'ledger_accounts', 'ledger_postings', 'ledger_entries'],
  ...['loyalty_accounts', 'loyalty_transactions', 'certificates', 'certificate_redemptions'],
]
const first = await points.customer()
const second = await points.customer()

beforeAll(async () => {
  const lapsing = await points.accrue(first.accountId, 1_000)
  await points.accrue(first.accountId, 500, { currency: 'cashback' })
  await points.deduct(first.accountId, 300)
  await points.lapse(lapsing.id)
  await points.expire(first.accountId)
  await points.accrue(first.accountId, 700)
  await points.deduct(first.accountId, 200)
  await points.accrue(second.accountId, 700)
  const sold = await Promise.all(Array.from({ length: 5 }, () => certificates.issue({ initialAmount: 1_000 })))
  const [active, used, cancelled, expired] = sold as [any, any, any, any, any]
  for (const { code } of [active, used, cancelled, expired]) await certificates.redeem(code, 400)
  await certificates.redeem(used.code, 600)
  await certificates.cancel(cancelled.id)
  await certificates.lapse(expired.id)
  await certificates.expire(expired.id)
  for (const table of tables) await db.sql`create table ${db.sql(`kept_${table}`)} as table ${db.sql(table)}`
})

/** Does what only a superuser can: no trigger and no reference is looked at. */
const unseen = (work: (tx: Tx) => Promise<unknown>) =>
  act(db, async (tx) => {
    await tx`set local session_replication_role = replica`
    await work(tx)
  })

/** What the proof says after somebody has been at the tables; then they are as before. */
async function after(tamper: (tx: Tx) => Promise<unknown>): Promise<string | null> {
  await unseen(tamper)
  const { broken } = await verify(db)
  await unseen(async (tx) => {
    for (const table of tables) {
      await tx`delete from ${tx(table)}`
      await tx`insert into ${tx(table)} table ${tx(`kept_${table}`)}`
    }
  })
  return broken
}

test('what was accrued, spent, expired, sold, redeemed, used up, cancelled and has lapsed is found whole', async () => {
  expect((await verify(db)).broken).toBe(null)
  expect(await after(async () => {})).toBe(null)
})

const changes: [what: string, tamper: (tx: Tx) => Promise<unknown>, found: RegExp][] = [
  [
    'the last posting of a book cut off, its head, hash and balances put back',
    async (tx) => {
      const [book] = await tx<{ id: number; lastSeq: number }[]>`
        select id, last_seq from ledger_books
        where owner_kind = 'user' and owner_id = ${first.userId} and unit = 'points'`
      await tx`
        update ledger_accounts a set balance = a.balance - e.amount from ledger_entries e, ledger_postings p
        where e.account_id = a.id and p.id = e.posting_id and p.book_id = ${book!.id} and p.seq = ${book!.lastSeq}`
      await tx`
        delete from ledger_entries where posting_id in (
          select id from ledger_postings where book_id = ${book!.id} and seq = ${book!.lastSeq})`
      await tx`delete from ledger_postings where book_id = ${book!.id} and seq = ${book!.lastSeq}`
      await tx`
        update ledger_books b set last_seq = b.last_seq - 1, last_hash = p.hash from ledger_postings p
        where b.id = ${book!.id} and p.book_id = b.id and p.seq = b.last_seq - 1`
    },
    /^loyalty transaction \d+ is not what the ledger says$/,
  ],
  [
    'a whole book and its rows deleted',
    async (tx) => {
      const books = tx`select id from ledger_books where owner_kind = 'certificate'`
      await tx`
        delete from ledger_entries where posting_id in (select id from ledger_postings where book_id in (${books}))`
      await tx`delete from ledger_postings where book_id in (${books})`
      await tx`delete from ledger_accounts where book_id in (${books})`
      await tx`delete from ledger_books where owner_kind = 'certificate'`
      await tx`delete from certificate_redemptions`
    },
    /^certificate \d+ is not/,
  ],
  [
    'an amount that was raised',
    (tx) => tx`update loyalty_transactions set amount = amount + 1 where transaction_type = 'accrual'`,
    /^loyalty transaction/,
  ],
  [
    'a deduction that was turned into an accrual',
    (tx) => tx`update loyalty_transactions set transaction_type = 'accrual' where transaction_type = 'deduction'`,
    /^loyalty transaction/,
  ],
  [
    'a transaction given to somebody else',
    (tx) => tx`
      update loyalty_transactions set account_id = ${second.accountId}
      where account_id = ${first.accountId} and currency = 'cashback'`,
    /^loyalty transaction/,
  ],
  [
    'a deduction that was deleted',
    (tx) => tx`delete from loyalty_transactions where transaction_type = 'deduction'`,
    /^loyalty account/,
  ],
  [
    'more left of an accrual than there is',
    (tx) => tx`update loyalty_transactions set remaining = remaining + 1 where remaining > 0 and remaining < amount`,
    /^loyalty account/,
  ],
  ['a redemption made smaller', (tx) => tx`update certificate_redemptions set amount = 1`, /^redemption/],
  [
    'a redemption of another certificate',
    (tx) => tx`update certificate_redemptions set certificate_id = (select max(id) from certificates)`,
    /^redemption/,
  ],
  ['a redemption deleted', (tx) => tx`delete from certificate_redemptions where amount = 600`, /^certificate/],
  ['more left than was', (tx) => tx`update certificate_redemptions set remaining = remaining + 1`, /^certificate/],
  ['a worth that was raised', (tx) => tx`update certificates set initial_amount = 2000`, /^certificate/],
  [
    'a certificate brought back to life',
    (tx) => tx`update certificates set status = 'active' where status = 'cancelled'`,
    /^certificate/,
  ],
  [
    'a certificate marked as used',
    (tx) => tx`update certificates set status = 'used' where status = 'expired'`,
    /^certificate/,
  ],
]

test.each(changes)('%s is noticed', async (_, tamper, found) => {
  expect(await after(tamper)).toMatch(found)
})
