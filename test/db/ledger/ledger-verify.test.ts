import { createHash } from 'node:crypto'
import { beforeAll, expect, test } from 'vitest'
import * as ledger from '../../../db/ledger/ledger.ts'
import * as holds from '../../../db/ledger/ledger-holds.ts'
import { verify } from '../../../db/ledger/ledger-verify.ts'
import { write } from '../../../db/ledger/ledger-write.ts'
import type { Tx } from '../../../db/postgres/connect.ts'
import { testDb } from '../../postgres.ts'
import { act } from '../world.ts'
import { purse } from './purse.ts'

const { db } = await testDb()
const [first, second] = [purse(db), purse(db)]
const tables = ['ledger_books', 'ledger_accounts', 'ledger_postings', 'ledger_entries', 'ledger_holds']

// Book 1: a1 a2 a3 undo, four of holds, gift, with seq 1 to 9; book 2: b1 b2 gift b4.
beforeAll(async () => {
  await first.move(1_000, { key: 'a1', about: { document: 'A-1' } })
  const { id } = await first.move(200, { key: 'a2' })
  await first.move(-300, { key: 'a3', createdBy: 7 })
  await act(db, (tx) => ledger.reverse(tx, id, { key: 'undo', createdBy: 1 }))
  await act(db, (tx) => holds.hold(tx, { ...first, key: 'deposit', amount: 100, createdBy: 1 }))
  await act(db, (tx) => holds.hold(tx, { ...first, key: 'deposit 2', amount: 70, createdBy: 1 }))
  await act(db, (tx) => holds.hold(tx, { ...first, key: 'over', amount: 10, createdBy: 1 }))
  await act(db, (tx) => holds.release(tx, 'over', { createdBy: 1 }))
  await second.move(50, { key: 'b1' })
  await second.move(60, { key: 'b2' })
  const gift = { from: first.owner, to: second.owner, unit: 'points', amount: 30, key: 'gift', kind: 'gift' } as const
  await act(db, (tx) => ledger.transfer(tx, { ...gift, createdBy: null }))
  await second.move(-20, { key: 'b4' })
  for (const table of tables) await db.sql`create table ${db.sql(`kept_${table}`)} as table ${db.sql(table)}`
})

const own = { key: 'mine', kind: 'test', createdBy: null }

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

const entryOf = (tx: Tx, key: string, name: string) => tx`
  posting_id = (select id from ledger_postings where key = ${key})
  and account_id in (select id from ledger_accounts where name = ${name})`

test('whole books are found whole, and counted', async () => {
  expect(await verify(db)).toEqual({ books: 2, postings: 13, entries: 26, broken: null })
  expect(await after(async () => {})).toBe(null)
})

test('the hash of a posting is that of its row, by anybody’s reckoning', async () => {
  const [row] = await db.sql<{ id: number; at: string; hash: Buffer; lastHash: Buffer }[]>`
    select id, to_char(created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at, hash
    from ledger_postings where key = 'a3'`
  const [before] = await db.sql<{ hash: Buffer }[]>`select hash from ledger_postings where key = 'a2'`
  const owner = first.owner.id
  const text = `["1","user","${owner}","points","3","${row!.id}","a3","test",null,"7","${row!.at}","{}",[["balance","-300"],["house","300"]]]`
  expect(row!.hash.equals(createHash('sha256').update(before!.hash).update(text).digest())).toBe(true)
})

