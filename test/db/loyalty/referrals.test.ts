import { expect, test } from 'vitest'
import * as events from '../../../db/loyalty/referrals-events.ts'
import type { Refused } from '../../../db/platform/refused.ts'
import { testDb } from '../../postgres.ts'
import { act } from '../world.ts'
import { refusal } from './certificates.ts'
import { programme, rules } from './referrals.ts'

const { db } = await testDb()
const { person, cashier, admin, create, mine, codesOf, happen, statsOf, rewardsOf, balanceOf } = await programme(db)

test('a code is REF- and eight letters or digits, and the active one comes again instead of a second', async () => {
  const anna = await person()
  const code = await create(anna)
  expect(code.code).toMatch(/^REF-[A-Z0-9]{8}$/)
  expect(code).toMatchObject({ userId: anna.id, referrerType: 'patient', totalReferrals: 0, isActive: true })
  expect(await create(anna, { customCode: 'ANOTHER1' })).toEqual(code)
  expect(await mine(anna)).toEqual(code)
  expect(await create(admin, { userId: anna.id, referrerType: 'doctor' })).toEqual(code)
})

test('a code is made for oneself, by an administrator for anybody', async () => {
  const [anna, boris] = [await person(), await person()]
  expect(await refusal(create(boris, { userId: anna.id }))).toBe('not_yours')
  expect(await refusal(create(cashier, { userId: anna.id }))).toBe('not_yours')
  expect(await create(admin, { userId: anna.id, referrerType: 'partner' })).toMatchObject({ referrerType: 'partner' })
  expect(await refusal(create(admin, { userId: 999_999_999 }))).toBe('user_unknown')
})

test('nobody names a type that pays more than one’s own role does', async () => {
  const [anna, doctor] = [await person(), await person('doctor')]
  expect(await refusal(create(anna, { referrerType: 'doctor' }))).toBe('referrer_type_foreign')
  expect(await create(anna, { referrerType: 'blogger' })).toMatchObject({ referrerType: 'blogger' })
  expect(await mine(doctor)).toMatchObject({ referrerType: 'doctor' })
  expect(await create(admin, { userId: (await person()).id, referrerType: 'doctor' })).toMatchObject({
    referrerType: 'doctor',
  })
})

test('a code that has expired makes way for a new one, and is not given out again', async () => {
  const anna = await person()
  const old = await create(anna, { customCode: 'WINTER-25' })
  await db.sql`update referral_codes set expires_at = now() - interval '1 second' where id = ${old.id}`
  expect(await refusal(happen(old.code, await person(), 'first_visit'))).toBe('referral_code_unknown')
  expect((await statsOf(anna)).code).toBeNull()
  expect(await refusal(create(anna, { customCode: 'WINTER-25' }))).toBe('duplicate')
  expect((await mine(anna)).code).not.toBe(old.code)
  expect(await codesOf(anna.id)).toHaveLength(2)
})

test('every rule pays the referrer what it says', async () => {
  const [anna, doctor, partner] = [await person(), await person('doctor'), await person()]
  const codes = [await mine(anna), await mine(doctor), await create(partner, { referrerType: 'partner' })]
  for (const { code } of codes) {
    const guest = await person()
    await happen(code, guest, 'registration')
    await happen(code, guest, 'first_visit', { amount: 300_000 })
    await happen(code, guest, 'paid_service', { amount: 100_019 })
    await happen(code, guest, 'repeat_visit', { amount: 500 })
  }
  // 100 and 500 points to everybody; 5 % and 10 %, rounded down to the kopeck; a partner has no rule of the kind.
  expect(await Promise.all([anna, doctor, partner].map(balanceOf))).toEqual([
    [60_000, 5_000],
    [60_000, 10_001],
    [60_000, 0],
  ])
  expect(await rewardsOf(doctor)).toMatchObject([
    { rewardType: 'percentage', rewardAmount: 10_001, recipientUserId: doctor.id, referralLevel: 1 },
    { rewardType: 'points', rewardAmount: 50_000 },
    { rewardType: 'points', rewardAmount: 10_000 },
  ])
  expect(await statsOf(doctor)).toEqual({
    totalReferrals: 4,
    successfulReferrals: 1,
    pendingReferrals: 0,
    totalRevenue: 400_519,
    totalRewards: 70_001,
    code: codes[1]!.code,
  })
})

test('a rule of the referrer’s own type goes before one of any; one put out of force pays nothing', async () => {
  const anna = await person()
  const { code } = await create(anna, { referrerType: 'neighbour' })
  await db.sql`insert into reward_rules (event_type, referrer_type, reward_type, value)
    values ('first_visit', 'neighbour', 'fixed', 7700)`
  await happen(code, await person(), 'first_visit')
  expect(await balanceOf(anna)).toEqual([0, 7_700])
  await db.sql`update reward_rules set is_active = false where referrer_type = 'neighbour'`
  await happen(code, await person(), 'first_visit')
  expect(await balanceOf(anna)).toEqual([50_000, 7_700])
  await db.sql`delete from reward_rules where referrer_type = 'neighbour'`
})

test('a percentage of nothing, or of next to nothing, is no reward', async () => {
  const anna = await person()
  const { code } = await mine(anna)
  expect(await happen(code, await person(), 'paid_service')).toMatchObject({ processed: true, transactionAmount: null })
  await happen(code, await person(), 'paid_service', { amount: 19 })
  expect(await rewardsOf(anna)).toEqual([])
  expect(await statsOf(anna)).toMatchObject({ totalReferrals: 2, totalRevenue: 19 })
})

test('a percentage of the largest sum is exact', async () => {
  const doctor = await person('doctor')
  const { code } = await mine(doctor)
  await happen(code, await person(), 'paid_service', { amount: 99_999_999_999 })
  expect(await balanceOf(doctor)).toEqual([0, 9_999_999_999])
})

