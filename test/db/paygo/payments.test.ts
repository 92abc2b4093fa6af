import { expect, test } from 'vitest'
import { type NewPayment, type NewRefund, pay, refund, refundsOf } from '../../../db/paygo/payments.ts'
import { settle, settleWithin } from '../../../db/paygo/settle.ts'
import { simulatedAcquirer } from '../../../db/paygo/simulated-acquirer.ts'
import { testDb } from '../../postgres.ts'
import { act, actor, next, person } from '../world.ts'
import { asks, events, impatient, money, purchase, reversal, says, terminal, transactions } from './till.ts'

const { db } = await testDb()
const acquirer = impatient(db)
const refused = (code: string, reason?: string) =>
  expect.objectContaining({ name: 'Refused', code, about: reason === undefined ? expect.anything() : { reason } })

/** Somebody with a card, at a terminal that is signed on. */
async function scene() {
  const [terminalId, userId] = [await terminal(db), await person(db)]
  const [card] = await db.sql<{ id: number }[]>`
    insert into payment_cards (user_id, token, masked_number, fingerprint, is_primary, expires_at)
    values (${userId}, ${`token ${next()}`}, '************4242', ${`print ${next()}`}, true, '2029-12-31') returning id`
  const wanted: NewPayment = {
    ...{ terminalId, cardId: null, amountMinor: 15_000, paymentMethod: 'nfc', description: 'Coffee' },
    ...{ idempotencyKey: null, requestHash: null },
  }
  const pays = (change: Partial<NewPayment> = {}, as = userId) =>
    act(db, (tx) => pay(tx, actor(as), { ...wanted, ...change }))
  return { terminalId, userId, cardId: card!.id, pays }
}

const refunds = (transactionId: number, change: Partial<NewRefund> = {}, as = 1) =>
  act(db, (tx) =>
    refund(tx, actor(as), {
      ...{ transactionId, amountMinor: null, reason: 'cold', idempotencyKey: null, requestHash: null },
      ...change,
    }),
  )

test('a payment with a stored card is pending until the acquirer has taken it', async () => {
  const { terminalId, userId, cardId, pays } = await scene()
  const { transactionId, told } = await pays()
  expect(await transactions(db, terminalId)).toMatchObject([{ id: transactionId, status: 'pending' }])
  await settle(db, acquirer, told)
  expect(await transactions(db, terminalId)).toMatchObject([{ status: 'completed', code: '00', bookedMinor: 15_000 }])
  expect((await money(db, terminalId)).books).toEqual({ taken: 15_000, held: 0 })
  const [row] =
    await db.sql`select user_id, card_id, completed_at is not null as ended from transactions where id = ${transactionId}`
  expect(row).toEqual({ userId, cardId, ended: true })
  // No terminal has counted it.
  expect(await db.sql`select 1 from terminal_batches where terminal_id = ${terminalId}`).toEqual([])
})

test('one that is declined has failed, with the code', async () => {
  const { terminalId, pays } = await scene()
  await settle(db, acquirer, (await pays({ amountMinor: 15_051 })).told)
  expect(await transactions(db, terminalId)).toMatchObject([{ status: 'failed', code: '51', bookedMinor: 0 }])
})

test('whoever waits does so no longer than told; what it came to is seen and told later', async () => {
  const { terminalId, pays } = await scene()
  const slow = simulatedAcquirer(db, { limitMs: 10_000, lateMs: 300 })
  const failures: unknown[] = []
  const { told } = await pays({ amountMinor: 15_069 })
  await settleWithin(db, slow, told, 50, (error) => failures.push(error))
  expect(await transactions(db, terminalId)).toMatchObject([{ status: 'pending' }])
  await expect.poll(() => events(db, terminalId)).toEqual(['transaction.pending', 'transaction.completed'])
  expect(await transactions(db, terminalId)).toMatchObject([{ status: 'completed', bookedMinor: 15_069 }])
  expect(failures).toEqual([])
})

test('nobody was told no, so what a silent acquirer has taken is paid', async () => {
  const { terminalId, pays } = await scene()
  await settle(db, acquirer, (await pays({ amountMinor: 15_068 })).told)
  expect(await transactions(db, terminalId)).toMatchObject([{ status: 'completed', bookedMinor: 15_068, act: null }])
})

test('the same key is the same payment, ten times at once; for something else it is refused', async () => {
  const { terminalId, pays } = await scene()
  const key = { idempotencyKey: 'key', requestHash: 'hash' }
  const begun = await Promise.all(Array.from({ length: 10 }, () => pays(key)))
  expect(new Set(begun.map(({ transactionId }) => transactionId)).size).toBe(1)
  expect(begun.flatMap(({ told }) => told)).toHaveLength(1)
  await expect(pays({ ...key, requestHash: 'other' })).rejects.toEqual(refused('idempotency_mismatch'))
  // Said again it is what it was, wherever its terminal is now.
  await db.sql`update device_sessions set node = null where device_id = ${terminalId}`
  expect(await pays(key)).toMatchObject({ isRepeat: true, told: [] })
})

test('the same key at two terminals at once is one payment', async () => {
  const { pays } = await scene()
  const other = await terminal(db)
  const key = { idempotencyKey: 'key', requestHash: 'hash' }
  const begun = await Promise.all([pays(key), pays({ ...key, terminalId: other })])
  expect(begun[0].transactionId).toBe(begun[1].transactionId)
})

