import { expect, test } from 'vitest'
import { ask, chargeSavedMethod } from '../../../api/providers/desk.ts'
import * as openPayments from '../../../db/getpro/open-payments.ts'
import * as subscriptions from '../../../db/getpro/subscriptions.ts'
import { methods } from '../../../simulators/provider/yookassa-api.ts'
import { misbehave } from '../providers/simulated.ts'
import { startApiServer } from '../server.ts'
import { payingAt, providers, subscriber } from './paying-stage.ts'
import { next, paidOnce, standing } from './stage.ts'

const there = await providers()
const { db, stage, lines } = await startApiServer({ providers: payingAt(there) })
const { desk } = stage
const longer = { ...paidOnce, periods: [['payment', 1, 0], ...paidOnce.periods] }

test('a saved method is charged once for a key, however often and however many at once', async () => {
  const { account, subscription } = await subscriber(db, `${methods.good}-${next()}`)
  const charge = () => chargeSavedMethod(desk, { subscriptionId: subscription.id, key: `${subscription.id} 1` })
  const answers = await Promise.all([charge(), charge(), charge()])

  expect(new Set(answers.map(({ id }) => id)).size).toBe(1)
  expect(await charge()).toMatchObject({ status: 'succeeded', isRenewal: true })
  expect(await standing(db, account.id)).toEqual(longer)
})

test.each(['timeout:1', 'reset:1', '5xx:1', 'html:1', '429:1', 'processing:1'] as const)(
  'a charge that was answered by %s is charged once, when it is asked again',
  async (fault) => {
    const { account, subscription } = await subscriber(db, `${methods.good}-${next()}`)
    misbehave(there.yookassa, fault)
    const begun = await chargeSavedMethod(desk, { subscriptionId: subscription.id, key: `${subscription.id} 1` })
    expect(begun).toMatchObject({ status: 'pending', providerPaymentId: null })
    const asking = await db.transaction((tx) => openPayments.claimOne(tx, begun.id, 10))
    await ask(desk, asking!)
    expect(await standing(db, account.id)).toEqual(longer)
  },
)

test('a method that is forbidden is given up, and renews nothing', async () => {
  const { account, subscription } = await subscriber(db, methods.revoked)
  const given = { subscriptionId: subscription.id, key: `${subscription.id} 1` }
  expect(await chargeSavedMethod(desk, given)).toMatchObject({
    status: 'canceled',
    cancelReason: 'permission_revoked',
  })
  expect(await subscriptions.of(db.sql, account.id)).toMatchObject({ autoRenews: false })
  await expect(chargeSavedMethod(desk, { ...given, key: 'again' })).rejects.toMatchObject({
    about: { reason: 'no_saved_method' },
  })
})

test('a method that the provider does not know ends the charge, and nothing else', async () => {
  const { account, subscription } = await subscriber(db, 'nobodys-method')
  const given = { subscriptionId: subscription.id, key: `${subscription.id} 1` }
  expect(await chargeSavedMethod(desk, given)).toMatchObject({ status: 'failed', cancelReason: 'invalid_request' })
  expect((await standing(db, account.id)).periods).toHaveLength(1)
  await expect(chargeSavedMethod(desk, { subscriptionId: 999_999, key: 'x' })).rejects.toMatchObject({
    about: { reason: 'subscription_unknown' },
  })
})

test('none of this was a bug of ours', () => {
  expect(lines.filter(({ event }) => event === 'request.failed')).toEqual([])
})
