import { expect, test } from 'vitest'
import { verify } from '../../../db/ledger/ledger-verify.ts'
import { testDb } from '../../postgres.ts'
import { refusal } from './certificates.ts'
import { programme } from './referrals.ts'

const { db } = await testDb()
const { person, create, mine, codesOf, happen, statsOf, balanceOf } = await programme(db)
const many = 20

test('fifty who ask for the same own code at once get one', async () => {
  const anna = await person()
  const codes = await Promise.all(Array.from({ length: 50 }, (_, n) => (n % 2 ? mine(anna) : create(anna))))
  expect(new Set(codes.map(({ code }) => code)).size).toBe(1)
  expect(await codesOf(anna.id)).toHaveLength(1)
})

test('a chosen code belongs to whoever was first, in whatever letters', async () => {
  const people = await Promise.all(Array.from({ length: many }, () => person()))
  const asked = await Promise.all(
    people.map((one, n) => refusal(create(one, { customCode: n % 2 ? 'Spring-26' : 'SPRING-26' }))),
  )
  expect(asked.filter((word) => word === undefined)).toHaveLength(1)
  expect(asked.filter((word) => word === 'duplicate')).toHaveLength(many - 1)
  const winner = people[asked.indexOf(undefined)]!
  expect(await codesOf(winner.id)).toEqual(['SPRING-26'])
})

test(`a first visit said ${many} times at once, with two codes, pays one referrer once`, async () => {
  const [anna, boris, guest] = [await person(), await person(), await person()]
  const codes = [await mine(anna), await mine(boris)]
  const said = await Promise.all(
    Array.from({ length: many }, (_, n) => happen(codes[n % 2]!.code, guest, 'first_visit', { amount: 100 })),
  )
  expect(new Set(said.map(({ id }) => id)).size).toBe(1)
  const paid = [...(await balanceOf(anna)), ...(await balanceOf(boris))]
  expect(paid.reduce((sum, one) => sum + one, 0)).toBe(50_000)
  const [a, b] = [await statsOf(anna), await statsOf(boris)]
  expect([a.totalReferrals + b.totalReferrals, a.totalRevenue + b.totalRevenue]).toEqual([1, 100])
})

test(`one document said ${many} times at once about as many people counts for one of them`, async () => {
  const anna = await person()
  const { code } = await mine(anna)
  const guests = await Promise.all(Array.from({ length: many }, () => person()))
  const said = await Promise.all(
    guests.map((guest) => refusal(happen(code, guest, 'paid_service', { amount: 1_000, document: 'DOC-1000' }))),
  )
  expect(said.filter((word) => word === undefined)).toHaveLength(1)
  expect(said.filter((word) => word === 'document_used')).toHaveLength(many - 1)
  expect(await balanceOf(anna)).toEqual([0, 50])
})

test(`${many} guests of one code and of each other’s at once: every one is counted, and nobody waits in a circle`, async () => {
  const people = await Promise.all(Array.from({ length: many }, () => person()))
  const codes = await Promise.all(people.map(mine))
  const host = await person()
  const { code } = await mine(host)
  await Promise.all(
    people.flatMap((guest, n) => [
      happen(code, guest, 'first_visit', { amount: 1_000 }),
      happen(codes[(n + 1) % many]!.code, guest, 'paid_service', { amount: 2_000 }),
    ]),
  )
  expect(await statsOf(host)).toMatchObject({
    totalReferrals: many,
    successfulReferrals: many,
    totalRevenue: many * 1_000,
    totalRewards: many * 50_000,
  })
  for (const one of people) expect(await balanceOf(one)).toEqual([0, 100])
})

test('after all of this the books are whole', async () => {
  const proof = await verify(db)
  expect(proof.broken).toBeNull()
  expect(proof.postings).toBeGreaterThan(20)
})
