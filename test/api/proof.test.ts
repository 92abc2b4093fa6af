import { Registry } from 'prom-client'
import { beforeEach, expect, test } from 'vitest'
import { prover } from '../../api/ledger-check.ts'
import { startSchedule } from '../../api/schedule.ts'
import * as proofs from '../../db/ledger/ledger-proofs.ts'
import { purse } from '../db/ledger/purse.ts'
import { testDb } from '../postgres.ts'
import { journal } from './journal.ts'
import { config } from './server.ts'

const { db } = await testDb()
const never = new AbortController().signal
/** An hour that comes on no day. */
const tooLate = 24

/** One process: what it does at a tick, what it logs and what it counts. */
function process(hour = 0) {
  const { log, said } = journal()
  const metrics = new Registry()
  const work = prover({ db, log, metrics, hour })
  const value = async (name: string) => (await metrics.getSingleMetric(name)!.get()).values[0]?.value
  return {
    work,
    said,
    tick: () => work(never),
    isBroken: () => value('voltbay_ledger_broken'),
    provedAt: () => value('voltbay_ledger_proved_timestamp_seconds'),
  }
}
const events = async (kind: string) => await db.sql<{ data: any }[]>`select data from events where kind = ${kind}`

beforeEach(async () => {
  await db.sql`delete from ledger_proofs`
  await db.sql`delete from events`
})

test('the ledger is proved once a day, of many processes by one, and all of them show it', async () => {
  await purse(db).move(500)
  const house = Array.from({ length: 5 }, () => process())
  await Promise.all(house.map(({ tick }) => tick()))
  for (const { tick } of house) await tick()
  expect(house.flatMap(({ said }) => said('ledger.proved'))).toHaveLength(1)
  expect(await events('ledger.proved')).toEqual([
    { data: { night: expect.any(String), books: 1, postings: 1, entries: 2, broken: null } },
  ])
  const { endedAt, postings } = (await proofs.last(db.sql))!
  expect(postings).toBe(1)
  for (const { isBroken, provedAt } of house) {
    expect(await isBroken()).toBe(0)
    expect(await provedAt()).toBe(endedAt.getTime() / 1_000)
  }
})

test('on the next day the ledger is proved again', async () => {
  const { tick, said } = process()
  await tick()
  await db.sql`update ledger_proofs set night = night - 1`
  await tick()
  expect(said('ledger.proved')).toHaveLength(2)
})

test('before its hour nothing is proved', async () => {
  const { tick, said, provedAt } = process(tooLate)
  await tick()
  expect(said('ledger.proved')).toEqual([])
  expect(await proofs.last(db.sql)).toBe(null)
  expect(await provedAt()).toBe(0)
})

test('a process that closes gives its proof back, and the next one does it', async () => {
  const [closing, next] = [process(), process()]
  await closing.work(AbortSignal.abort())
  await next.tick()
  expect([closing, next].map(({ said }) => said('ledger.proved').length)).toEqual([0, 1])
})

test('a proof whose process died is done by another, after two hours', async () => {
  const { tick, said } = process()
  await proofs.claim(db, 0)
  await tick()
  expect(said('ledger.proved')).toEqual([])
  await db.sql`update ledger_proofs set started_at = started_at - interval '2 hours'`
  await tick()
  expect(said('ledger.proved')).toHaveLength(1)
})

test('the clock runs the proof, and what fails in it is told', async () => {
  const own = journal()
  const works = [prover({ db, log: own.log, metrics: new Registry(), hour: 0 })]
  const clock = startSchedule({ db, log: own.log, rules: config.loyalty.rules }, works)
  await own.until('ledger.proved')
  await clock.close()
  await db.sql`alter table ledger_proofs rename to hidden`
  const again = startSchedule({ db, log: own.log, rules: config.loyalty.rules }, works)
  const { about } = await own.until('clock.failed')
  await again.close()
  await db.sql`alter table hidden rename to ledger_proofs`
  expect(about.error).toBeInstanceOf(Error)
})

test('a break is an error in the log, an event, a row, and 1 on every process', async () => {
  const mine = purse(db)
  await mine.move(500)
  await db.sql`update ledger_accounts set balance = balance + 1 where name = 'balance'`
  const [finder, other] = [process(), process()]
  await finder.tick()
  await other.tick()
  const where = expect.stringMatching(/^book \d+ \(user \d+, points\): balance is 501, its entries sum to 500$/)
  expect(finder.said('ledger.broken')).toMatchObject([{ about: { error: { message: where } } }])
  expect(await events('ledger.broken')).toMatchObject([{ data: { broken: where } }])
  expect(await proofs.last(db.sql)).toMatchObject({ broken: where })
  expect([await finder.isBroken(), await other.isBroken()]).toEqual([1, 1])
})
