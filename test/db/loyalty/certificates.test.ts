import { expect, test } from 'vitest'
import * as certificates from '../../../db/loyalty/certificates.ts'
import type { CertificateStatus } from '../../../db/loyalty/words.ts'
import type { Refused } from '../../../db/platform/refused.ts'
import { testDb } from '../../postgres.ts'
import { desk, refusal, settled } from './certificates.ts'

const { db } = await testDb()
const {
  person,
  cashier,
  admin,
  issue,
  redeem,
  transfer,
  cancel,
  expire,
  lapse,
  now,
  book,
  redeemedOf,
  auditOf,
  sound,
} = await desk(db)
const many = 20

test('a certificate is sold with a code of its own, for a year, and its money is in its own book', async () => {
  const owner = await person()
  const sold = await issue({ ownerId: owner.id, message: 'С днем рождения!', designTemplate: 'birthday' })
  expect(sold.code).toMatch(/^CERT-[0-9A-F]{16}$/)
  expect(sold).toMatchObject({ initialAmount: 500_000, currentAmount: 500_000, status: 'active', ownerId: owner.id })
  const days = (sold.validUntil.getTime() - sold.issuedAt.getTime()) / 86_400_000
  expect(Math.round(days)).toBe(365)
  expect(await book(sold.id)).toBe(500_000)
  expect(await sound(sold.id)).toEqual(sold)
  expect(await auditOf(sold.id)).toEqual(['certificate.create'])
})

test('nobody is sold a certificate whose time is over, or whose owner is not there', async () => {
  const blocked = await person('patient', 'blocked')
  const count = async () => (await db.sql`select 1 from certificates`).length
  const before = await count()
  expect(await refusal(issue({ validUntil: new Date(Date.now() - 1_000) }))).toBe('validity_past')
  expect(await refusal(issue({ ownerId: 999_999_999 }))).toBe('user_unknown')
  expect(await refusal(issue({ ownerId: blocked.id }))).toBe('user_unknown')
  expect(await count()).toBe(before)
})

test('its owner and staff may look at it, nobody else', async () => {
  const [owner, other] = [await person(), await person('doctor')]
  const { id } = await issue({ ownerId: owner.id })
  for (const { actor } of [owner, cashier, admin])
    expect(await certificates.get(db.sql, actor, id)).toMatchObject({ id })
  expect(await refusal(certificates.get(db.sql, other.actor, id))).toBe('not_yours')
  expect(await refusal(certificates.get(db.sql, admin.actor, 999_999_999))).toBe('certificate_unknown')
})

test('a code is found however it is typed, and whatever its alphabet', async () => {
  const { id, code } = await issue()
  for (const typed of [code, code.toLowerCase(), `  ${code}\n`])
    expect(await certificates.look(db.sql, typed)).toMatchObject({ id })
  await db.sql`update certificates set code = 'ПОДАРОК-G7H8' where id = ${id}`
  expect(await certificates.look(db.sql, 'подарок-g7h8 ')).toMatchObject({ id })
  for (const typed of ['', 'CERT-', `${code}0`, '\0', 'x'.repeat(10_000), '\ud800', "' or 1=1 --"])
    expect(await certificates.look(db.sql, typed)).toBeUndefined()
})

test('a certificate is spent in parts, the last makes it used', async () => {
  const { id, code } = await issue()
  expect(await redeem(code, 150_000)).toMatchObject({ certificateId: id, amount: 150_000, remaining: 350_000 })
  expect(await sound(id)).toMatchObject({ status: 'active', currentAmount: 350_000, usedAt: null })
  expect(await redeem(code.toLowerCase(), 350_000)).toMatchObject({ remaining: 0 })
  expect(await sound(id)).toMatchObject({ status: 'used', currentAmount: 0, usedAt: expect.any(Date) })
  expect(await refusal(redeem(code, 1))).toBe('certificate_used')
  expect(await auditOf(id)).toEqual(['certificate.create', 'certificate.redeem', 'certificate.redeem'])
})

test('more than there is takes nothing', async () => {
  const { id, code } = await issue({ initialAmount: 1_000 })
  await redeem(code, 400)
  const refused = await redeem(code, 601).catch((error: Refused) => error)
  expect(refused).toMatchObject({ code: 'insufficient_funds', about: { available: 600 } })
  expect(await sound(id)).toMatchObject({ currentAmount: 600 })
  expect(await refusal(redeem('CERT-0000000000000000', 1))).toBe('certificate_unknown')
})

test('a document said twice takes the money once and hears the first answer, even from a used certificate', async () => {
  const { id, code } = await issue({ initialAmount: 1_000 })
  const first = await redeem(code, 400, 'DOC-1')
  await redeem(code, 600, 'DOC-2')
  expect(await redeem(code, 400, 'DOC-1')).toEqual(first)
  expect(await refusal(redeem(code, 401, 'DOC-1'))).toBe('document_used')
  expect(await redeemedOf(id)).toEqual([400, 600])
  expect(await sound(id)).toMatchObject({ status: 'used' })
})

test('a document is known per certificate', async () => {
  const [one, other] = [await issue(), await issue()]
  const [a, b] = [await redeem(one.code, 100, 'DOC-9'), await redeem(other.code, 200, 'DOC-9')]
  expect([a!.certificateId, b!.certificateId]).toEqual([one.id, other.id])
})

