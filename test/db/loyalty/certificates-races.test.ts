import { expect, test } from 'vitest'
import { verify } from '../../../db/ledger/ledger-verify.ts'
import { testDb } from '../../postgres.ts'
import { desk, settled } from './certificates.ts'

const { db } = await testDb()
const { person, issue, redeem, transfer, cancel, expire, lapse, now, redeemedOf, sound } = await desk(db)
const many = 20

test(`a document said ${many} times at once takes the money once`, async () => {
  const { id, code } = await issue()
  const answers = await Promise.all(Array.from({ length: many }, () => redeem(code, 1_000, 'DOC-1')))
  for (const answer of answers) expect(answer).toEqual(answers[0])
  expect(await redeemedOf(id)).toEqual([1_000])
  await sound(id)
})

test(`of ${many} at once who want it whole one gets it`, async () => {
  const { id, code } = await issue()
  const { done, refused } = await settled(Array.from({ length: many }, () => redeem(code, 500_000)))
  expect(done).toHaveLength(1)
  expect(new Set(refused)).toEqual(new Set(['conflict']))
  expect(await redeemedOf(id)).toEqual([500_000])
  expect(await sound(id)).toMatchObject({ status: 'used' })
})

test(`${many} at once who want a third of it: three get it`, async () => {
  const { id, code } = await issue({ initialAmount: 1_000 })
  const { done, refused } = await settled(Array.from({ length: many }, () => redeem(code, 333)))
  expect(done.map((one) => one!.remaining).sort()).toEqual([1, 334, 667])
  expect(new Set(refused)).toEqual(new Set(['insufficient_funds']))
  expect(await sound(id)).toMatchObject({ status: 'active', currentAmount: 1 })
})

test('of two heirs at once one inherits', async () => {
  for (let round = 0; round < 5; round++) {
    const [anna, ...heirs] = [await person(), await person(), await person()]
    const { id } = await issue({ ownerId: anna.id })
    const { done, refused } = await settled(heirs.map(({ email }) => transfer(anna, id, email)))
    expect([done.length, refused]).toEqual([1, ['not_yours']])
    const heir = heirs.find(({ email }) => email === done[0]!.email)!
    expect(await now(id)).toMatchObject({ ownerId: heir.id })
  }
})

test('redeemed, handed on, cancelled and expired at the same moment: it ends consistent', async () => {
  const ends = new Set<string>()
  for (let round = 0; round < 12; round++) {
    const [anna, boris] = [await person(), await person()]
    const { id, code } = await issue({ ownerId: anna.id })
    if (round % 2) await lapse(id)
    const acts = [
      () => redeem(code, 500_000),
      () => transfer(anna, id, boris.email),
      () => expire(id),
      () => redeem(code, 1_000, 'DOC-1'),
      ...(round % 3 ? [] : [() => cancel(id)]),
    ]
    const turned = acts.map((_, n) => acts[(n + round) % acts.length]!)
    const { refused } = await settled<unknown>(turned.map((one) => one()))
    for (const code of refused) expect(['conflict', 'insufficient_funds']).toContain(code)
    const { status } = await sound(id)
    ends.add(status)
    if (round % 2) expect(status).toBe('expired')
    expect(await expire(id)).toBe(false)
  }
  expect(ends.size).toBeGreaterThan(1)
})

test('after all of this the books are whole', async () => {
  const proof = await verify(db)
  expect(proof.broken).toBeNull()
  expect(proof.postings).toBeGreaterThan(20)
})
