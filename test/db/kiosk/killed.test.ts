import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { verify } from '../../../db/ledger/ledger-verify.ts'
import { simulatedAcquirer } from '../../../db/paygo/simulated-acquirer.ts'
import { testDb } from '../../postgres.ts'
import { recover, wrongs } from '../paygo/till-audit.ts'
import { bringsBack, letsOut, overdue, stand, work } from './stand.ts'

const { db, url } = await testDb()
/** Done before each kill; so many that they stand at different places of a rental. */
const DONE = [13, 16, 19, 21]
const STANS_EACH = 10_000

/** A kiosk does business in a process of its own until it is killed, as `kill -9` does. */
async function rentUntilKilled({ till, station }: { till: number; station: number }, firstStan: number, done: number) {
  const script = join(import.meta.dirname, 'kiosk-child.ts')
  const child = spawn(process.execPath, [script, url, ...[firstStan, till, station].map(String)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  let seen = 0
  child.stdout.on('data', (dots: Buffer) => {
    seen += dots.length
    if (seen >= done) child.kill('SIGKILL')
  })
  const [code, signal] = await once(child, 'close')
  expect({ code, signal }).toEqual({ code: null, signal: 'SIGKILL' })
  // What its connections had been told is still done by the database.
  const connections = () => db.sql`select 1 from pg_stat_activity where application_name = ${`voltbay/${child.pid}`}`
  await expect.poll(connections, { timeout: 10_000 }).toEqual([])
}

/** Other processes go on with whatever is left, as its time comes. */
async function goOn({ station }: { station: number }): Promise<void> {
  for (let round = 0; round < 4; round++) {
    await recover(db, simulatedAcquirer(db))
    await overdue(db)
    await work(db)
    await letsOut(db, station)
    await work(db)
    await bringsBack(db, station)
    await work(db)
  }
}

test('a kiosk that is killed between any two steps loses nothing, lends nothing twice and takes what is due', {
  timeout: 180_000,
}, async () => {
  const place = await stand(db, { banks: 3, limit: 3 })
  let wereUnderWay = 0
  for (const [at, done] of DONE.entries()) {
    await rentUntilKilled(place, (at + 1) * STANS_EACH, done)
    wereUnderWay += (await db.sql`select 1 from kiosk_rentals where ended_at is null`).length
    await goOn(place)
  }
  expect(wereUnderWay).toBeGreaterThan(0)
  const rentals = await db.sql<{ outcome: string | null; owedMinor: number; takenMinor: number }[]>`
    select r.outcome, r.owed_minor, case when t.status = 'completed' then t.amount_minor else 0 end as taken_minor
    from kiosk_rentals r join transactions t on t.id = r.transaction_id where r.station_id = ${place.station}`
  expect(rentals.length).toBeGreaterThan(DONE.length)
  for (const { outcome, owedMinor, takenMinor } of rentals) {
    // Before the acquirer was told, or after a minute: nobody waits for a bank any more.
    expect(['returned', 'not_lent', 'declined']).toContain(outcome)
    expect(takenMinor).toBe(owedMinor)
    expect(owedMinor > 0).toBe(outcome === 'returned')
  }
  const deposits = await db.sql`select 1 from transactions where terminal_id = ${place.till}`
  expect(deposits).toHaveLength(rentals.length)
  const orders = await db.sql`select 1 from orders where station_id = ${place.station}`
  expect(orders).toHaveLength(rentals.filter(({ outcome }) => outcome === 'returned').length)
  expect(await wrongs(db, place.till)).toEqual([])
  expect((await verify(db)).broken).toBe(null)
})
