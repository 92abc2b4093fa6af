import { describe, expect, test } from 'vitest'
import { replay } from '../../../api/providers/webhook-events.ts'
import * as accounts from '../../../db/getpro/accounts.ts'
import * as subscriptions from '../../../db/getpro/subscriptions.ts'
import { customer, heard, next, order, paid, signed, standing, stored, tell, work } from './stage.ts'

const house = await heard()
const { db } = house
const aged = await heard({ panel: { secrets: ['a'.repeat(32)], maxAgeSeconds: 60 } })
const providers = house.stage.providers
const of = (accountId: number) => subscriptions.of(db.sql, accountId)

describe('Tribute', () => {
  /** A word of Tribute about a subscription, worked. */
  async function says(
    name: string,
    { telegramId, subscription = 1 }: { telegramId: number | null; subscription?: number },
    change: { at?: string; payload?: object } = {},
  ) {
    const at = change.at ?? '2026-04-01T10:00:00.12345Z'
    const payload = {
      ...{
        subscription_id: subscription,
        period: 'monthly',
        type: 'regular',
        price: 19_900,
        amount: 15_000,
        currency: 'rub',
      },
      ...{ telegram_user_id: telegramId, expires_at: '2030-05-01T10:00:00Z', ...change.payload },
    }
    const sent = new Date(1_800_000_000_000 + next()).toISOString()
    const answer = await tell(
      house,
      '/webhook/tribute',
      signed.tribute({ name, created_at: at, sent_at: sent, payload }),
    )
    expect([answer.status, answer.text]).toEqual([200, '{"status":"ok"}'])
    return await work(house)
  }
  const bought = (days = 0) => ({
    payments: ['succeeded'],
    moved: [
      ['balance_add', 19_900],
      ['subscription_purchase', -19_900],
    ],
    periods: [['provider', 1, days]],
  })

  test('says until when: said at every attempt anew it is one charge', async () => {
    const { id, telegramId } = await customer(db)
    for (let attempt = 0; attempt < 3; attempt++) await says('new_subscription', { telegramId })
    expect(await standing(db, id)).toEqual(bought())
    expect(await of(id)).toMatchObject({
      endsAt: new Date('2030-05-01T10:00:00Z'),
      provider: 'tribute',
      autoRenews: true,
    })
    expect((await stored(house)).at(-1)!.repeats).toBe(2)
  })

  test('renews, ends the renewals and takes nothing away; what is older changes nothing', async () => {
    const { id, telegramId } = await customer(db)
    await says('new_subscription', { telegramId })
    await says(
      'renewed_subscription',
      { telegramId },
      { at: '2026-05-01T10:00:00Z', payload: { expires_at: '2030-06-01T10:00:00Z' } },
    )
    expect(await of(id)).toMatchObject({ endsAt: new Date('2030-06-01T10:00:00Z') })
    const cancelled = await says(
      'cancelled_subscription',
      { telegramId },
      { at: '2026-05-02T10:00:00Z', payload: { expires_at: '2030-06-01T10:00:00Z' } },
    )
    expect(cancelled.state).toBe('done')
    expect(await of(id)).toMatchObject({ endsAt: new Date('2030-06-01T10:00:00Z'), autoRenews: false })
    const late = await says(
      'renewed_subscription',
      { telegramId },
      { at: '2026-04-15T10:00:00Z', payload: { expires_at: '2030-05-15T10:00:00Z' } },
    )
    expect(late).toMatchObject({ state: 'ignored', lastError: 'something newer was said before' })
    expect(await of(id)).toMatchObject({ endsAt: new Date('2030-06-01T10:00:00Z'), autoRenews: false })
    expect((await standing(db, id)).payments).toEqual(['succeeded', 'succeeded'])
  })

  test.each([
    ['trial', 'trial', { payments: [], moved: [], periods: [['provider', 1, 0]] }],
    ['gift', 'gift', bought()],
  ])('gives a %s, which is a regular one from its first renewal on', async (type, kind, after) => {
    const { id, telegramId } = await customer(db)
    await says('new_subscription', { telegramId }, { payload: { type } })
    expect((await of(id))!.kind).toBe(kind)
    expect(await standing(db, id)).toEqual(after)
    await says(
      'renewed_subscription',
      { telegramId },
      { at: '2026-06-01T10:00:00Z', payload: { type, expires_at: '2030-07-01T10:00:00Z' } },
    )
    expect((await of(id))!.kind).toBe('regular')
  })

  test('in another currency is written down and not booked', async () => {
    const { id, telegramId } = await customer(db)
    await says('new_subscription', { telegramId }, { payload: { currency: 'eur', price: 1000 } })
    expect(await standing(db, id)).toEqual({ payments: ['succeeded'], moved: [], periods: [['provider', 1, 0]] })
    const [payment] =
      await db.sql`select charged_amount, charged_currency from subscription_payments where account_id = ${id}`
    expect(payment).toEqual({ chargedAmount: '10.00', chargedCurrency: 'EUR' })
  })

  test('in the shape of the document, without any times, counts once and by its months', async () => {
    const { id, telegramId } = await customer(db)
    const payload = {
      telegram_user_id: telegramId,
      period: 'quarterly',
      amount: 49_900,
      currency: 'RUB',
      subscription_id: 'sub_123',
    }
    for (let n = 0; n < 2; n++)
      await tell(house, '/webhook/tribute', signed.tribute({ name: 'new_subscription', payload }))
    await work(house)
    expect((await standing(db, id)).periods).toEqual([['provider', 3, 0]])
  })

  test('names somebody unknown: an operator says who it is; without anybody at Telegram it is of no use', async () => {
    const { id } = await customer(db)
    const row = await says('new_subscription', { telegramId: 1, subscription: next() })
    expect(row).toMatchObject({ state: 'unmatched', lastError: 'USER_NOT_FOUND' })
    await expect(replay(db, providers, row.id, { kind: 'payment', id: 1 })).rejects.toMatchObject({ code: 'invalid' })
    await expect(replay(db, providers, row.id, { kind: 'account', id: 123_456 })).rejects.toMatchObject({
      code: 'not_found',
    })
    expect((await replay(db, providers, row.id, { kind: 'account', id })).webhookEvent.state).toBe('done')
    expect(await standing(db, id)).toEqual(bought())
    expect((await says('new_subscription', { telegramId: null })).state).toBe('ignored')
  })

  test('rewards who invited, though there was access already', async () => {
    const inviter = await customer(db)
    const { id, telegramId } = await customer(db, inviter.id)
    await db.transaction((tx) => subscriptions.trial(tx, null, id, 'Europe/Moscow'))
    await says('new_subscription', { telegramId })
    expect((await standing(db, inviter.id)).periods).toEqual([['referral', 0, 3]])
  })

  test('sells in its shop what we ordered there: only the last word is a payment', async () => {
    const payment = await order(db, 'tribute')
    const about = { uuid: payment.providerPaymentId, amount: 19_900, currency: 'rub', comment: payment.reference }
    const told = (name: string, more: object = {}) =>
      tell(
        house,
        '/webhook/tribute',
        signed.tribute({ name, created_at: '2026-04-01T10:00:00Z', payload: { ...about, ...more } }),
      )
    await told('shop_order_payment_received')
    expect((await work(house)).state).toBe('ignored')
    await told('shop_order')
    expect((await work(house)).state).toBe('done')
    await told('shop_order_refunded', { status: 'initiated' })
    expect((await work(house)).state).toBe('ignored')
    await told('shop_order_refunded', { status: 'completed', transactionId: 7 })
    await work(house)
    expect((await standing(db, payment.accountId)).payments).toEqual(['refunded'])
  })
})

