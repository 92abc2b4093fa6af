import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { verify } from '../../../db/ledger/ledger-verify.ts'
import { simulatedAcquirer } from '../../../db/paygo/simulated-acquirer.ts'
import { testDb } from '../../postgres.ts'
import { terminal, transactions } from './till.ts'
import { recover, wrongs } from './till-audit.ts'

const { db, url } = await testDb()
const KILLS = 5
/** Of all terminals together, before each kill; odd, so that they stand at different places. */
const SETTLED = 37
const STANS_EACH = 10_000

/** Terminals do business in a process of their own until it is killed, as `kill -9` does. */
async function tradeUntilKilled(tills: readonly number[], firstStan: number): Promise<void> {
  const script = join(import.meta.dirname, 'till-child.ts')
  const child = spawn(process.execPath, [script, url, String(firstStan), ...tills.map(String)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  let settled = 0
  child.stdout.on('data', (dots: Buffer) => {
    settled += dots.length
    if (settled >= SETTLED) child.kill('SIGKILL')
  })
  const [code, signal] = await once(child, 'close')
  expect({ code, signal }).toEqual({ code: null, signal: 'SIGKILL' })
  // What its connections had been told is still done by the database.
  const connections = () => db.sql`select 1 from pg_stat_activity where application_name = ${`voltbay/${child.pid}`}`
  await expect.poll(connections, { timeout: 10_000 }).toEqual([])
}

test('processes that are killed lose nothing and do nothing twice', { timeout: 180_000 }, async () => {
  const tills = [await terminal(db), await terminal(db), await terminal(db), await terminal(db)]
  let wereUnderWay = 0
  for (let kill = 0; kill < KILLS; kill++) {
    await tradeUntilKilled(tills, kill * STANS_EACH)
    const left = await db.sql`select 1 from acquirer_acts where due_at is not null`
    wereUnderWay += left.length
    await recover(db, simulatedAcquirer(db))
    for (const till of tills) expect(await wrongs(db, till)).toEqual([])
  }
  expect(wereUnderWay).toBeGreaterThan(0)
  const all = (await Promise.all(tills.map((till) => transactions(db, till)))).flat()
  expect(all.length).toBeGreaterThan((KILLS * SETTLED) / 2)
  expect((await verify(db)).broken).toBe(null)
})
