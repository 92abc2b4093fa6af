import { expect, test } from 'vitest'
import { ask, chargeSavedMethod } from '../../../api/providers/desk.ts'
import { renewer } from '../../../api/tasks/renewals.ts'
import * as balance from '../../../db/getpro/balance.ts'
import { dueStep } from '../../../db/getpro/decide/renewal.ts'
import * as openPayments from '../../../db/getpro/open-payments.ts'
import * as attempts from '../../../db/getpro/renewal-attempts.ts'
import * as subscriptions from '../../../db/getpro/subscriptions.ts'
import { methods } from '../../../simulators/provider/yookassa-api.ts'
import { journal } from '../journal.ts'
import { misbehave } from '../providers/simulated.ts'
import { startApiServer } from '../server.ts'
import { payingAt, providers, subscriber } from './paying-stage.ts'
import { next } from './stage.ts'

const there = await providers()
const { db, stage } = await startApiServer({ providers: payingAt(there) })
const rules = { timeZone: 'Europe/Moscow', stepHours: [24, 12, 3, 0] }
const { log, lines } = journal()

/** One look of one process. */
const look = (change: Partial<Parameters<typeof renewer>[0]> = {}) =>
  renewer({
    ...{ db, log, timeZone: rules.timeZone, renewalHours: rules.stepHours, endingHours: 48 },
    charge: (renewal) => chargeSavedMethod(stage.desk, renewal),
    ...change,
  })(new AbortController().signal)

const endIn = (id: number, hours: number) => db.sql`
  update subscriptions set ends_at = now() + make_interval(secs => ${hours * 3_600}), anchor_at = now() - interval '5 days',
    anchor_months = 0 where id = ${id}`

/** A month's subscription that renews by itself and is over in so many hours, with so much on the balance. */
async function due(hours: number, { kopecks = 0, method = null as string | null } = {}) {
  const { account, subscription } = await subscriber(db, method ?? `${methods.good}-${next()}`)
  if (method === null) await db.sql`delete from saved_payment_methods where account_id = ${account.id}`
  if (kopecks > 0) {
    const given = { accountId: account.id, amountKopecks: kopecks, key: `${account.id}`, reason: 'тест' }
    await db.transaction((tx) => balance.change(tx, null, given))
  }
  await endIn(subscription.id, hours)
  return { accountId: account.id, id: subscription.id }
}
const of = async (accountId: number) => (await subscriptions.of(db.sql, accountId))!
const rowsOf = (id: number) => db.sql<{ step: number; state: string; reason: string | null }[]>`
  select step, state, reason from subscription_renewals where subscription_id = ${id} order by id`
const told = async (accountId: number) =>
  (
    await db.sql<{ kind: string }[]>`
      select kind from notifications where owner_id = ${accountId} and channel = 'app' and id > (
        select min(id) from notifications where owner_id = ${accountId}) order by id`
  ).map(({ kind }) => kind.replace('getpro.', ''))
const daysLeft = async (accountId: number) => ((await of(accountId)).endsAt.getTime() - Date.now()) / 86_400_000

test.each([
  [25, null],
  [24, 0],
  [13, 0],
  [12, 1],
  [1, 2],
  [-1, 3],
  [-71, 3],
])('%s hours before the end the attempt that is due is %s', (hours, step) => {
  const [endsAt, now] = [new Date(1_800_000_000_000), new Date(1_800_000_000_000 - hours * 3_600_000)]
  expect(dueStep(rules.stepHours, endsAt, now)).toEqual(step === null ? null : { step, isLast: step === 3 })
})

test('what is overdue for days is not charged any more, and attempts may come after the end', () => {
  const [endsAt, now] = [new Date(1_800_000_000_000), new Date(1_800_000_000_000 + 73 * 3_600_000)]
  expect(dueStep(rules.stepHours, endsAt, now)).toBe('too late')
  expect(dueStep([24, -72], endsAt, now)).toEqual({ step: 1, isLast: true })
})