test('what is over is not redeemed: it is marked, and what is left goes back', async () => {
  const { id, code } = await issue({ initialAmount: 1_000 })
  await redeem(code, 400, 'DOC-1')
  await lapse(id)
  expect(await now(id)).toMatchObject({ status: 'expired', isLapsed: true, currentAmount: 600 })
  expect(await redeem(code, 100)).toBeNull()
  expect(await sound(id)).toMatchObject({ status: 'expired', isLapsed: false, currentAmount: 600 })
  expect(await book(id)).toBe(0)
  expect(await redeem(code, 400, 'DOC-1')).toMatchObject({ remaining: 600 })
  expect(await auditOf(id)).toEqual(['certificate.create', 'certificate.redeem', 'certificate.expire'])
})

test('the clock marks what is over, once, however many look at it', async () => {
  const { id } = await issue()
  expect(await expire(id)).toBe(false)
  await lapse(id)
  expect(await certificates.due(db.sql)).toContainEqual({ id })
  const marked = await Promise.all(Array.from({ length: many }, () => expire(id)))
  expect(marked.filter(Boolean)).toHaveLength(1)
  expect(await certificates.due(db.sql)).not.toContainEqual({ id })
  expect((await auditOf(id)).filter((action) => action === 'certificate.expire')).toHaveLength(1)
  await sound(id)
})

test('nothing brings back what is used, expired or cancelled', async () => {
  const ways: Record<string, (sold: certificates.Certificate) => Promise<unknown>> = {
    used: ({ code }) => redeem(code, 500_000),
    cancelled: ({ id }) => cancel(id),
    expired: ({ id }) => lapse(id).then(() => expire(id)),
  }
  const heir = await person()
  for (const [status, way] of Object.entries(ways)) {
    const sold = await issue({ ownerId: cashier.id })
    await way(sold)
    expect(await sound(sold.id)).toMatchObject({ status })
    await db.sql`update certificates set valid_until = now() + interval '1 day' where id = ${sold.id}`
    expect(await refusal(redeem(sold.code, 1))).toBe(`certificate_${status}`)
    expect(await refusal(transfer(cashier, sold.id, heir.email))).toBe(`certificate_${status}`)
    expect(await refusal(cancel(sold.id))).toBe(`certificate_${status}`)
    expect(await expire(sold.id)).toBe(false)
    expect(await sound(sold.id)).toMatchObject({ status, ownerId: cashier.id })
  }
})

test('a cancelled certificate gives what is left back, once', async () => {
  const { id, code } = await issue({ initialAmount: 1_000 })
  await redeem(code, 400)
  const { done, refused } = await settled([cancel(id), cancel(id), cancel(id)])
  expect([done.length, refused]).toEqual([1, ['conflict', 'conflict']])
  expect(await sound(id)).toMatchObject({ status: 'cancelled', currentAmount: 600 })
  expect(await book(id)).toBe(0)
  const late = await issue()
  await lapse(late.id)
  expect(await cancel(late.id)).toBeNull()
  expect(await sound(late.id)).toMatchObject({ status: 'expired' })
})

test('a certificate is handed on by its owner, with its history', async () => {
  const [anna, boris] = [await person(), await person()]
  const { id } = await issue({ ownerId: anna.id })
  expect(await transfer(anna, id, boris.email.toUpperCase())).toEqual({ email: boris.email })
  expect(await now(id)).toMatchObject({ ownerId: boris.id, status: 'active', currentAmount: 500_000 })
  const history =
    await db.sql`select from_user_id, to_user_id, transferred_by from certificate_transfers where certificate_id = ${id}`
  expect([...history]).toEqual([{ fromUserId: anna.id, toUserId: boris.id, transferredBy: anna.id }])
  expect(await refusal(transfer(anna, id, boris.email))).toBe('not_yours')
  expect(await refusal(transfer(boris, id, boris.email))).toBe('transfer_to_owner')
})

test('staff hand on anybody’s, also what has no owner yet; others only their own', async () => {
  const [anna, boris] = [await person(), await person()]
  const { id } = await issue()
  expect(await refusal(transfer(anna, id, boris.email))).toBe('not_yours')
  expect(await transfer(cashier, id, anna.email)).toEqual({ email: anna.email })
  expect(await refusal(transfer(cashier, id, anna.email))).toBe('transfer_to_owner')
  expect(await refusal(transfer(admin, id, 'nobody@example.com'))).toBe('recipient_unknown')
  const waiting = await person('patient', 'pending')
  expect(await refusal(transfer(anna, id, waiting.email))).toBe('recipient_unknown')
  expect(await now(id)).toMatchObject({ ownerId: anna.id })
})

test('the list pages by what is true now, newest first', async () => {
  const { id } = await issue()
  await lapse(id)
  const page = (status?: CertificateStatus) => certificates.list(db.sql, { status, limit: 3, offset: 0 })
  const all = await page()
  expect(all.rows.map((one) => one.id)).toEqual([id, id - 1, id - 2])
  expect((await page('expired')).rows[0]).toMatchObject({ id, status: 'expired' })
  expect((await page('active')).rows.map((one) => one.id)).not.toContain(id)
  const counts = await Promise.all((['active', 'used', 'expired', 'cancelled'] as const).map((one) => page(one)))
  expect(counts.reduce((sum, { total }) => sum + total, 0)).toBe(all.total)
})