const hashed = 'its hash is not that of what it says and of the hash before it'
const changes: [what: string, tamper: (tx: Tx) => Promise<unknown>, found: string][] = [
  [
    'an amount',
    (tx) => tx`update ledger_entries set amount = 1001 where ${entryOf(tx, 'a1', 'balance')}`,
    `posting 1: ${hashed}`,
  ],
  [
    'both amounts of a posting, and the balances with them',
    async (tx) => {
      await tx`update ledger_entries set amount = amount + 5 where ${entryOf(tx, 'b2', 'balance')}`
      await tx`update ledger_entries set amount = amount - 5 where ${entryOf(tx, 'b2', 'house')}`
      await tx`update ledger_accounts set balance = balance + 5 where book_id = 2 and name = 'balance'`
      await tx`update ledger_accounts set balance = balance - 5 where book_id = 2 and name = 'house'`
    },
    `book 2 (user ${second.owner.id}, points), posting 2: ${hashed}`,
  ],
  ['a key', (tx) => tx`update ledger_postings set key = 'a9' where key = 'a2'`, `posting 2: ${hashed}`],
  ['a kind', (tx) => tx`update ledger_postings set kind = 'other' where key = 'a2'`, `posting 2: ${hashed}`],
  [
    'what it is about',
    (tx) => tx`update ledger_postings set about = '{"document": "A-2"}' where key = 'a1'`,
    `posting 1: ${hashed}`,
  ],
  ['who did it', (tx) => tx`update ledger_postings set created_by = 8 where key = 'a3'`, `posting 3: ${hashed}`],
  [
    'a microsecond of when it was',
    (tx) => tx`update ledger_postings set created_at = created_at + interval '1 microsecond' where key = 'a1'`,
    `posting 1: ${hashed}`,
  ],
  [
    'what it undoes',
    (tx) => tx`update ledger_postings set reverses = reverses + 1 where key = 'undo'`,
    `posting 4: ${hashed}`,
  ],
  [
    'an id',
    async (tx) => {
      await tx`update ledger_entries set posting_id = 1000 where posting_id = (select id from ledger_postings where key = 'a1')`
      await tx`update ledger_postings set id = 1000 where key = 'a1'`
    },
    `posting 1: ${hashed}`,
  ],
  ['an owner', (tx) => tx`update ledger_books set owner_id = 999 where id = 2`, `posting 1: ${hashed}`],
  [
    'the places of two postings',
    async (tx) => {
      await tx`update ledger_postings set seq = 100 where key = 'a1'`
      await tx`update ledger_postings set seq = 1 where key = 'a2'`
      await tx`update ledger_postings set seq = 2 where key = 'a1'`
    },
    `posting 1: ${hashed}`,
  ],
  [
    'the hashes of two postings',
    (tx) => tx`
      update ledger_postings p set hash = o.hash from ledger_postings o
      where (p.key, o.key) in (('a1', 'a2'), ('a2', 'a1'))`,
    `posting 1: ${hashed}`,
  ],
  [
    'an entry, which is gone',
    (tx) => tx`delete from ledger_entries where ${entryOf(tx, 'a3', 'house')}`,
    `posting 3: ${hashed}`,
  ],
]

test.each(changes)('changed afterwards, %s is noticed', async (_, tamper, found) => {
  expect(await after(tamper)).toContain(found)
})

/** Two open holds of one book trade their amounts: their sum is as before. */
const swapHolds = (tx: Tx) => tx`
  update ledger_holds h set amount = o.amount from ledger_holds o
  where (h.key, o.key) in (('deposit', 'deposit 2'), ('deposit 2', 'deposit'))`

