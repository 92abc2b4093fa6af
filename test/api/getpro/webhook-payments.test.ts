import { describe, expect, test } from 'vitest'
import * as webhookEvents from '../../../api/providers/webhook-events.ts'
import { startInbox } from '../../../api/tasks/inbox.ts'
import { heard, order, paid, paidOnce, signed, standing, stored, tell, work } from './stage.ts'

// What every provider of payments is held to. Each test has orders of its own.
const house = await heard()
const { db } = house
const names = ['yookassa', 'cryptopay', 'freekassa', 'stars'] as const
const providers = house.stage.providers

describe.each(names)('a payment that %s tells of', (name) => {
  const path = `/webhook/${name}`
  const count = async () => (await stored(house)).length

  test('is booked once and makes the subscription longer once, however often it is said', async () => {
    const payment = await order(db, name)
    const told = paid[name](payment)
    const answers = [await tell(house, path, told), await tell(house, path, told)]
    expect(answers.map(({ status }) => status)).toEqual([200, 200])
    expect((await work(house)).state).toBe('done')
    await tell(house, path, told)
    await work(house)
    expect(await standing(db, payment.accountId)).toEqual(paidOnce)
  })

  test('counts once when it is said and worked by eight at once', async () => {
    const payment = await order(db, name)
    const told = paid[name](payment)
    const answers = await Promise.all(Array.from({ length: 8 }, () => tell(house, path, told)))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    const { id, repeats } = (await stored(house)).at(-1)!
    expect(repeats).toBe(7)
    const worked = await Promise.all(Array.from({ length: 8 }, () => webhookEvents.work(db, providers, id)))
    expect(worked.filter(({ isWorked }) => isWorked)).toHaveLength(1)
    expect(await standing(db, payment.accountId)).toEqual(paidOnce)
  })

  test('is refused when somebody else signs it, or it is cut or changed on its way', async () => {
    const payment = await order(db, name)
    const told = paid[name](payment)
    const body = String(told.body)
    const before = await count()
    const stranger = {
      ...told,
      peer: '203.0.113.9',
      headers: strangers(told.headers!),
      body: body.replace(/(SIGN=)../, '$1ff'),
    }
    const cut = { ...told, body: body.slice(0, -1) }
    const changed = { ...told, body: body.replace(payment.chargedAmount, '1.00') }
    const statuses = []
    // YooKassa and Telegram sign no bytes: what is cut is no JSON, and what is changed is found by its sum.
    for (const one of name === 'yookassa' || name === 'stars' ? [stranger] : [stranger, cut, changed]) {
      const { status, text } = await tell(house, path, one)
      statuses.push(status)
      expect(JSON.parse(text)).toMatchObject({ status: 'error', error: { code: 'INVALID_SIGNATURE', details: {} } })
    }
    expect(new Set(statuses)).toEqual(new Set([403]))
    expect(await count()).toBe(before)
    expect(await standing(db, payment.accountId)).toEqual({ payments: ['pending'], moved: [], periods: [] })
  })

  test('of another sum credits nothing, and the right one counts afterwards', async () => {
    const payment = await order(db, name)
    expect((await tell(house, path, paid[name](payment, '1'))).status).toBe(200)
    expect(await work(house)).toMatchObject({ state: 'failed', lastError: 'INVALID_AMOUNT' })
    expect(await standing(db, payment.accountId)).toEqual({ payments: ['pending'], moved: [], periods: [] })
    expect((await tell(house, path, paid[name](payment))).status).toBe(200)
    expect((await work(house)).state).toBe('done')
    expect(await standing(db, payment.accountId)).toEqual(paidOnce)
  })

  test('said again with another sum changes nothing, and is kept beside the first', async () => {
    const payment = await order(db, name)
    await tell(house, path, paid[name](payment))
    await work(house)
    const again = await tell(house, path, paid[name](payment, '398.00'))
    expect(again.status).toBe(200)
    const kept = await work(house)
    expect(kept).toMatchObject({ state: 'failed', lastError: 'the same key was said with other content' })
    await expect(webhookEvents.replay(db, providers, kept.id)).rejects.toMatchObject({ code: 'conflict' })
    expect(await standing(db, payment.accountId)).toEqual(paidOnce)
    expect(house.lines.filter(({ event }) => event === 'webhook.contradicted').at(-1)?.about).toMatchObject({
      provider: name,
    })
  })

  test('that we do not know is unmatched until an operator says which it is', async () => {
    const payment = await order(db, name)
    const stranger = {
      ...payment,
      id: 999_000_000 + payment.id,
      reference: `lost-${payment.id}`,
      providerPaymentId: `lost-${payment.id}`,
    }
    expect((await tell(house, path, paid[name](stranger))).status).toBe(200)
    const row = await work(house)
    expect(row).toMatchObject({ state: 'unmatched', lastError: 'PAYMENT_NOT_FOUND' })
    const other = await order(db, name === 'stars' ? 'yookassa' : 'stars')
    const matchWith = (id: number) => webhookEvents.replay(db, providers, row.id, { kind: 'payment', id })
    await expect(matchWith(other.id)).rejects.toMatchObject({ code: 'conflict' })
    await expect(matchWith(123_456_789)).rejects.toMatchObject({ code: 'not_found' })
    await expect(
      webhookEvents.replay(db, providers, row.id, { kind: 'account', id: payment.accountId }),
    ).rejects.toMatchObject({ code: 'invalid' })
    // FreeKassa and Stars are known by our name only, so another name of the provider's is no contradiction there.
    const open = await order(db, name)
    if (name === 'yookassa' || name === 'cryptopay')
      await db.sql`update subscription_payments set provider_payment_id = null where id = ${open.id}`
    const { webhookEvent } = await matchWith(open.id)
    expect(webhookEvent).toMatchObject({ state: 'done', result: { paymentId: open.id } })
    expect((await matchWith(open.id)).isWorked).toBe(false)
    expect(await standing(db, open.accountId)).toEqual(paidOnce)
  })
})

/** The same headers with other proofs. */
const strangers = (headers: Record<string, string>) =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      name === 'content-type' ? value : value.replace(/.$/, (last) => (last === '0' ? '1' : '0')),
    ]),
  )

test('a crowd that nobody works yet is worked to its end at one bell', async () => {
  const crowd = Array.from({ length: 120 }, (_, n) => ({ update_id: n, update_type: `crowd_${n}`, payload: {} }))
  await Promise.all(crowd.map((one) => tell(house, '/webhook/cryptopay', signed.cryptopay(one))))
  const waiting = async () => (await stored(house)).filter(({ state }) => state === 'received').length
  expect(await waiting()).toBe(crowd.length)
  const task = await startInbox({ db, log: house.stage.log, providers })
  // In rounds that wait for a bell each, it would take longer.
  await expect.poll(waiting, { timeout: 20_000 }).toBe(0)
  await task.close()
}, 30_000)
