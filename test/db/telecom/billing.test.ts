import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterEach, expect, test } from 'vitest'
import { verify } from '../../../db/ledger/ledger-verify.ts'
import { connect } from '../../../db/postgres/connect.ts'
import * as billing from '../../../db/telecom/billing.ts'
import { command } from '../../../db/telecom/billing-cli.ts'
import { preview } from '../../../db/telecom/billing-due.ts'
import { testDb } from '../../postgres.ts'
import { contracts } from './customers.ts'

const { db, url } = await testDb()

const run = (until: string, more: Partial<billing.BillingOptions> = {}) => billing.run(db, { until, ...more })
const charges = (ids: readonly number[]) => db.sql<{ contractId: number; periodStart: string; amountMinor: number }[]>`
  select contract_id, period_start, amount_minor from billing_charges where contract_id = any(${[...ids]}::bigint[])
  order by contract_id, period_start`
const state = async (id: number) => {
  const [row] = await db.sql<Record<string, unknown>[]>`
    select c.status, c.suspension_reason as reason, c.balance_minor as balance, c.total_cost_minor as cost,
      c.next_billing_date as next, s.status as sim
    from contracts c join sims s on s.contract_id = c.id where c.id = ${id}`
  return row
}

/** Whatever a test did, the books are whole and say what the contracts do. */
afterEach(async () => expect(await verify(db)).toMatchObject({ broken: null }))

test('a fee is charged once, however often the billing runs', async () => {
  const ids = await contracts(db, { count: 3 })
  expect(await run('2026-02-28')).toMatchObject({ status: 'done', contracts: 3, charges: 3, amountMinor: 90_000 })
  expect(await run('2026-02-28')).toBeNull()
  expect(await charges(ids)).toEqual(
    ids.map((contractId) => ({ contractId, periodStart: '2026-02-28', amountMinor: 30_000 })),
  )
  expect(await state(ids[0]!)).toEqual({
    ...{ status: 'active', reason: null, balance: 70_000, cost: 30_000, next: '2026-03-31', sim: 'active' },
  })
})

test('what is charged is a payment of the contract, with the balance after it', async () => {
  const [id] = await contracts(db)
  await run('2026-02-28')
  const paid = await db.sql`
    select p.transaction_type, p.status, p.payment_method, p.amount_minor, p.balance_after_minor, p.description, c.charged_days
    from billing_charges c join contract_payments p on p.id = c.payment_id and p.posting_id = c.posting_id
    where c.contract_id = ${id!}`
  expect(paid).toEqual([
    {
      ...{ transactionType: 'charge', status: 'success', paymentMethod: 'system', amountMinor: 30_000 },
      ...{ balanceAfterMinor: 70_000, description: 'Абонентская плата за 2026-02-28 – 2026-03-30', chargedDays: 31 },
    },
  ])
})

test('two processes at once share one run, and charge each contract once', async () => {
  const ids = await contracts(db, { count: 40 })
  const other = connect(url)
  try {
    const options = { until: '2026-02-28', isPatient: true, batch: 5 }
    const both = await Promise.all([billing.run(db, options), billing.run(other, options)])
    expect(both.map((one) => one?.status)).toEqual(['done', 'done'])
    expect(both[0]!.id).toBe(both[1]!.id)
    expect(both[0]).toMatchObject({ contracts: 40, charges: 40, amountMinor: 1_200_000 })
    expect(await charges(ids)).toHaveLength(40)
  } finally {
    await other.close()
  }
})

test('a process that finds another at work leaves it all to that one', async () => {
  const ids = await contracts(db, { count: 4 })
  await db.sql`insert into billing_runs (until_day) values ('2026-02-28')`
  await db.transaction(async (tx) => {
    await tx`select from billing_runs where status = 'running' for update`
    expect(await run('2026-02-28')).toMatchObject({ status: 'running', contracts: 0 })
  })
  expect(await charges(ids)).toEqual([])
  expect(await run('2026-02-28')).toMatchObject({ status: 'done', contracts: 4 })
})

test('after days of downtime each period that was missed is charged, in order', async () => {
  const [late] = await contracts(db, { anchor: '2026-01-29' })
  const [later] = await contracts(db, { anchor: '2026-01-31', balanceMinor: 60_000 })
  // Nothing ran from the 27th until the 2nd.
  await run('2026-02-27')
  await run('2026-03-02')
  expect(await charges([late!, later!])).toMatchObject([{ periodStart: '2026-02-28' }, { periodStart: '2026-02-28' }])
  await run('2026-05-31')
  expect((await charges([later!])).map(({ periodStart, amountMinor }) => [periodStart, amountMinor])).toEqual([
    ...[
      ['2026-02-28', 30_000],
      ['2026-03-31', 30_000],
      ['2026-04-30', 30_000],
      ['2026-05-31', 0],
    ],
  ])
  expect(await state(later!)).toMatchObject({
    status: 'suspended',
    reason: 'balance',
    balance: -30_000,
    next: '2026-06-30',
  })
})

test('a debt suspends the contract and its SIM in the same transaction, and the audit says so', async () => {
  const [id] = await contracts(db, { balanceMinor: 10_000 })
  const [even] = await contracts(db, { balanceMinor: 30_000 })
  expect(await run('2026-02-28')).toMatchObject({ suspended: 1 })
  expect(await state(id!)).toMatchObject({ status: 'suspended', reason: 'balance', balance: -20_000, sim: 'suspended' })
  expect(await state(even!)).toMatchObject({ status: 'active', balance: 0, sim: 'active' })
  const audit =
    await db.sql`select user_id, action from audit_log where entity_type = 'contract' and entity_id = ${id!}`
  expect(audit).toEqual([{ userId: null, action: 'contract.suspend' }])
})