test('what is due is renewed from the balance, once however many look, for a month from its end', async () => {
  const one = await due(20, { kopecks: 50_000 })
  const before = await of(one.accountId)
  await Promise.all([look(), look(), look()])
  await look()
  expect(await rowsOf(one.id)).toEqual([{ step: 0, state: 'succeeded', reason: null }])
  expect(await balance.get(db.sql, one.accountId)).toBe(30_100)
  const { endsAt, autoRenews } = await of(one.accountId)
  expect(autoRenews).toBe(true)
  expect(endsAt.getTime() - before.endsAt.getTime()).toBeGreaterThan(20 * 86_400_000)
  // That it ends soon was told by the same look, unless it was renewed before.
  expect(await told(one.accountId)).toEqual(['subscription_extended'])
})

test('nothing is renewed early, by somebody else, or against its owner’s will', async () => {
  const early = await due(30, { kopecks: 50_000 })
  const [off, theirs] = [await due(1, { kopecks: 50_000 }), await due(1, { kopecks: 50_000 })]
  await db.sql`update subscriptions set auto_renews = false where id = ${off.id}`
  await db.sql`update subscriptions set provider = 'tribute' where id = ${theirs.id}`
  await look()
  for (const { id } of [early, off, theirs]) expect(await rowsOf(id)).toEqual([])
})

test('without money each attempt fails once and is told; after the last one nothing renews, and access ends at its end', async () => {
  const one = await due(20)
  await Promise.all([look(), look()])
  await look()
  expect(await rowsOf(one.id)).toEqual([{ step: 0, state: 'failed', reason: 'insufficient_funds' }])
  const { endsAt } = await of(one.accountId)
  // The same period, seen later.
  const travel = (hours: number) => db.sql`
    update subscriptions set ends_at = ends_at - make_interval(hours => ${hours}) where id = ${one.id}`
  const travelled = async (hours: number) => {
    await travel(hours)
    await db.sql`
      update subscription_renewals set period_end = period_end - make_interval(hours => ${hours}) where subscription_id = ${one.id}`
    await look()
    return (await rowsOf(one.id)).map(({ step }) => step)
  }
  expect(await travelled(5)).toEqual([0])
  expect(await travelled(4)).toEqual([0, 1])
  expect((await of(one.accountId)).autoRenews).toBe(true)
  // Nobody looked for half a day: of the two that were missed the last is made.
  expect(await travelled(12)).toEqual([0, 1, 3])
  expect(await of(one.accountId)).toMatchObject({ autoRenews: false, cancelledAt: expect.any(Date) })
  expect((await of(one.accountId)).endsAt.getTime()).toBe(endsAt.getTime() - 21 * 3_600_000)
  expect((await told(one.accountId)).filter((kind) => kind === 'renewal_failed')).toHaveLength(3)
  expect(await told(one.accountId)).toContain('subscription_expired')
  await look()
  expect(await rowsOf(one.id)).toHaveLength(3)
})

test('money that comes before the next attempt renews it', async () => {
  const one = await due(20)
  await look()
  const given = { accountId: one.accountId, amountKopecks: 20_000, key: `late ${one.id}`, reason: 'тест' }
  await db.transaction((tx) => balance.change(tx, null, given))
  await look()
  expect(await rowsOf(one.id)).toHaveLength(1)
  const { endsAt } = await of(one.accountId)
  await db.sql`update subscriptions set ends_at = ${endsAt} - interval '10 hours' where id = ${one.id}`
  await db.sql`
    update subscription_renewals set period_end = period_end - interval '10 hours' where subscription_id = ${one.id}`
  await look()
  expect((await rowsOf(one.id)).map(({ state }) => state)).toEqual(['failed', 'succeeded'])
})

test('after days without anybody looking nothing is charged, renewals are off and it is told', async () => {
  const one = await due(-100, { kopecks: 50_000 })
  await look()
  expect(await rowsOf(one.id)).toEqual([{ step: 3, state: 'failed', reason: 'too_late' }])
  expect([await balance.get(db.sql, one.accountId), (await of(one.accountId)).autoRenews]).toEqual([50_000, false])
})