test('nothing is paid at a terminal that is away, nor with the card of somebody else', async () => {
  const { terminalId, cardId, pays } = await scene()
  const stranger = await person(db)
  await expect(pays({ terminalId: 999_999 })).rejects.toEqual(refused('not_found', 'terminal_unknown'))
  await expect(pays({ cardId }, stranger)).rejects.toEqual(refused('not_found', 'card_unknown'))
  await expect(pays({}, stranger)).rejects.toEqual(refused('conflict', 'card_needed'))
  await expect(pays({ paymentMethod: 'biometric' })).rejects.toEqual(refused('conflict', 'method_unsupported'))
  await db.sql`update terminals set condition = 'maintenance' where id = ${terminalId}`
  await expect(pays()).rejects.toEqual(refused('terminal_unavailable'))
  await db.sql`update terminals set condition = 'working' where id = ${terminalId}`
  await db.sql`update device_sessions set seen_at = now() - interval '1 hour' where device_id = ${terminalId}`
  await expect(pays()).rejects.toEqual(refused('terminal_unavailable'))
  expect(await transactions(db, terminalId)).toEqual([])
})

/** A purchase that is paid. */
async function paid() {
  const terminalId = await terminal(db)
  await asks(db, terminalId, purchase('000001'))
  const [row] = await transactions(db, terminalId)
  return { terminalId, id: row!.id }
}

test('a refund gives back in parts, and never more than was paid', async () => {
  const { terminalId, id } = await paid()
  await settle(db, acquirer, (await refunds(id, { amountMinor: 5_000 })).told)
  expect(await transactions(db, terminalId)).toMatchObject([{ status: 'completed', refundedMinor: 5_000 }])
  await expect(refunds(id, { amountMinor: 10_001 })).rejects.toEqual(refused('conflict', 'refund_too_much'))
  await settle(db, acquirer, (await refunds(id)).told)
  expect(await transactions(db, terminalId)).toMatchObject([
    { status: 'refunded', refundedMinor: 15_000, bookedMinor: 0 },
  ])
  await expect(refunds(id)).rejects.toEqual(refused('conflict', 'refund_not_completed'))
  expect(await refundsOf(db.sql, id)).toMatchObject([
    { amountMinor: 5_000, reason: 'cold', result: 'approved' },
    { amountMinor: 10_000, result: 'approved' },
  ])
  expect(await events(db, terminalId)).toEqual([
    'transaction.pending',
    'transaction.completed',
    'transaction.refunded',
    'transaction.refunded',
  ])
  expect(await money(db, terminalId)).toEqual({ books: { taken: 0, held: 0 }, acquirer: { taken: 0, held: 0 } })
})

test('the same key is the same refund, ten times at once; for something else it is refused', async () => {
  const { terminalId, id } = await paid()
  const key = { idempotencyKey: 'key', requestHash: 'hash', amountMinor: 5_000 }
  const begun = await Promise.all(Array.from({ length: 10 }, () => refunds(id, key)))
  expect(new Set(begun.map(({ refundId }) => refundId)).size).toBe(1)
  await settle(
    db,
    acquirer,
    begun.flatMap(({ told }) => told),
  )
  expect(await refunds(id, key)).toMatchObject({ isRepeat: true, told: [] })
  await expect(refunds(id, { ...key, requestHash: 'other' })).rejects.toEqual(refused('idempotency_mismatch'))
  expect(await transactions(db, terminalId)).toMatchObject([{ refundedMinor: 5_000 }])
  await expect(refunds(999_999)).rejects.toEqual(refused('not_found', 'transaction_unknown'))
})

test('ten refunds at once without a key: one is begun, the others are refused', async () => {
  const { terminalId, id } = await paid()
  const begun = await Promise.allSettled(Array.from({ length: 10 }, () => refunds(id)))
  const told = begun.flatMap((one) => (one.status === 'fulfilled' ? one.value.told : []))
  expect(told).toHaveLength(1)
  await settle(db, acquirer, told)
  expect(await transactions(db, terminalId)).toMatchObject([{ refundedMinor: 15_000, status: 'refunded' }])
})

test('a refund and a reversal at once never both pay back', async () => {
  for (let round = 0; round < 20; round++) {
    const { terminalId, id } = await paid()
    const [back, given] = await Promise.allSettled([
      says(db, terminalId, reversal('900001', { stan: '000001' })),
      refunds(id, { amountMinor: 15_000 }),
    ])
    if (back.status === 'rejected') throw back.reason
    const told = given.status === 'fulfilled' ? given.value.told : []
    await settle(db, acquirer, [...back.value.told, ...told])
    const [row] = await transactions(db, terminalId)
    expect(row).toMatchObject({ bookedMinor: 0, act: null })
    expect(back.value.answer!.code).toBe(given.status === 'fulfilled' ? '21' : '00')
    expect(row!.status).toBe(given.status === 'fulfilled' ? 'refunded' : 'cancelled')
    const [theirs] = await db.sql`
      select is_reversed, refunded_minor from simulated_acquirer where transaction_id = ${id}`
    expect(theirs).toEqual(
      given.status === 'fulfilled'
        ? { isReversed: false, refundedMinor: 15_000 }
        : { isReversed: true, refundedMinor: 0 },
    )
  }
})