test('a contract without money or book is charged into debt; a suspended, a terminated and a free one pay nothing', async () => {
  const [poor] = await contracts(db, { balanceMinor: 0 })
  const [stopped] = await contracts(db, { status: 'suspended' })
  const [ended] = await contracts(db)
  const [free] = await contracts(db, { feeMinor: 0, balanceMinor: 0 })
  await db.sql`update contracts set status = 'terminated', next_billing_date = null where id = ${ended!}`
  expect(await run('2026-02-28')).toMatchObject({ contracts: 3, charges: 3, amountMinor: 30_000 })
  expect(await state(poor!)).toMatchObject({ status: 'suspended', balance: -30_000 })
  expect(await state(stopped!)).toMatchObject({
    status: 'suspended',
    reason: 'operator',
    balance: 100_000,
    next: '2026-03-31',
  })
  expect(await state(free!)).toMatchObject({ status: 'active', balance: 0, next: '2026-03-31' })
  expect(await charges([ended!])).toEqual([])
})

test('the clock charges what has begun until today, once', async () => {
  const ids = await contracts(db, { count: 2, feeMinor: 1 })
  const today = await billing.today(db.sql, 'Asia/Bishkek')
  expect(await billing.runByClock(db, 'Asia/Bishkek', {})).toMatchObject({
    status: 'done',
    untilDay: today,
  })
  expect(await billing.runByClock(db, 'Asia/Bishkek', {})).toBeNull()
  expect((await charges(ids))[0]).toMatchObject({ periodStart: '2026-02-28' })
  expect((await state(ids[0]!))!.next).toSatisfy((next: string) => next > today)
})

test('a contract that cannot be charged is left and named, and all others are charged', async () => {
  const ids = await contracts(db, { count: 9 })
  // It says it has more than its book.
  await db.sql`update contracts set balance_minor = 100_001 where id = ${ids[4]!}`
  const errors: unknown[] = []
  const done = await run('2026-02-28', { batch: 8, failed: (error) => errors.push(error) })
  expect(done).toMatchObject({ status: 'failed', contracts: 8, failures: 1 })
  expect(done!.error).toContain(`contract ${ids[4]}`)
  expect(errors).toHaveLength(1)
  expect(await billing.runByClock(db, 'UTC', {})).toBeNull()
  expect(await verify(db)).toMatchObject({ broken: `contract ${ids[4]} is not what the ledger says` })
  await db.sql`update contracts set balance_minor = 100_000 where id = ${ids[4]!}`
  expect(await run('2026-02-28')).toMatchObject({ status: 'done', contracts: 1 })
  expect(await charges(ids)).toHaveLength(9)
})

test('a look ahead says what would be charged, and writes nothing', async () => {
  const [id] = await contracts(db, { balanceMinor: 40_000 })
  const before = await state(id!)
  const seen = await Array.fromAsync(preview(db.sql, '2026-03-31'))
  expect(seen.filter(({ contract }) => contract.id === id)).toMatchObject([
    { charges: [{ amountMinor: 30_000 }, { amountMinor: 30_000 }], isSuspended: true, balanceMinor: -20_000 },
  ])
  expect(await state(id!)).toEqual(before)
  await run('2026-03-31')
})

async function said(...args: string[]) {
  const paper = { out: '', err: '' }
  const code = await command(db, 'Asia/Bishkek', args, {
    out: (text) => (paper.out += text),
    err: (text) => (paper.err += text),
  })
  return { ...paper, code }
}

test('the command looks ahead, tells of its runs, and refuses what it does not know', async () => {
  const [id] = await contracts(db, { anchor: '2099-01-31', balanceMinor: 10_000 })
  const [row] = await db.sql<{ number: string }[]>`select number from contracts where id = ${id!}`
  const { out } = await said('run', '--dry', '--until', '2099-02-28')
  expect(out).toContain(`${row!.number} 2099-02-28 – 2099-03-30 300.00, then -200.00\n${row!.number} suspended\n`)
  expect(await charges([id!])).toEqual([])
  expect((await said('status')).out).toMatch(/^run \d+ until .*\ndue today, \d{4}-\d\d-\d\d: \d+ contracts\n$/s)
  const ahead = await said('run', '--until', '2099-02-28')
  expect([ahead.code, ahead.out]).toEqual([2, ''])
  expect(ahead.err).toContain('only --dry may look ahead')
  for (const args of [[], ['pay'], ['run', '--until', 'tomorrow'], ['run', '--wet']])
    expect((await said(...args)).code).toBe(2)
})

/** A process of its own that charges this file's database, five contracts at a time, and says so. */
const another = () => {
  const code = `
    import { connect } from './db/postgres/connect.ts'
    import { run } from './db/telecom/billing.ts'
    await run(connect(process.env.DATABASE_URL), { until: '2026-02-28', batch: 5, progress: () => console.log('moved') })`
  return spawn(process.execPath, ['--import', './engine.js', '--input-type=module', '-e', code], {
    env: { ...process.env, DATABASE_URL: url },
  })
}

test('killed in the middle and started again it goes on, and charges each contract once', async () => {
  const ids = await contracts(db, { count: 10 })
  await db.transaction(async (tx) => {
    // The second batch waits for this one, and its process dies waiting.
    await tx`select from contracts where id = ${ids.at(-1)!} for update`
    const child = another()
    await once(child.stdout, 'data')
    child.kill('SIGKILL')
    await once(child, 'close')
  })
  expect((await billing.runs(db.sql, 1))[0]).toMatchObject({ status: 'running', contracts: 5 })
  expect(await run('2026-02-28', { isPatient: true })).toMatchObject({ status: 'done', contracts: 10, charges: 10 })
  expect(await charges(ids)).toHaveLength(10)
})
