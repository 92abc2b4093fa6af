import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { testDb } from '../../postgres.ts'
import { purse } from './purse.ts'

const { db, url } = await testDb()

/** The command as a person types it, over this file's database. */
async function run(...args: string[]) {
  const child = spawn(process.execPath, ['--import', './engine.js', 'db/ledger/ledger-cli.ts', ...args], {
    env: { ...process.env, DATABASE_URL: url },
  })
  const [out, err, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise<number | null>((done) => child.once('close', done)),
  ])
  return { out, err, code }
}

test('whole books are said to be whole, and the command ends with 0', async () => {
  await purse(db).move(500)
  const { out, code } = await run('verify')
  expect(out).toMatch(/^the books are whole: 1 books, 1 postings, 2 entries, [\d.]+ s, \d+ MB\n$/)
  expect(code).toBe(0)
})

test('the first break is named, and the command ends with 1', async () => {
  const bad = purse(db)
  await bad.move(500)
  await db.sql`update ledger_accounts set balance = 499 where name = 'balance' and book_id = (select max(id) from ledger_books)`
  const { out, code } = await run('verify')
  expect(out).toContain(`(user ${bad.owner.id}, points): balance is 499, its entries sum to 500\n`)
  expect(code).toBe(1)
})

test('asked for help it helps; asked for what it has not, it says so and ends with 2', async () => {
  const helped = await run('--help')
  expect([helped.code, helped.err]).toEqual([0, ''])
  expect(helped.out).toContain('npm run ledger -- verify')
  for (const args of [[], ['prove'], ['verify', 'now']]) {
    const { out, err, code } = await run(...args)
    expect([code, out]).toEqual([2, ''])
    expect(err).toContain('npm run ledger -- verify')
  }
  expect((await run('prove')).err).toContain('there is no such command: prove')
})
