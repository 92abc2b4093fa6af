import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { hashOf } from '../../db/ledger/ledger-hash.ts'
import { endOnSignals } from '../../db/platform/signals.ts'
import type { Db } from '../../db/postgres/connect.ts'
import { newGround } from './stage.ts'

/**
 * `node test/bench/ledger-fill.ts`: fills books with a million entries, each chain whole, and has `npm run ledger --
 * verify` prove them; then changes one row as only a superuser can, and has it proved again. By hand, some minutes.
 */
const manual = `node test/bench/ledger-fill.ts [--entries 1000000] [--books 2000]
`
const batchPostings = 5_000
const wroteEvery = 20
const farBehind = 0.9

interface Book {
  id: number
  ownerId: number
  seq: number
  hash: Buffer
  balance: number
}

/** The next posting of a book: mostly something comes in, now and then half of what there is goes out. */
function next(book: Book, id: number, createdAt: string) {
  book.seq++
  const amount = book.seq % 5 === 0 ? -Math.floor(book.balance / 2) : 100 + (book.seq % 7) * 10
  book.balance += amount
  const about = `{"document": "A-${id}"}`
  const key = `filled ${id}`
  book.hash = hashOf(book.hash, {
    ...{ bookId: `${book.id}`, ownerKind: 'user', ownerId: `${book.ownerId}`, unit: 'points', seq: `${book.seq}` },
    ...{ id: `${id}`, key, kind: 'accrual', reverses: null, createdBy: '1', createdAt, about },
    entries: [
      ['balance', `${amount}`],
      ['house', `${-amount}`],
    ],
  })
  return { id, book_id: book.id, seq: book.seq, key, about, at: createdAt, hash: book.hash.toString('hex'), amount }
}

/** So many postings, of two entries each, over so many books in turn. */
async function fill({ sql }: Db, postings: number, count: number, tell: (line: string) => void): Promise<void> {
  const rows = await sql<{ id: number; ownerId: number }[]>`
    insert into ledger_books (owner_kind, owner_id, unit)
    select 'user', n, 'points' from generate_series(1, ${count}::int) n returning id, owner_id`
  await sql`
    insert into ledger_accounts (book_id, name, floor)
    select b.id, a.name, a.floor from ledger_books b,
      (values ('balance', 0), ('held', 0), ('house', null), ('clearing', null)) a (name, floor)`
  const books: Book[] = rows.map((row) => ({ ...row, seq: 0, hash: Buffer.alloc(0), balance: 0 }))
  const from = Date.UTC(2026, 0, 1)
  for (let id = 1; id <= postings; ) {
    const batch = []
    for (; batch.length < batchPostings && id <= postings; id++) {
      const at = new Date(from + id * 1_000).toISOString().replace('Z', '000Z')
      batch.push(next(books[id % count]!, id, at))
    }
    await sql`
      with said as (select * from jsonb_to_recordset(${sql.json(batch)})
        as i (id bigint, book_id bigint, seq bigint, key text, about text, at text, hash text, amount bigint)),
      posting as (
        insert into ledger_postings (id, book_id, seq, key, kind, created_by, about, created_at, hash)
        select id, book_id, seq, key, 'accrual', 1, about::jsonb, at::timestamptz, decode(hash, 'hex') from said)
      insert into ledger_entries (posting_id, account_id, amount)
      select said.id, a.id, case a.name when 'balance' then amount else -amount end
      from said join ledger_accounts a on a.book_id = said.book_id and a.name in ('balance', 'house')`
    if (((id - 1) / batchPostings) % wroteEvery === 0) tell(`${id - 1} of ${postings} postings written`)
  }
  const heads = books.map(({ id, seq, hash, balance }) => ({ id, seq, hash: hash.toString('hex'), balance }))
  await sql`
    with said as (select * from jsonb_to_recordset(${sql.json(heads)}) as i (id bigint, seq bigint, hash text, balance bigint)),
    chained as (
      update ledger_books b set last_seq = said.seq, last_hash = decode(said.hash, 'hex') from said where b.id = said.id)
    update ledger_accounts a set balance = case a.name when 'balance' then said.balance else -said.balance end
    from said where a.book_id = said.id and a.name in ('balance', 'house')`
  await sql`select setval('ledger_postings_id_seq', ${postings})`
  await sql.unsafe('vacuum analyze')
}

/** Runs the command over a database; its lines are ours. Resolves with what it ended with. */
const prove = (url: string) =>
  new Promise<number | null>((done, failed) => {
    const root = join(import.meta.dirname, '../..')
    const args = ['--import', './engine.js', 'db/ledger/ledger-cli.ts', 'verify']
    const env = { ...process.env, DATABASE_URL: url }
    spawn(process.execPath, args, { cwd: root, env, stdio: 'inherit' }).once('close', done).once('error', failed)
  })

async function main() {
  const options = {
    entries: { type: 'string', default: '1000000' },
    books: { type: 'string', default: '2000' },
  } as const
  const { values } = parseArgs({ options: { ...options, help: { type: 'boolean' } } })
  if (values.help) return void process.stdout.write(manual)
  const [postings, count] = [Math.ceil(Number(values.entries) / 2), Number(values.books)]
  const stage = newGround({ quick: false })
  endOnSignals().by(() => stage.close().finally(() => process.exit(1)))
  try {
    const { db, url } = await stage.database()
    await fill(db, postings, count, stage.progress)
    process.stdout.write(`ended with ${await prove(url)}\n`)
    // Of a book far behind, and of its later postings.
    const victim = count * Math.floor((postings / count) * farBehind) + Math.floor(count * farBehind)
    await db.transaction(async (tx) => {
      await tx`set local session_replication_role = replica`
      await tx`update ledger_entries set amount = amount + 1 where posting_id = ${victim} and amount > 0`
    })
    process.stdout.write(`one amount of posting ${victim} is changed\nended with ${await prove(url)}\n`)
  } finally {
    await stage.close()
  }
}

await main()
