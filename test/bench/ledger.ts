import { countPostings, prepareBooks, recordPosting } from './ledger-cases.ts'
import type { LedgerChild } from './ledger-child.ts'
import { alternate, compared } from './pairs.ts'
import type { Bench } from './stage.ts'
import { type Row, thousands } from './table.ts'

const clients = 16
const ownersEach = 64
const ratioMin = 0.8

/** A posting through `db.transaction`, and the same two statements by a bare postgres.js client, on the same books. */
export async function ledger(bench: Bench): Promise<Row[]> {
  const { quick, start, progress } = bench
  const each = quick ? 64 : 512
  const { db, url } = await bench.database()
  await prepareBooks(db, clients * ownersEach)
  const recorded = await recordPosting(db, clients * ownersEach)
  const ways = [
    { about: `${clients * ownersEach} owners, durable`, isDurable: true, owners: ownersEach },
    { about: `${clients * ownersEach} owners, synchronous_commit off`, isDurable: false, owners: ownersEach },
    { about: 'one owner, durable', isDurable: true, owners: 0 },
  ]
  const rows: Row[] = []
  for (const { about, isDurable, owners } of ways) {
    progress(`  ${about}`)
    const name = db.sql(new URL(url).pathname.slice(1))
    await db.sql`alter database ${name} set synchronous_commit = ${db.sql.unsafe(isDurable ? 'on' : 'off')}`
    const child = start<LedgerChild>('ledger-child.ts', { isUnderTest: true })
    await child.ask('open', { url, clients })
    const fresh = async (run: () => Promise<number>) => {
      await db.sql`checkpoint`
      const before = await countPostings(db)
      const rate = await run()
      const written = (await countPostings(db)) - before
      if (written !== clients * each) throw new Error(`${written} postings were written, not ${clients * each}`)
      return rate
    }
    const run = { clients, each, owners }
    const rounds = await alternate(quick ? 3 : 7, {
      verb: () => fresh(() => child.ask('verb', run)),
      bare: () => fresh(() => child.ask('bare', { ...run, ...recorded })),
    })
    await child.ask('close', undefined)
    await child.end()
    const { ours, baseline, ratio } = compared(rounds, (rate) => rate, ['verb', 'bare'])
    rows.push({
      what: `ledger posting, ${clients} clients, ${about}`,
      ours: `${thousands(ours)}/s`,
      baseline: `bare postgres.js ${thousands(baseline)}/s`,
      ratio,
      goal: `≥ ${ratioMin}×`,
      met: ratio.median >= ratioMin,
    })
  }
  return rows
}