const rest: typeof changes = [
  [
    'the last posting deleted',
    async (tx) => {
      await tx`delete from ledger_entries where posting_id = (select id from ledger_postings where key = 'b4')`
      await tx`delete from ledger_postings where key = 'b4'`
    },
    `book 2 (user ${second.owner.id}, points): its head is posting 4, its last posting is 3`,
  ],
  [
    'the last posting deleted, and the head put back',
    async (tx) => {
      await tx`delete from ledger_entries where posting_id = (select id from ledger_postings where key = 'b4')`
      await tx`delete from ledger_postings where key = 'b4'`
      await tx`update ledger_books set last_seq = 3 where id = 2`
    },
    'its head has not the hash of its last posting',
  ],
  [
    'a posting in the middle deleted',
    (tx) => tx`delete from ledger_postings where key = 'a2'`,
    'posting 2: it is missing, 3 follows',
  ],
  [
    'the first posting deleted',
    (tx) => tx`delete from ledger_postings where key = 'a1'`,
    'posting 1: it is missing, 2 follows',
  ],
  [
    'a posting put behind the last',
    async (tx) => {
      await tx`
        insert into ledger_postings (id, book_id, seq, key, kind, created_at, hash)
        select 1000, 2, 5, 'mine', 'test', now(), hash from ledger_postings where key = 'b4'`
      await tx`
        insert into ledger_entries (posting_id, account_id, amount)
        select 1000, id, case name when 'balance' then 5 else -5 end
        from ledger_accounts where book_id = 2 and name in ('balance', 'house')`
    },
    `posting 5: ${hashed}`,
  ],
  [
    'a balance of its own',
    (tx) => tx`update ledger_accounts set balance = balance + 1 where book_id = 2 and name = 'balance'`,
    'balance is 121, its entries sum to 120',
  ],
  [
    'a hold that was let go without a posting',
    (tx) => tx`update ledger_holds set status = 'released', ended_at = now(), taken = 0 where status = 'held'`,
    'held is 170, the open holds sum to 0',
  ],
  [
    'entries of a posting that is not there',
    (tx) => tx`insert into ledger_entries select 1000, id, 5 from ledger_accounts where book_id = 2`,
    '4 entries belong to no posting of a book',
  ],
  ...(['-5', '9007199254740000', '9000000000000000000'] as const).map((id): (typeof changes)[number] => [
    `an entry of posting ${id}, which is not there,`,
    (tx) =>
      tx`insert into ledger_entries select ${id}::bigint, id, 5 from ledger_accounts where book_id = 2 and name = 'house'`,
    '1 entries belong to no posting of a book',
  ]),
  [
    'a floor that was taken away',
    (tx) => tx`update ledger_accounts set floor = null where book_id = 2 and name = 'balance'`,
    'balance has no floor, where 0 is due',
  ],
  [
    'a floor where none is due',
    (tx) => tx`update ledger_accounts set floor = -1000 where book_id = 2 and name = 'house'`,
    'house has the floor -1000, where none is due',
  ],
  [
    'an account that is gone',
    (tx) => tx`delete from ledger_accounts where book_id = 2 and name = 'held'`,
    'it has the accounts balance, clearing, house',
  ],
  [
    'an account of another kind',
    (tx) => tx`insert into ledger_accounts (book_id, name) values (2, 'mine')`,
    'it has the accounts balance, clearing, held, house, mine',
  ],
  ['a hold of another amount', swapHolds, 'the hold deposit is not what its postings say'],
  [
    'a hold that was confirmed instead of released',
    (tx) => tx`update ledger_holds set status = 'confirmed', taken = 10 where key = 'over'`,
    'the hold over is not what its postings say',
  ],
  ['postings of a book that is not there', (tx) => tx`delete from ledger_books where id = 2`, 'there is no book 2'],
]

test.each(rest)('%s is noticed', async (_, tamper, found) => {
  expect(await after(tamper)).toContain(found)
})

/** What no chain shows, for each book of it is whole: written by the house's own hand, past its rules. */
const wrong: typeof changes = [
  [
    'money on its way to nobody',
    (tx) => write(tx, { ...first, ...own, entries: { balance: -5, clearing: 5 } }),
    'the clearing accounts in points sum to 5, not 0',
  ],
  [
    'a reversal that does not undo what it names',
    async (tx) => {
      const [of] = await tx<{ id: number }[]>`select id from ledger_postings where key = 'a1'`
      await write(tx, { ...first, ...own, entries: { balance: -5, house: 5 }, reverses: of!.id })
    },
    'it does not undo posting',
  ],
  [
    'a reversal of another book’s posting',
    async (tx) => {
      const [of] = await tx<{ id: number }[]>`select id from ledger_postings where key = 'b1'`
      await write(tx, { ...first, ...own, entries: { balance: -50, house: 50 }, reverses: of!.id })
    },
    'it does not undo posting',
  ],
]

test.each(wrong)('%s is noticed', async (_, tamper, found) => {
  expect(await after(tamper)).toContain(found)
})

test('a balance below its floor is noticed where the table would no longer refuse it', async () => {
  await db.sql`alter table ledger_accounts drop constraint ledger_accounts_floor`
  const overdraw = async (tx: Tx) => {
    const floor = (to: number | null) =>
      tx`update ledger_accounts set floor = ${to} where book_id = 2 and name = 'balance'`
    await floor(null)
    await write(tx, { ...second, ...own, entries: { balance: -125, house: 125 } })
    await floor(0)
  }
  expect(await after(overdraw)).toContain('balance is -5, below its floor of 0')
  await db.sql`
    alter table ledger_accounts add constraint ledger_accounts_floor check (floor is null or balance >= floor)`
})

test('a proof that is given up says why', async () => {
  const gone = AbortSignal.abort(new Error('the house closes'))
  await expect(verify(db, { signal: gone })).rejects.toThrow('the house closes')
})