describe('the panel', () => {
  const userOf = (telegramId: number | null, change: object = {}) => ({
    ...{ id: 1207, username: 'tg', status: 'ACTIVE', expireAt: '2030-05-01T10:00:00Z', telegramId },
    ...{
      trojanPassword: 'secret-trojan',
      ssPassword: 'secret-ss',
      vlessUuid: 'secret-uuid',
      subscriptionUrl: 'https://sub/secret',
    },
    ...change,
  })
  async function says(event: string, data: object, { at = '2026-04-01T10:00:00Z', meta = null as object | null } = {}) {
    const told = signed.panel({ scope: 'user', event, timestamp: at, data, meta })
    expect((await tell(house, '/webhook/panel', told)).status).toBe(200)
    return await work(house)
  }
  const ended = (accountId: number) => db.sql<{ kind: string; data: any }[]>`
    select kind, data from events where data->>'accountId' = ${String(accountId)} and kind in ('subscription.ending', 'panel.behind') order by id`

  test('says how it has somebody: the newest word stays, whatever comes late', async () => {
    const { id, telegramId } = await customer(db)
    await says('user.created', userOf(telegramId))
    await says('user.disabled', userOf(telegramId, { status: 'DISABLED' }), { at: '2026-04-03T10:00:00Z' })
    const late = await says('user.enabled', userOf(telegramId), { at: '2026-04-02T10:00:00Z' })
    expect(late.state).toBe('ignored')
    expect(await accounts.get(db.sql, id)).toMatchObject({ panelUserId: '1207', panelStatus: 'DISABLED' })
    await says('user.deleted', userOf(telegramId), { at: '2026-04-04T10:00:00Z' })
    expect(await accounts.get(db.sql, id)).toMatchObject({ panelUserId: null, panelStatus: null })
    expect(late.raw.toString()).not.toContain('secret-')
  })

  test('of any version says when access ends, and that it is behind when we know better', async () => {
    const { id, telegramId } = await customer(db)
    const payment = await order(db, 'cryptopay', { accountId: id })
    await tell(house, '/webhook/cryptopay', paid.cryptopay(payment))
    await work(house)
    const endsAt = (await of(id))!.endsAt.toISOString()
    const same = { expireAt: endsAt }
    await says('user.expiration', userOf(telegramId, same), { meta: { expiration: -24 } })
    await tell(
      house,
      '/webhook/panel',
      signed.panel({ name: 'user.expires_in_48_hours', payload: { user: userOf(telegramId, same) } }),
    )
    await work(house)
    await says('user.expired', userOf(telegramId, { expireAt: '2026-01-01T00:00:00Z' }), { at: '2026-04-05T10:00:00Z' })
    expect((await ended(id)).map(({ kind, data }) => [kind, data.hours])).toEqual([
      ['subscription.ending', -24],
      ['subscription.ending', -48],
      ['panel.behind', 0],
    ])
    expect((await of(id))!.endsAt.toISOString()).toBe(endsAt)
    expect((await standing(db, id)).periods).toEqual([['payment', 1, 0]])
  })

  test('sends the same bytes again, and that is one event', async () => {
    const { id, telegramId } = await customer(db)
    for (let n = 0; n < 3; n++) await says('user.expiration', userOf(telegramId), { meta: { expiration: -72 } })
    expect(await ended(id)).toHaveLength(1)
  })

  test('names somebody unknown, or nobody', async () => {
    const { id } = await customer(db)
    const row = await says('user.modified', userOf(5, { id: next() }))
    expect(row).toMatchObject({ state: 'unmatched', lastError: 'USER_NOT_FOUND' })
    expect((await replay(db, providers, row.id, { kind: 'account', id })).webhookEvent.state).toBe('done')
    expect((await says('user.modified', userOf(null, { id: next() }))).state).toBe('ignored')
  })

  test('is not acted upon when it happened too long ago, where that is asked for', async () => {
    const told = signed.panel(
      { event: 'user.expired', timestamp: '2020-01-01T00:00:00Z', data: userOf(1) },
      'a'.repeat(32),
    )
    expect((await tell(aged, '/webhook/panel', told)).status).toBe(200)
    expect(await work(aged)).toMatchObject({ state: 'ignored', lastError: 'it happened too long ago' })
  })
})