test('codes that do not count are not there: unknown, put out, of somebody blocked or whose account is closed', async () => {
  const guest = await person()
  expect(await refusal(happen('REF-NOBODY00', guest, 'first_visit'))).toBe('referral_code_unknown')
  expect(await refusal(happen('\0', guest, 'first_visit'))).toBe('referral_code_unknown')
  const [out, blocked, closed] = [await person(), await person(), await person()]
  const codes = [await mine(out), await mine(blocked), await mine(closed)]
  await db.sql`update referral_codes set is_active = false where user_id = ${out.id}`
  await db.sql`update users set status = 'blocked' where id = ${blocked.id}`
  await db.sql`insert into loyalty_accounts (user_id, card_number, is_active) values (${closed.id}, 'ML-closed', false)`
  for (const { code } of codes) expect(await refusal(happen(code, guest, 'first_visit'))).toBe('referral_code_unknown')
  expect(await db.sql`select 1 from referral_events where referred_user_id = ${guest.id}`).toHaveLength(0)
})

test('nobody is referred by oneself, and nobody who is not there', async () => {
  const anna = await person()
  const { code } = await mine(anna)
  expect(await refusal(happen(code, anna, 'first_visit'))).toBe('own_referral_code')
  expect(await refusal(happen(code, { ...anna, id: 999_999_999 }, 'first_visit'))).toBe('user_unknown')
  expect(await statsOf(anna)).toMatchObject({ totalReferrals: 0 })
})

test('a first visit is paid once, whoever says it again, however, and with whosever code', async () => {
  const [anna, boris, guest] = [await person(), await person(), await person()]
  const [a, b] = [await mine(anna), await mine(boris)]
  const first = await happen(a.code, guest, 'first_visit', { amount: 300_000, document: 'DOC-1' })
  expect(await happen(a.code, guest, 'first_visit', { amount: 300_000, document: 'DOC-1' })).toEqual(first)
  expect(await happen(a.code.toLowerCase(), guest, 'first_visit', { document: 'DOC-2' })).toEqual(first)
  expect(await happen(b.code, guest, 'first_visit')).toEqual(first)
  expect([await balanceOf(anna), await balanceOf(boris)]).toEqual([
    [50_000, 0],
    [0, 0],
  ])
  expect(await statsOf(anna)).toMatchObject({ totalReferrals: 1, successfulReferrals: 1, totalRevenue: 300_000 })
  expect(await statsOf(boris)).toMatchObject({ totalReferrals: 0 })
})

test('a document counts once per kind of event, and only for what it was first about', async () => {
  const [anna, guest] = [await person(), await person()]
  const { code } = await mine(anna)
  const paid = { amount: 100_000, document: 'DOC-77' }
  const first = await happen(code, guest, 'paid_service', paid)
  expect(await happen(code, guest, 'paid_service', paid)).toEqual(first)
  expect(await refusal(happen(code, guest, 'paid_service', { ...paid, amount: 1 }))).toBe('document_used')
  expect(await refusal(happen(code, await person(), 'paid_service', paid))).toBe('document_used')
  expect(await refusal(happen((await mine(await person())).code, guest, 'paid_service', paid))).toBe('document_used')
  await happen(code, guest, 'first_visit', paid)
  await happen(code, guest, 'paid_service', { amount: 100_000, document: 'DOC-78' })
  expect(await balanceOf(anna)).toEqual([50_000, 10_000])
})

test('signing up with a code is a registration, paid once; an unknown code turns nobody away', async () => {
  const [anna, guest] = [await person(), await person()]
  const { code } = await mine(anna)
  const signUp = (given: string) => act(db, (tx) => events.registered(tx, given, guest.id, rules))
  expect(await signUp('REF-NOBODY00')).toBeNull()
  const [one, other] = await Promise.all([signUp(code), signUp(` ${code.toLowerCase()} `)])
  expect(one).toEqual(other)
  expect(one).toMatchObject({ eventType: 'registration', referredUserId: guest.id, processed: true })
  expect(await balanceOf(anna)).toEqual([10_000, 0])
  expect(await statsOf(anna)).toMatchObject({ totalReferrals: 1, successfulReferrals: 0, pendingReferrals: 1 })
  await happen(code, guest, 'first_visit')
  expect(await statsOf(anna)).toMatchObject({ totalReferrals: 2, successfulReferrals: 1, pendingReferrals: 0 })
})

test('without a code there are zeros, and none is made', async () => {
  const anna = await person()
  expect(await statsOf(anna)).toEqual({
    totalReferrals: 0,
    successfulReferrals: 0,
    pendingReferrals: 0,
    totalRevenue: 0,
    totalRewards: 0,
    code: null,
  })
  expect(await codesOf(anna.id)).toEqual([])
})

test('a reward whose payment fails leaves no event and no count behind', async () => {
  const anna = await person()
  const { code } = await mine(anna)
  await db.sql`insert into reward_rules (event_type, referrer_type, reward_type, value)
    values ('repeat_visit', null, 'points', ${Number.MAX_SAFE_INTEGER})`
  await happen(code, await person(), 'repeat_visit')
  const failed = await happen(code, await person(), 'repeat_visit').catch((error: Refused) => error)
  await db.sql`delete from reward_rules where event_type = 'repeat_visit'`
  expect(failed).toBeInstanceOf(Error)
  expect(await statsOf(anna)).toMatchObject({ totalReferrals: 1, totalRewards: Number.MAX_SAFE_INTEGER })
  expect(
    await db.sql`select 1 from referral_events where event_type = 'repeat_visit' and referral_code_id =
    (select id from referral_codes where user_id = ${anna.id})`,
  ).toHaveLength(1)
})