test('where the balance is not enough a saved method is charged, once however many look', async () => {
  const one = await due(20, { method: `${methods.good}-${next()}` })
  await Promise.all([look(), look(), look()])
  await look()
  expect(await rowsOf(one.id)).toEqual([{ step: 0, state: 'succeeded', reason: null }])
  expect(await daysLeft(one.accountId)).toBeGreaterThan(20)
  const paid = await db.sql`
    select status, is_renewal from subscription_payments where account_id = ${one.accountId}`
  expect([...paid]).toEqual([{ status: 'succeeded', isRenewal: true }])
})

test('a charge that is refused is tried again at the next attempt; one that can never be ends the renewals', async () => {
  const [poor, gone] = [
    await due(20, { method: `${methods.poor}-${next()}` }),
    await due(20, { method: methods.revoked }),
  ]
  await look()
  expect(await rowsOf(poor.id)).toEqual([{ step: 0, state: 'failed', reason: 'insufficient_funds' }])
  expect(await rowsOf(gone.id)).toEqual([{ step: 0, state: 'failed', reason: 'permission_revoked' }])
  expect([(await of(poor.accountId)).autoRenews, (await of(gone.accountId)).autoRenews]).toEqual([true, false])
  expect(await told(poor.accountId)).toContain('renewal_failed')
  // Said by the renewal, not by its payment as well.
  expect(await told(poor.accountId)).not.toContain('payment_failed')
})

test.each(['timeout:1', 'reset:1', '5xx:1', '429:1'] as const)(
  'a charge whose fate nobody knows after %s is asked for, and made once',
  async (fault) => {
    const one = await due(20, { method: `${methods.good}-${next()}` })
    misbehave(there.yookassa, fault)
    await look()
    expect(await rowsOf(one.id)).toEqual([{ step: 0, state: 'pending', reason: null }])
    await look()
    const [payment] = await db.sql<{ id: number }[]>`
      select id from subscription_payments where account_id = ${one.accountId}`
    const asking = await db.transaction((tx) => openPayments.claimOne(tx, payment!.id, 10))
    await ask(stage.desk, asking!)
    await look()
    expect(await rowsOf(one.id)).toEqual([{ step: 0, state: 'succeeded', reason: null }])
    expect(await daysLeft(one.accountId)).toBeGreaterThan(20)
    expect(await daysLeft(one.accountId)).toBeLessThan(60)
  },
)

test('a process that dies between the row and the charge has charged nothing twice or never', async () => {
  const one = await due(20, { method: `${methods.good}-${next()}` })
  expect(await db.transaction((tx) => attempts.attempt(tx, one.id, rules))).toBe('pending')
  expect(await db.transaction((tx) => attempts.attempt(tx, one.id, rules))).toBe('nothing')
  const [charge] = (await attempts.pending(db.sql, 100)).filter(({ subscriptionId }) => subscriptionId === one.id)
  // And once more after the charge, before its end was written.
  await chargeSavedMethod(stage.desk, charge!)
  await Promise.all([look(), look()])
  expect(await rowsOf(one.id)).toEqual([{ step: 0, state: 'succeeded', reason: null }])
  expect(await db.sql`select 1 from subscription_payments where account_id = ${one.accountId}`).toHaveLength(1)
})

test('a provider that hangs keeps nobody waiting who pays from the balance', async () => {
  const [card, money] = [await due(20, { method: `${methods.good}-${next()}` }), await due(20, { kopecks: 30_000 })]
  const hang = Promise.withResolvers<void>()
  const charge = async () => {
    await hang.promise
    throw new Error('gone')
  }
  const looking = look({ charge })
  await expect.poll(() => rowsOf(money.id)).toMatchObject([{ state: 'succeeded' }])
  expect(await rowsOf(card.id)).toMatchObject([{ state: 'pending' }])
  hang.resolve()
  await looking
  expect(lines.filter(({ event }) => event === 'renewal.failed')).toMatchObject([
    { about: { error: new Error('gone') } },
  ])
})

test('that access ends is told once, and once that it has', async () => {
  const one = await due(40)
  await db.sql`update subscriptions set auto_renews = false where id = ${one.id}`
  await Promise.all([look(), look()])
  expect(await told(one.accountId)).toEqual(['subscription_ending'])
  await endIn(one.id, -1)
  await Promise.all([look(), look()])
  expect(await told(one.accountId)).toEqual(['subscription_ending', 'subscription_expired'])
})
